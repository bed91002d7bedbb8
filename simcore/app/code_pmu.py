"""The guest's virtual PMU while real code runs: what executed instructions count, and when a counter will overflow.

The PMU is the product's one virtual PMU (``pmu.kvm``, ``pmu.vcpu``), driven through its public face.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

from pmu import kernel
from pmu.bank import CounterBank
from pmu.events import CNT_CYCLES, CPU_CYCLES, INST_RETIRED, NOMINAL_CYCLES
from pmu.kvm import Vm
from pmu.vcpu import Vcpu
from simcore.app.code_clock import Clock, Deadline
from simcore.app.code_words import BACK, BRANCH, IMMEDIATE, LOAD, RETURN, STORE
from simcore.units import NS_PER_S

CYCLES, INSTRUCTIONS, TICKS, NOMINAL, BRANCHES, IMMEDIATES, RETURNS, LOADS, STORES, ACCESSES, RETURNED, TAKEN = range(
    12
)
NUMBER: Final = 12
STREAMS: Final[Mapping[int, int]] = {
    CPU_CYCLES: CYCLES,
    INST_RETIRED: INSTRUCTIONS,
    0x1B: INSTRUCTIONS,  # INST_SPEC: nothing is speculated
    CNT_CYCLES: TICKS,
    NOMINAL_CYCLES: NOMINAL,
    0x21: BRANCHES,  # BR_RETIRED
    0x12: BRANCHES,  # BR_PRED
    0x0D: IMMEDIATES,  # BR_IMMED_RETIRED
    0x0E: RETURNS,  # BR_RETURN_RETIRED
    0x06: LOADS,  # LD_RETIRED
    0x07: STORES,  # ST_RETIRED
    0x66: LOADS,  # MEM_ACCESS_RD
    0x67: STORES,  # MEM_ACCESS_WR
    0x13: ACCESSES,  # MEM_ACCESS
    0x04: ACCESSES,  # L1D_CACHE
    0x09: TAKEN,  # EXC_TAKEN
    0x0A: RETURNED,  # EXC_RETURN
}
"""Event -> its stream; an event that is not here never happens (there are no caches and no predictors)."""
WATCHED: Final = frozenset(range(BRANCHES, RETURNED + 1))
"""The streams for which every instruction must be looked at."""
_CLASSES: Final = (
    (BRANCHES, BRANCH),
    (IMMEDIATES, IMMEDIATE),
    (RETURNS, RETURN),
    (LOADS, LOAD),
    (STORES, STORE),
    (ACCESSES, LOAD | STORE),
    (RETURNED, BACK),
)


class Tally:
    """How many instructions of each class were begun since the last account."""

    def __init__(self) -> None:
        """Begin with none."""
        self._counts: dict[int, int] = {}
        self._begun = 0
        self._last = 0

    def add(self, kind: int) -> None:
        """Note an instruction that begins."""
        self._counts[kind] = self._counts.get(kind, 0) + 1
        self._begun += 1
        self._last = kind

    def take(self, retired: int) -> list[int]:
        """Return the events of the instructions that have retired, by stream; one that has not is kept."""
        events = [0] * NUMBER
        if self._begun:
            unfinished = self._begun > retired
            if unfinished:
                self._counts[self._last] -= 1
            for kind, count in self._counts.items():
                for stream, bits in _CLASSES:
                    events[stream] += count if kind & bits else 0
            self.clear()
            if unfinished:
                self.add(self._last)
        return events

    def clear(self) -> None:
        """Forget what has begun."""
        self._counts.clear()
        self._begun = 0


class GuestPmu:
    """The virtual PMU of one vCPU and its row of the bank."""

    def __init__(self, vm: Vm, vcpu: Vcpu, row: int, frequency_hz: int) -> None:
        """Bind the PMU; ``frequency_hz`` is that of the system counter."""
        self.vm, self.vcpu, self.row = vm, vcpu, row
        self.overflows = 0
        self._bank: CounterBank = vm.bank
        self._frequency_hz = frequency_hz
        self._ticks_part = 0
        self._events = np.zeros(NUMBER, np.uint64)

    def count(self, events: list[int], cycles: int, ns: int, instructions: int) -> bool:
        """Count what has executed; tell whether a sample period has ended."""
        events[CYCLES], events[INSTRUCTIONS], events[NOMINAL] = cycles, instructions, ns
        events[TICKS], self._ticks_part = divmod(ns * self._frequency_hz + self._ticks_part, NS_PER_S)
        self._events[:] = events
        bank = self._bank
        mask = int(
            kernel.count_slots(self.row, bank.stream, bank.category, bank.count, bank.left, bank.ledger, self._events)
        )
        if not mask:
            return False
        while mask:
            slot = (mask & -mask).bit_length() - 1
            mask &= mask - 1
            self.overflows += 1
            self.vcpu.overflow(slot)
        self.vcpu.resume()
        return True

    def _counting(self) -> list[tuple[int, int]]:
        """Return (stream, events left of the sample period) of every slot that counts."""
        bank, row = self._bank, self.row
        streams, categories = bank.stream[row].tolist(), bank.category[row].tolist()
        left = bank.left[row].tolist()
        return [
            (stream, room)
            for stream, category, room in zip(streams, categories, left, strict=True)
            if stream >= 0 and category == kernel.COUNTED
        ]

    def limit(self, deadline: Deadline, clock: Clock) -> None:
        """Bring a deadline forward to where a sample period may end; one instruction is one event at most."""
        for stream, left in self._counting():
            if not left:
                continue
            if stream == CYCLES:
                deadline.cycles = min(deadline.cycles, clock.cycles + left)
            elif stream == TICKS:
                ns = -(-(left * NS_PER_S - self._ticks_part) // self._frequency_hz)
                deadline.guest_ns = min(deadline.guest_ns, clock.ns - clock.host_ns + ns)
            elif stream == NOMINAL:
                deadline.guest_ns = min(deadline.guest_ns, clock.ns - clock.host_ns + left)
            else:
                deadline.instructions = min(deadline.instructions, clock.instructions + left)

    def watches(self, level: int) -> bool:
        """Tell whether a counter needs a look at every instruction executed at an exception level."""
        if level and self.vcpu.depends_on_level:
            return True
        enabled = self._bank.stream[self.row]
        return any(stream in WATCHED for stream in enabled[enabled >= 0].tolist())
