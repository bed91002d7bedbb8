"""The command line as users meet it: the installed script in a process of its own, or its main function in this one."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from simcore.app import cli_compare
from simcore.app.cli import cli, exit_code
from simcore.app.cli_options import Ticker

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = shutil.which("hetpmu", path=str(Path(sys.executable).parent))
COMMAND = [SCRIPT] if SCRIPT else [sys.executable, "-m", "simcore.app.cli"]
SHORT = ("--seconds", "50ms", "--seeds", "1", "--workers", "1")
TWO = ("--policies", "default,fixed-counters-only")
COMMANDS = (
    "compare",
    "run",
    "plot",
    "platforms",
    "explain",
    "validate",
    "bench",
    "uapi",
    "migrate",
    "conformance",
    "replay",
    "probe",
    "import",
    "predict",
    "validate-model",
    "sweep",
    "export",
)


def hetpmu(*arguments, **options):
    """Run the script as a user does."""
    return subprocess.run(
        [*COMMAND, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False, **options
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Return the directory that a short comparison left."""
    out = tmp_path_factory.mktemp("demo") / "out"
    assert exit_code(["compare", *SHORT, *TWO, "--out", str(out)]) == 0
    return out


@pytest.fixture
def scenario(tmp_path):
    path = tmp_path / "scenario.toml"
    path.write_text('format = "hetpmu-scenario/1"\nseconds = "50ms"\n[[vms]]\nvcpus = 2\n')
    return path


