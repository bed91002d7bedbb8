"""The simulated counter of a replayed vCPU at any nanosecond, in whole cycles, not only where it was sampled.

The cycles of a stretch are a difference of the integral of its perf domain's frequency, as in the run itself; a test
holds this equal to every sample of a replay.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scheduler import kernel_replay as kr
from simcore.app.trace_steps import Recording

Ints = NDArray[np.int64]
HZ_NS_PER_CYCLE = 1_000_000
"""kHz times ns of one cycle."""


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Cycles counted since the trace began: they grow within `starts` to `ends`, stretches in order without overlap."""

    starts: Ints
    ends: Ints
    domains: Ints
    clocks: tuple["Clock", ...]
    before: Ints
    """Cycles of all stretches before each one, and of all."""

    def at(self, t_ns: Ints) -> Ints:
        """Return the cycles counted up to each time, in ns since the trace began."""
        if not len(self.starts):
            return np.zeros(len(t_ns), np.int64)
        place = np.searchsorted(self.starts, t_ns, side="right") - 1
        inside = np.maximum(place, 0)
        start = self.starts[inside]
        until = np.clip(t_ns, start, self.ends[inside])
        domains = self.domains[inside]
        part = _cycles(self.clocks, domains, until) - _cycles(self.clocks, domains, start)
        return np.where(place < 0, 0, self.before[inside] + part)


@dataclass(frozen=True, slots=True, eq=False)
class Clock:
    """A perf domain's frequency: steps of [since ns, kHz], and the integral up to each."""

    since: Ints
    khz: Ints
    integral: Ints

    def cycles(self, t_ns: Ints) -> Ints:
        """Return the whole cycles up to each time."""
        step = np.searchsorted(self.since, t_ns, side="right") - 1
        total = self.integral[step] + self.khz[step] * (t_ns - self.since[step])
        return np.asarray(total // HZ_NS_PER_CYCLE, np.int64)


def clocks(recording: Recording) -> tuple[Clock, ...]:
    """Return the frequency of each perf domain as it is replayed."""
    changes = recording.steps[recording.steps[:, 1] == kr.FREQUENCY]
    found = []
    for domain in range(len(recording.platform.perf_domains)):
        t_ns, khz = changes[changes[:, 2] == domain][:, [0, 4]].T
        integral = np.concatenate((np.zeros(1, np.int64), np.cumsum(khz[:-1] * np.diff(t_ns))))
        found.append(Clock(t_ns, khz, integral))
    return tuple(found)


def curve(recording: Recording, vcpu: int, stalls: Ints) -> Curve:
    """Return the counter of a vCPU that counts in the guest but within `stalls`: [start_ns, end_ns], in order."""
    guest = recording.guests[vcpu].copy()
    guest[:, :2] -= recording.schedule.start_ns
    edges = np.unique(np.concatenate((guest[:, :2].ravel(), stalls.ravel())))
    starts, ends = edges[:-1], edges[1:]
    at, inside = _within(guest, starts)
    counting = inside & ~_within(stalls, starts)[1]
    starts, ends, at = starts[counting], ends[counting], at[counting]
    domain_of = np.array([cpu.perf_domain for cpu in recording.platform.cpus], np.int64)
    domains = domain_of[guest[at, 2]] if len(at) else np.zeros(0, np.int64)
    running = clocks(recording)
    lengths = _cycles(running, domains, ends) - _cycles(running, domains, starts)
    return Curve(starts, ends, domains, running, np.concatenate((np.zeros(1, np.int64), np.cumsum(lengths))))


def _within(intervals: Ints, t_ns: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    """Return the last interval that began by each time, and whether the time is in it."""
    if not len(intervals):
        return np.zeros(len(t_ns), np.int64), np.zeros(len(t_ns), np.bool_)
    place = np.searchsorted(intervals[:, 0], t_ns, side="right") - 1
    at = np.maximum(place, 0)
    return at, (place >= 0) & (t_ns < intervals[at, 1])


def _cycles(running: tuple[Clock, ...], domains: Ints, t_ns: Ints) -> Ints:
    cycles = np.zeros(len(t_ns), np.int64)
    for number, clock in enumerate(running):
        chosen = domains == number
        cycles[chosen] = clock.cycles(t_ns[chosen])
    return cycles
