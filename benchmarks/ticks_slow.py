"""The peers of ``benchmarks.ticks`` that step in numpy and in Python."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import Contender
from benchmarks.ticks import Arrays
from pmu import kernel

MASK32 = 0xFFFFFFFF
SHIFT32 = np.uint64(32)
LOW32 = np.uint64(MASK32)
ONE = np.uint64(1)
NEVER = 1 << 62  # ticks from sample to sample

Hit = tuple[int, int, int]  # tick, row, mask of slots


def in_numpy(a: Arrays, recording: bool = False) -> Contender:
    """Return the same arithmetic in numpy, all rows and slots of a tick at once."""
    state = NumpyTicks(a)

    def call() -> int:
        hits: list[Hit] = []
        for tick in range(len(a.cycles)):
            over = state.tick(a.cycles[tick], a.ns[tick])
            hits += [(tick, int(row), mask_of(over[row])) for row in np.flatnonzero(over.any(axis=1))]
            if recording and (tick + 1) % a.every == 0:
                np.add(a.saved, a.count, out=a.record[:, :, tick // a.every])
        return reported(a, sorted(hits, key=lambda hit: (hit[1], hit[0])))

    return Contender(call, a.updates)


def mask_of(over: NDArray[np.bool_]) -> int:
    """Return the mask of the slots of a row that overflowed."""
    return sum(1 << int(slot) for slot in np.flatnonzero(over))


def reported(a: Arrays, hits: list[Hit]) -> int:
    """Write overflows, by row and tick, and return their number."""
    kept = hits[: len(a.hits)]
    a.hits[: len(kept)] = np.array(kept, np.int64).reshape(-1, 3)
    return len(hits)


class NumpyTicks:
    """The arrays that numpy needs beside the state."""

    def __init__(self, a: Arrays) -> None:
        """Split the rates, and find the slots that count."""
        self.a = a
        rows, slots = np.indices(a.stream.shape)
        self.counts = a.category == kernel.COUNTED
        self.entries = (rows, slots, a.category)
        self.source = (rows, a.stream)
        self.high, self.low = a.rate >> SHIFT32, a.rate & LOW32

    def tick(self, cycles: np.uint64, ns: np.uint64) -> NDArray[np.bool_]:
        """Advance by a tick; return what overflowed: bool [row, slot]."""
        a = self.a
        span = np.where(a.time_tied, ns, cycles)
        product = a.residual + self.low * span
        gained = (self.high * span + (product >> SHIFT32))[self.source]
        np.bitwise_and(product, LOW32, out=a.residual)
        a.ledger[self.entries] += gained
        np.add(a.count, gained, out=a.count, where=self.counts)
        limited = self.counts & (a.left > 0)
        over: NDArray[np.bool_] = limited & (gained >= a.left)
        beyond = np.subtract(gained, a.left, out=np.zeros_like(gained), where=over)
        renewed = np.where(a.period > 0, a.period - beyond % np.maximum(a.period, ONE), a.period)
        np.subtract(a.left, gained, out=a.left, where=limited & ~over)
        np.copyto(a.left, renewed, where=over)
        return over


def in_python(a: Arrays, recording: bool = False) -> Contender:
    """Return the same loop on Python integers, written back to the arrays after each call."""

    def call() -> int:
        hits: list[Hit] = []
        for number in range(len(a.rate)):
            row = python_row(a, number)
            values = row.ticks(a.cycles.tolist(), a.ns.tolist(), number, hits, a.every if recording else NEVER)
            if recording:
                a.record[number] = np.array(values, np.uint64).T
            a.residual[number], a.count[number], a.left[number] = row.residual, row.count, row.left
            a.ledger[number] = row.ledger
        return reported(a, hits)

    return Contender(call, a.updates)


def python_row(a: Arrays, row: int) -> "PythonRow":
    """Copy one row of the arrays to lists."""
    state = (a.rate, a.residual, a.stream, a.category, a.saved, a.count, a.left, a.period, a.ledger)
    return PythonRow(a.time_tied.tolist(), *(array[row].tolist() for array in state))


@dataclass(slots=True)
class PythonRow:
    """One vCPU and its counters as lists of integers."""

    time_tied: list[int]
    rate: list[int]
    residual: list[int]
    stream: list[int]
    category: list[int]
    saved: list[int]
    count: list[int]
    left: list[int]
    period: list[int]
    ledger: list[list[int]]

    def ticks(self, cycles: list[int], ns: list[int], number: int, hits: list[Hit], every: int) -> list[list[int]]:
        """Advance through all ticks, report overflows, and return the values after each tick of ``every``."""
        values = []
        for tick, spans in enumerate(zip(cycles, ns, strict=True)):
            if mask := self.tick(*spans):
                hits.append((tick, number, mask))
            if (tick + 1) % every == 0:
                values.append([saved + count for saved, count in zip(self.saved, self.count, strict=True)])
        return values

    def tick(self, cycles: int, ns: int) -> int:
        """Advance by one tick and return the mask of slots that overflowed."""
        gained = []
        for event, rate in enumerate(self.rate):
            exact = self.residual[event] + rate * (ns if self.time_tied[event] else cycles)
            gained.append(exact >> 32)
            self.residual[event] = exact & MASK32
        return sum(self.book(slot, gained[source]) << slot for slot, source in enumerate(self.stream))

    def book(self, slot: int, events: int) -> bool:
        """Book events in one slot and tell whether it overflowed."""
        self.ledger[slot][self.category[slot]] += events
        if self.category[slot] != kernel.COUNTED:
            return False
        self.count[slot] += events
        if not self.left[slot]:
            return False
        beyond = events - self.left[slot]
        if beyond < 0:
            self.left[slot] = -beyond
        else:
            self.left[slot] = self.period[slot] - beyond % self.period[slot] if self.period[slot] else 0
        return beyond >= 0
