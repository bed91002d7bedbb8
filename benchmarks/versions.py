"""This version of hetpmu against another one, in turns: both run in processes of their own, round by round.

What a file of figures cannot have: pairs. The other version is a directory with its packages, such as a git
worktree; it is timed by its own cases of the same name.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from benchmarks.baseline import REPEATS, Verdict, judged
from benchmarks.measure import Effort, Measurement, Unavailable
from benchmarks.shift import Shift
from benchmarks.worker import Worker
from simcore.errors import InputError

HERE = Path(__file__).parents[1]
SCRIPT = Path(__file__).with_name("version_worker.py")
CACHE = "NUMBA_CACHE_DIR"
"""Not handed down: compiled code belongs to one version (simcore.kernelcache)."""

VALID = "a directory with a version of hetpmu, or a file written by bench --save"


def compare(names: Sequence[str], other: Path, effort: Effort) -> list[Verdict]:
    """Return a verdict on each case of these names, which both versions have."""
    return [settled(name, other, effort) for name in names]


def cases(folder: Path) -> list[str]:
    """Return the names of the cases that a version has."""
    if not (folder / "benchmarks" / "suite.py").is_file():
        raise InputError("no benchmarks of hetpmu there", str(folder), valid=VALID)
    worker = start(folder)
    try:
        return worker.ask("cases").split()
    except Unavailable as error:
        raise InputError("its benchmarks do not run", str(folder), str(error), VALID) from error
    finally:
        worker.end()


def settled(name: str, other: Path, effort: Effort) -> Verdict:
    """Return the verdict on a case; one that seems slower is measured anew, and the best of all counts."""
    best = verdict(name, other, effort)
    for _ in range(REPEATS):
        if not best["slower"]:
            break
        best = max(best, verdict(name, other, effort), key=lambda found: float(found["high"]))
    return best


def verdict(name: str, other: Path, effort: Effort) -> Verdict:
    """Measure a case of both versions in turns; return the median of the paired ratios, with its interval."""
    workers = [start(folder) for folder in (HERE, other)]
    try:
        calls = [worker.ask(f"make {name} {effort.run_s}") for worker in workers]
        began_s = perf_counter()
        rounds = [one_round(workers, calls)]
        planned = effort.rounds_of(perf_counter() - began_s)
        rounds += [one_round(workers, calls) for _ in range(planned - 1)]
    finally:
        for worker in workers:
            worker.end()
    ours, theirs = (Measurement(tuple(values)) for values in zip(*rounds, strict=True))
    ratio = ours.over(theirs)
    return judged(name, Shift(ratio.median, *ratio.interval))


def one_round(workers: Sequence[Worker], calls: Sequence[str]) -> list[float]:
    """Return the units a second of each version, one after the other."""
    return [float(worker.ask(f"time {count}")) for worker, count in zip(workers, calls, strict=True)]


def start(folder: Path) -> Worker:
    """Start the process that times the cases of a version."""
    environment = {name: value for name, value in os.environ.items() if name != CACHE}
    command = [sys.executable, "-P", str(SCRIPT)]
    return Worker(f"the version in {folder}", command, environment | {"PYTHONPATH": str(folder.resolve())})
