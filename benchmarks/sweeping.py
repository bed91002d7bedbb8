"""Contenders around a sweep: short runs on two processes, and all of a sweep that is no simulation."""

import atexit
import shutil
import tempfile
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.case import Case
from benchmarks.measure import Contender
from simcore.app.interrupting import Interruption
from simcore.app.sweep_failures import Failures
from simcore.app.sweep_files import SweepFiles
from simcore.app.sweep_run import Outcome, RunId, Runner
from simcore.app.sweep_state import SweepState
from simcore.app.sweeping import Loop, sweep
from simcore.study import Axis, Study

WORKERS = 2
EFFICIENCY = 0.9
"""What a sweep on so many processes reaches of the sum of its runs."""
BASE = {
    "format": "hetpmu-scenario/1",
    "seconds": "20ms",
    "background": [],
    "vms": [{"vcpus": 2, "guest": {"boot": "1ms", "window": "1ms"}}],
}
"""A short run: about a hundredth of a second."""


def study(seeds: int) -> Study:
    """Return ten points of short runs."""
    policies = Axis(("vms.0.policy",), (("default",), ("fixed-counters-only@v8",)))
    ticks = Axis(("hz",), ((100,), (250,), (300,), (500,), (1000,)))
    return Study("short", "How much of a sweep is the sweep?", BASE, (policies, ticks), seed_count=seeds)


def swept(seeds: int, workers: int) -> Contender:
    """Return sweeps of ten points on some processes, each into a new directory."""
    made = study(seeds)

    def call() -> None:
        with tempfile.TemporaryDirectory() as folder:
            sweep(made, Path(folder) / "out", workers=workers)

    return Contender(call, made.runs)


def alone(seeds: int) -> Contender:
    """Return the same runs one after the other in this process, each reduced to its row, and nothing around them."""
    made = study(seeds)
    runner = Runner(made)

    def call() -> None:
        for point in range(made.points):
            for seed in made.seeds:
                runner((point, seed))

    return Contender(call, made.runs)


@dataclass
class Instant:
    """A crew that has every outcome at once: what is left is the work of the process that hands out and writes."""

    row: Outcome
    capacity: int = 64
    waiting: deque[RunId] = field(default_factory=deque)

    def submit(self, runs: Sequence[RunId]) -> None:
        """Take runs on."""
        self.waiting.extend(runs)

    def collect(self, timeout_s: float) -> list[Outcome]:
        """Return the outcome of each."""
        done = [self.row._replace(point=point, seed=seed) for point, seed in self.waiting]
        self.waiting.clear()
        return done

    def close(self) -> None:
        """End."""


@dataclass
class Bookkeeping:
    """Everything of a sweep but its runs."""

    study: Study
    folder: Path = Path()
    outcome: Outcome | None = None

    def prepare(self) -> None:
        """Make an empty directory, and know one real outcome."""
        if self.folder != Path():
            shutil.rmtree(self.folder)
        self.folder = Path(tempfile.mkdtemp(prefix="hetpmu-sweep-"))
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        self.outcome = self.outcome or Runner(self.study)((0, 1))

    def call(self) -> None:
        """Hand out all runs, and write all rows."""
        assert self.outcome is not None
        files = SweepFiles(self.folder, self.study)
        files.prepare()
        state = SweepState(files, Failures(files.failures, self.study))
        crew = Instant(self.outcome)
        Loop(state, Interruption(), lambda tally: None).run(lambda: crew)


def bookkeeping(seeds: int) -> Contender:
    """Return the work of the process that hands out runs and writes what they found."""
    made = Bookkeeping(study(seeds))
    return Contender(made.call, made.study.runs, made.prepare)


CASES = (
    Case(
        "sweep",
        "whole",
        "runs/s",
        lambda: swept(20, WORKERS),
        {"alone": lambda: alone(20)},
        {"alone": EFFICIENCY * WORKERS},
    ),
    Case("sweep-book", "whole", "runs/s", lambda: bookkeeping(200), {}, {"runs/s": 200}),
)
