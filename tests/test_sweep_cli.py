"""`hetpmu sweep` as users meet it: output, exit codes, bad input, and what stops it."""

import json
import os
import resource
import signal
import sys
import time

import pytest

from simcore.app import sweep_scenarios, sweeping
from simcore.app.cli import exit_code
from simcore.app.running import run
from tests.sweeps import finished, forked, write_study

ONE = "[grid]\nhz = [100]\n[seeds]\ncount = 2\n"


@pytest.fixture
def study(tmp_path):
    return write_study(tmp_path)


def test_the_answer_has_a_row_for_each_point(study, tmp_path, capsys):
    out = tmp_path / "out"
    assert exit_code(["sweep", study, "--out", str(out), "--workers", "1", "--seeds", "2", "--json", "-"]) == 0
    shown = capsys.readouterr()
    answer = json.loads(shown.out)
    assert answer["schema"] == "hetpmu-sweep/1"
    assert answer["runs"] == {"planned": 12, "finished": 12, "failed": 0, "spared": 0}
    row = answer["points"][4]
    assert row["values"] == {"vms.0.policy": "fixed-counters-only@v8", "hz": 250}
    assert (row["policy"], row["kernel"], row["runs"], row["failed"]) == ("fixed-counters-only", "v8", 2, 0)
    assert "2 seeds from 1 on: 12 runs" in shown.err
    assert exit_code(["sweep", study, "--out", str(out), "--seeds", "2"]) == 0
    assert "2 seeds from 1 on: 12 runs" in capsys.readouterr().out


def test_the_directory_has_the_name_of_the_study(tmp_path, monkeypatch, capsys):
    path = write_study(tmp_path, ONE)
    monkeypatch.chdir(tmp_path)
    assert exit_code(["sweep", path, "--workers", "1"]) == 0
    assert "written: sweep-tiny/" in capsys.readouterr().out
    assert (tmp_path / "sweep-tiny" / "study.json").exists()


def test_a_failed_run_is_exit_one(study, tmp_path, monkeypatch, capsys):
    def failing(scenario, *more):
        return run(scenario, *more) if scenario.seed > 1 else 1 / 0

    monkeypatch.setattr(sweep_scenarios, "run", failing)
    assert exit_code(["sweep", study, "--out", str(tmp_path / "out"), "--workers", "1"]) == 1
    assert "6 of 24 runs failed" in capsys.readouterr().err


BAD = [
    ("[grid]\nhz = []", "empty"),
    ("[grid]\nhz = 250", "list"),
    ("[grid]", "no points"),
    ("points = []", "no points"),
    ("[grd]\nhz = [250]", "grid"),
    ("[grid]\nhzz = [250]", "hz"),
    ('[grid]\n"vms.0.policy" = ["default", "defualt"]', "defualt"),
    ('[grid]\n"vms.0.policy" = ["fixed-counters-only@mainline"]', "v8"),
    ('[grid]\n"vms.7.vcpus" = [1]', "index"),
    ("[grid]\nhz = [250, 7]", "at least 100"),
    ("[grid]\nseed = [1, 2]", "[seeds]"),
    ("[grid]\nhz = [100]\n[zip]\nhz = [250]", "twice"),
    ("[zip]\nhz = [100]\nmargin = [80, 90]", "different lengths"),
    ("[[points]]\nhz = 100\n[[points]]\nmargin = 80", "different keys"),
    ("[grid]\nhz = [100]\n[seeds]\ncount = 0", "at least 1"),
    ('[grid]\nhz = [100]\n[stop]\nmetric = "crash_probability"', "half_width"),
    ('[grid]\nhz = [100]\n[stop]\nmetric = "crashes"\nhalf_width = 0.1', "crashed"),
    ('[grid]\nhz = [100]\n[stop]\nmetric = "crashed"\nhalf_width = 0.1\nmin_seeds = 50', "at most 20"),
    ("[grid]\nhz = [100]\n[seeds]\ncount = 100_000\nbase = 1\n[zip]\nmargin = [80, 90]", "--yes"),
    ("[grid]\nplatform = ['rk3588', 'rk3589']", "rk3588"),
    ("[grid]\nhz = [100, 250, 100]", "hz=100 is there twice"),
    ("[zip]\nhz = [100, 100]\nmargin = [80, 80]", "there twice"),
]


