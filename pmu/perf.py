"""The host perf events behind one vCPU's counters: made, released, enabled, folded, scheduled, and their overflow.

Owns the vCPU's PMU registers and its row of the bank. Who may touch a register is decided in ``pmu.registers``; when
events must be reloaded is decided in ``pmu.vcpu`` and ``pmu.revisions``, on which host PMUs they are made in
``pmu.modes``.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

import numpy as np

from pmu.events import CHAIN, CPU_CYCLES, INST_RETIRED, NOMINAL_CYCLES, SOFTWARE_EVENTS
from pmu.host import CYCLE_COUNTER, INSTRUCTION_COUNTER, PMUVER_V3P5, HostPmu
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
from pmu.perf_event import PerfEvent, local_to, seen_from
from pmu.work import PmuWork

if TYPE_CHECKING:
    from pmu.kvm import Vm

PMCR, ENABLED, INTERRUPT, OVERFLOW, SELECT, USER_ENABLE, TYPES = range(7)
"""Storage of the PMU registers; ``TYPES + n`` is PMEVTYPER<n>_EL0, 31 PMCCFILTR_EL0 and 32 PMICFILTR_EL0."""
STORAGE_SLOTS: Final = TYPES + INSTRUCTION_COUNTER + 1

PMCR_E, PMCR_P, PMCR_C = 1 << 0, 1 << 1, 1 << 2
PMCR_LC, PMCR_LP = 1 << 6, 1 << 7

TYPE_P, TYPE_U, TYPE_NSK, TYPE_NSU, TYPE_NSH, TYPE_M = 1 << 31, 1 << 30, 1 << 29, 1 << 28, 1 << 27, 1 << 26

CYCLE_BIT: Final = 1 << CYCLE_COUNTER
INSTRUCTION_BIT: Final = 1 << INSTRUCTION_COUNTER
_EVENT_COUNTERS: Final = CYCLE_BIT - 1
_FIXED_EVENTS: Final = {CYCLE_COUNTER: CPU_CYCLES, INSTRUCTION_COUNTER: INST_RETIRED}
_LOW32: Final = (1 << 32) - 1
_MASK64: Final = (1 << 64) - 1
_UNLIMITED: Final = -1


def bits(mask: int) -> Iterator[int]:
    """Yield the positions of the set bits, ascending."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


