"""Charts of rows in a report: crash probabilities, the ledger, clock errors, throughput. Places are per cent."""

import math
from collections.abc import Callable, Iterable, Sequence

from simcore.app.columns import Row, count, parts, percent
from simcore.app.report_blocks import Mark, Strip, Strips
from simcore.app.report_scales import ticks
from simcore.app.tables import interval
from simcore.run_columns import CATEGORIES

LEDGER_WORDS = {
    "counted": "counted",
    "disabled": "counter disabled",
    "filtered": "event filter",
    "excluded_level": "exception level excluded",
    "no_event": "no host event",
    "off_pmu": "off-PMU",
    "no_host_counter": "no free host counter",
    "other": "other",
}
TENTHS = tuple((10.0 * tenth, f"{10 * tenth} %") for tenth in range(0, 11, 2))
MOST_STRIPS = 60
Named = Callable[[Row], str]


def crash_strips(rows: Sequence[Row], named: Named) -> Strips | None:
    """Draw the share of guests that died, with its Wilson interval."""
    known = [row for row in rows if row["crash_probability"] and row["crash_probability"]["low"] is not None]
    strips = tuple(Strip(named(row), _deaths(row), _interval(row)) for row in known[:MOST_STRIPS])
    legend = (("dot", "guests that died, of all runs"), ("span", "Wilson 95 % interval"))
    caption = "Guests that died, with the 95 % interval" + _cut(known)
    return Strips(caption, strips, TENTHS, legend, "share of the runs") if strips else None


def ledger_strips(rows: Iterable[Row], named: Named) -> Strips | None:
    """Draw where the guest's cycles went: a bar a row, a part a category."""
    known = [row for row in rows if row["ledger"] and sum(row["ledger"].values())]
    used = [name for name in CATEGORIES if any(row["ledger"][name] for row in known)]
    strips = tuple(
        Strip(named(row), _booked(row["ledger"]), _ledger_marks(row["ledger"])) for row in known[:MOST_STRIPS]
    )
    legend = tuple((f"ledger-{name}", LEDGER_WORDS[name]) for name in used)
    caption = "Where the guest's cycles went: the ledger of PMCCNTR_EL0" + _cut(known)
    return Strips(caption, strips, TENTHS, legend, "share of the guest's cycles") if strips else None


def clock_strips(rows: Iterable[Row], named: Named) -> Strips | None:
    """Draw the median and the largest error of clocks that guests keep by cycles, on a logarithmic scale."""
    known = [row for row in rows if row["clock_error_ppm"]]
    most = max((row["clock_error_ppm"]["max"] for row in known), default=0)
    decades = max(1, math.ceil(math.log10(max(most, 1))))
    strips = tuple(
        Strip(named(row), _errors(row["clock_error_ppm"]), _error_marks(row["clock_error_ppm"], decades))
        for row in known[:MOST_STRIPS]
    )
    ticks = tuple((100.0 * n / decades, _decade(n)) for n in range(decades + 1))
    legend = (("dot", f"median over {averaged(known)}"), ("span", "up to the largest"))
    caption = "Error of a clock kept by the calibrated cycle rate, at the end" + _cut(known)
    return Strips(caption, strips, ticks, legend, "error, logarithmic; up to 1 ppm at the left") if strips else None


def averaged(rows: Iterable[Row]) -> str:
    """Say over what the median of a clock error is taken: a replay's rows have no number of runs, as it is one."""
    return "vCPUs and runs" if any((row["runs"] or 1) > 1 for row in rows) else "vCPUs"


def throughput_strips(rows: Iterable[Row], named: Named) -> Strips | None:
    """Draw the throughput, over that of an unpinned VM without a PMU."""
    known = [row for row in rows if row["throughput"] is not None]
    top = max(1.0, *(row["throughput"] for row in known)) if known else 1.0
    strips = tuple(Strip(named(row), _throughput(row), (_bar(row, top),)) for row in known[:MOST_STRIPS])
    marks = tuple((100 * tick / top, f"{tick:g}") for tick in ticks(top) if tick <= top)
    axis = "instructions a second, over those of an unpinned VM without a PMU"
    legend = (("bar-died", "* some guests died, and count until then"),) if any(row["crashes"] for row in known) else ()
    return Strips("Throughput" + _cut(known), strips, marks, legend, axis) if strips else None


def _cut(rows: Sequence[Row]) -> str:
    return f" (the first {MOST_STRIPS} of {len(rows)})" if len(rows) > MOST_STRIPS else ""


def _deaths(row: Row) -> str:
    return f"{row['crashes']}/{row['runs']}, {interval(row)}"


def _interval(row: Row) -> tuple[Mark, ...]:
    chance = {end: 100 * share for end, share in row["crash_probability"].items()}
    span = Mark(chance["low"], chance["high"] - chance["low"], "span", "95 % interval")
    return span, Mark(chance["estimate"], None, "dot", percent(row["crash_probability"]["estimate"]))


def _booked(ledger: Row) -> str:
    total = sum(ledger.values())
    lost = [f"{LEDGER_WORDS[name]} {percent(cycles / total)}" for name, cycles in ledger.items() if cycles]
    return ", ".join(lost) + f" of {count(total)} cycles"


def _ledger_marks(ledger: Row) -> tuple[Mark, ...]:
    total, place, marks = sum(ledger.values()), 0.0, []
    for name in CATEGORIES:
        width = 100 * ledger[name] / total
        if width:
            title = f"{LEDGER_WORDS[name]}: {ledger[name]} cycles, {percent(width / 100)}"
            marks.append(Mark(place, width, f"ledger-{name}", title))
        place += width
    return tuple(marks)


def _errors(error: Row) -> str:
    return f"median {parts(error['median'])}, max {parts(error['max'])}"


def _decade(power: int) -> str:
    return f"{10**power}ppm" if power < 3 else f"{10.0 ** (power - 4):g}%"


def _error_marks(error: Row, decades: int) -> tuple[Mark, ...]:
    middle, most = (100 * math.log10(max(error[end], 1)) / decades for end in ("median", "max"))
    span = Mark(middle, most - middle, "span", f"max {parts(error['max'])}")
    return span, Mark(middle, None, "dot", f"median {parts(error['median'])}")


def _throughput(row: Row) -> str:
    return f"{row['throughput']:.3f}{'*' if row['crashes'] else ''}"


def _bar(row: Row, top: float) -> Mark:
    return Mark(0, 100 * row["throughput"] / top, "bar-died" if row["crashes"] else "bar", f"{row['throughput']:.3f}")
