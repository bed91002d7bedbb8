"""What `perf stat` (Linux 6.1) computes beside a count: cycles a second, instructions a cycle, shares of branches.

tools/perf/util/stat-shadow.c: which metric an event has depends on its generic name, and on what else was counted.
The order of multiplications and divisions is perf's, for the last digit.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

CLOCK = "cpu-clock"
MS_PER_NS = 1e-6
GENERIC_NAMES: Mapping[int, str] = {
    0x11: "cycles",
    0x08: "instructions",
    0x04: "cache-references",
    0x03: "cache-misses",
    0x21: "branches",
    0x10: "branch-misses",
    0x1D: "bus-cycles",
    0x23: "stalled-cycles-frontend",
    0x24: "stalled-cycles-backend",
}
"""Events that perf opens by these names (drivers/perf/arm_pmuv3.c, armv8_pmuv3_perf_map)."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure beside a count: value, printf format (None: perf has none to show) and unit, None for no metric."""

    value: float = 0.0
    form: str | None = None
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Totals:
    """What was counted over the same time, by generic name; what is not supported is absent. ``wall_ns``: how long."""

    counted: Mapping[str, float]
    wall_ns: int

    def of(self, name: str) -> float:
        """Return a count, 0 for an event that is absent."""
        return self.counted.get(name, 0)


def metrics_of(generic: str | None, count: float, totals: Totals) -> list[Metric]:
    """Return the metrics beside the count of an event; ``generic`` is its generic name, None for any other."""
    make = METRICS.get(generic or "")
    if make is not None:
        return make(count, totals)
    if CLOCK not in totals.counted:
        return [Metric()]
    clock_ns = totals.of(CLOCK)
    rate, letter = _with_letter(1e9 * count / clock_ns if clock_ns else 0.0)
    return [Metric(rate, "%8.3f", f"{letter}/sec")]


def _with_letter(value: float) -> tuple[float, str]:
    """Return a number below about 1000 and the letter that stands for what it was divided by."""
    letter = ""
    for larger in "KMG":
        if value > 1000:
            value, letter = value / 1000, larger
    return value, letter


def _clock(count: float, totals: Totals) -> list[Metric]:
    if not totals.wall_ns:
        return [Metric(unit="CPUs utilized")]
    return [Metric(count * MS_PER_NS / (totals.wall_ns * MS_PER_NS), "%8.3f", "CPUs utilized")]


def _cycles(count: float, totals: Totals) -> list[Metric]:
    clock_ns = totals.of(CLOCK)
    return [Metric(count / clock_ns, "%8.3f", "GHz") if clock_ns else Metric(unit="Ghz")]


def _instructions(count: float, totals: Totals) -> list[Metric]:
    cycles, unit = totals.of("cycles"), "insn per cycle"
    found = [Metric(count / cycles, "%7.2f ", unit) if cycles else Metric(unit=unit)]
    stalled = max(totals.of("stalled-cycles-frontend"), totals.of("stalled-cycles-backend"))
    return [*found, Metric(stalled / count, "%7.2f ", "stalled cycles per insn")] if stalled and count else found


def _of_branches(count: float, totals: Totals) -> list[Metric]:
    unit, branches = "of all branches", totals.of("branches")
    percent = count / branches * 100 if branches else 0.0
    return [Metric(percent, "%7.2f%%", unit) if "branches" in totals.counted else Metric(unit=unit)]


def _of_references(count: float, totals: Totals) -> list[Metric]:
    unit, references = "of all cache refs", totals.of("cache-references")
    percent = count * 100 / references if references else 0.0
    return [Metric(percent, "%8.3f %%", unit) if "cache-references" in totals.counted else Metric(unit=unit)]


def _idle(end: str, shows_zero: bool) -> Callable[[float, Totals], list[Metric]]:
    def idle(count: float, totals: Totals) -> list[Metric]:
        cycles, unit = totals.of("cycles"), f"{end} cycles idle"
        percent = count / cycles * 100 if cycles else 0.0
        return [Metric(percent, "%7.2f%%", unit) if percent or shows_zero else Metric(unit=unit)]

    return idle


METRICS: Mapping[str, Callable[[float, Totals], list[Metric]]] = {
    CLOCK: _clock,
    "cycles": _cycles,
    "instructions": _instructions,
    "branch-misses": _of_branches,
    "cache-misses": _of_references,
    "stalled-cycles-frontend": _idle("frontend", shows_zero=False),
    "stalled-cycles-backend": _idle("backend", shows_zero=True),
}
"""Generic name of an event -> its metrics; all others have a rate where the clock is counted."""
