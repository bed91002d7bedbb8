"""Runs of a sweep on a Dask cluster: the only module that knows `distributed` (the extra `dask`).

The scheduler replaces a worker that dies and repeats its tasks; a task that takes several workers with it comes back as
lost. Results come to this process, which alone writes: workers need no file system in common.
"""

import queue
import time
from collections.abc import Sequence
from typing import Any

from simcore.app.sweep_run import Outcome, RunId, Runner
from simcore.errors import InputError

BATCH_S = 1.0
"""How long the runs of a task should take together at least."""
TASKS_PER_S = 100
"""What a scheduler is given to do: a task costs it and this process some milliseconds (docs/sweeps.md)."""
MAX_BATCH = 1000
TASKS_PER_THREAD = 2
CONNECT_S = 30
ASK_S = 2.0


class Cluster:
    """The workers of a Dask cluster, however many there are at a time."""

    def __init__(self, address: str, runner: Runner) -> None:
        distributed = _distributed()
        try:
            self._client = distributed.Client(address, timeout=CONNECT_S, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise InputError(
                "cannot reach a Dask scheduler", where=f"--dask {address}", why=str(error), valid="tcp://HOST:PORT"
            ) from None
        self._runner = self._client.submit(_itself, runner, pure=False)
        self._done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._batches: dict[Any, Sequence[RunId]] = {}
        self._batch = self._known_threads = 1
        self._ask_s = 0.0

    @property
    def capacity(self) -> int:
        """Return how many runs keep every thread of the cluster busy; at least one, while workers are on their way."""
        return self._threads() * TASKS_PER_THREAD * self._batch

    def _threads(self) -> int:
        """Return the threads of the cluster, asked for from time to time: workers come and go."""
        if time.monotonic() >= self._ask_s:
            self._known_threads = max(1, sum(self._client.nthreads().values()))
            self._ask_s = time.monotonic() + ASK_S
        return self._known_threads

    def submit(self, runs: Sequence[RunId]) -> None:
        """Send runs as tasks of some runs each, so many tasks that every thread has one where there are few runs."""
        size = min(self._batch, -(-len(runs) // self._threads())) or 1
        for start in range(0, len(runs), size):
            batch = tuple(runs[start : start + size])
            future = self._client.submit(run_batch, self._runner, batch, pure=False)
            self._batches[future] = batch
            future.add_done_callback(self._done.put)

    def collect(self, timeout_s: float) -> list[Outcome]:
        """Return the outcomes of the tasks that have ended."""
        found: list[Outcome] = []
        try:
            future = self._done.get(timeout=timeout_s)
            while True:
                found += self._outcomes(future)
                future = self._done.get_nowait()
        except queue.Empty:
            return found

    def close(self) -> None:
        """Give up what is not finished and leave the cluster to its owner."""
        self._client.cancel(list(self._batches))
        self._client.close()

    def _outcomes(self, future: Any) -> list[Outcome]:
        batch = self._batches.pop(future)
        if future.status != "finished":
            return [Outcome(point, seed) for point, seed in batch]
        outcomes: list[Outcome] = future.result()
        self._learn(outcomes)
        return outcomes

    def _learn(self, outcomes: Sequence[Outcome]) -> None:
        """Choose how many runs make a task from how long they take."""
        each_s = max(sum(outcome.wall_ns for outcome in outcomes) / len(outcomes) / 1e9, 1e-6)
        task_s = max(BATCH_S, self._threads() / TASKS_PER_S)
        self._batch = max(1, min(MAX_BATCH, round(task_s / each_s)))


def run_batch(runner: Runner, runs: Sequence[RunId]) -> list[Outcome]:
    """Carry runs out, on a worker."""
    return [runner(run_id) for run_id in runs]


def _itself(runner: Runner) -> Runner:
    """Be the task that workers have the study from: unlike scattered data it is made again where it is lost."""
    return runner


def _distributed() -> Any:
    try:
        import distributed
    except ImportError:
        raise InputError(
            "the extra `dask` is not installed", where="--dask", valid="pip install 'hetpmu[dask]'"
        ) from None
    return distributed
