"""Contenders for single mechanisms of the host's scheduler: a placement by EAS, and an update of PELT's averages."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import scenes
from benchmarks.case import Case
from benchmarks.measure import Contender
from pmu.kernel_jit import compiled
from scheduler import kernel_signal, kernel_wake
from scheduler import kernel_state as ks
from scheduler.kernel_handle import handle_of
from simcore.app.running import Machine

LEAST_UTIL, MORE_UTIL = 50, 40
"""Utilisation of the first sleeping thread, and by how much that of each further one is higher."""

CALLS = 1000
PELT_NS = 1_000_000
"""From one update to the next: about one period of PELT."""


def sleeping_threads() -> tuple[ks.State, list[int]]:
    """Return RK3588 with idle CPUs and one sleeping thread for each, from light to heavy, and the threads."""
    state = Machine(scenes.interactive()).host.state
    threads = list(range(len(state.task)))
    for thread in threads:
        state.task[thread, [ks.SE_UTIL, ks.UTIL_EST]] = LEAST_UTIL + MORE_UTIL * thread
    return state, threads


def placements() -> Contender:
    """Return EAS' choice of a CPU for each of the threads, the call from Python included."""
    state, threads = sleeping_threads()
    handle = handle_of(state)
    last = state.task[:, ks.CPU].tolist()

    def call() -> list[int]:
        return [kernel_wake.find_efficient(handle, thread, last[thread], 0) for thread in threads]

    return Contender(call, len(threads))


def update_many(row: NDArray[np.int64], first: int, times: int) -> int:
    """Update the averages of a running thread so often, PELT_NS of running each time; return its utilisation."""
    for _ in range(times):
        kernel_signal.step(row, first, row[first] + PELT_NS, 1, 1, 1, 1024)
    return int(row[first + ks.SE_UTIL - ks.SE_AT])


update_compiled: Any = compiled(update_many)


def updates() -> Contender:
    """Return updates of a running thread's averages in a compiled loop."""
    row = np.zeros(ks.SE_UTIL + 1, np.int64)
    return Contender(lambda: update_compiled(row, ks.SE_AT, CALLS), CALLS)


CASES = (
    Case("eas", "mechanism", "placements/s", placements),
    Case("pelt", "mechanism", "updates/s", updates),
)
