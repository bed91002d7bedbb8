"""Many independent runs on several processes: results as they finish, never more than asked for.

Nothing here knows what a run is. The order in which runs finish never reaches a result: each comes with its index.
"""

import concurrent.futures as futures
import contextlib
import multiprocessing
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.process import BaseProcess
from typing import TypeVar

from simcore.app.interrupting import Interruption, ignore_interrupts

Task = TypeVar("Task")
Answer = TypeVar("Answer")

POLL_S = 0.2


def start_method() -> str:
    """Fork where it is safe, so that workers inherit compiled code; spawn elsewhere."""
    return "fork" if sys.platform == "linux" else "spawn"


def usable_cpus() -> int:
    """Count the CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def beside(work: Callable[[Task], object], task: Task) -> Iterator[None]:
    """Let a forked process do ``work`` while the block runs, where that is possible; its outcome does not matter."""
    if start_method() != "fork" or usable_cpus() < 2:
        yield
        return
    helper = multiprocessing.get_context("fork").Process(target=_quietly, args=(work, task), daemon=True)
    with warnings.catch_warnings():  # as in _elsewhere
        warnings.simplefilter("ignore", DeprecationWarning)
        helper.start()
    try:
        yield
        helper.join()
    finally:
        helper.kill()
        helper.join()


def _quietly(work: Callable[[Task], object], task: Task) -> None:
    ignore_interrupts()
    with contextlib.suppress(Exception):
        work(task)


def each_finished(
    work: Callable[[Task], Answer], tasks: Sequence[Task], workers: int, stop: Interruption
) -> Iterator[tuple[int, Answer]]:
    """Yield (index of the task, answer) as tasks finish; end early when `stop` is requested."""
    if workers == 1 or len(tasks) < 2:
        yield from _here(work, tasks, stop)
    else:
        yield from _elsewhere(work, tasks, min(workers, len(tasks)), stop)


def _here(work: Callable[[Task], Answer], tasks: Sequence[Task], stop: Interruption) -> Iterator[tuple[int, Answer]]:
    for index, task in enumerate(tasks):
        if stop.requested:
            return
        yield index, work(task)


def _elsewhere(
    work: Callable[[Task], Answer], tasks: Sequence[Task], workers: int, stop: Interruption
) -> Iterator[tuple[int, Answer]]:
    others = set(multiprocessing.active_children())
    executor = futures.ProcessPoolExecutor(
        workers, mp_context=multiprocessing.get_context(start_method()), initializer=ignore_interrupts
    )
    unfinished = True
    try:
        with warnings.catch_warnings():  # Python 3.12 warns of every fork beside numpy's idle BLAS threads
            warnings.simplefilter("ignore", DeprecationWarning)
            indices = {executor.submit(work, task): index for index, task in enumerate(tasks)}
        yield from _collect(indices, stop)
        unfinished = stop.requested
    finally:
        executor.shutdown(wait=not unfinished, cancel_futures=True)
        if unfinished:
            _terminate(set(multiprocessing.active_children()) - others)


def _collect(indices: dict["futures.Future[Answer]", int], stop: Interruption) -> Iterator[tuple[int, Answer]]:
    waiting = set(indices)
    while waiting and not stop.requested:
        done, waiting = futures.wait(waiting, timeout=POLL_S, return_when=futures.FIRST_COMPLETED)
        for future in sorted(done, key=indices.__getitem__):
            if stop.requested and isinstance(future.exception(), BrokenProcessPool):
                return  # a signal to the whole process group ends the workers too
            yield indices[future], future.result()


def _terminate(processes: set[BaseProcess]) -> None:
    """End workers in the middle of runs that nobody will read."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.join()