def test_help_is_fast_and_light():
    code = (
        "import sys; from simcore.app.cli import exit_code; exit_code(['--help']); "
        "print(sorted({'numba', 'numpy', 'matplotlib', 'simpy', 'pydantic', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert all(name in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_has_an_example(command, capsys):
    assert exit_code([command, "--help"]) == 0
    examples = capsys.readouterr().out.partition("Example")[2]
    assert f"hetpmu {command}" in examples
    for line in (cli.commands[command].epilog or "").splitlines():
        assert "hetpmu " not in line or line.strip().removeprefix("Example") in examples, "to copy: not wrapped"


def test_the_script_prints_the_table(tmp_path):
    done = hetpmu("compare", *SHORT, *TWO, env={**os.environ, "FORCE_COLOR": "1"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "default@mainline" in done.stdout
    assert "fixed-counters-only@v8" in done.stdout
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 120


def test_json_to_stdout_is_the_object_only():
    done = hetpmu(
        "compare", *SHORT, "--policies", "fixed-counters-only,default", "--kernel", "mainline,v6", "--json", "-"
    )
    answer = json.loads(done.stdout)
    assert done.returncode == 0
    assert [(row["policy"], row["kernel"]) for row in answer["policies"]] == [
        ("fixed-counters-only", "v6"), ("default", "mainline"), ("default", "v6"),
    ]  # fmt: skip
    assert done.stderr.count("left out") == 1
    assert "What the guest gets" in done.stderr


def test_out_keeps_all_that_belongs_together(demo):
    names = sorted(path.name for path in demo.iterdir())
    assert names == ["SHA256SUMS", "compare.json", "continuity.png", "continuity.svg", "runs", "table.txt"]
    assert json.loads((demo / "compare.json").read_text())["schema"] == "hetpmu-compare/1"
    assert "What the guest gets" in (demo / "table.txt").read_text()
    assert len(list((demo / "runs").iterdir())) == 2


def test_a_result_is_not_overwritten_silently(demo, capsys):
    before = (demo / "compare.json").stat().st_mtime_ns
    assert exit_code(["compare", *SHORT, *TWO, "--out", str(demo)]) == 2
    assert "--force" in capsys.readouterr().err
    assert (demo / "compare.json").stat().st_mtime_ns == before


def test_plot_draws_what_compare_kept(demo, tmp_path, capsys):
    for name in ("one.png", "one.svg"):
        assert exit_code(["plot", str(demo), "--vcpu", "1", "-o", str(tmp_path / name)]) == 0
        assert (tmp_path / name).stat().st_size > 10_000
    assert exit_code(["plot", str(demo), "--policies", "default", "-o", str(tmp_path / "two.svg")]) == 0
    assert "fixed-counters-only@v8" not in (tmp_path / "two.svg").read_text()


def test_run_keeps_a_result_that_plot_draws(scenario, tmp_path, capsys):
    out = tmp_path / "result"
    arguments = ["run", str(scenario), "--sample", "1ms", "--set", "vms.0.vcpus=1", "--set", "seed=7", "--json", "-"]
    assert exit_code([*arguments, "--out", str(out)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["vcpus"], answer["seeds"], answer["seconds"]) == (1, [7], 0.05)
    assert sorted(path.name for path in out.iterdir()) == ["meta.json", "table.txt", "tables", "timings.json"]
    assert exit_code(["plot", str(out), "-o", str(tmp_path / "run.png")]) == 0


def test_a_tick_changes_nothing(scenario, capsys):
    answers = []
    for tick in ((), ("--tick", "100us")):
        assert exit_code(["run", str(scenario), *tick, "--json", "-"]) == 0
        answers.append(json.loads(capsys.readouterr().out))
    assert answers[0] == answers[1]


def test_explain_and_platforms_and_validate(scenario, capsys, tmp_path):
    assert exit_code(["explain", "rk3588", "--json", str(tmp_path / "explain.json")]) == 0
    assert "armv8_cortex_a76" in capsys.readouterr().out
    assert json.loads((tmp_path / "explain.json").read_text())["schema"] == "hetpmu-explain/1"
    assert exit_code(["explain", "--all"]) == 0
    assert "bcm2711" in capsys.readouterr().out
    assert exit_code(["platforms"]) == 0
    assert "rk3588" in capsys.readouterr().out
    assert exit_code(["validate", str(scenario)]) == 0
    assert exit_code(["validate", "--schema", "scenario"]) == 0
    assert "properties" in capsys.readouterr().out


def test_validate_names_every_bad_file(scenario, tmp_path, capsys):
    bad = tmp_path / "bad.toml"
    bad.write_text("format = [")
    assert exit_code(["validate", str(bad), str(scenario), str(tmp_path)]) == 2
    shown = capsys.readouterr()
    assert str(bad) in shown.err
    assert "directory" in shown.err
    assert str(scenario) in shown.out


BAD = [
    ("compare --platform rk3588x", "rk3588"),
    ("compare --platform {tmp}", "directory"),
    ("compare --guest windwos", "windows"),
    ("compare --workload 429mcf", "429.mcf"),
    ("compare --vmm qemuu", "qemu"),
    ("compare --scheduler efdv", "eevdf"),
    ("compare --scheduler random:0", "random"),
    ("compare --policies fixed-counter-only", "fixed-counters-only"),
    ("compare --policies set-pmu:armv8_cortex_a67", "armv8_cortex_a76"),
    ("compare --policies default,", "empty"),
    ("compare --policies fixed-counters-only@mainline", "v8"),
    ("compare --kernel v5", "v6"),
    ("compare --seconds 0", "zero"),
    ("compare --seconds=-1", "negative"),
    ("compare --seconds 1.5fortnights", "unit"),
    ("compare --seconds 1e3000000s", "time"),
    ("compare --window 0ns", "zero"),
    ("compare --seeds 0", "seeds"),
    ("compare --vcpus 0", "vcpus"),
    ("compare --vcpus many", "vcpus"),
    ("compare --workers 0", "workers"),
    ("compare --out {file}", "file"),
    ("compare --out {file}/deep", "write"),
    ("compare --json {tmp}", "directory"),
    ("compare --json {tmp}/none/x.json", "none"),
    ("compare {tmp}/absent.toml", "absent.toml"),
    ("compare {tmp}", "directory"),
    ("compare {file}", "TOML"),
    ("run {tmp}/absent.toml", "absent.toml"),
    ("run {scenario} --set nonsense", "KEY=VALUE"),
    ("run {scenario} --set secnds=1s", "secnds"),
    ("run {scenario} --set vms.0.cpus=[99]", "affinity"),
    ("run {scenario} --set vms.0.vcpus=0", "vcpus"),
    ("run {scenario} --tick 0", "zero"),
    ("plot {tmp}/none -o x.png", "none"),
    ("plot {tmp} -o {tmp}/x.png", "no run"),
    ("plot {tmp} -o {tmp}/x.pdf", ".png"),
    ("plot {tmp}", "-o"),
    ("explain", "--all"),
    ("explain rk3588 --all", "--all"),
    ("explain rk3589", "rk3588"),
    ("validate", "--schema"),
    ("validate --schema board", "soc"),
    ("bench --band warm", "hot"),
    ("bench --plot {tmp}/x.pdf", ".png"),
    ("bench --plot {tmp}/none/x.png", "none"),
    ("bench --plot {tmp}/x.png --plot-kind roof", "roofline"),
    ("bench --save {tmp}", "directory"),
    ("bench --save {tmp}/none/x.json", "none"),
    ("bench --against {tmp}", "no benchmarks"),
    ("bench --against {file}", "bench --save"),
    ("compear", "compare"),
    ("compare --polices default", "--policies"),
]


@pytest.mark.parametrize("line, part", BAD, ids=[line for line, _ in BAD])
def test_bad_input_is_three_lines_exit_two_and_nothing_written(line, part, tmp_path, scenario, capsys):
    work = tmp_path / "work"
    work.mkdir()
    file = tmp_path / "file"
    file.write_text("not a [scenario")
    assert exit_code(line.format(tmp=work, file=file, scenario=scenario).split()) == 2
    shown = capsys.readouterr()
    assert part.lower() in shown.err.lower()
    assert 1 <= len(shown.err.splitlines()) <= 3
    assert "Traceback" not in shown.err
    assert shown.out == ""
    assert list(work.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "scenario.toml", "work"]


def test_bad_input_is_found_before_anything_is_simulated(monkeypatch):
    monkeypatch.setattr("simcore.app.comparing.run", lambda scenario: pytest.fail("simulated"))
    assert exit_code(["compare", "--policies", "default,nonsense"]) == 2


def test_ctrl_c_keeps_the_finished_runs(tmp_path, monkeypatch, capsys):
    class Impatient(Ticker):
        def __call__(self, done, planned):
            if done == 4:
                os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(cli_compare, "Ticker", Impatient)
    arguments = ["compare", *TWO, "--seconds", "50ms", "--seeds", "3", "--workers", "1", "--out", str(tmp_path / "out")]
    assert exit_code(arguments) == 3
    shown = capsys.readouterr()
    assert "4 of 9 runs" in shown.err
    assert "INTERRUPTED" in shown.out
    assert json.loads((tmp_path / "out" / "compare.json").read_text())["interrupted"] == {"finished": 4, "planned": 9}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_ctrl_c_at_the_script_is_exit_three(tmp_path):
    process = subprocess.Popen(
        [*COMMAND, "compare", "--seconds", "100s", "--seeds", "50", "--out", str(tmp_path / "out")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not list(tmp_path.iterdir()):  # the temporary directory: the job has begun
        time.sleep(0.05)
        assert process.poll() is None
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 3
    assert "interrupted" in err
    assert "Traceback" not in err
    assert not [path.name for path in tmp_path.iterdir() if path.name != "out"]


def test_ctrl_c_stops_a_single_run_and_leaves_nothing(tmp_path):
    scenario = ROOT / "docs" / "examples" / "boot.toml"
    process = subprocess.Popen(
        [*COMMAND, "run", str(scenario), "--set", "seconds=900s", "--out", str(tmp_path / "out")],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not list(tmp_path.iterdir()):
        time.sleep(0.05)
        assert process.poll() is None
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 3
    assert "interrupted" in err
    assert not list(tmp_path.iterdir())


def test_a_closed_pipe_is_no_error():
    line = f"{' '.join(map(str, COMMAND))} explain rk3588 | head -1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_bug_says_how_to_report_it(monkeypatch, capsys):
    monkeypatch.setattr("simcore.loader.list_platforms", lambda: 1 // 0)
    assert exit_code(["platforms"]) == 4
    shown = capsys.readouterr().err
    assert "ZeroDivisionError" in shown
    assert "report it" in shown


def test_a_full_disk_is_not_our_bug(monkeypatch, tmp_path, capsys):
    def full(*_):
        raise OSError(28, "No space left on device", "table.txt")

    monkeypatch.setattr("simcore.app.keeping.write_json", full)
    assert exit_code(["compare", *SHORT, *TWO, "--out", str(tmp_path / "out")]) == 2
    assert "No space left" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_colour_is_for_terminals_without_no_color(monkeypatch, capsys):
    for no_color, coloured in (("", True), ("1", False)):
        monkeypatch.setenv("NO_COLOR", no_color)
        monkeypatch.setattr("sys.stdout.isatty", lambda: True)
        assert exit_code(["compare", *SHORT, "--policies", "default"]) == 0
        assert bool(re.search("\x1b", capsys.readouterr().out)) == coloured


def test_quick_says_so(capsys):
    assert exit_code(["compare", "--quick", "--policies", "default", "--workers", "1", "--json", "-"]) == 0
    shown = capsys.readouterr()
    answer = json.loads(shown.out)
    assert (answer["seeds"], answer["seconds"]) == ([1, 2], 0.2)
    assert shown.err.startswith("QUICK")


def test_seeds_begin_at_the_base(capsys):
    assert (
        exit_code(["compare", *SHORT[:2], "--seeds", "2", "--seed", "40", "--policies", "default", "--json", "-"]) == 0
    )
    assert json.loads(capsys.readouterr().out)["seeds"] == [40, 41]
