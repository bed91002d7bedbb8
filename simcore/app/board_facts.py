"""What a copy of sysfs says about a board, as plain data; each value has its source beside it.

It is read in `simcore.app.board_reading`; what a platform file makes of it stands in `simcore.app.board_platform`.
"""

from dataclasses import dataclass
from typing import NamedTuple

from simcore.app.board_parsing import Counters


class IdleFacts(NamedTuple):
    """An idle state below WFI; times in us."""

    name: str
    entry_us: int
    exit_us: int
    min_residency_us: int
    source: str


class OppFacts(NamedTuple):
    """The OPPs of a policy in ascending order, with what the energy model needs, where that is known."""

    khz: tuple[int, ...]
    source: str
    only_range: bool
    """Only the lowest and the highest frequency are known."""
    microvolt: tuple[int, ...] | None
    coefficient: int | None
    """uW/MHz/V^2."""
    power_source: str
    """Of the voltages."""
    coefficient_source: str


class PolicyFacts(NamedTuple):
    """A cpufreq policy: CPUs that share a clock."""

    number: int
    cpus: tuple[int, ...]
    source: str
    opps: OppFacts


class CoreFacts(NamedTuple):
    """What tells the core type of a CPU."""

    midr: int
    source: str


@dataclass(frozen=True, slots=True)
class CpuFacts:
    """A CPU that is present."""

    number: int
    online: bool
    core: CoreFacts | None
    """None where it is offline and nothing tells."""
    capacity: int | None
    dmips: int | None
    cluster: tuple[int, ...]
    """The CPUs of its cluster, as far as online; of its package where the kernel knows no clusters."""
    idle_states: tuple[IdleFacts, ...]


class PmuFacts(NamedTuple):
    """A host PMU: its Linux name, its type, the CPUs that it covers, and the events that the driver names."""

    name: str
    type: int
    cpus: tuple[int, ...]
    events: dict[str, int]
    source: str
    counters: Counters | None
    """As the kernel's log has them."""


class CacheFacts(NamedTuple):
    """A cache above level 1."""

    level: int
    cpus: tuple[int, ...]
    size_bytes: int | None
    source: str


class Timer(NamedTuple):
    """CNTFRQ_EL0 in Hz."""

    hz: int
    source: str


@dataclass(frozen=True, slots=True)
class Board:
    """A board."""

    copy: str
    """The file or directory."""
    model: str
    compatible: tuple[str, ...]
    cpus: tuple[CpuFacts, ...]
    policies: tuple[PolicyFacts, ...]
    pmus: tuple[PmuFacts, ...]
    """In the order of their types, which is that in which they were probed."""
    caches: tuple[CacheFacts, ...]
    timer: Timer | None
    capacity_source: str
    notes: tuple[str, ...]
    """What the reader should know: what was skipped, and what was concluded."""
