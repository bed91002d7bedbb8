"""`hetpmu guest matrix`: a dataset of runs that goes on where it ended, and the table of verdicts made of it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from simcore.app import sweep_guests
from simcore.app.cli import exit_code
from simcore.app.code_images import read_image
from simcore.app.code_matrix import matrix_answer
from simcore.app.code_running import answer as real
from simcore.app.code_verdicts import WIDTH, verdict_text
from simcore.app.study_data import load_study
from simcore.guest_columns import GUEST_COLUMNS
from tests.guest_programs import POWER_OFF, image
from tests.sweeps import fingerprint
from tests.tools import need_unicorn

need_unicorn()

BOTH = ("--policies", "default,fixed-counters-only")
MOVES = ("--migrate", "random:20000", "--seeds", "2", "--workers", "1")


def matrix(*arguments: str) -> int:
    return exit_code(["guest", "matrix", *arguments])


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Return the directory of a small matrix."""
    out = tmp_path_factory.mktemp("matrix") / "out"
    assert matrix("reads", "counts", *BOTH, "--kernel", "mainline,v6,v8", *MOVES, "--out", str(out)) == 0
    return out


def test_a_row_for_each_combination_but_the_seeds(done):
    answer = matrix_answer(load_study(done), done)
    named = [(row["image"], row["policy"], row["kernel"], row["runs"]) for row in answer["rows"]]
    pairs = [("default", kernel) for kernel in ("mainline", "v6", "v8")]
    pairs += [("fixed-counters-only", kernel) for kernel in ("v6", "v8")]  # mainline has no such attribute
    assert named == [(name, *pair, 2) for name in ("reads", "counts") for pair in pairs]
    assert [row["well"] for row in answer["rows"]] == [0, 0, 0, 2, 2, 2, 2, 2, 2, 2]
    assert answer["rows"][9]["verdicts"] == {"PASS": 0, "FAIL": 0, "SKIP": 2}
    assert answer["rows"][0]["stalls"] > 0 == answer["rows"][4]["stalls"]
    assert answer["rows"][4]["reloads"] == answer["rows"][4]["crossings"] > 0


def test_the_dataset_has_a_row_a_run(done):
    runs = load_study(done).runs
    assert set(runs.dtype.names or ()) == {
        "point",
        "image",
        "policy",
        "kernel",
        "migrate",
        *(c.name for c in GUEST_COLUMNS),
    }
    assert len(runs) == 20
    assert len(set(runs["image_digest"][runs["image"] == "reads"])) == 1
    assert (runs["ended"] == "off").all()
    assert (runs["counted"] + runs["off_pmu"] > 0).sum() == 10  # counts uses no cycle counter
    stalled = runs["stalls"] > 0
    assert ((runs["off_pmu"] > 0) == stalled).all()
    assert (runs["longest_stall_ns"] <= runs["stalled_ns"]).all()


