"""What a benchmark case is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from benchmarks.measure import Contender

BANDS = ("hot", "mechanism", "whole")

Maker = Callable[[], Contender]


@dataclass(frozen=True, slots=True)
class Case:
    """One benchmark: who is measured, in which unit, and against whom.

    ``targets`` are the least ratio to a peer, or the least value in a unit.
    """

    name: str
    band: str
    unit: str  # "<units>/s" is a throughput, anything else the time of one unit
    ours: Maker
    peers: Mapping[str, Maker]
    targets: Mapping[str, float] = field(default_factory=dict)
