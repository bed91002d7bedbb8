"""From a LITTLE core to a big one of the same SoC, and back: by what holds between the two for other programs.

Each factor is a median over programs, at each core's highest frequency: which events may be summed over core types
shows here too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from workloads.fitting import Row, fit_line
from workloads.regress import Measured

LEAST_STALL_NS = 0.005
"""A stall time below this is noise, and says nothing of the relation of two."""


@dataclass(frozen=True, slots=True)
class Relation:
    """One core type over another: core part of the CPI, stall time, and each event's count per 1000 instructions."""

    core_cpi: float
    stall: float
    events: Mapping[int, float]


def relate(pairs: Sequence[tuple[Measured, Measured]]) -> Relation:
    """Return the relation of the first of each pair (one program on two core types) to the second."""
    lines = [(fit_line(one.rows), fit_line(other.rows)) for one, other in pairs]
    events = {event for _, other in pairs for event in other.rows[-1].per_kinst}
    ratios = {
        event: [
            one.rows[-1].per_kinst[event] / other.rows[-1].per_kinst[event]
            for one, other in pairs
            if one.rows[-1].per_kinst.get(event) and other.rows[-1].per_kinst.get(event)
        ]
        for event in events
    }
    return Relation(
        core_cpi=median(one[0] / other[0] for one, other in lines),
        stall=median(one[1] / other[1] for one, other in lines if min(one[1], other[1]) > LEAST_STALL_NS),
        events={event: median(found) for event, found in ratios.items() if found},
    )


def cross(relation: Relation, rows: Sequence[Row], khz: float) -> Row:
    """Predict a program on the one core type at a frequency from its rows on the other; events from its last row."""
    core, stall = fit_line(rows)
    last = rows[-1].per_kinst
    counts = {event: last[event] * ratio for event, ratio in relation.events.items() if event in last}
    return Row(khz, core * relation.core_cpi + stall * relation.stall * khz / 1e6, counts)
