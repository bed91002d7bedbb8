"""A host perf event behind a counter, and the several that one counter has under a composite PMU."""

from collections.abc import Sequence
from dataclasses import dataclass

from pmu.host import HostPmu


@dataclass(slots=True)
class PerfEvent:
    """A host perf event: its PMU, PMUv3 event number, whether it counts at EL0 and EL1, the host counters it holds.

    ``held`` is 0 while the event is not scheduled; ``failed`` is perf's ERROR state: pinned, but found no counter.
    ``left``: what it has left of its sample period while another event of its counter counts; ``counted``: what it
    counted until then, and ``base``: what the counter's events had counted together when it began to count again.
    """

    pmu: HostPmu
    event: int
    levels: tuple[bool, bool]
    wide: bool
    serial: int
    enabled: bool
    held: int = 0
    failed: bool = False
    left: int = 0
    counted: int = 0
    base: int = 0


def local_to(events: Sequence[PerfEvent], cpu: int) -> PerfEvent | None:
    """Return the first event whose PMU covers a pCPU."""
    for event in events:
        if cpu in event.pmu.cpus:
            return event
    return None


def seen_from(events: Sequence[PerfEvent], cpu: int) -> PerfEvent | None:
    """Return the event that decides what a counter does on a pCPU: that which counts there, else the first."""
    return local_to(events, cpu) or (events[0] if events else None)
