"""A thin face on SimPy's environment with whole nanoseconds. Nothing else of the floor knows SimPy."""

from collections.abc import Generator
from typing import Any

import simpy

FIRST_ORDER = 2
"""SimPy's own priorities are 0 (urgent) and 1."""

Process = Generator[simpy.Event, Any, None]


class Engine:
    """SimPy's clock, queue and processes in whole nanoseconds."""

    __slots__ = ("_env",)

    def __init__(self) -> None:
        self._env = simpy.Environment()

    @property
    def now_ns(self) -> int:
        """Return the time of the event that is being handled."""
        return int(self._env.now)

    def next_ns(self, horizon_ns: int) -> int:
        """Return the time of the next event, at most ``horizon_ns``."""
        peek = self._env.peek()
        return horizon_ns if peek >= horizon_ns else int(peek)

    def start(self, process: Process) -> simpy.Event:
        """Start a process at the present time; the event that is returned happens when it ends."""
        return self._env.process(process)

    def wait_until(self, time_ns: int, order: int = 0) -> simpy.Event:
        """Return an event that happens at ``time_ns``, which must not have passed.

        Of the events at one ns that with the smaller ``order`` (0 or more) comes first, whichever was made first.
        """
        event = self._env.event()
        event._ok, event._value = True, None
        priority = simpy.events.EventPriority(FIRST_ORDER + order)
        self._env.schedule(event, priority, time_ns - self.now_ns)
        return event

    def run(self, until: simpy.Event) -> None:
        """Handle events until ``until`` has happened."""
        self._env.run(until=until)
