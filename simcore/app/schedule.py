"""A recorded schedule as plain data: the events of a trace, and what they amount to for threads and CPUs.

Times are whole nanoseconds of the trace's own clock. Reading is in `simcore.app.trace_reading`.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
"""Whole numbers as rows; what the columns are stands beside each use."""

UNKNOWN: Final = -1
"""The pid of whoever runs on a CPU of which the trace does not say it."""


class Switch(NamedTuple):
    """sched_switch; a `prev_pid` of UNKNOWN is whoever runs there, as compact records leave it out.

    All events begin with these four fields: the line, the time, the CPU that recorded the event, and `context`, the pid
    of the thread that ran there, UNKNOWN where that is not said.
    """

    line: int
    t_ns: int
    cpu: int
    context: int
    prev_pid: int
    prev_comm: str
    runnable: bool
    next_pid: int
    next_comm: str


class Waking(NamedTuple):
    """sched_waking, sched_wakeup or sched_wakeup_new: from here on the thread wants a CPU."""

    line: int
    t_ns: int
    cpu: int
    context: int
    pid: int
    comm: str
    target: int


class Migrate(NamedTuple):
    """sched_migrate_task."""

    line: int
    t_ns: int
    cpu: int
    context: int
    pid: int
    comm: str
    origin: int
    destination: int


class Frequency(NamedTuple):
    """cpu_frequency, from the kernel or as a mark that a tool left."""

    line: int
    t_ns: int
    cpu: int
    context: int
    of_cpu: int
    khz: int


class Idle(NamedTuple):
    """cpu_idle; -1 is the end of an idle state."""

    line: int
    t_ns: int
    cpu: int
    context: int
    of_cpu: int
    state: int


class Guest(NamedTuple):
    """kvm_entry (`entered`) or kvm_exit of the thread in whose context it was recorded."""

    line: int
    t_ns: int
    cpu: int
    context: int
    comm: str
    entered: bool


class Other(NamedTuple):
    """An event of a kind that is not used; it still tells that the recording covers its time."""

    line: int
    t_ns: int
    cpu: int
    context: int


class Lost(NamedTuple):
    """Events of a CPU are missing between its last one and its next; `events` is 0 where their number is not known."""

    line: int
    cpu: int
    events: int


class Flaw(NamedTuple):
    """A line or packet that cannot be used, by the kind of finding that it is."""

    line: int
    kind: str


IDLE_END: Final = 0xFFFFFFFF
"""The state that cpu_idle records when an idle state ends."""


def is_runnable(state: int) -> bool:
    """Tell whether a raw `prev_state` is TASK_RUNNING; the bits above only say how the thread was preempted."""
    return state & 0xFF == 0


def idle_state(state: int) -> int:
    """Return the state of a cpu_idle event as `Idle` has it."""
    return -1 if state == IDLE_END else state


Timed = Switch | Waking | Migrate | Frequency | Idle | Guest | Other
Event = Timed | Lost | Flaw

FINDINGS: Final = {
    "lost-events": "events were lost; who ran is unknown from the CPU's last event before to its next switch",
    "overwritten": "the ring buffer had overwritten its oldest events when it was read; the trace begins after them",
    "unknown-cpu": "the platform has no such CPU; the event is left out",
    "time-goes-back": "the time goes back; on one CPU the event is taken at the time of the one before",
    "other-thread": "a thread that did not run there leaves the CPU or the guest; unknown since the last sign before",
    "missing-first-state": "who ran before the first switch of a CPU, if it was not idle, is not counted there",
    "running-at-end": "a thread was still running at the end of the trace; counted up to there",
    "on-two-cpus": "a thread runs on a second CPU before it has left the first; the later run begins when that ends",
    "exit-without-entry": "a kvm_exit without the kvm_entry before it; no guest time is counted",
    "entry-without-exit": "a kvm_entry without the kvm_exit after it; no guest time is counted",
    "no-kvm-events": "no pair of kvm_entry and kvm_exit: guest time is run time",
    "never-in-guest": "a selected thread has no kvm_entry though others have: no guest time",
    "unreadable-line": "a line that is none of a trace of this form; left out",
    "malformed-event": "an event without the fields that it should have; left out",
    "truncated": "the file ends within a record",
}
"""What each kind of finding means."""

AMOUNTS: Final = {"lost-events": "events", "overwritten": "events"} | dict.fromkeys(
    ("other-thread", "missing-first-state", "running-at-end", "on-two-cpus"), "ns"
)
"""The unit of `Finding.amount`, for the kinds that have one."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong or missing in a trace: how often, where first, and how much of it where that can be said."""

    kind: str
    count: int
    lines: tuple[int, ...]
    amount: int = 0


class ThreadTime(NamedTuple):
    """How long a thread ran, by the name that it had last."""

    pid: int
    comm: str
    run_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class ThreadSchedule:
    """One selected thread: when it ran where, when it was in the guest, and since when it had wanted the CPU."""

    pid: int
    comm: str
    names: tuple[str, ...]
    run_ns: int
    guest_ns: int
    runs: Rows
    """[start_ns, end_ns, cpu], in the order of time, disjoint."""
    runnable: NDArray[np.bool_]
    """For each run whether the thread still wanted the CPU at its end: preempted, or the trace ended."""
    ready_ns: Rows
    """For each run since when the thread had waited for it: its wakeup, or the end of a run that was cut short.
    Equal to the run's start where the trace does not tell."""
    guest: Rows
    """[start_ns, end_ns, cpu] within the guest; the runs where the trace has no KVM events."""
    wakings: Rows
    """[t_ns, target_cpu]."""
    migrations: Rows
    """[t_ns, from_cpu, to_cpu] as sched_migrate_task says; a run on another CPU may follow without one."""


@dataclass(frozen=True, slots=True, eq=False)
class CpuSchedule:
    """One CPU: how long it was busy, with whom else, and its frequency and idle states."""

    busy_ns: int
    others: Rows
    """[start_ns, end_ns] of all threads that were not selected, merged; idle is nobody. A selected one that ran
    elsewhere at the same time is here, too."""
    unknown: Rows
    """[start_ns, end_ns] in which the trace does not tell who ran."""
    frequencies: Rows
    """[t_ns, khz], changes only."""
    idles: Rows
    """[t_ns, state], -1 for the end of one."""


@dataclass(frozen=True, slots=True, eq=False)
class Schedule:
    """What a trace says, ready to be replayed."""

    path: str
    form: str
    unit: str
    """What findings count in: the lines of the text, or the packets of a Perfetto trace."""
    resolution_ns: int
    start_ns: int
    end_ns: int
    guest_time: str
    """`kvm`: between kvm_entry and kvm_exit; `run`: the run time, for want of these."""
    threads: tuple[ThreadSchedule, ...]
    cpus: tuple[CpuSchedule, ...]
    thread_times: tuple[ThreadTime, ...]
    """All threads that ran, the busiest first."""
    events: dict[str, int]
    """How many events of each kind were read."""
    findings: tuple[Finding, ...]
