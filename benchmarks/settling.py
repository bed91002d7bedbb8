"""One row of 32 counters settled by one stride, and what a call costs that does nothing."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from benchmarks.measure import Contender
from benchmarks.ticks import EVENTS, Arrays, Words, arrays
from pmu.kernel import advance_streams, count_slots
from pmu.kernel_settle import ROW, WORDS, settle


def packed(a: Arrays) -> Words:
    """Return the rows of the arrays as words for ``settle``."""
    words = np.zeros((len(a.rate), WORDS), np.uint64)
    rows: NDArray[np.void] = words.view(ROW)[:, 0]
    rows["streams"] = EVENTS
    for name in ("rate", "residual", "time_tied"):
        rows[name][:, :EVENTS] = getattr(a, name)
    for name in ("stream", "category", "count", "left", "ledger"):
        rows[name][:, 0] = getattr(a, name)
    return words


def ours() -> Contender:
    """Return the call that settles the first row."""
    a = arrays(1, 1)
    row, cycles, ns = packed(a)[0], int(a.cycles[0]), int(a.ns[0])
    return Contender(lambda: settle(row, cycles, ns), 1)


def two_calls() -> Contender:
    """Return the same by the two functions of the engine's kernel, one array for each field."""
    a = arrays(1, 1)
    increment = np.zeros(EVENTS, np.uint64)
    streams = (a.rate[0], a.residual[0], a.time_tied, a.cycles[0], a.ns[0], increment)
    counters = (0, a.stream, a.category, a.count, a.left, a.ledger, increment)

    def call() -> None:
        advance_streams(*streams)
        count_slots(*counters)

    return Contender(call, 1)


def dispatch() -> Contender:
    """Return a call of a compiled function with the same arguments that does nothing."""
    a = arrays(1, 1)
    row = packed(a)[0]
    nothing = njit(lambda row, cycles, ns: 0)
    return Contender(lambda: nothing(row, 1, 1), 1)
