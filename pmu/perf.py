"""The host perf events behind one vCPU's counters: made, released, enabled, folded, scheduled, and their overflow.

Who may touch a register is decided in ``pmu.registers``; when events must be reloaded is decided in ``pmu.vcpu`` and
``pmu.revisions``, on which host PMUs they are made in ``pmu.modes``; what the bank is told of it, in ``pmu.slots``.
"""

from typing import TYPE_CHECKING, Final

import numpy as np

from pmu.events import CHAIN, SOFTWARE_EVENTS
from pmu.host import CYCLE_COUNTER, HostPmu
from pmu.kernel import COUNTED, DISABLED
from pmu.perf_event import PerfEvent, local_to
from pmu.register import MASK64
from pmu.slots import LOW32, Slots
from pmu.storage import CYCLE_BIT, OVERFLOW, TYPES, bits
from pmu.work import PmuWork

if TYPE_CHECKING:
    from pmu.kvm import Vm

_EVENT_COUNTERS: Final = CYCLE_BIT - 1
_UNLIMITED: Final = -1


class Counters(Slots):
    """The counters of one vCPU, each with its host perf events: none, one, or several."""

    def __init__(self, vm: "Vm", row: int) -> None:
        """Bind one row of the VM's bank."""
        super().__init__(vm, row)
        self.work = PmuWork()
        self.loaded = False
        self._lent: list[PerfEvent | None] = [None] * vm.bank.slots

    # Values

    def assign(self, idx: int, value: int) -> None:
        """Write a counter as the guest does: drop its events and their count, store, make new ones."""
        self.store(idx, value)
        if not self.vm.revision.rearms:
            self.create(idx)
        self.refresh_slot(idx)

    def store(self, idx: int, value: int) -> None:
        """Write a counter as user space does: drop its events and their count, store 64 bits."""
        if self.vm.revision.rearms:
            self._saved[idx] = np.uint64(value - int(self._count[idx]) & MASK64)
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
        self._lent[idx] = local_to(created, self.cpu) or created[0]
        self._left[idx] = np.uint64(period)
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

    def clear(self) -> None:
        """Drop every event and leave the row as a new one; what was booked in the ledger stays."""
        self.release_all()
        for values in (self._saved, self._count, self._left):
            values[:] = 0
        self._stream[:] = -1
        self._category[:] = DISABLED

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
        return any(
            events and local_to(events, self.cpu) is None for events in map(self._events.__getitem__, bits(mask))
        )

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

    def _overflowed(self, idx: int) -> None:
        self.regs[OVERFLOW] |= 1 << idx
        chains = not idx & 1 and idx + 1 < CYCLE_COUNTER and not self.overflows_at_64(idx)
        if chains:
            self.increment(1 << (idx + 1), CHAIN)

    def _increment_one(self, idx: int) -> None:
        value = int(self._saved[idx]) + 1 & self.shown_bits(idx)
        self._saved[idx] = np.uint64(value)
        if not value & (MASK64 if self.overflows_at_64(idx) else LOW32):
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
        rearms = self.vm.revision.rearms and self.vm.mode.unbacked
        for idx in bits(self.live) if rearms or len(events) > self.live.bit_count() else ():
            self._lend(idx)
            if rearms:
                self._rearm(idx)
        self.refresh_slots(self.enabled_mask() | self.live)

    def schedule_out(self) -> None:
        """Put the vCPU: no further event gets a host counter."""
        self.loaded = False

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
