"""`perf stat` on one CPU of a Linux guest: it opens events, lets the program work on, and reads what they counted."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from simcore.units import NS_PER_S
from workloads.actions import PerfRead, Report, Run, Sleep
from workloads.linux_perf import EventGroup, PerfContext
from workloads.linux_pmu import HwEvent
from workloads.program import GuestCpu
from workloads.steps import Part, run_until, timer

NOT_SUPPORTED, NOT_COUNTED = -1, -2
"""What `perf:<event>` reports in place of a count."""
WORDS = {NOT_SUPPORTED: "<not supported>", NOT_COUNTED: "<not counted>"}
REPORT_NS = 100_000_000
EXECUTED = "perf:executed"
EVENT_NAMES = {
    0x01: "l1i_cache_refill", 0x03: "l1d_cache_refill", 0x04: "l1d_cache", 0x05: "l1d_tlb_refill",
    0x08: "instructions", 0x10: "br_mis_pred", 0x11: "cycles", 0x12: "br_pred", 0x13: "mem_access",
    0x16: "l2d_cache", 0x17: "l2d_cache_refill", 0x19: "bus_access", 0x1B: "inst_spec", 0x1D: "bus_cycles",
    0x21: "br_retired", 0x22: "br_mis_pred_retired", 0x23: "stall_frontend", 0x24: "stall_backend",
    0x34: "dtlb_walk", 0x36: "ll_cache_rd", 0x37: "ll_cache_miss_rd", 0x4004: "cnt_cycles",
}  # fmt: skip


def report_key(event: int) -> str:
    """Name the report of an event's count."""
    return f"perf:{event_name(event)}"


def event_name(event: int) -> str:
    """Name an event as perf's list does, or as a raw one."""
    return EVENT_NAMES.get(event, f"r{event:x}")


@dataclass(slots=True)
class Interval:
    """The timer of `perf stat -I`: it fires at each multiple of its period after perf began, in ticks.

    `number` is that of the interval which ends next, from 1 on.
    """

    cpu: GuestCpu
    began: int
    period_ns: int
    number: int = 1

    @property
    def at(self) -> int:
        """Return when the interval ends, in ticks."""
        return self.began - (-self.number * self.period_ns * self.cpu.cntfrq_hz // NS_PER_S)

    def end(self, now: int) -> int:
        """Return the number of the last interval that is over, and go on to the next."""
        over = (now - self.began) * NS_PER_S // (self.period_ns * self.cpu.cntfrq_hz)
        self.number = over + 1
        return over


@dataclass(slots=True)
class Stat:
    """perf on one CPU, and what goes on under it: work and sleep, interrupted where groups take turns or perf reads.

    `context` is None where no event could be opened, `interval` without -I.
    """

    cpu: GuestCpu
    context: PerfContext | None
    refused: Sequence[int] = ()
    interval: Interval | None = None
    executed: int = 0
    report_at: int = field(default=0, init=False)

    def open(self, groups: Sequence[Sequence[int]]) -> Part[None]:
        """Open the events, groups in their order, and let them count."""
        assert self.context is not None
        now = yield from timer()
        opened = [EventGroup(tuple(map(HwEvent, events)), now) for events in groups]
        yield from self.context.cpu.masked(self.context.begin(opened, now))

    def begin(self) -> Part[None]:
        """Begin to report."""
        if self.context is not None:
            self.report_at = (yield from timer()) + self.cpu.ticks(REPORT_NS)

    @property
    def alarm(self) -> int | None:
        """Return when the kernel's or perf's timer is due, in ticks; None while none is set."""
        turn = None if self.context is None else self.context.due
        if self.interval is None:
            return turn
        return self.interval.at if turn is None else min(turn, self.interval.at)

    def run(self, work: Run) -> Part[None]:
        """Execute a thread quantum."""
        left = work.instructions
        while left:
            alarm = self.alarm
            if alarm is None:
                yield Run(work.phase, left)
                break
            left = yield from run_until(work.phase, left, alarm)
            yield from self._attend()
        self.executed += work.instructions

    def sleep(self, sleep: Sleep) -> Part[None]:
        """Sleep; what falls due in a wait for I/O is done when that ends."""
        left = sleep.ns
        while (alarm := self.alarm) is not None and not sleep.io:
            wait = self._ns_to(alarm, (yield from timer()))
            if wait >= left:
                break
            yield Sleep(max(1, wait))
            left -= max(1, wait)
            yield from self._attend()
        if left > 0:
            yield Sleep(left, sleep.io)
        yield from self._attend()

    def report_if_due(self) -> Part[None]:
        """Report each 100 ms what perf would print, were it to end now."""
        if self.context is None:
            return
        now = yield from timer()
        if now >= self.report_at:
            self.report_at = now + self.cpu.ticks(REPORT_NS)
            yield from self._report(self.context, now)

    def _report(self, context: PerfContext, now: int) -> Part[None]:
        yield from context.cpu.masked(context.update())
        for group in context.groups:
            enabled, running = self._ns(group.enabled(now)), self._ns(group.running(now))
            for event in group.events:
                key = report_key(event.event)
                yield Report(key, event.total * enabled // running if running else NOT_COUNTED)
                yield Report(f"{key}:enabled", enabled)
                yield Report(f"{key}:running", running)
        yield Report(EXECUTED, self.executed)

    def _attend(self) -> Part[None]:
        """Do what has fallen due: a turn first, then a read."""
        if self.alarm is None:
            return
        now = yield from timer()
        if self.context is not None and self.context.due is not None and now >= self.context.due:
            yield from self.context.cpu.masked(self.context.rotate(now))
        if self.interval is not None and now >= self.interval.at:
            yield from self._read(self.interval, now)

    def _read(self, interval: Interval, now: int) -> Part[None]:
        """Read all events at the end of an interval."""
        perf_ns, number = self._ns(now - interval.began), interval.end(now)
        if self.context is not None:
            yield from self.context.cpu.masked(self.context.update())
            for group in self.context.groups:
                enabled, running = self._ns(group.enabled(now)), self._ns(group.running(now))
                for event in group.events:
                    yield PerfRead(perf_ns, number, event.event, event.total, enabled, running)
        for refused in self.refused:
            yield PerfRead(perf_ns, number, refused, NOT_SUPPORTED, 0, 0)

    def _ns(self, ticks: int) -> int:
        return ticks * NS_PER_S // self.cpu.cntfrq_hz

    def _ns_to(self, due: int, now: int) -> int:
        return -(-(due - now) * NS_PER_S // self.cpu.cntfrq_hz)
