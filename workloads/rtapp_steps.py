"""What a thread of an rt-app file may ask of whoever runs it: one small frozen class for each step."""

from collections.abc import Generator
from dataclasses import astuple, dataclass


@dataclass(frozen=True, slots=True)
class Work:
    """Execute what takes ``ns`` on the CPU of the calibration at its highest frequency."""

    ns: int


@dataclass(frozen=True, slots=True)
class BusyUntil:
    """Execute until the clock shows ``ns``."""

    ns: int


@dataclass(frozen=True, slots=True)
class SleepUntil:
    """Sleep until the clock shows ``ns``, which lies ahead."""

    ns: int


@dataclass(frozen=True, slots=True)
class Block:
    """Sleep until another thread wakes this one."""


@dataclass(frozen=True, slots=True)
class WakeThread:
    """Wake the thread of this number, which blocks; takes no time."""

    thread: int


@dataclass(frozen=True, slots=True)
class Stay:
    """Run on these CPUs only from now on."""

    cpus: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class PhaseDone:
    """What rt-app logs of one repetition of a phase; times in ns.

    ``run_ns`` is the time that its run and runtime events took, ``slack_ns`` what was left until its last timer
    (of all its timers, if `cumulative_slack`), ``wakeup_latency_ns`` how late its last timer woke it; ``asked_run_ns``
    and ``asked_period_ns`` are the sums that the file asks for.
    """

    thread: int
    name: str
    phase: int
    start_ns: int
    end_ns: int
    run_ns: int
    slack_ns: int
    wakeup_latency_ns: int
    asked_run_ns: int
    asked_period_ns: int

    def row(self) -> tuple[int | str, ...]:
        """Return the values as the table `rtapp` of a result has them."""
        return astuple(self)


Step = Work | BusyUntil | SleepUntil | Block | WakeThread | Stay | PhaseDone
Steps = Generator[Step, int, None]
Part = Generator[Step, int, int]
"""A part of a thread's steps; returns the time at which it is over."""
