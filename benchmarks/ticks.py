"""Contenders for the plain tick loop: streams and counters of V vCPUs through T ticks, one tick after another.

The kernel (``pmu.kernel.advance_ticks``) and the same arithmetic in numpy, in pure Python and in C. All
start from the same arrays, and must end with the same numbers and return the same Result.
"""

import ctypes
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from benchmarks.compiled import load, pointers
from benchmarks.measure import Contender
from pmu import kernel
from simcore.draws import draw

EVENTS = 8
MASK32 = 0xFFFFFFFF
SHIFT32 = np.uint64(32)
LOW32 = np.uint64(MASK32)

Result = tuple[int, int, int]  # ticks done, first row that overflowed in the last of them (or -1), its slots


@dataclass(frozen=True, slots=True)
class Arrays:
    """The arrays of ``pmu.kernel.advance_ticks``, in the order of its arguments."""

    rate: NDArray[np.uint64]
    residual: NDArray[np.uint64]
    time_tied: NDArray[np.uint8]
    cycles: NDArray[np.uint64]
    ns: NDArray[np.uint64]
    stream: NDArray[np.int64]
    category: NDArray[np.int64]
    count: NDArray[np.uint64]
    left: NDArray[np.uint64]
    ledger: NDArray[np.uint64]
    increment: NDArray[np.uint64]

    def all(self) -> tuple[NDArray[np.generic], ...]:
        """Return the arrays in order."""
        return tuple(getattr(self, field.name) for field in fields(self))

    @property
    def updates(self) -> int:
        """Return the counter updates of one call: slots of all rows, once a tick."""
        return len(self.cycles) * self.stream.size


def arrays(rows: int, ticks: int, seed: int = 1) -> Arrays:
    """Draw a state in which no slot overflows soon: 32 slots a row, three in four counting, half with a period."""
    slots = (rows, kernel.SLOTS)
    number = np.arange(rows * kernel.SLOTS).reshape(slots)
    return Arrays(
        rate=drawn(seed, "rate", (rows, EVENTS), 1 << 33),
        residual=drawn(seed, "residual", (rows, EVENTS), 1 << 32),
        time_tied=(np.arange(EVENTS) == EVENTS - 1).astype(np.uint8),
        cycles=drawn(seed, "cycles", (ticks,), 3000),
        ns=np.full(ticks, 1000, np.uint64),
        stream=drawn(seed, "stream", slots, EVENTS).astype(np.int64),
        category=np.where(number % 4 == 3, kernel.OFF_PMU, kernel.COUNTED).astype(np.int64),
        count=np.zeros(slots, np.uint64),
        left=np.where(number % 2 == 0, np.uint64(1 << 62), np.uint64(0)),
        ledger=np.zeros((*slots, kernel.CATEGORIES), np.uint64),
        increment=np.zeros(EVENTS, np.uint64),
    )


def drawn(seed: int, purpose: str, shape: tuple[int, ...], limit: int) -> NDArray[np.uint64]:
    """Draw integers below ``limit`` (a power of two, or small)."""
    values = [draw(seed, "bench", purpose, index) % limit for index in range(int(np.prod(shape)))]
    return np.array(values, np.uint64).reshape(shape)


def ours(a: Arrays) -> Contender:
    """Return the counter kernel."""
    arguments = a.all()
    return Contender(lambda: kernel.advance_ticks(*arguments), a.updates)


def settle(a: Arrays) -> Contender:
    """Return the two kernel calls that settle one row by one stride, their dispatch included."""
    streams = (a.rate[0], a.residual[0], a.time_tied, a.cycles[0], a.ns[0], a.increment)
    counters = (0, a.stream, a.category, a.count, a.left, a.ledger, a.increment)

    def call() -> None:
        kernel.advance_streams(*streams)
        kernel.count_slots(*counters)

    return Contender(call, 1)


