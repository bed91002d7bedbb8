"""Who carries out the runs of a sweep on this machine: this process, or processes of its own.

A crew takes runs and gives outcomes back in any order; a run whose process died comes back as an outcome without row.
"""

import contextlib
import ctypes
import multiprocessing
import os
import selectors
import signal
import sys
import warnings
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess, SpawnProcess
from typing import Protocol

from simcore.app.interrupting import ignore_interrupts
from simcore.app.pool import start_method
from simcore.app.sweep_run import Outcome, RunId, Runner

QUEUED = 2
"""Runs that a process has at once: the one that it is at, and one to go on with while nobody tells it anything."""
PR_SET_PDEATHSIG = 1


class Crew(Protocol):
    """Takes runs, up to `capacity` at a time, and gives their outcomes back."""

    @property
    def capacity(self) -> int:
        """Return how many runs it can have at once."""

    def submit(self, runs: Sequence[RunId]) -> None:
        """Take runs on."""

    def collect(self, timeout_s: float) -> list[Outcome]:
        """Return outcomes as soon as there are some, or none after a while."""

    def close(self) -> None:
        """End; what is not finished is given up."""


class Here:
    """This process itself, one run after the other."""

    capacity = 1

    def __init__(self, runner: Runner, stopped: Callable[[], bool]) -> None:
        self._runner = runner
        self._stopped = stopped
        self._waiting: deque[RunId] = deque()

    def submit(self, runs: Sequence[RunId]) -> None:
        """Take runs on."""
        self._waiting.extend(runs)

    def collect(self, timeout_s: float) -> list[Outcome]:
        """Run the next one; nothing where it was interrupted."""
        try:
            return [self._runner(self._waiting.popleft(), self._stopped)]
        except KeyboardInterrupt:
            return []

    def close(self) -> None:
        """End."""


@dataclass
class _Worker:
    process: ForkProcess | SpawnProcess
    connection: "Connection[RunId | None, Outcome]"
    runs: deque[RunId] = field(default_factory=deque)


class Processes:
    """Processes of this machine; one that dies is replaced, and the runs that it had come back as lost."""

    def __init__(self, runner: Runner, workers: int, inherited: Sequence[int] = ()) -> None:
        self.capacity = QUEUED * workers
        self._runner = runner
        self._inherited = tuple(inherited)
        self._ready = selectors.PollSelector()
        self._workers = [self._hire() for _ in range(workers)]

    def submit(self, runs: Sequence[RunId]) -> None:
        """Give each run to the worker that has fewest."""
        for run_id in runs:
            worker = min(self._workers, key=lambda worker: len(worker.runs))
            worker.runs.append(run_id)
            with contextlib.suppress(OSError):  # it died: collect finds out
                worker.connection.send(run_id)

    def collect(self, timeout_s: float) -> list[Outcome]:
        """Return what has been finished, and what was lost with a worker."""
        found: list[Outcome] = []
        ready = [key for key, _ in self._ready.select(timeout_s)]
        for key in ready:
            found += self._received(key.data)
        for key in ready:
            if key.fileobj == key.data.process.sentinel:
                found += self._lost(key.data)
        return found

    def close(self) -> None:
        """End all workers, in the middle of a run if need be."""
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.join()
            worker.connection.close()
        self._ready.close()

    def _received(self, worker: _Worker) -> list[Outcome]:
        found = []
        with contextlib.suppress(EOFError, OSError):
            while worker.connection.poll():
                outcome = worker.connection.recv()
                worker.runs.remove((outcome.point, outcome.seed))
                found.append(outcome)
        return found

    def _lost(self, worker: _Worker) -> list[Outcome]:
        """Replace a dead worker; of its runs only the one that it was at is to blame."""
        found = self._received(worker)
        self._ready.unregister(worker.connection)
        self._ready.unregister(worker.process.sentinel)
        worker.process.join()
        worker.connection.close()
        new = self._hire()
        self._workers[self._workers.index(worker)] = new
        if not worker.runs:
            return found
        blamed, *others = worker.runs
        for run_id in others:
            new.runs.append(run_id)
            new.connection.send(run_id)
        return [*found, Outcome(*blamed)]

    def _hire(self) -> _Worker:
        forked = start_method() == "fork"
        context = multiprocessing.get_context("fork") if forked else multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        inherited = self._inherited if forked else ()
        process = context.Process(target=_serve, args=(theirs, self._runner, inherited, os.getpid()), daemon=True)
        with warnings.catch_warnings():  # Python 3.12 warns of every fork beside numpy's idle BLAS threads
            warnings.simplefilter("ignore", DeprecationWarning)
            process.start()
        theirs.close()
        worker = _Worker(process, ours)
        for source in (ours, process.sentinel):
            self._ready.register(source, selectors.EVENT_READ, worker)
        return worker


def _serve(
    connection: "Connection[Outcome, RunId | None]", runner: Runner, inherited: Sequence[int], parent: int
) -> None:
    """Do what a worker does: run after run, until nobody is there to ask for more."""
    ignore_interrupts()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for handle in inherited:
        os.close(handle)
    _die_with(parent)
    with contextlib.suppress(EOFError, OSError):
        while (run_id := connection.recv()) is not None:
            connection.send(runner(run_id))


def _die_with(parent: int) -> None:
    """Have Linux end this process when its parent ends, however that comes about."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
