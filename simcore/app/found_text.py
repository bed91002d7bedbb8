"""What guests found, as plain text: their figures side by side, and what each means."""

from collections.abc import Callable, Mapping, Sequence
from textwrap import wrap
from typing import Any

from simcore.app.columns import BOLD, PLAIN, POLICY, WIDTH, Column, Row, count, duration, parts, percent, render
from simcore.app.finding import FoundBlock
from workloads.findings import Finding

FORMS: Mapping[str, Callable[[Any], str]] = {"": count, "ns": duration, "share": percent, "ppm": parts}
"""How a finding is shown, by its unit."""


def found_lines(found: FoundBlock, colour: bool = False) -> list[str]:
    """Show what guests of one kind found: as many columns side by side as fit, then what each means."""
    title = f"What the guest found ({found.guest})"
    lines = ["", BOLD + title + PLAIN if colour else title]
    rest = list(found_columns(found))
    while rest:
        number = next(n for n in range(len(rest), 0, -1) if n == 1 or _width((POLICY, *rest[:n]), found.rows) <= WIDTH)
        lines += render((POLICY, *rest[:number]), found.rows, colour)
        rest = rest[number:]
        lines += [""] if rest else []
    return lines + [line for text in meanings(found) for line in wrap(text, WIDTH)]


def found_columns(found: FoundBlock) -> tuple[Column, ...]:
    """Return a column for each finding that does not stand in brackets behind another."""
    asides = _asides(found)
    return tuple(Column(one.heading, _found(one)) for one in found.findings if one.name not in asides)


def meanings(found: FoundBlock) -> list[str]:
    """Say what each finding means; those with one meaning share a line."""
    names: dict[str, list[str]] = {}
    for finding in found.findings:
        if finding.name in _asides(found):
            names[finding.meaning] = ["in brackets"]
        else:
            names.setdefault(finding.meaning, []).append(finding.name)
    return [f"{', '.join(known)}: {text}." for text, known in names.items()]


def _asides(found: FoundBlock) -> set[str | None]:
    return {finding.aside for finding in found.findings}


def _width(columns: Sequence[Column], rows: Sequence[Row]) -> int:
    return max(map(len, render(columns, rows)))


def _found(finding: Finding) -> Callable[[Row], str]:
    def text(row: Row) -> str:
        values = row["guest_findings"] or {}
        value, aside = values.get(finding.name), values.get(finding.aside)
        shown = value if isinstance(value, str) else FORMS[finding.unit](value)
        return shown if aside is None or percent(aside) == "100%" else f"{shown} ({percent(aside)})"

    return text
