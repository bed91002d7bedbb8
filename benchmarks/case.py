"""What a benchmark case is, and a case that repeats the worst of others."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from benchmarks.measure import Contender

BANDS = ("hot", "mechanism", "whole")

Maker = Callable[[], Contender]
Facts = Callable[[], Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Case:
    """One benchmark: who is measured, in which unit, and against whom.

    ``targets`` are the least ratio to a peer (by its name) or the least value in a unit (by its name);
    ``limits`` are the largest ones. A ratio is our throughput over the peer's; with ``time_ratios`` it is our
    time over the peer's. ``bounds`` are the peers that are no competitors but what the machine allows.
    ``facts`` are found once, after the measurement, and go into the JSON and the report as they are: numbers,
    texts, or a mapping of them.
    """

    name: str
    band: str
    unit: str  # "<units>/s" is a throughput, anything else the time of one unit
    ours: Maker
    peers: Mapping[str, Maker] = field(default_factory=dict)
    targets: Mapping[str, float] = field(default_factory=dict)
    limits: Mapping[str, float] = field(default_factory=dict)
    bounds: tuple[str, ...] = ()
    time_ratios: bool = False
    facts: Facts | None = None


@dataclass(frozen=True, slots=True)
class Worst:
    """A case that measures nothing: of cases earlier in the table it repeats the slowest, and the worst ratios."""

    name: str
    band: str
    of: tuple[str, ...]
    targets: Mapping[str, float] = field(default_factory=dict)