class Counters:
    """The counters of one vCPU (31: cycles, 32: instructions if shown), each with its host perf events, mostly one.

    ``outside()``: ns since the start in which the vCPU's guest did not execute; who drives the vCPU sets it.
    """

    def __init__(self, vm: "Vm", row: int) -> None:
        """Bind one row of the VM's bank; every register is zero until a reset."""
        self.vm = vm
        self.regs = [0] * STORAGE_SLOTS
        self.work = PmuWork()
        self.cpu = -1
        self.level = 1
        self.loaded = False
        self.live = 0
        self.outside: Callable[[], int] = lambda: 0
        self._absorbed = 0
        self._events: list[tuple[PerfEvent, ...]] = [()] * vm.bank.slots
        self._lent: list[PerfEvent | None] = [None] * vm.bank.slots
        self._saved = vm.bank.saved[row]
        self._count = vm.bank.count[row]
        self._left = vm.bank.left[row]
        self._stream = vm.bank.stream[row]
        self._category = vm.bank.category[row]
        self._ledger = vm.bank.ledger[row]

    # What the registers say

    def enabled_mask(self) -> int:
        """Return the counters that are enabled one by one and by PMCR_EL0.E."""
        return self.regs[ENABLED] if self.regs[PMCR] & PMCR_E else 0

    def implemented_mask(self) -> int:
        """Return the counters that the VM is shown, as far as the kernel's bitmaps reach."""
        fixed = CYCLE_BIT | INSTRUCTION_BIT if self.vm.shows_icntr else CYCLE_BIT
        return (fixed | (1 << self.vm.nr_counters) - 1) & self.vm.revision.bitmap_mask

    def event_of(self, idx: int) -> int:
        """Return the PMUv3 event that a counter is set to."""
        fixed = _FIXED_EVENTS.get(idx)
        return self.regs[TYPES + idx] & self.vm.event_mask if fixed is None else fixed

    def is_wide(self, idx: int) -> bool:
        """Return whether the guest sees 64 bits of a counter."""
        return idx in _FIXED_EVENTS or self.vm.pmuver >= PMUVER_V3P5

    def overflows_at_64(self, idx: int) -> bool:
        """Return whether a counter overflows at 64 bits (PMCR_EL0.LC, LP; instructions always) instead of 32."""
        return idx == INSTRUCTION_COUNTER or bool(self.regs[PMCR] & (PMCR_LC if idx == CYCLE_COUNTER else PMCR_LP))

    def levels_of(self, idx: int) -> tuple[bool, bool]:
        """Return whether a counter's filter admits EL0 and EL1."""
        kind = self.regs[TYPES + idx]
        el0 = bool(kind & TYPE_U) == bool(kind & TYPE_NSU)
        return el0, bool(kind & TYPE_P) == bool(kind & TYPE_NSK)

    # Values

    def value(self, idx: int) -> int:
        """Return a counter as the guest reads it."""
        raw = int(self._saved[idx]) + int(self._count[idx]) + (self._passed() if self._is_timed(idx) else 0)
        return raw & (_MASK64 if self.is_wide(idx) else _LOW32)

    def assign(self, idx: int, value: int) -> None:
        """Write a counter as the guest does: drop its events and their count, store, make new ones."""
        self.store(idx, value)
        if not self.vm.revision.rearms:
            self.create(idx)
        self.refresh_slot(idx)

    def store(self, idx: int, value: int) -> None:
        """Write a counter as user space does: drop its events and their count, store 64 bits."""
        if self.vm.revision.rearms:
            self._saved[idx] = np.uint64(value - int(self._count[idx]) & _MASK64)
            self._rearm(idx)
            return
        self._absorb()
        self.release(idx)
        self._count[idx] = np.uint64(0)
        self._saved[idx] = np.uint64(value)

    def store_raw(self, idx: int, value: int) -> None:
        """Set the saved register only, as a reset does; a live event stays."""
        self._saved[idx] = np.uint64(value)

    def retype(self, idx: int) -> None:
        """Make a new event after a guest's write of the counter's type or filter."""
        self.create(idx)
        self.refresh_slot(idx)

    # Events

    def create(self, idx: int) -> None:
        """Fold and replace a counter's events; none where KVM counts, a filter denies, or no host PMU can count it."""
        host_pmus = self.vm.backing_pmus(self.cpu)
        if not host_pmus:
            return
        self.fold(idx)
        event = self.event_of(idx)
        if event in SOFTWARE_EVENTS or self.vm.denies(event):
            return
        able = [host_pmu for host_pmu in host_pmus if host_pmu.native_event(event) is not None]
        if not able:
            return
        period = self._period(idx, self.value(idx))
        created = tuple(self._create_on(host_pmu, idx, event, period) for host_pmu in able)
        self._events[idx] = created
        self.live |= 1 << idx
        self._lent[idx] = created[0]
        self._left[idx] = np.uint64(period)
        self._lend(idx)
        for made in created:
            self._schedule(made)

    def _create_on(self, host_pmu: HostPmu, idx: int, event: int, period: int) -> PerfEvent:
        self.work.creations += 1
        return PerfEvent(
            pmu=host_pmu,
            event=event,
            levels=self.levels_of(idx),
            wide=self.is_wide(idx),
            serial=self.work.creations,
            enabled=bool(self.enabled_mask() >> idx & 1),
            left=period,
        )

    def release(self, idx: int) -> None:
        """Drop a counter's events and what they counted."""
        if not self._events[idx]:
            return
        self.work.releases += len(self._events[idx])
        self._events[idx] = ()
        self._lent[idx] = None
        self.live &= ~(1 << idx)
        self._count[idx] = np.uint64(0)
        self._left[idx] = np.uint64(0)

    def fold_all(self) -> None:
        """Store the value of every counter that has an event, and drop the events."""
        for idx in bits(self.live):
            self.fold(idx)

    def release_all(self) -> None:
        """Drop every event and what it counted."""
        for idx in bits(self.live):
            self.release(idx)

    def reprogram(self, mask: int) -> None:
        """Enable (or create) or disable the events of the counters in ``mask`` as the registers say."""
        enabled = self.enabled_mask()
        for idx in bits(mask):
            if enabled >> idx & 1:
                self._enable(idx)
            else:
                self._disable(idx)
            if self.vm.revision.rearms:
                self._rearm(idx)
            self.refresh_slot(idx)

    def overflow(self, idx: int) -> None:
        """Handle the end of a sample period: next period, overflow bit, chain.

        The kernel takes the next period from what the event counted, not from the counter's value (a quirk).
        """
        event = self._lent[idx]
        of_event = event is not None and self.vm.revision.period_quirks and not self.vm.revision.rearms
        counted = self._counted_by(event, idx) if event is not None and of_event else self.value(idx)
        self._left[idx] = np.uint64(self._period(idx, counted))
        self._overflowed(idx)

    def increment(self, mask: int, event: int) -> None:
        """Count one software event (SW_INCR, CHAIN) in the counters of ``mask`` that are set to it."""
        enabled = self.enabled_mask()
        for idx in bits(mask & _EVENT_COUNTERS):
            if self.regs[TYPES + idx] & self.vm.event_mask != event:
                continue
            counts = enabled >> idx & 1
            self._book(idx, COUNTED if counts else DISABLED)
            if counts:
                self._increment_one(idx)

    def off_pmu(self, mask: int) -> bool:
        """Return whether a counter in ``mask`` has events and none on a PMU that covers the pCPU."""
        return any(events and local_to(events, self.cpu) is None for events in map(self._events.__getitem__, bits(mask)))

    def _enable(self, idx: int) -> None:
        events = self._events[idx]
        if not events or (local_to(events, self.cpu) is None and self.vm.revision.recreates_off_pmu(self.vm)):
            self.create(idx)
            return
        for event in events:
            self.work.enables += 1
            event.enabled = True
            event.failed = False
            self._schedule(event)

    def _disable(self, idx: int) -> None:
        for event in self._events[idx]:
            if event.enabled:
                self.work.enables += 1
                event.enabled = False
                event.held = 0

    def fold(self, idx: int) -> None:
        """Store a counter's value and drop its events."""
        if self._events[idx]:
            self._saved[idx] = np.uint64(self.value(idx))
            self.release(idx)

    def _period(self, idx: int, counted: int) -> int:
        """Return the events until the next overflow; 0: never. The kernel misses a wrap of 0 (a quirk)."""
        width = 64 if self.is_wide(idx) and self.overflows_at_64(idx) else 32
        period = -counted & ((1 << width) - 1)
        misses = self.vm.revision.period_quirks and not self._is_timed(idx)
        return period or (0 if misses or width == 64 else 1 << width)

    # Several events a counter

    def _lend(self, idx: int) -> None:
        """Let the bank count down the sample period of the event on the pCPU's PMU, if another one counted before."""
        event, before = local_to(self._events[idx], self.cpu), self._lent[idx]
        if event is None or before is None or event is before:
            return
        before.left, before.counted = int(self._left[idx]), self._counted_by(before, idx)
        event.base = int(self._count[idx])
        self._left[idx] = np.uint64(event.left)
        self._lent[idx] = event

    def _counted_by(self, event: PerfEvent, idx: int) -> int:
        """Return what the event that counts for a counter has counted since it was made."""
        return event.counted + int(self._count[idx]) - event.base

    def _rearm(self, idx: int) -> None:
        """Let the sample period of the event on the pCPU's PMU end where the counter overflows."""
        if local_to(self._events[idx], self.cpu) is not None:
            self._lend(idx)
            self._left[idx] = np.uint64(self._period(idx, self.value(idx)))

    # A cycle counter without a host event, which follows the architected timer

    def _is_timed(self, idx: int) -> bool:
        return idx == CYCLE_COUNTER and self.vm.mode.timed

    def _passed(self) -> int:
        """Return the nominal cycles of the time outside of the guest that the cycle counter does not have yet."""
        return self.outside() - self._absorbed if self._category[CYCLE_COUNTER] == COUNTED else 0

    def _absorb(self) -> None:
        """Add the time that has passed outside of the guest to the cycle counter; it may overflow by it."""
        if not self.vm.mode.timed:
            return
        passed = self._passed()
        self._absorbed = self.outside()
        if not passed:
            return
        over = 0 < int(self._left[CYCLE_COUNTER]) <= passed
        self._saved[CYCLE_COUNTER] = np.uint64(int(self._saved[CYCLE_COUNTER]) + passed & _MASK64)
        if over:
            self._overflowed(CYCLE_COUNTER)

    def _overflowed(self, idx: int) -> None:
        self.regs[OVERFLOW] |= 1 << idx
        chains = not idx & 1 and idx + 1 < CYCLE_COUNTER and not self.overflows_at_64(idx)
        if chains:
            self.increment(1 << (idx + 1), CHAIN)

    def _increment_one(self, idx: int) -> None:
        value = int(self._saved[idx]) + 1 & (_MASK64 if self.is_wide(idx) else _LOW32)
        self._saved[idx] = np.uint64(value)
        if not value & (_MASK64 if self.overflows_at_64(idx) else _LOW32):
            self._overflowed(idx)

    def _book(self, idx: int, category: int) -> None:
        self._ledger[idx, category] += np.uint64(1)

    # The host's scheduling of events

    def schedule_in(self, cpu: int) -> None:
        """Load the vCPU on a pCPU: its enabled events get host counters in the order of their creation.

        An event keeps its counters while the vCPU stays on the event's PMU, so that a further load changes nothing.
        """
        self.cpu = cpu
        self.loaded = True
        self._absorb()
        events = [event for idx in bits(self.live) for event in self._events[idx]]
        for event in events:
            if cpu not in event.pmu.cpus:
                event.held = 0
        for event in sorted(events, key=lambda event: event.serial):
            self._schedule(event)
        for idx in bits(self.live):
            self._lend(idx)
            if self.vm.revision.rearms and self.vm.mode.unbacked:
                self._rearm(idx)
        self.refresh_slots(self.enabled_mask() | self.live)

    def schedule_out(self) -> None:
        """Put the vCPU: no further event gets a host counter."""
        self.loaded = False

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

    def _schedule(self, event: PerfEvent) -> None:
        waits = event.enabled and not event.failed and not event.held and self.loaded
        if not waits or self.cpu not in event.pmu.cpus:
            return
        event.held = (
            event.pmu.allocate(self._used(event.pmu), event.event, event.wide) if event.pmu.limited else _UNLIMITED
        )
        event.failed = not event.held

    def _used(self, host_pmu: HostPmu) -> int:
        used = host_pmu.busy_mask
        for idx in bits(self.live):
            for event in self._events[idx]:
                if event.pmu is host_pmu:
                    used |= event.held
        return used

    # What the bank is told

    def refresh_slots(self, mask: int) -> None:
        """Tell the bank anew which stream drives the counters in ``mask`` and where their increments go."""
        for idx in bits(mask):
            self.refresh_slot(idx)

    def refresh_slot(self, idx: int) -> None:
        """Tell the bank anew which stream drives one counter and where its increments go."""
        event = seen_from(self._events[idx], self.cpu)
        number = self.event_of(idx) if event is None else event.event
        if self._is_timed(idx):
            self._absorb()
            self._left[idx] = np.uint64(self._period(idx, self.value(idx)))
        self._category[idx] = self._categorise(idx, event, number)
        self._stream[idx] = self._stream_of(idx, event, number)

    def _stream_of(self, idx: int, event: PerfEvent | None, number: int) -> int:
        if number in SOFTWARE_EVENTS or (event is None and not self.implemented_mask() >> idx & 1):
            return -1
        return self.vm.streams.get(NOMINAL_CYCLES if self._is_timed(idx) else number, -1)

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
        return COUNTED if self._is_timed(idx) else self._unbacked(event)

    def _unbacked(self, event: PerfEvent | None) -> int:
        if event is None:
            return NO_EVENT
        if self.cpu not in event.pmu.cpus:
            return OFF_PMU
        return NO_HOST_COUNTER if event.failed else OTHER
