"""One vCPU's row of the counter bank: values of counters, sample periods, and where their increments are booked.

Which host events there are is decided in ``pmu.perf``.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np

from pmu.events import NOMINAL_CYCLES, SOFTWARE_EVENTS
from pmu.host import CYCLE_COUNTER
from pmu.kernel import (
    COUNTED,
    DISABLED,
    EXCLUDED_LEVEL,
    FILTERED,
    NO_EVENT,
    NO_HOST_COUNTER,
    OFF_PMU,
    OTHER,
)
from pmu.perf_event import PerfEvent, seen_from
from pmu.register import MASK64
from pmu.storage import CYCLE_BIT, OVERFLOW, Settings, bits

if TYPE_CHECKING:
    from pmu.kvm import Vm

LOW32: Final = (1 << 32) - 1


class Slots(Settings):
    """The counters of one vCPU as the bank has them (31: cycles, 32: instructions if shown).

    ``live``: the counters that have host events.
    """

    def __init__(self, vm: "Vm", row: int) -> None:
        """Bind one row of the VM's bank."""
        super().__init__(vm)
        self.cpu = -1
        self.level = 1
        self.live = 0
        self._outside: Callable[[], int] = lambda: 0
        self._absorbed = 0
        self._events: list[tuple[PerfEvent, ...]] = [()] * vm.bank.slots
        self._saved = vm.bank.saved[row]
        self._count = vm.bank.count[row]
        self._left = vm.bank.left[row]
        self._stream = vm.bank.stream[row]
        self._category = vm.bank.category[row]
        self._ledger = vm.bank.ledger[row]

    # Values

    def value(self, idx: int) -> int:
        """Return a counter as the guest reads it."""
        raw = int(self._saved[idx]) + int(self._count[idx])
        if self._is_timed(idx):
            raw += self._passed()
        return raw & self.shown_bits(idx)

    def shown_bits(self, idx: int) -> int:
        """Return the bits of a counter that the guest reads: below PMUv3p5 an event counter has 32."""
        return MASK64 if self.is_wide(idx) else LOW32

    def _period(self, idx: int, counted: int) -> int:
        """Return the events until the next overflow; 0: never. The kernel misses a wrap of 0 (a quirk)."""
        width = 64 if self.is_wide(idx) and self.overflows_at_64(idx) else 32
        period = -counted & ((1 << width) - 1)
        if period or width == 64:
            return period
        return 0 if self.vm.revision.period_quirks and not self._is_timed(idx) else 1 << width

    def set_level(self, level: int) -> None:
        """Tell at which exception level (0 or 1) the guest executes from now on."""
        if level == self.level:
            return
        self.level = level
        self.refresh_slots(self.level_mask())

    def level_mask(self) -> int:
        """Return the counters in force that count at one of the exception levels only."""
        mask = 0
        for idx in bits(self.enabled_mask() | self.live):
            event = seen_from(self._events[idx], self.cpu)
            el0, el1 = self.levels_of(idx) if event is None else event.levels
            mask |= (el0 != el1) << idx
        return mask

    def refresh_slots(self, mask: int) -> None:
        """Tell the bank anew which stream drives the counters in ``mask`` and where their increments go."""
        for idx in bits(mask):
            self.refresh_slot(idx)

    def refresh_slot(self, idx: int) -> None:
        """Tell the bank anew which stream drives one counter and where its increments go."""
        event = seen_from(self._events[idx], self.cpu)
        number = self.event_of(idx) if event is None else event.event
        if event is None and self._is_timed(idx):
            self._absorb()
            self._left[idx] = np.uint64(self._period(idx, self.value(idx)))
        self._category[idx] = self._categorise(idx, event, number)
        self._stream[idx] = self._stream_of(idx, event, number)

    def _stream_of(self, idx: int, event: PerfEvent | None, number: int) -> int:
        if number in SOFTWARE_EVENTS or (event is None and not self.implemented_mask() >> idx & 1):
            return -1
        if event is None and self._is_timed(idx):
            number = NOMINAL_CYCLES
        return self.vm.streams.get(number, -1)

    def _categorise(self, idx: int, event: PerfEvent | None, number: int) -> int:
        """Return the first category that holds, in the order of the ledger."""
        if event is not None and event.held and event.levels[self.level]:
            return COUNTED
        if not self.enabled_mask() >> idx & 1:
            return DISABLED
        if event is None and number in SOFTWARE_EVENTS:
            return COUNTED
        if self.vm.denies(number):
            return FILTERED
        if not (self.levels_of(idx) if event is None else event.levels)[self.level]:
            return EXCLUDED_LEVEL
        return self._unbacked(idx, event)

    def _unbacked(self, idx: int, event: PerfEvent | None) -> int:
        if event is None:
            return COUNTED if self._is_timed(idx) else NO_EVENT
        if self.cpu not in event.pmu.cpus:
            return OFF_PMU
        return NO_HOST_COUNTER if event.failed else OTHER

    # A cycle counter without a host event, which follows the architected timer

    def follow(self, outside: Callable[[], int]) -> None:
        """Let ``outside()`` give the ns in which the vCPU's guest has not executed; a timed counter begins from now."""
        self._outside, self._absorbed = outside, outside()

    def _is_timed(self, idx: int) -> bool:
        return idx == CYCLE_COUNTER and self.vm.mode.timed

    def _passed(self) -> int:
        """Return the nominal cycles of the time outside of the guest that the cycle counter does not have yet."""
        return self._outside() - self._absorbed if self._category[CYCLE_COUNTER] == COUNTED else 0

    def _absorb(self) -> None:
        """Add the time that has passed outside of the guest to the cycle counter; it may overflow by it."""
        if not self.vm.mode.timed:
            return
        passed = self._passed()
        self._absorbed = self._outside()
        if not passed:
            return
        over = 0 < int(self._left[CYCLE_COUNTER]) <= passed
        self._saved[CYCLE_COUNTER] = np.uint64(int(self._saved[CYCLE_COUNTER]) + passed & MASK64)
        if over:
            self.regs[OVERFLOW] |= CYCLE_BIT
