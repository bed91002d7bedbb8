"""Contenders for many ticks at once: streams and counters of V vCPUs through T ticks, all overflows reported.

The kernels (``pmu.kernel_ticks``, ``pmu.kernel_record``) and the same arithmetic tick by tick in C, numpy and
Python. All start from the same arrays, must end with the same numbers and report the same overflows.
"""

import ctypes
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.compiled import load, pointers
from benchmarks.measure import Contender
from pmu import kernel
from pmu.kernel_record import record_ticks
from pmu.kernel_ticks import advance_ticks
from simcore.draws import uniform

EVENTS = 8
TICK_NS = 1000
LONGEST_CYCLES = 3000
SAMPLED_EVERY_NS = 1_000_000
ONE_IN = 8  # counters that sample; one in four counts nothing
ROOM = 1 << 16  # overflows that are reported
Words = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Arrays:
    """The arrays of ``record_ticks``, in the order of its arguments."""

    rate: Words
    residual: Words
    time_tied: NDArray[np.uint8]
    cycles: Words
    ns: Words
    stream: NDArray[np.int64]
    category: NDArray[np.int64]
    saved: Words
    count: Words
    left: Words
    period: Words
    ledger: Words
    hits: NDArray[np.int64]
    record: Words

    def all(self) -> tuple[NDArray[np.generic], ...]:
        """Return the arrays in order."""
        return tuple(getattr(self, field.name) for field in fields(self))

    def unrecorded(self) -> tuple[NDArray[np.generic], ...]:
        """Return the arguments of ``advance_ticks``."""
        return tuple(getattr(self, field.name) for field in fields(self) if field.name not in ("saved", "record"))

    @property
    def updates(self) -> int:
        """Return the counter updates of one call: slots of all rows, once a tick."""
        return len(self.cycles) * int(self.stream.size)

    @property
    def every(self) -> int:
        """Return the ticks from sample to sample."""
        return len(self.cycles) // int(self.record.shape[2])


def arrays(rows: int, ticks: int, samples: int = 1, seed: int = 1) -> Arrays:
    """Draw a state: 32 slots a row, three in four counting, one in eight sampled once a millisecond; ticks of 1 us.

    The record is the same memory in all states of its shape.
    """
    slots = (rows, kernel.SLOTS)
    number = np.arange(rows * kernel.SLOTS).reshape(slots)
    rate = 2 * drawn(seed, "rate", (rows, EVENTS), 1 << 32)
    stream = drawn(seed, "stream", slots, EVENTS).astype(np.int64)
    period = np.where(number % ONE_IN == 0, periods(np.take_along_axis(rate, stream, axis=1)), np.uint64(0))
    return Arrays(
        rate=rate,
        residual=drawn(seed, "residual", (rows, EVENTS), 1 << 32),
        time_tied=(np.arange(EVENTS) == EVENTS - 1).astype(np.uint8),
        cycles=drawn(seed, "cycles", (ticks,), LONGEST_CYCLES),
        ns=np.full(ticks, TICK_NS, np.uint64),
        stream=stream,
        category=np.where(number % 4 == 3, kernel.OFF_PMU, kernel.COUNTED).astype(np.int64),
        saved=drawn(seed, "saved", slots, 1 << 32),
        count=np.zeros(slots, np.uint64),
        left=period - period * drawn(seed, "left", slots, 1 << 16) // np.uint64(1 << 16),
        period=period,
        ledger=np.zeros((*slots, kernel.CATEGORIES), np.uint64),
        hits=np.zeros((ROOM, 3), np.int64),
        record=memory((*slots, samples)),
    )


def drawn(seed: int, purpose: str, shape: tuple[int, ...], limit: int) -> Words:
    """Draw integers below ``limit``."""
    return uniform(limit, seed, "bench", purpose, 0, int(np.prod(shape))).astype(np.uint64).reshape(shape)


def periods(rate: Words) -> Words:
    """Return the events of streams in a millisecond, at the mean number of cycles."""
    mean = np.uint64(SAMPLED_EVERY_NS // TICK_NS * LONGEST_CYCLES // 2)
    found: Words = np.maximum(rate * mean >> np.uint64(32), np.uint64(1))
    return found


@lru_cache(maxsize=2)
def memory(shape: tuple[int, ...]) -> Words:
    """Return memory for a record, present and not only promised."""
    return np.ones(shape, np.uint64)


def ours(a: Arrays) -> Contender:
    """Return the kernel."""
    arguments = a.unrecorded()
    return Contender(lambda: advance_ticks(*arguments), a.updates)


def ours_recording(a: Arrays) -> Contender:
    """Return the kernel that records."""
    arguments = a.all()
    return Contender(lambda: record_ticks(*arguments), a.updates)


class Ticks(ctypes.Structure):
    """``struct ticks`` of ``benchmarks/c/ticks.h``."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("rows", "events", "ticks", "room")),
        *((field.name, ctypes.c_void_p) for field in fields(Arrays) if field.name != "record"),
    )


def struct(a: Arrays) -> Ticks:
    """Return the arrays for C; they must outlive it."""
    sizes = (*a.rate.shape, len(a.cycles), len(a.hits))
    return Ticks(*sizes, *(pointer.value for pointer in pointers(*a.all()[:-1])))


def in_c(a: Arrays, compiler: str = "gcc", source: str = "ticks.c") -> Contender:
    """Return the plain loop in C, or the one restructured by hand (``tuned.c``)."""
    function = load(compiler, source).advance_ticks
    function.restype = ctypes.c_int64
    state = struct(a)
    return Contender(lambda: (a, function(ctypes.byref(state)))[1], a.updates)


def in_c_recording(a: Arrays, compiler: str = "gcc", source: str = "ticks.c") -> Contender:
    """Return the same with a record: ``ticks.c`` writes it as [row, sample, slot], as a plain loop would."""
    function = load(compiler, source).record_ticks
    function.restype = ctypes.c_int64
    state, every = struct(a), ctypes.c_int64(a.every)
    record = pointers(a.record)[0]
    return Contender(lambda: (a, function(ctypes.byref(state), every, record))[1], a.updates)
