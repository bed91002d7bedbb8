"""What the machine does to a store: a full disk, no permission, signals, a reader who leaves; each has one outcome."""

import ast
import contextlib
import errno
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from simcore.app import cli_compare, parquet, storing
from simcore.app.cli import exit_code
from simcore.app.cli_options import Ticker
from simcore.errors import InputError
from tests.sources import calls_in

ROOT = Path(__file__).resolve().parents[1]
COMMAND = [sys.executable, "-m", "simcore.app.cli"]
TWO = ["--policies", "default,fixed-counters-only", "--vcpus", "1", "--seconds", "20ms", "--workers", "1"]
NOBODY = 65534
UNSAFE = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal"}
UNSAFE_CALLS = {"np.load", "np.save", "np.savez", "np.savez_compressed", "eval", "exec"}
SUSPECT = re.compile(r"\b(pickle|cPickle|dill|joblib|shelve|marshal|allow_pickle|load|savez?|eval|exec)\b")
PACKAGES = ("simcore", "pmu", "scheduler", "workloads", "benchmarks")


@pytest.fixture(scope="module")
def scenario(tmp_path_factory):
    path = tmp_path_factory.mktemp("faults") / "scenario.toml"
    path.write_text('format = "hetpmu-scenario/1"\nseconds = "20ms"\n[[vms]]\nvcpus = 1\nguest = { boot = "5ms" }\n')
    return path


@pytest.fixture
def kept(scenario, tmp_path):
    """Return a whole result in a directory of its own."""
    assert exit_code(["run", str(scenario), "--out", str(tmp_path / "out")]) == 0
    return tmp_path / "out"


@contextlib.contextmanager
def files_no_larger_than(limit):
    """Let a write beyond a size fail as on a full disk or quota."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextlib.contextmanager
def without_permission(path):
    """Take the right to write into a directory from whoever runs this, root included."""
    path.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        path.chmod(0o755)


def failing(function, calls, error):
    """Return a function that does its work a few times, then fails after half of it."""
    left = iter(range(calls))

    def wrapped(array, path, *metadata):
        if next(left, None) is None:
            path.write_bytes(b"PAR1 half")
            raise error
        function(array, path, *metadata)

    return wrapped


@pytest.mark.parametrize("number, calls", [(errno.ENOSPC, 0), (errno.ENOSPC, 5), (errno.EDQUOT, 1), (errno.EROFS, 0)])
def test_a_full_disk_is_exit_two_and_leaves_nothing(scenario, tmp_path, monkeypatch, capsys, number, calls):
    error = OSError(number, os.strerror(number), "cpus.parquet")
    monkeypatch.setattr(storing, "write_table", failing(parquet.write_table, calls, error))
    assert exit_code(["run", str(scenario), "--out", str(tmp_path / "out")]) == 2
    err = capsys.readouterr().err
    assert os.strerror(number) in err
    assert len(err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_limit_on_file_size_is_exit_two_and_leaves_what_was_there(scenario, kept, capsys):
    with files_no_larger_than(2000):
        assert exit_code(["run", str(scenario), "--out", str(kept), "--force"]) == 2
    err = capsys.readouterr().err
    assert "File too large" in err
    assert len(err.splitlines()) == 1
    assert [path.name for path in kept.parent.iterdir()] == ["out"]
    assert exit_code(["show", str(kept)]) == 0


def test_a_directory_without_permission_is_bad_input():
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        with (
            without_permission(place),
            pytest.raises(InputError, match="cannot write there"),
            storing.result_directory(place / "deep" / "out"),
        ):
            pytest.fail("nothing runs before it is known that the result can be written")
        assert list(place.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_keeps_the_finished_runs(tmp_path, monkeypatch, capsys, number):
    class Impatient(Ticker):
        def __call__(self, done, planned):
            if done == 3:
                os.kill(os.getpid(), number)

    monkeypatch.setattr(cli_compare, "Ticker", Impatient)
    assert exit_code(["compare", *TWO, "--seeds", "2", "--out", str(tmp_path / "out")]) == 3
    assert "3 of 6 runs" in capsys.readouterr().err
    assert exit_code(["show", str(tmp_path / "out")]) == 0
    assert "INTERRUPTED" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_signal_between_the_runs_of_the_picture_keeps_those_that_are_finished(tmp_path, monkeypatch, capsys):
    def interrupting(result, folder):
        storing.save_result(result, folder)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("simcore.app.keeping.save_result", interrupting)
    out = tmp_path / "out"
    assert exit_code(["compare", *TWO, "--seeds", "1", "--out", str(out)]) == 3
    assert "interrupted: the table is complete" in capsys.readouterr().err
    assert [run.summary["policies"] for run in storing.load_runs(out)] == [[["default@mainline"]]]
    assert sorted(path.name for path in out.iterdir()) == ["SHA256SUMS", "compare.json", "runs", "table.txt"]


def test_sigterm_to_the_process_group_is_exit_three(tmp_path):
    """No guest dies under this policy, so that no run, of 1000 s each, ends before the signal and is kept."""
    long = ["--policies", "fixed-counters-only", "--seconds", "1000s", "--seeds", "50", "--workers", "2"]
    line = ["compare", *long, "--out", str(tmp_path / "out")]
    process = subprocess.Popen(
        [*COMMAND, *line], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    while not list(tmp_path.iterdir()):  # the temporary directory: the job has begun
        time.sleep(0.05)
        assert process.poll() is None
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGTERM)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 3, err
    assert "interrupted" in err
    assert "Traceback" not in err
    assert not list(tmp_path.iterdir())


def test_a_reader_who_leaves_is_no_error(kept):
    line = f"{' '.join(map(str, COMMAND))} show {kept} --json - 2>&- | head -1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "{\n"


def test_no_file_is_ever_unpickled():
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        text = path.read_text()
        if not SUSPECT.search(text):
            continue
        nodes = list(ast.walk(ast.parse(text)))
        names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
        options = {node.arg for node in nodes if isinstance(node, ast.keyword)}
        assert not {name.partition(".")[0] for name in names} & UNSAFE, path
        assert not calls_in(ast.parse(text)) & UNSAFE_CALLS, path
        assert "allow_pickle" not in options, path
