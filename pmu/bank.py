"""CounterBank: the arrays of all counters, one row for each (vCPU, policy) pair, and single-slot access.

What a counter counts, where its increments are booked and when it overflows is decided by its owner
(``pmu.vcpu``); how it advances is decided by ``pmu.kernel``.
"""

import numpy as np
from numpy.typing import NDArray

from pmu import kernel

UINT64_MAX = (1 << 64) - 1


class CounterBank:
    """Counters of ``rows`` virtual PMUs, 32 slots each (31 is the cycle counter), or 33 (32: the instruction counter).

    saved     uint64 [row, slot]  the register value kept by KVM, without what the live event counted
    count     uint64 [row, slot]  events counted by the live host event since it was created
    left      uint64 [row, slot]  events until the live host event overflows; 0: it never does
    stream    int64  [row, slot]  the event stream of the vCPU that drives the slot; -1: none
    category  int64  [row, slot]  where increments are booked now (``kernel.COUNTED`` ...)
    ledger    uint64 [row, slot, category]  events booked since the start
    """

    __slots__ = ("category", "count", "ledger", "left", "saved", "slots", "stream")

    def __init__(self, rows: int, icntr: bool = False) -> None:
        self.slots = kernel.SLOTS + icntr
        shape = (rows, self.slots)
        self.saved: NDArray[np.uint64] = np.zeros(shape, np.uint64)
        self.count: NDArray[np.uint64] = np.zeros(shape, np.uint64)
        self.left: NDArray[np.uint64] = np.zeros(shape, np.uint64)
        self.stream: NDArray[np.int64] = np.full(shape, -1, np.int64)
        self.category: NDArray[np.int64] = np.full(shape, kernel.DISABLED, np.int64)
        self.ledger: NDArray[np.uint64] = np.zeros((*shape, kernel.CATEGORIES), np.uint64)

    def add(self, row: int, slot: int, events: int) -> bool:
        """Book ``events`` in one slot and tell whether its sample period has just ended.

        ``events`` must not exceed ``left`` while the slot counts and ``left`` is not 0.
        """
        return bool(
            kernel.count_events(row, slot, self.category, self.count, self.left, self.ledger, np.uint64(events))
        )

    def value(self, row: int, slot: int) -> int:
        """Return saved value plus counted events, modulo 2**64."""
        return (int(self.saved[row, slot]) + int(self.count[row, slot])) & UINT64_MAX