@pytest.mark.parametrize("text, part", BAD, ids=[text for text, _ in BAD])
def test_bad_input_is_exit_two_before_the_first_run(text, part, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sweeping, "_crew", lambda *_: pytest.fail("began to run"))
    path = write_study(tmp_path, text + "\n")
    assert exit_code(["sweep", path, "--out", str(tmp_path / "out"), "--workers", "1"]) == 2
    shown = capsys.readouterr()
    assert part in shown.err
    assert len(shown.err.splitlines()) <= 3
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments, part",
    [
        (["nonsense"], "study"),
        (["{study}", "--seeds", "0"], "--seeds"),
        (["{study}", "--workers", "0"], "--workers"),
        (["{study}", "--out", "{study}"], "study.toml"),
        (["{study}", "--out", "/proc/none"], "/proc/none"),
        (["{study}", "--dask", "tcp://localhost:1", "--workers", "2"], "Dask"),
        (["{folder}/absent.toml"], "absent.toml"),
    ],
)
def test_bad_arguments(arguments, part, study, tmp_path, capsys):
    filled = [argument.format(study=study, folder=tmp_path) for argument in arguments]
    where = [] if "--out" in arguments else ["--out", str(tmp_path / "out")]
    assert exit_code(["sweep", *filled, *where]) == 2
    shown = capsys.readouterr()
    assert part in shown.err
    assert len(shown.err.splitlines()) <= 3


def test_a_million_points_are_refused_at_once(tmp_path, capsys):
    values = ", ".join(f'"{number}ms"' for number in range(1, 1001))
    path = write_study(tmp_path, f"[grid]\nseconds = [{values}]\nrate_limit = [{values}]\n[seeds]\ncount = 1\n")
    assert exit_code(["sweep", path, "--out", str(tmp_path / "out")]) == 2
    assert "1,000,000 points with 1 seeds each" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_scenario_outside_the_directory_is_refused(tmp_path, capsys):
    (tmp_path / "secret.toml").write_text('format = "hetpmu-scenario/1"\n')
    (tmp_path / "in").mkdir()
    head = 'format = "hetpmu-study/1"\nname = "x"\nquestion = "?"\nscenario = "../secret.toml"\n'
    path = write_study(tmp_path / "in", ONE, head)
    assert exit_code(["sweep", path, "--out", str(tmp_path / "out")]) == 2
    assert "leads out of the directory" in capsys.readouterr().err


def test_the_base_may_be_a_file(tmp_path):
    (tmp_path / "base.toml").write_text('format = "hetpmu-scenario/1"\nseconds = "1ms"\n')
    head = 'format = "hetpmu-study/1"\nname = "x"\nquestion = "?"\nscenario = "base.toml"\n'
    path = write_study(tmp_path, ONE, head)
    assert exit_code(["sweep", path, "--out", str(tmp_path / "out"), "--workers", "1"]) == 0
    assert exit_code(["validate", path]) == 0


def test_validate_finds_a_bad_point(tmp_path, capsys):
    path = write_study(tmp_path, "[grid]\nhz = [100, 99]\n")
    assert exit_code(["validate", path]) == 2
    assert "point 1 (hz=99)" in capsys.readouterr().err
    assert exit_code(["validate", "--schema", "study"]) == 0


def sweeping_process(arguments, said, limit=resource.RLIM_INFINITY):
    """Be a process that sweeps; what it says to people goes to a file."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    with said.open("w") as sys.stderr:
        code = exit_code(["sweep", *arguments])
    os._exit(code)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_keeps_what_is_finished(number, tmp_path):
    path = write_study(tmp_path, "[grid]\nhz = [100, 250]\n[seeds]\ncount = 5000\n")
    out, said = tmp_path / "out", tmp_path / "said"
    with forked(sweeping_process, [path, "--out", str(out), "--workers", "2"], said) as process:
        while not list(out.glob("open/*.lines")) and process.is_alive():
            time.sleep(0.02)
        os.kill(process.pid, number)
        process.join(100)
        assert process.exitcode == 3
    assert "the same command goes on" in said.read_text()
    assert finished(out)


def test_a_full_disk_is_said_and_what_was_finished_is_kept(study, tmp_path):
    out, said = tmp_path / "out", tmp_path / "said"
    with forked(sweeping_process, [study, "--out", str(out), "--workers", "1"], said, 10_000) as process:
        process.join()
        assert process.exitcode == 2
    assert "too large" in said.read_text()
    assert len(said.read_text().splitlines()) <= 3
    kept = finished(out)
    assert 0 < len(kept) < 24
    assert exit_code(["sweep", study, "--out", str(out), "--workers", "1"]) == 0
    assert len(finished(out)) == 24


def test_progress_is_shown_on_a_terminal_only(study, tmp_path, monkeypatch, capsys):
    assert exit_code(["sweep", study, "--out", str(tmp_path / "one"), "--workers", "1", "--seeds", "1"]) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert exit_code(["sweep", study, "--out", str(tmp_path / "two"), "--workers", "1", "--seeds", "1"]) == 0
    assert "sweep" in capsys.readouterr().err
