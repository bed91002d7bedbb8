"""A study's runs, into one dataset: `sweep(study, out)`, which goes on where an earlier one ended.

What is finished and what comes next is in `simcore.app.sweep_state`, who runs it in `simcore.app.crew`; this is the
loop between them. Which process ran what, and when, reaches no file but the wall times.
"""

import contextlib
import errno
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from simcore.app.crew import Crew, Here, Processes
from simcore.app.interrupting import Interruption
from simcore.app.pool import usable_cpus
from simcore.app.sweep_directory import check_new, claim, locked
from simcore.app.sweep_failures import Failures
from simcore.app.sweep_files import SweepFiles
from simcore.app.sweep_run import Outcome, RunId, Runner
from simcore.app.sweep_state import SweepState, Tally
from simcore.app.sweep_subject import subject_of
from simcore.errors import InputError
from simcore.loader import load_study_file
from simcore.study import Study

MANY_RUNS = 100_000
"""More runs than this need to be meant."""
TRIES = 3
"""How often a run may lose its process before it counts as failed."""
POLL_S = 0.2
CANNOT_WRITE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG}

Watch = Callable[[Tally], None]


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a sweep has left in its directory, and how many of its runs are done."""

    study: Study
    directory: Path
    tally: Tally

    @property
    def interrupted(self) -> bool:
        """Tell whether runs are missing."""
        return self.tally.done < self.tally.wanted


def sweep(
    study: Study | str | Path,
    out: str | Path,
    *,
    workers: int | None = None,
    dask: str | None = None,
    keep_tables: bool = False,
    retry: bool = False,
    many: bool = False,
    watch: Watch | None = None,
    stop: Interruption | None = None,
) -> Sweep:
    """Run what is missing of a study in the directory `out`; `load_study(out)` gives the runs.

    `study` is a Study, a file, or the name of a study of the product; `workers` are processes (one for each CPU), or
    `dask` the address of a scheduler. `keep_tables` keeps every run's own result, `retry` runs again what failed,
    `many` allows more than 100,000 runs; `watch` is told how far it is. Raises InputError before the first run for
    bad input, and for a directory of another study or one in which another process is at work.
    """
    known = study if isinstance(study, Study) else load_study_file(str(study))
    _refuse_many(known, many)
    halt = stop or Interruption()
    directory = Path(out)
    with _said_where(directory), contextlib.ExitStack() as stack:
        named = check_new(directory, known)
        lock = stack.enter_context(locked(directory))
        claim(directory, known, named)
        files = SweepFiles(directory, known)
        files.prepare()
        failures = Failures(files.failures, known)
        if retry:
            failures.forget()
        state = SweepState(files, failures)
        runner = Runner(known, files.kept.absolute() if keep_tables else None)
        loop = Loop(state, halt, watch or _silent)
        loop.run(lambda: _crew(runner, workers, dask, lock, halt, known))
    return Sweep(known, directory, state.tally)


@contextlib.contextmanager
def _said_where(directory: Path) -> Iterator[None]:
    """Make of a full or a read-only disk what it is for the user: nothing that is finished is lost."""
    try:
        yield
    except OSError as error:
        if error.errno not in CANNOT_WRITE:
            raise
        raise InputError(
            f"cannot write: {error.strerror}",
            where=str(error.filename or directory),
            why="what was finished is kept, and the same command goes on from there",
            valid="a disk with room that may be written to",
        ) from None


def _refuse_many(study: Study, many: bool) -> None:
    if study.runs > MANY_RUNS and not many:
        raise InputError(
            f"{study.points:,} points with {study.seed_count:,} seeds each are {study.runs:,} runs",
            where=f"study {study.name}",
            valid=f"at most {MANY_RUNS:,} runs, or --yes",
        )


def _crew(runner: Runner, workers: int | None, dask: str | None, lock: int, stop: Interruption, study: Study) -> Crew:
    if dask is not None:
        from simcore.app.crew_dask import Cluster

        return Cluster(dask, runner)
    _load_kernels(study)
    number = workers or usable_cpus()
    return Here(runner, lambda: stop.requested) if number == 1 else Processes(runner, number, (lock,))


def _load_kernels(study: Study) -> None:
    """Have this process know all compiled code before others are forked from it."""
    subject_of(study).load()


class Loop:
    """Hands runs out and takes outcomes in until nothing is left to do, or somebody wants it to end."""

    def __init__(self, state: SweepState, stop: Interruption, watch: Watch) -> None:
        self._state = state
        self._stop = stop
        self._watch = watch
        self._in_flight = 0
        self._again: list[RunId] = []
        self._lost: Counter[RunId] = Counter()

    def run(self, make: Callable[[], Crew]) -> None:
        """Run all that is missing; without any, no crew is made."""
        first = self._state.next_run()
        self._watch(self._state.tally)
        if first is None:
            return
        self._again = [first]
        crew = make()
        with contextlib.closing(crew):
            while not self._stop.requested and (self._hand_out(crew) or self._in_flight):
                self._take(crew.collect(POLL_S))
                self._watch(self._state.tally)
        self._state.sync()

    def _hand_out(self, crew: Crew) -> bool:
        runs: list[RunId] = []
        room = crew.capacity - self._in_flight
        while len(runs) < room and (run_id := self._next()) is not None:
            runs.append(run_id)
        self._in_flight += len(runs)
        crew.submit(runs)
        return bool(runs)

    def _next(self) -> RunId | None:
        return self._again.pop() if self._again else self._state.next_run()

    def _take(self, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            self._in_flight -= 1
            if outcome.row is None and outcome.error is None and not self._given_up(outcome):
                continue
            self._state.take(outcome)

    def _given_up(self, outcome: Outcome) -> bool:
        """Count a run that was lost with its process, and have it run again unless it was lost too often."""
        run_id = outcome.point, outcome.seed
        self._lost[run_id] += 1
        if self._lost[run_id] < TRIES:
            self._again.append(run_id)
            return False
        return True


def _silent(tally: Tally) -> None:
    """Report no progress."""