def in_c(a: Arrays, compiler: str = "gcc") -> Contender:
    """Return the same loop in C."""
    function = load(compiler, "tick.c").advance_ticks
    function.restype = ctypes.c_int64
    hit = np.zeros(2, np.int64)
    sizes = [ctypes.c_int64(size) for size in (*a.rate.shape, len(a.cycles))]
    arguments = [*sizes, *pointers(*a.all(), hit)]
    return Contender(lambda: (function(*arguments), int(hit[0]), int(hit[1])), a.updates)


def in_numpy(a: Arrays) -> Contender:
    """Return the same arithmetic in numpy, all rows and slots of a tick at once."""
    rows, slots = np.indices(a.stream.shape)
    counts = a.category == kernel.COUNTED
    limited = counts & (a.left > 0)
    entries = (rows, slots, a.category)
    high, low = a.rate >> SHIFT32, a.rate & LOW32

    def tick(cycles: np.uint64, ns: np.uint64) -> None:
        span = np.where(a.time_tied, ns, cycles)
        product = a.residual + low * span
        increment = (high * span + (product >> SHIFT32))[rows, a.stream]
        np.bitwise_and(product, LOW32, out=a.residual)
        a.ledger[entries] += increment
        np.add(a.count, increment, out=a.count, where=counts)
        np.subtract(a.left, np.minimum(a.left, increment), out=a.left, where=limited)

    def call() -> Result:
        for done, (cycles, ns) in enumerate(zip(a.cycles, a.ns, strict=True), 1):
            tick(cycles, ns)
            over = limited & (a.left == 0)
            if over.any():
                row = int(over.any(axis=1).argmax())
                return done, row, sum(1 << int(slot) for slot in over[row].nonzero()[0])
        return len(a.cycles), -1, 0

    return Contender(call, a.updates)


def in_python(a: Arrays) -> Contender:
    """Return the same loop on Python integers, written back to the arrays after each call."""

    def call() -> Result:
        rows = [python_row(a, row) for row in range(len(a.rate))]
        result = python_ticks(a, rows)
        for number, row in enumerate(rows):
            a.residual[number], a.count[number], a.left[number] = row.residual, row.count, row.left
            a.ledger[number] = row.ledger
        return result

    return Contender(call, a.updates)


def python_ticks(a: Arrays, rows: list["PythonRow"]) -> Result:
    """Advance all rows tick by tick until a slot overflows."""
    for done, (cycles, ns) in enumerate(zip(a.cycles.tolist(), a.ns.tolist(), strict=True), 1):
        masks = [row.tick(cycles, ns) for row in rows]
        hit = next((number for number, mask in enumerate(masks) if mask), -1)
        if hit >= 0:
            return done, hit, masks[hit]
    return len(a.cycles), -1, 0


def python_row(a: Arrays, row: int) -> "PythonRow":
    """Copy one row of the arrays to lists."""
    state = (a.rate, a.residual, a.stream, a.category, a.count, a.left, a.ledger)
    return PythonRow(a.time_tied.tolist(), *(array[row].tolist() for array in state))


@dataclass(slots=True)
class PythonRow:
    """One vCPU and its counters as lists of integers."""

    time_tied: list[int]
    rate: list[int]
    residual: list[int]
    stream: list[int]
    category: list[int]
    count: list[int]
    left: list[int]
    ledger: list[list[int]]

    def tick(self, cycles: int, ns: int) -> int:
        """Advance by one tick and return the mask of slots that overflowed."""
        increment = []
        for event, rate in enumerate(self.rate):
            exact = self.residual[event] + rate * (ns if self.time_tied[event] else cycles)
            increment.append(exact >> 32)
            self.residual[event] = exact & MASK32
        return sum(self.book(slot, increment[source]) << slot for slot, source in enumerate(self.stream))

    def book(self, slot: int, events: int) -> bool:
        """Book events in one slot and tell whether it overflowed."""
        self.ledger[slot][self.category[slot]] += events
        if self.category[slot] != kernel.COUNTED:
            return False
        self.count[slot] += events
        if not self.left[slot] or not events:
            return False
        self.left[slot] = max(self.left[slot] - events, 0)
        return self.left[slot] == 0
