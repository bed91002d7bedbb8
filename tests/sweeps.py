"""Studies of very short runs, and what the tests of sweeps ask about a directory."""

import contextlib
import hashlib
import multiprocessing
import warnings

from simcore.app.study_data import load_study
from simcore.loader import load_study_file

BASE = """
format = "hetpmu-study/1"
name = "tiny"
question = "What do very short runs show?"
[base]
seconds = "2ms"
background = []
[[base.vms]]
vcpus = 1
guest = { boot = "100us", window = "200us" }
"""
GRID = """
[grid]
"vms.0.policy" = ["default", "fixed-counters-only@v8"]
hz = [100, 250, 1000]
[seeds]
count = 4
"""


def write_study(folder, text=GRID, base=BASE, name="study.toml"):
    """Write a study file and return its path as text."""
    path = folder / name
    path.write_text(base + text)
    return str(path)


def make_study(folder, text=GRID, base=BASE):
    """Return a study of very short runs."""
    return load_study_file(write_study(folder, text, base))


def fingerprint(directory):
    """Return each file of the dataset with a digest of its bytes."""
    files = sorted((directory / "runs").rglob("*"))
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.is_file()
    }


def finished(directory):
    """Return the runs, as (point, seed), that are on disk."""
    if not (directory / "study.json").exists():
        return []
    runs = load_study(directory).runs
    return list(zip(runs["point"].tolist(), runs["seed"].tolist(), strict=True))


@contextlib.contextmanager
def forked(work, *arguments):
    """Have a process do some work that this one has all modules for; it is gone at the end of the block."""
    process = multiprocessing.get_context("fork").Process(target=work, args=arguments)
    with warnings.catch_warnings():  # Python 3.12 warns of forks beside threads
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()
