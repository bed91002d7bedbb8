"""What one thread of an rt-app file does, step by step, whether a host or a guest runs it.

A thread is a generator of steps; what comes back is the time at which the step was over, in ns. Locks, conditions and
barriers block and wake as pthreads do: a signal that nobody waits for is lost, a mutex is taken by whoever runs first.
Events other than `run` and `runtime` take no time of their own (assumed).
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

from simcore.errors import InputError
from workloads.rtapp_file import Event, RtApp, RtPhase, RtTask
from workloads.rtapp_parsing import UNIQUE
from workloads.rtapp_steps import Block, BusyUntil, Part, PhaseDone, SleepUntil, Stay, Steps, WakeThread, Work

MOST_EVENTS_AT_ONCE = 10_000
"""Events of one thread within one nanosecond; more are a loop that takes no time."""


@dataclass(slots=True)
class Mutex:
    """A mutex: the thread that has it, and those that sleep because it was taken."""

    owner: int | None = None
    waiting: deque[int] = field(default_factory=deque)


@dataclass(slots=True)
class Shared:
    """What the threads of one process share: clock origin and end, locks, conditions, barriers, timers."""

    app: RtApp
    zero_ns: int
    mutexes: dict[str, Mutex] = field(default_factory=dict)
    conditions: dict[str, deque[int]] = field(default_factory=dict)
    barriers: dict[str, deque[int]] = field(default_factory=dict)
    timers: dict[str, int] = field(default_factory=dict)
    woken: set[int] = field(default_factory=set)

    @property
    def end_ns(self) -> int | None:
        """Return the time at which rt-app stops its threads, if it does."""
        return None if self.app.duration_ns is None else self.zero_ns + self.app.duration_ns

    def mutex(self, name: str) -> Mutex:
        """Return a mutex, new where it was not used before."""
        return self.mutexes.setdefault(name, Mutex())

    def condition(self, name: str) -> deque[int]:
        """Return the threads that wait for a condition."""
        return self.conditions.setdefault(name, deque())

    def users(self, barrier: str) -> int:
        """Return how many threads a barrier waits for: one for each instance of each event that names it."""
        return sum(
            task.instances
            for task in self.app.tasks
            for event in task.events()
            if event.kind == "barrier" and event.ref == barrier
        )


@dataclass(slots=True)
class RtThread:
    """One thread: number ``number`` of the file, an instance of ``task``."""

    task: RtTask
    number: int
    shared: Shared
    first_ns: int = 0
    timers: dict[str, int] = field(default_factory=dict)
    locks: int = 0
    at_once: int = 0
    busy_at: int = -1
    run_ns: int = 0
    slack_ns: int = 0
    latency_ns: int = 0

    def steps(self) -> Steps:
        """Yield all that the thread does, from the start of the process on."""
        self.first_ns = now = self.shared.zero_ns
        if self.task.delay_ns:
            self.first_ns += self.task.delay_ns
            now = yield SleepUntil(self.first_ns)
        for phase in self._repetitions():
            if self._over(now):
                return
            now = yield from self._repetition(phase, now)

    def _repetitions(self) -> Iterator[int]:
        """Yield the index of the phase of each repetition."""
        for _ in _times(self.task.loop):
            for index, phase in enumerate(self.task.phases):
                for _ in _times(phase.loop):
                    yield index

    def _over(self, now: int) -> bool:
        end = self.shared.end_ns
        return end is not None and now >= end

    def _repetition(self, index: int, now: int) -> Part:
        phase = self.task.phases[index]
        if self._has_affinities():
            now = yield Stay(phase.cpus or self.task.cpus)
        self.run_ns = self.slack_ns = self.latency_ns = 0
        start = now
        for event in phase.events:
            if self._over(now) and not self.locks:
                return now
            if not self._over(now) or event.kind in ("lock", "unlock"):
                self._check_time(now)
                now = yield from HANDLERS[event.kind](self, event, now)
        yield self._done(index, phase, start, now)
        return now

    def _has_affinities(self) -> bool:
        return any(phase.cpus for phase in self.task.phases)

    def _check_time(self, now: int) -> None:
        """Refuse a loop that takes no time: a simulation would never leave it."""
        self.at_once = self.at_once + 1 if now == self.busy_at else 0
        self.busy_at = now
        if self.at_once > MOST_EVENTS_AT_ONCE:
            raise InputError(
                f"task {self.task.name!r} does {MOST_EVENTS_AT_ONCE} events without any time passing",
                "rt-app file",
                valid="loops with a run, runtime, sleep or timer that takes time",
            )

    def _done(self, index: int, phase: RtPhase, start: int, end: int) -> PhaseDone:
        return PhaseDone(
            self.number,
            self.task.name,
            index,
            start,
            end,
            self.run_ns,
            self.slack_ns,
            self.latency_ns,
            sum(event.ns for event in phase.events if event.kind in ("run", "runtime")),
            sum(event.ns for event in phase.events if event.kind == "timer"),
        )

    # --- what takes time ---------------------------------------------------------------------------------

    def run(self, event: Event, now: int) -> Part:
        """Execute a fixed amount of work."""
        after = yield Work(event.ns)
        self.run_ns += after - now
        return after

    def runtime(self, event: Event, now: int) -> Part:
        """Execute for a fixed time."""
        after = yield BusyUntil(now + event.ns)
        self.run_ns += after - now
        return after

    def sleep(self, event: Event, now: int) -> Part:
        """Sleep for a fixed time."""
        return (yield SleepUntil(now + event.ns)) if event.ns else now

    def timer(self, event: Event, now: int) -> Part:
        """Sleep until the timer's next expiry, which counts from its last one; the first from the thread's start."""
        timers = self.timers if event.ref.startswith(UNIQUE) else self.shared.timers
        expiry = timers.get(event.ref, self.first_ns) + event.ns
        slack = expiry - now
        self.slack_ns = self.slack_ns + slack if self.shared.app.cumulative_slack else slack
        self.latency_ns = 0
        timers[event.ref] = now if slack <= 0 and not event.absolute else expiry
        if slack > 0:
            now = yield SleepUntil(expiry)
            self.latency_ns = now - expiry
        return now

    # --- what waits for other threads --------------------------------------------------------------------

    def lock(self, event: Event, now: int) -> Part:
        """Take a mutex; while another thread has it, sleep."""
        now = yield from self._take(event.ref, now)
        self.locks += 1
        return now

    def unlock(self, event: Event, now: int) -> Part:
        """Give a mutex back and wake the first thread that sleeps for it."""
        self.locks -= 1
        return (yield from self._give(event.ref, now))

    def wait(self, event: Event, now: int) -> Part:
        """Give a mutex back, sleep until the condition is signalled, and take the mutex again."""
        waiting = self.shared.condition(event.ref)
        waiting.append(self.number)
        now = yield from self._give(event.mutex, now)
        now = yield from self._sleep_until_woken(now)
        return (yield from self._take(event.mutex, now))

    def signal(self, event: Event, now: int) -> Part:
        """Wake the first thread that waits for a condition."""
        waiting = self.shared.condition(event.ref)
        return (yield from self._wake([waiting.popleft()] if waiting else [], now))

    def broad(self, event: Event, now: int) -> Part:
        """Wake all threads that wait for a condition."""
        waiting = self.shared.condition(event.ref)
        threads = list(waiting)
        waiting.clear()
        return (yield from self._wake(threads, now))

    def sync(self, event: Event, now: int) -> Part:
        """Lock, signal, wait, unlock; one who has the mutex already keeps it."""
        held = self.shared.mutex(event.mutex).owner == self.number
        if not held:
            now = yield from self._take(event.mutex, now)
        now = yield from self.signal(event, now)
        now = yield from self.wait(event, now)
        return now if held else (yield from self._give(event.mutex, now))

    def suspend(self, event: Event, now: int) -> Part:
        """Sleep until another thread resumes this one."""
        self.shared.condition(event.ref).append(self.number)
        return (yield from self._sleep_until_woken(now))

    def barrier(self, event: Event, now: int) -> Part:
        """Sleep until all users of the barrier have come."""
        here = self.shared.barriers.setdefault(event.ref, deque())
        if len(here) + 1 < self.shared.users(event.ref):
            here.append(self.number)
            return (yield from self._sleep_until_woken(now))
        threads = list(here)
        here.clear()
        return (yield from self._wake(threads, now))

    def _take(self, name: str, now: int) -> Part:
        mutex = self.shared.mutex(name)
        while mutex.owner is not None:
            mutex.waiting.append(self.number)
            now = yield from self._sleep_until_woken(now)
        mutex.owner = self.number
        return now

    def _give(self, name: str, now: int) -> Part:
        mutex = self.shared.mutex(name)
        mutex.owner = None
        return (yield from self._wake([mutex.waiting.popleft()] if mutex.waiting else [], now))

    def _wake(self, threads: Sequence[int], now: int) -> Part:
        for thread in threads:
            self.shared.woken.add(thread)
            now = yield WakeThread(thread)
        return now

    def _sleep_until_woken(self, now: int) -> Part:
        while self.number not in self.shared.woken:
            now = yield Block()
        self.shared.woken.discard(self.number)
        return now


HANDLERS: dict[str, Callable[[RtThread, Event, int], Part]] = {
    "run": RtThread.run,
    "runtime": RtThread.runtime,
    "sleep": RtThread.sleep,
    "timer": RtThread.timer,
    "lock": RtThread.lock,
    "unlock": RtThread.unlock,
    "wait": RtThread.wait,
    "signal": RtThread.signal,
    "broad": RtThread.broad,
    "sync": RtThread.sync,
    "suspend": RtThread.suspend,
    "resume": RtThread.broad,
    "barrier": RtThread.barrier,
}


def _times(number: int) -> Iterator[int]:
    return iter(range(number)) if number >= 0 else count()
