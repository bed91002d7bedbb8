"""A comparison as plain text for a terminal or a mail: at most 120 columns, the same for the same numbers.

Nothing is computed here but the shortening of numbers.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from simcore.app.finding import FoundBlock
from workloads.findings import Finding

Row = dict[str, Any]
WIDTH = 120
NONE = "-"
BOLD, RED, PLAIN = "\x1b[1m", "\x1b[31m", "\x1b[0m"


@dataclass(frozen=True, slots=True)
class Column:
    """A heading over one or two lines and what it shows of a row."""

    heading: tuple[str, str]
    text: Callable[[Row], str]
    left: bool = False


def percent(share: float | None) -> str:
    """Show a share as a percentage with about three figures."""
    if share is None:
        return NONE
    value = 100 * share
    if value != 0 and abs(value) < 0.01:
        return "<0.01%"
    digits = 2 if abs(value) < 1 else 1 if abs(value) < 99.95 else 0
    return f"{value:.{digits}f}%" if value else "0"


def count(number: float | None) -> str:
    """Show a count in five characters or fewer."""
    if number is None:
        return NONE
    for limit, scale, unit in ((1e4, 1, ""), (1e6, 1e3, "k"), (1e9, 1e6, "M"), (1e12, 1e9, "G"), (1e15, 1e12, "T")):
        if number < limit:
            scaled = number / scale
            return f"{number:.0f}" if not unit else f"{scaled:.{1 if scaled < 99.5 else 0}f}{unit}"
    return f"{number:.0e}"


def duration(ns: float | None) -> str:
    """Show a duration with its unit in seven characters or fewer."""
    if ns is None:
        return NONE
    for limit, scale, unit in ((1e3, 1, "ns"), (1e6, 1e3, "us"), (1e9, 1e6, "ms")):
        if ns < limit:
            return "0" if ns == 0 else f"{ns / scale:.{0 if unit == 'ns' else 1}f}{unit}"
    return f"{ns / 1e9:.{2 if ns < 1e11 else 0}f}s"


def parts(ppm: float | None) -> str:
    """Show an error given in ppm: as ppm while small, in per cent from 0.1 % on."""
    if ppm is None:
        return NONE
    return f"{ppm:.0f}ppm" if abs(ppm) < 1000 else f"{ppm / 1e4:.{2 if abs(ppm) < 1e4 else 1}f}%"


def joules(energy: float) -> str:
    """Show an energy in J, without the unit."""
    return f"{energy:.1f}" if energy < 1e4 else count(energy)


def _label(row: Row) -> str:
    return f"{row['policy']}@{row['kernel']}"


def _died(row: Row) -> str:
    return f"{row['crashes']}/{row['runs']}"


def _interval(row: Row) -> str:
    chance = row["crash_probability"]
    if chance["low"] is None:
        return NONE
    return f"{100 * chance['low']:.0f}-{100 * chance['high']:.0f}%"


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


POLICY = Column(("", "policy@kernel"), _label, left=True)

GUEST = (
    POLICY,
    Column(("guest", "died"), _died),
    Column(("95 %", "interval"), _interval),
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


def render(columns: Sequence[Column], rows: Sequence[Row], colour: bool = False) -> list[str]:
    """Lay rows out under their headings; a row whose guest died stands in red if colour is wanted."""
    cells = [[column.text(row) for column in columns] for row in rows]
    widths = [
        max(len(text) for text in (*column.heading, *(line[index] for line in cells)))
        for index, column in enumerate(columns)
    ]
    levels = (_line(columns, widths, [column.heading[level] for column in columns]) for level in (0, 1))
    heads = [level for level in levels if level]
    ruler = "-" * max(map(len, heads))
    lines = [_line(columns, widths, line) for line in cells]
    if colour:
        heads = [BOLD + head + PLAIN for head in heads]
        lines = [RED + line + PLAIN if row.get("crashes") else line for line, row in zip(lines, rows, strict=True)]
    return [*heads, ruler, *lines]


def _line(columns: Sequence[Column], widths: Sequence[int], texts: Iterable[str]) -> str:
    padded = (
        text.ljust(width) if column.left else text.rjust(width)
        for column, width, text in zip(columns, widths, texts, strict=True)
    )
    return " ".join(padded).rstrip()


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
        groups.setdefault(_label(row), []).append(row)
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
    if sensitivity is not None:
        blocks.append((f"Sensitivity ({sensitivity['note']})", SENSITIVITY, moved_rows(sensitivity["rows"])))
    lines = list(head)
    for title, columns, block in blocks:
        lines += ["", BOLD + title + PLAIN if colour else title, *render(columns, block, colour)]
    for guests in found:
        lines += found_lines(guests, colour)
    return "\n".join(lines + ["", *LEGEND]) + "\n"


def found_lines(found: FoundBlock, colour: bool = False) -> list[str]:
    """Show what guests of one kind found: as many columns side by side as fit, then what each means."""
    title = f"What the guest found ({found.guest})"
    lines = ["", BOLD + title + PLAIN if colour else title]
    rest = [Column(finding.heading, _found(finding)) for finding in found.findings]
    while rest:
        number = next(n for n in range(len(rest), 0, -1) if n == 1 or _width((POLICY, *rest[:n]), found.rows) <= WIDTH)
        lines += render((POLICY, *rest[:number]), found.rows, colour)
        rest = rest[number:]
        lines += [""] if rest else []
    meanings: dict[str, list[str]] = {}
    for finding in found.findings:
        meanings.setdefault(finding.meaning, []).append(finding.name)
    return lines + [line for text, names in meanings.items() for line in wrap(f"{', '.join(names)}: {text}.", WIDTH)]


def _width(columns: Sequence[Column], rows: Sequence[Row]) -> int:
    return max(map(len, render(columns, rows)))


FORMS: Mapping[str, Callable[[Any], str]] = {"": count, "ns": duration, "share": percent, "ppm": parts}
"""How a finding is shown, by its unit."""


def _found(finding: Finding) -> Callable[[Row], str]:
    def text(row: Row) -> str:
        value = (row["guest_findings"] or {}).get(finding.name)
        return value if isinstance(value, str) else FORMS[finding.unit](value)

    return text


def head(answer: Row, sched: str, baseline: float | None, quick: bool) -> list[str]:
    """Say what was compared."""
    seeds = answer["seeds"]
    base = "" if baseline is None else f"; an unpinned VM without a PMU: {baseline / 1e9:.3f} G instructions/s"
    lines = [
        f"{_described(answer)}, scheduler {sched}",
        f"{_seeds(seeds)} of {answer['seconds']:g} s{base}",
    ]
    if quick:
        lines.insert(0, "QUICK: a rough answer from few seeds and little simulated time; do not quote it")
    if "interrupted" in answer:
        done = answer["interrupted"]
        lines.insert(0, f"INTERRUPTED: stands on {done['finished']} of {done['planned']} runs")
    return lines


def run_head(answer: Row) -> list[str]:
    """Say what was run, and how its guests ended."""
    seed = f"seed {answer['seeds'][0]}, {answer['seconds']:g} s"
    others = len(answer["guests"]) - 1
    more = f" (VM 0, beside {others} more)" if others else ""
    return [
        f"{_described(answer)}{more}, scheduler {answer['scheduler']}, {seed}",
        *(
            f"VM {guest['vm']}: {_ending(guest)}; steal {duration(guest['steal_ns'])}, all vCPUs"
            for guest in answer["guests"]
        ),
    ]


def run_rows(answer: Row) -> list[Row]:
    """Return the rows of a run's tables; with several VMs each says whose it is, and energy is shown once."""
    rows: list[Row] = answer["policies"]
    if len(rows) == 1:
        return rows
    return [
        row | {"policy": f"VM {row['vm']}: {row['policy']}", "energy_j": row["energy_j"] if row["vm"] == 0 else None}
        for row in rows
    ]


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed {seeds[0]}" if len(seeds) == 1 else f"{len(seeds)} seeds ({seeds[0]}..{seeds[-1]})"


