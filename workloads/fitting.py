"""The model fitted on measured profiles: a line for CPI, what it misses, and the course of every event.

CPI = core part + stall time per instruction * frequency, by least squares on the relative error, with a stall time not
below 0. docs/validation.md has the evidence for each rule, `workloads.holdout` measures it again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from workloads.curve import Curve, Knots
from workloads.phase import CYCLE_EVENTS, PhaseRates
from workloads.profiles import Profile, Silicon, find_silicon, frequencies, running_khz

STALL_FRONTEND = 0x23
BUS_ACCESS = 0x19
LEAST_CORE_CPI = 1 / 16
"""No core retires more than 16 instructions a cycle."""
DIGITS = 6
"""Significant digits of a fitted number."""


BEND = 0.0594
"""How the cost of a bus access grows with the square of the frequency on an out-of-order core, cycles / GHz^2.

Such a core hides latency while its clock is low, and waits for memory when it is high. Least absolute error over the
programs with three rows; a test fits it again (`workloads.regress.fit_bend`).
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A profile as the fit sees it: the frequency at which it really ran, CPI, and counts per 1000 instructions."""

    khz: float
    cpi: float
    per_kinst: Mapping[int, float]

    @property
    def ghz(self) -> float:
        """Return the frequency in GHz."""
        return self.khz / 1_000_000


def rows_of(profiles: Sequence[Profile]) -> tuple[Row, ...]:
    """Return the rows of one program on one silicon; an event that some profile counted is 0 where it did not."""
    events = sorted({event for profile in profiles for event in profile.counts})
    return tuple(
        Row(khz, profile.cpi, {event: profile.per_kinst(event) for event in events})
        for khz, profile in zip(running_khz(tuple(profiles)), profiles, strict=True)
    )


def least_squares(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return intercept and slope of the line of least relative squares over two or more (x, y), no y 0."""
    ones, slopes = [1 / y for _, y in points], [x / y for x, y in points]
    aa, bb = sum(one * one for one in ones), sum(slope * slope for slope in slopes)
    ab = sum(one * slope for one, slope in zip(ones, slopes, strict=True))
    determinant = aa * bb - ab * ab
    return (bb * sum(ones) - ab * sum(slopes)) / determinant, (aa * sum(slopes) - ab * sum(ones)) / determinant


def fit_line(rows: Sequence[Row]) -> tuple[float, float]:
    """Return (core part, stall time in ns), the latter not below 0, the former not below LEAST_CORE_CPI.

    IPC is taken with the four decimals of the source's own table.
    """
    points = [(row.ghz, 1 / round(1 / row.cpi, 4)) for row in rows]
    core, stall = least_squares(points) if len(points) > 1 else (points[0][1], 0.0)
    if stall < 0:
        return sum(1 / cpi for _, cpi in points) / sum(1 / cpi**2 for _, cpi in points), 0.0
    if core < LEAST_CORE_CPI:
        slopes = [ghz / cpi for ghz, cpi in points]
        rest = [1 - LEAST_CORE_CPI / cpi for _, cpi in points]
        return LEAST_CORE_CPI, sum(a * b for a, b in zip(slopes, rest, strict=True)) / sum(a * a for a in slopes)
    return core, stall


def fit_event(rows: Sequence[Row], event: int) -> tuple[float, float]:
    """Return (count per 1000 instructions, what each GHz adds) for use at any frequency.

    Parts of the cycles: the least relative squares, as for CPI. All others: the median of the rows.
    """
    counts = [row.per_kinst[event] for row in rows]
    if event in CYCLE_EVENTS and len(rows) > 1 and all(counts):
        return least_squares([(row.ghz, count) for row, count in zip(rows, counts, strict=True)])
    return median(counts), 0.0


def sag(low: Row, high: Row, ghz: float, bend: float = BEND) -> float:
    """Return how much CPI at `ghz` lies over the straight line between two rows of an out-of-order core, relatively."""
    share = (ghz - low.ghz) / (high.ghz - low.ghz)
    line = low.cpi + share * (high.cpi - low.cpi)
    accesses = ((1 - share) * low.per_kinst.get(BUS_ACCESS, 0) + share * high.per_kinst.get(BUS_ACCESS, 0)) / 1000
    return -bend * accesses * (ghz - low.ghz) * (high.ghz - ghz) / line


def middle(rows: Sequence[Row], khz: int, in_order: bool, bend: float = BEND) -> Knots:
    """Return (kHz, CPI) of the rows, and of an out-of-order silicon's middle frequency between two rows."""
    points = tuple((row.khz, row.cpi) for row in rows)
    if in_order or len(rows) != 2 or not rows[0].khz < khz < rows[1].khz:
        return points
    low, high = rows
    share = (khz - low.khz) / (high.khz - low.khz)
    line = low.cpi + share * (high.cpi - low.cpi)
    return points[0], (float(khz), line * (1 + sag(low, high, khz / 1e6, bend))), points[1]


def by_frequency(in_order: bool) -> tuple[int, ...]:
    """Return the events that go linearly with the frequency; all others go with time.

    An in-order core's front end waits for instructions that the kernel's ticks have driven out, so it goes with time.
    """
    return tuple(sorted(CYCLE_EVENTS - {STALL_FRONTEND} if in_order else CYCLE_EVENTS))


def fit(silicon: Silicon, rows: Sequence[Row], middle_khz: int, bend: float = BEND) -> PhaseRates:
    """Fit one program on one silicon, named by the silicon: line, events, and the curve through the rows."""
    core_cpi, stall = (rounded(value) for value in fit_line(rows))
    fits = {event: fit_event(rows, event) for event in sorted(rows[0].per_kinst)}
    rates = PhaseRates(
        core=silicon.name,
        core_cpi=core_cpi,
        stall_ns_per_inst=stall,
        per_kinst=tuple((event, rounded(count)) for event, (count, _) in fits.items()),
        per_kinst_per_ghz=tuple((event, rounded(slope)) for event, (_, slope) in fits.items() if slope),
    )
    cpi = middle(rows, middle_khz, silicon.in_order, bend)
    factors: Knots = tuple((khz, value / (core_cpi + stall * khz / 1e6)) for khz, value in cpi)
    courses = tuple((event, tuple((row.khz, row.per_kinst[event]) for row in rows)) for event in fits)
    return replace(rates, curve=Curve(factors, courses, by_frequency(silicon.in_order)))


def fit_profiles(profiles: Sequence[Profile], bend: float = BEND) -> PhaseRates:
    """Fit the profiles of one program on one silicon."""
    name = profiles[0].silicon
    known = frequencies(name)
    return fit(find_silicon(name), rows_of(profiles), known[len(known) // 2], bend)


def rounded(value: float) -> float:
    """Return a value with as many significant digits as the fit claims."""
    return float(f"{value:.{DIGITS}g}")