def test_show_prints_the_table_again(done, capsys):
    assert exit_code(["show", str(done)]) == 0
    text = capsys.readouterr().out
    assert "C  default@v8" in text
    failure = "reads: FAIL: the cycle counter advances between reads (first: default@mainline, random:20000, seed 1)"
    assert failure in " ".join(text.split())
    assert exit_code(["show", str(done), "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["schema"] == "hetpmu-guest-matrix/1"
    target = done.parent / "exported"
    assert exit_code(["export", "csv", str(done), "-o", str(target)]) == 0
    assert len((target / "points.csv").read_text().splitlines()) == 11
    capsys.readouterr()
    assert exit_code(["plot", str(done), "--kind", "overhead", "-o", str(done / "x.png")]) == 2
    assert "real code, not scenarios" in capsys.readouterr().err


def test_the_table_fits_a_mail(done):
    answer = matrix_answer(load_study(done), done)
    names = [f"set-pmu-unpinned:armv8_cortex_a{number}" for number in range(30)]
    wide = [row | {"image": "/a" * 40 + "/" + "b" * 40, "policy": name} for name in names for row in answer["rows"][:1]]
    text = verdict_text(answer | {"rows": wide})
    assert max(map(len, text.splitlines())) <= WIDTH
    assert "D1" in text
    marked = verdict_text(answer, markdown=True).splitlines()
    assert "| image | migrations | A | B | C | D | E |" in marked
    assert "| counts | random:20000 | ok | ok | ok | skip | skip |" in marked


def test_a_finished_matrix_runs_nothing_and_another_one_is_refused(done, capsys, monkeypatch):
    monkeypatch.setattr("simcore.app.sweep_guests.answer", None)
    same = ["reads", "counts", *BOTH, "--kernel", "mainline,v6,v8", *MOVES, "--out", str(done)]
    assert matrix(*same, "--json", "-") == 0
    assert json.loads(capsys.readouterr().out)["runs"] == {"planned": 20, "finished": 20, "failed": 0}
    assert matrix(*same, "--cpi", "2") == 2
    assert "cpi" in capsys.readouterr().err


def test_an_image_that_changed_is_refused(tmp_path, capsys):
    file, out = tmp_path / "own.flat", tmp_path / "out"
    file.write_bytes(image(POWER_OFF))
    same = [str(file), "--policies", "default", *MOVES, "--out", str(out)]
    assert matrix(*same) == 0
    file.write_bytes(read_image("timer"))
    capsys.readouterr()
    assert matrix(*same) == 2
    assert "own.flat has changed" in capsys.readouterr().err


def test_what_cannot_run_is_recorded_and_the_rest_runs(tmp_path, monkeypatch):
    def failing(question, stopped):
        if question.seed == 2:
            raise RuntimeError("out of order")
        return real(question, stopped)

    monkeypatch.setattr(sweep_guests, "answer", failing)
    out = tmp_path / "out"
    assert matrix("el0", "--policies", "default", *MOVES, "--out", str(out)) == 1
    account = json.loads((out / "failures" / "point-00000-seed-2.json").read_text())
    assert "out of order" in account["error"]
    assert account["guest"]["image"] == "el0"
    monkeypatch.setattr(sweep_guests, "answer", real)
    assert matrix("el0", "--policies", "default", *MOVES, "--out", str(out), "--retry") == 0


def test_a_killed_matrix_goes_on_without_a_loss(tmp_path):
    """Kill the command and its workers; the dataset is that of a matrix nobody disturbed."""
    common = ["el0", "reads", *BOTH, "--migrate", "random:2000", "--seeds", "3"]
    assert matrix(*common, "--workers", "1", "--out", str(tmp_path / "whole")) == 0
    command = [sys.executable, "-m", "simcore.app.cli", "guest", "matrix", *common, "--workers", "2"]
    out = tmp_path / "killed"
    with subprocess.Popen(
        [*command, "--out", str(out)],
        start_new_session=True,
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        stdout=subprocess.DEVNULL,
        cwd=Path(__file__).parent.parent,
    ) as victim:
        deadline = time.monotonic() + 60
        while victim.poll() is None and not _finished(out) and time.monotonic() < deadline:
            time.sleep(0.01)
        os.killpg(victim.pid, signal.SIGKILL)
    assert _finished(out)
    assert matrix(*common, "--workers", "1", "--out", str(out)) == 0
    assert fingerprint(out) == fingerprint(tmp_path / "whole")


def _finished(out: Path) -> int:
    """Return how many runs are on disk."""
    lines = sum(len(file.read_bytes().splitlines()) for file in out.glob("open/*.lines"))
    return lines + 1000 * sum(1 for _ in out.glob("runs/**/*.parquet"))


@pytest.mark.parametrize(
    "arguments, message",
    (
        (("nothing",), "unknown guest 'nothing'"),
        (("el0", "--policies", "default@v99"), "unknown kernel"),
        (("el0", "--policies", "fixed-counters-only", "--kernel", "mainline"), "mainline"),
        (("el0", "--migrate", "sometimes"), "unknown plan"),
        (("el0", "--cpus", "0,9"), "no CPU 9"),
        (("el0", "--cost", "coffee=1us"), "unknown cost"),
        (("el0", "--policies", "set-pmu:armv8_cortex_a55", "--cpus", "5"), "allows none of the CPUs"),
    ),
)
def test_bad_input_writes_nothing(arguments, message, tmp_path, capsys):
    assert matrix(*arguments, "--out", str(tmp_path / "out")) == 2
    err = capsys.readouterr().err
    assert message in err
    assert len(err.splitlines()) <= 3
    assert not (tmp_path / "out").exists()