def _without_folder(name: str) -> str:
    """Shorten `FILE` and `rt-app:FILE` to the file's own name."""
    kind, colon, file = name.rpartition(":")
    return kind + colon + file.rpartition("/")[2]


def _described(answer: Row) -> str:
    guest = f"{_without_folder(answer['guest'])} guest running {_without_folder(answer['workload'])}"
    return f"{_without_folder(answer['platform'])}: {guest}, {answer['vcpus']} vCPUs, {answer['vmm']}"


def _ending(guest: Row) -> str:
    if guest["died_ns"] is None:
        return "alive at the end"
    return f"died at {duration(guest['died_ns'])}: {guest['outcome']}"


SHOWN_TITLE = "What the guest reads, by the host PMU that backs it (under fixed-counters-only by the default one drawn)"
LEGEND = (
    "stalled share: time in which an enabled PMCCNTR_EL0 stands still, of the guest time in which it is enabled.",
    "lost cycles: uncounted off the PMU, or without event or host counter, of all guest cycles. clock err: of a clock",
    "kept by the calibrated cycle rate, against the architected timer, at the end; time in which the host runs",
    "something else (steal) is an error too. throughput: instructions a second lived, over those of an unpinned VM",
    "without a PMU; * some guests died, and count until then. Who dies depends on how long the guest boots before",
    "it calibrates and on where KVM_ARM_VCPU_INIT ran, both assumed: --sensitivity varies them.",
)


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return an aligned table, numbers to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
    right = [bool(rows) and all(isinstance(row[index], int) for row in rows) for index in range(len(head))]
    return "\n".join(_aligned(line, widths, right) for line in [list(head), *cells])


def _aligned(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = [
        cell.rjust(width) if flush else cell.ljust(width)
        for cell, width, flush in zip(cells, widths, right, strict=True)
    ]
    return "  ".join(padded).rstrip()
