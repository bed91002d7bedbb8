"""What perf's core (Linux, kernel/events/core.c) does with the events of one CPU: groups, their times, rotation.

One context holds the flexible groups of a CPU for one PMU. Times are ticks of the guest's timer, as perf's clock is.
"""

from dataclasses import dataclass, field

from simcore.units import NS_PER_MS, NS_PER_S
from workloads.linux_pmu import CpuPmu, HwEvent
from workloads.steps import Part

MS_PER_S = 1_000


@dataclass(slots=True)
class EventGroup:
    """Events that are on counters together or not at all, and for how long they were (total_time_running)."""

    events: tuple[HwEvent, ...]
    enabled_at: int
    ran: int = 0
    since: int | None = None

    def enabled(self, now: int) -> int:
        """Return the time since it was enabled (total_time_enabled)."""
        return now - self.enabled_at

    def running(self, now: int) -> int:
        """Return the time for which it had its counters."""
        return self.ran + (0 if self.since is None else now - self.since)


@dataclass(slots=True)
class PerfContext:
    """The groups of a CPU, in the order in which they get counters, and the timer that rotates them.

    `due` is the time at which the multiplexing timer is set, None while every group has its counters.
    """

    cpu: CpuPmu
    cntfrq_hz: int
    tick_hz: int
    groups: list[EventGroup] = field(default_factory=list)
    due: int | None = None

    def begin(self, groups: list[EventGroup], now: int) -> Part[None]:
        """Take groups that were opened, and let the PMU count."""
        self.groups = groups
        yield from self.schedule_in(now)
        yield from self.cpu.enable()

    def schedule_in(self, now: int) -> Part[None]:
        """Give the groups counters in their order; after the first that finds none no other is tried.

        merge_sched_in: a failure clears can_add_hw. The multiplexing timer is set if a group was left out.
        """
        fits = True
        for group in self.groups:
            fits = fits and (yield from self._add(group, now))
        if not fits and self.due is None:
            self.due = self._next_tick(now)

    def schedule_out(self, now: int) -> Part[None]:
        """Take all counters away."""
        for group in self.groups:
            if group.since is not None:
                yield from self._remove(group.events)
                group.ran, group.since = group.running(now), None

    def rotate(self, now: int) -> Part[None]:
        """Let the first group go to the end, and give out the counters anew (perf_rotate_context).

        It is the first active one, or without one the first of all: behind a group without counters none has any.
        """
        self.due = None
        yield from self.cpu.disable()
        yield from self.schedule_out(now)
        self.groups.append(self.groups.pop(0))
        yield from self.schedule_in(now)
        yield from self.cpu.enable()

    def update(self) -> Part[None]:
        """Bring the counts of all events up to date."""
        for group in self.groups:
            if group.since is not None:
                for event in group.events:
                    yield from event.update()

    def _add(self, group: EventGroup, now: int) -> Part[bool]:
        """Give all events of a group counters, or none (group_sched_in)."""
        for number, event in enumerate(group.events):
            if not (yield from self.cpu.add(event)):
                yield from self._remove(group.events[:number])
                return False
        group.since = now
        return True

    def _remove(self, events: tuple[HwEvent, ...]) -> Part[None]:
        for event in events:
            yield from self.cpu.remove(event)

    def _next_tick(self, now: int) -> int:
        """Return the next multiple of the timer's interval, 1000 / HZ whole ms (PERF_CPU_HRTIMER)."""
        interval_ns = max(1, MS_PER_S // self.tick_hz) * NS_PER_MS
        number = now * NS_PER_S // self.cntfrq_hz // interval_ns + 1
        return -(-number * interval_ns * self.cntfrq_hz // NS_PER_S)
