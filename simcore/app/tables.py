"""A comparison as plain text for a terminal or a mail: at most 120 columns, the same for the same numbers."""

from collections.abc import Callable, Sequence
from typing import Any

from simcore.app.columns import (
    BOLD,
    NONE,
    PLAIN,
    POLICY,
    Column,
    Row,
    count,
    duration,
    joules,
    label,
    parts,
    percent,
    render,
)
from simcore.app.finding import FoundBlock
from simcore.app.found_text import found_lines
from simcore.app.sampling import sampled_rows

NARROW = 2
"""In points: an interval that is not this wide has digits after the point."""


def _died(row: Row) -> str:
    return f"{row['crashes']}/{row['runs']}"


def interval(row: Row) -> str:
    """Show the 95 % interval of the crash probability."""
    chance = row["crash_probability"]
    if chance["low"] is None:
        return NONE
    low, high = 100 * chance["low"], 100 * chance["high"]
    digits = 0 if high - low >= NARROW else 1 if high - low >= NARROW / 10 else 2
    return f"{_short(low, digits)}-{_short(high, digits)}%"


def _short(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if 0 < value < 100 else f"{value:.0f}"


def _clock(row: Row) -> str:
    error = row["clock_error_ppm"]
    return NONE if error is None else parts(error["median"])


def _worst_clock(row: Row) -> str:
    error = row["clock_error_ppm"]
    return NONE if error is None else parts(error["max"])


def _lost(row: Row) -> str:
    total = sum((row["ledger"] or {}).values())
    return percent(row["lost_cycles"] / total if total else None)


def _shown(key: str, form: Callable[[Any], str]) -> Callable[[Row], str]:
    return lambda row: form(row[key])


def _cause(name: str) -> Callable[[Row], str]:
    return lambda row: count(row["crossings_by"][name])


def _throughput(row: Row) -> str:
    """Show the throughput, with a star where it is that of guests of which some died."""
    return NONE if row["throughput"] is None else f"{row['throughput']:.3f}{'*' if row['crashes'] else ' '}"


def _energy(row: Row) -> str:
    return NONE if row["energy_j"] is None else f"{joules(row['energy_j'])}J"


GUEST = (
    POLICY,
    Column(("guest", "died"), _died),
    Column(("95 %", "interval"), interval),
    Column(("stalled", "share"), _shown("stalled_fraction", percent)),
    Column(("longest", "stall"), _shown("longest_stall_ns", duration)),
    Column(("lost", "cycles"), _lost),
    Column(("zero", "deltas"), _shown("zero_deltas", count)),
    Column(("clock err", "median"), _clock),
    Column(("clock err", "max"), _worst_clock),
    Column(("through-", "put"), _throughput),
)

HOST = (
    POLICY,
    Column(("migra-", "tions"), _shown("migrations", count)),
    Column(("cross-", "ings"), _shown("crossings", count)),
    Column(("wake-", "ups"), _cause("wakeup")),
    Column(("bal-", "ance"), _cause("balance")),
    Column(("mis-", "fit"), _cause("misfit")),
    Column(("affi-", "nity"), _cause("affinity")),
    Column(("re-", "loads"), _shown("reloads", count)),
    Column(("events", "created"), _shown("event_creations", count)),
    Column(("PMU", "cost"), _shown("overhead_ns", duration)),
    Column(("failed", "entries"), _shown("fail_entries", count)),
    Column(("", "energy"), _energy),
)

SHOWN = (
    POLICY,
    Column(("backing", "host PMU"), _shown("pmu", str), left=True),
    Column(("", "died"), _died),
    Column(("PMCR", "N"), _shown("pmcr_n", lambda n: NONE if n is None else str(n))),
    Column(("", "PMCEID0"), _shown("pmceid0", lambda mask: NONE if mask is None else f"{mask:#x}")),
    Column(("", "PMCEID1"), _shown("pmceid1", lambda mask: NONE if mask is None else f"{mask:#x}")),
    Column(("common", "events"), lambda row: _events(row)),
)

SAMPLING = (
    POLICY,
    Column(("executing on", "CPUs of"), _shown("pmu", lambda name: name or "no PMU"), left=True),
    Column(("", "samples"), _shown("samples", count)),
    Column(("share of", "samples"), _shown("samples_share", percent)),
    Column(("of guest", "cycles"), _shown("cycles_share", percent)),
    Column(("of guest", "time"), _shown("time_share", percent)),
)

SENSITIVITY = (
    POLICY,
    Column(("", "what varies"), _shown("parameter", str), left=True),
    Column(("crash", "probability"), lambda row: _range(row["crash_probability"], percent)),
    Column(("", "stalled share"), lambda row: _range(row["stalled_fraction"], percent)),
    Column(("", "throughput"), lambda row: _range(row["throughput"], lambda value: f"{value:.3f}")),
    Column(("energy", "J"), lambda row: _range(row["energy_j"], joules)),
)


def _events(row: Row) -> str:
    if row["pmceid0"] is None or row["pmceid1"] is None:
        return NONE
    return str(row["pmceid0"].bit_count() + row["pmceid1"].bit_count())


def _range(span: Row | None, form: Callable[[float], str]) -> str:
    if span is None:
        return NONE
    low, high = form(span["low"]), form(span["high"])
    return low if low == high else f"{low} .. {high}"


def shown_rows(rows: Sequence[Row]) -> list[Row]:
    """Split rows by the PMU that backs the guest: what it reads depends on that."""
    return [
        {"policy": row["policy"], "kernel": row["kernel"], "pmu": name, **figures}
        for row in rows
        for name, figures in row["by_init_pmu"].items()
    ]


def moved_rows(rows: Sequence[Row]) -> list[Row]:
    """Fold what moves no figure that is shown into the row of the unchanged scenario, which leads each pair's rows."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(label(row), []).append(row)
    return [shown for group in groups.values() for shown in _folded(group)]


def _folded(group: Sequence[Row]) -> list[Row]:
    unchanged, *others = group
    moved = [row for row in others if _figures(row) != _figures(unchanged)]
    rest = len(others) - len(moved)
    parameter = f"{unchanged['parameter']}, or {rest} others" if rest else unchanged["parameter"]
    return [{**unchanged, "parameter": parameter}, *moved]


def _figures(row: Row) -> list[str]:
    return [column.text(row) for column in SENSITIVITY[2:]]


def comparison_text(
    head: Sequence[str],
    rows: Sequence[Row],
    sensitivity: Row | None,
    colour: bool = False,
    found: Sequence[FoundBlock] = (),
) -> str:
    """Render the whole answer of `compare`, with what the guests found themselves."""
    blocks: list[tuple[str, Sequence[Column], Sequence[Row]]] = [
        ("What the guest gets", GUEST, rows),
        ("What it costs the host (all runs together; crossings also by cause)", HOST, rows),
        (
            SHOWN_TITLE,
            SHOWN,
            shown_rows(rows),
        ),
    ]
    if sampled := sampled_rows(rows):
        blocks.append((SAMPLING_TITLE, SAMPLING, sampled))
    if sensitivity is not None:
        blocks.append((f"Sensitivity ({sensitivity['note']})", SENSITIVITY, moved_rows(sensitivity["rows"])))
    lines = list(head)
    for title, columns, block in blocks:
        lines += ["", BOLD + title + PLAIN if colour else title, *render(columns, block, colour)]
    for guests in found:
        lines += found_lines(guests, colour)
    return "\n".join(lines + ["", *LEGEND]) + "\n"


SAMPLING_TITLE = "Where the samples were taken, beside where the guest executed since it samples"
SHOWN_TITLE = "What the guest reads, by the host PMU that backs it (where any may, by the default one drawn)"
LEGEND = (
    "stalled share: time in which an enabled PMCCNTR_EL0 stands still, of the guest time in which it is enabled.",
    "lost cycles: uncounted off the PMU, or without event or host counter, of all guest cycles. clock err: of a clock",
    "kept by the calibrated cycle rate, against the architected timer, at the end; time in which the host runs",
    "something else (steal) is an error too. throughput: instructions a second lived, over those of an unpinned VM",
    "without a PMU; * some guests died, and count until then. Who dies depends on how long the guest boots before",
    "it calibrates and on where KVM_ARM_VCPU_INIT ran, both assumed: --sensitivity varies them.",
)
