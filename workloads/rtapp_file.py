"""What an rt-app file says, as frozen data: threads, phases and events in their order, times in ns.

How a file is read stands in `workloads.rtapp_parsing`; what the threads do in `workloads.rtapp_thread`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from simcore.scenario import ThreadSpec


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a phase: its kind, the resource or thread that it names, and a time in ns where it has one.

    ``absolute`` is of a timer that does not start anew where it was missed.
    """

    kind: str
    ref: str = ""
    mutex: str = ""
    ns: int = 0
    absolute: bool = False


@dataclass(frozen=True, slots=True)
class RtPhase:
    """A phase: its events, how often it is repeated (-1: for ever), and its affinity where it has one."""

    name: str
    loop: int
    events: tuple[Event, ...]
    cpus: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class RtTask:
    """A task: as many threads as it has instances, each doing the phases in turn, ``loop`` times (-1: for ever)."""

    name: str
    instances: int
    delay_ns: int
    loop: int
    phases: tuple[RtPhase, ...]
    sched: ThreadSpec
    cpus: tuple[int, ...] | None = None

    def events(self) -> Iterator[Event]:
        """Yield every event of the task."""
        for phase in self.phases:
            yield from phase.events


@dataclass(frozen=True, slots=True)
class RtApp:
    """A whole file.

    ``duration_ns`` is None where it has no end; ``calibration_cpu`` is None where the file gives ns per loop.
    """

    tasks: tuple[RtTask, ...]
    duration_ns: int | None
    calibration_cpu: int | None
    cumulative_slack: bool = False

    @property
    def threads(self) -> tuple[RtTask, ...]:
        """Return the task of each thread, in the order in which rt-app starts them."""
        return tuple(task for task in self.tasks for _ in range(task.instances))
