"""`hetpmu show`: what a directory is, what was printed, its runs and their tables; damage is refused."""

import json
import shutil
from pathlib import Path

import pytest

from simcore.app.cli import exit_code
from simcore.app.storing import load_result
from simcore.table_columns import TABLES

ROOT = Path(__file__).resolve().parents[1]
TRACE = str(ROOT / "tests" / "data" / "traces" / "rtapp_6cpu.report.txt.gz")
SCENARIO = """\
format = "hetpmu-scenario/1"
seconds = "30ms"
[[vms]]
vcpus = 1
guest = { boot = "5ms" }
"""
SHORT = ["--vcpus", "1", "--seconds", "30ms", "--policies", "default,fixed-counters-only", "--workers", "1"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a folder with a run, a comparison and a replay, these without their pictures."""
    place = tmp_path_factory.mktemp("show")
    replay = ["replay", TRACE, "--threads", "rt-app", "--platform", "juno-r0", "--policies", "default"]
    with pytest.MonkeyPatch.context() as patch:
        for module in ("keeping", "trace_replay"):
            patch.setattr(f"simcore.app.{module}.draw", lambda *_: None)
        assert exit_code(["compare", *SHORT, "--seeds", "1", "--out", str(place / "compared")]) == 0
        assert exit_code([*replay, "--out", str(place / "replayed")]) == 0
    (place / "scenario.toml").write_text(SCENARIO)
    assert exit_code(["run", str(place / "scenario.toml"), "--sample", "10ms", "--out", str(place / "run")]) == 0
    return place


def shown(capsys, *arguments):
    """Return what `show` prints."""
    capsys.readouterr()
    assert exit_code(["show", *map(str, arguments)]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 120
    return out


def test_a_run_is_shown_as_it_was_printed_with_all_its_tables(place, capsys):
    text = shown(capsys, place / "run")
    assert text.startswith(f"{place / 'run'}: a run\n")
    assert (place / "run" / "table.txt").read_text() in text
    assert "rk3588, default@mainline, 0.03 s, seed 1; digest ok" in text
    rows = {line.split()[0]: line.split()[1] for line in text.partition("what a row is\n")[2].splitlines() if line}
    assert rows.keys() - {"written"} == TABLES.keys()
    assert (rows["cpus"], rows["samples"], rows["switches"]) == ("8", "4", "0")
    assert "written by hetpmu 0.1.0, python 3." in text


def test_a_comparison_is_shown_with_its_runs(place, capsys):
    text = shown(capsys, place / "compared")
    assert text.startswith(f"{place / 'compared'}: a comparison of 2 runs\n")
    assert (place / "compared" / "table.txt").read_text() in text
    assert [line.split()[0] for line in text.splitlines() if line.endswith(" ok")] == [
        "runs/01-default@mainline",
        "runs/02-fixed-counters-only@v8",
    ]


def test_a_replay_is_shown(place, capsys):
    text = shown(capsys, place / "replayed")
    assert "a replay of 2 runs" in text
    assert (place / "replayed" / "table.txt").read_text() in text


def test_a_directory_with_a_board_of_ones_own_goes_anywhere(place, tmp_path, capsys):
    board, moved = tmp_path / "board.toml", tmp_path / "moved"
    board.write_text((ROOT / "docs" / "examples" / "board.toml").read_text())
    line = ["run", str(place / "scenario.toml"), "--set", f"platform={board}", "--sample", "10ms"]
    assert exit_code([*line, "--out", str(tmp_path / "run")]) == 0
    (tmp_path / "run").rename(moved)
    board.unlink()
    assert str(board) in shown(capsys, moved)
    assert load_result(moved).scenario.platform == str(moved / "platform.toml")
    assert exit_code(["plot", str(moved), "-o", str(tmp_path / "plot.svg")]) == 0
    with (moved / "platform.toml").open("a") as file:
        file.write("\n")
    assert exit_code(["show", str(moved)]) == 2
    (moved / "platform.toml").unlink()
    assert exit_code(["show", str(moved)]) == 2


def test_rows_of_a_table(place, capsys):
    text = shown(capsys, place / "run", "--table", "samples", "--head", "2")
    assert text.splitlines()[0] == "run: samples, 2 of 4 rows"
    assert len(text.splitlines()) == 5
    assert "not shown: counters" in text
    assert "switches, 0 of 0 rows" in shown(capsys, place / "run", "--table", "switches")
    assert shown(capsys, place / "compared", "--table", "guests").count("guests, 1 of 1 rows") == 2


def test_the_answer_as_json(place, capsys):
    run = json.loads(shown(capsys, place / "run", "--table", "samples", "--json", "-"))
    assert (run["schema"], run["kind"], run["answer"], run["table"]) == ("hetpmu-show/1", "run", None, "samples")
    assert [row["t_ns"] for row in run["runs"][0]["rows"]] == [0, 10_000_000, 20_000_000, 30_000_000]
    assert len(run["runs"][0]["rows"][0]["counters"]) == 31
    assert run["runs"][0]["scenario"]["seconds_ns"] == 30_000_000
    assert run["runs"][0]["timings"].keys() == {"build_s", "run_s", "record_s"}
    found = json.loads(shown(capsys, place / "compared", "--json", "-"))
    assert found["answer"] == json.loads((place / "compared" / "compare.json").read_text())
    assert [row["seed"] for row in found["runs"]] == [1, 1]
    assert "rows" not in found["runs"][0]


def test_bad_input_is_exit_two(place, tmp_path, capsys):
    (tmp_path / "thesis.tex").write_text("")
    run = place / "run"
    for arguments, part in (
        ((tmp_path / "none",), "no such result"),
        ((tmp_path,), "study.json"),
        ((tmp_path / "thesis.tex",), "a file"),
        ((run, "--table", "migration"), "migrations"),
        ((run, "--head", "3"), "--table"),
        ((run, "--table", "reads", "--head", "-1"), "--head"),
    ):
        assert exit_code(["show", *map(str, arguments)]) == 2
        shown = capsys.readouterr()
        assert part in shown.err
        assert len(shown.err.splitlines()) <= 3
        assert shown.out == ""


@pytest.mark.parametrize(
    "name, old, new",
    [("meta.json", b'"vcpus": 1', b'"vcpus": 2'), ("tables/vpmus.parquet", b"PAR1", b"PAR2"), ("meta.json", b"}", b"")],
)
def test_damage_is_named_in_one_message(place, tmp_path, capsys, name, old, new):
    damaged = tmp_path / "run"
    shutil.copytree(place / "run", damaged)
    (damaged / name).write_bytes((damaged / name).read_bytes().replace(old, new))
    assert exit_code(["show", str(damaged)]) == 2
    err = capsys.readouterr().err
    assert str(damaged) in err
    assert len(err.splitlines()) <= 3
