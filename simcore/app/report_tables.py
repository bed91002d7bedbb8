"""Tables of a report: the columns and texts of the tables in the terminal, each cell with a number to sort it by."""

import re
from collections.abc import Iterable, Sequence

from simcore.app.columns import NONE, Column, Row
from simcore.app.report_blocks import Cell, Line, Table

UNITS = {
    "": 1.0, "ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9, "ppm": 1.0, "%": 1e4, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12,
    "J": 1.0, "kJ": 1e3, "MJ": 1e6, "x": 1.0,
}  # fmt: skip
"""What a shortened number's unit stands for; columns have one kind of unit, so that only its ratios count."""
NUMBER = re.compile(r"[<-]?(\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?)([a-zA-Z%]*)")
FRACTION = re.compile(r"(\d+)/(\d+)")
HEX = re.compile(r"0x[0-9a-f]+")


def table_of(caption: str, columns: Sequence[Column], rows: Sequence[Row]) -> Table | None:
    """Return the table of some columns and rows; None without rows."""
    if not rows:
        return None
    heads = tuple(heading(column) for column in columns)
    left = tuple(column.left for column in columns)
    lines = [
        Line(tuple(cell(column.text(row).strip()) for column in columns), bool(row.get("crashes"))) for row in rows
    ]
    return Table(caption, heads, left, tuple(lines))


def plain_table(
    caption: str, heads: Sequence[str], left: int, rows: Iterable[Sequence[object]], folded: bool = False
) -> Table | None:
    """Return a table of values, of which the first `left` columns are texts; None without rows."""
    lines = tuple(Line(tuple(cell(str(value)) for value in row)) for row in rows)
    return Table(caption, tuple(heads), tuple(n < left for n in range(len(heads))), lines, folded) if lines else None


def heading(column: Column) -> str:
    """Join the two lines of a heading, a word broken by a hyphen at its break."""
    first, second = column.heading
    if first.endswith("-"):
        return first[:-1] + second
    return f"{first} {second}".strip()


def cell(text: str) -> Cell:
    """Return a cell with its number, if the text begins with one."""
    return Cell(text, number_of(text))


def number_of(text: str) -> float | None:
    """Return the number that a shortened text begins with, in its smallest unit; None for a text that is none."""
    if text in ("", NONE):
        return None
    if HEX.fullmatch(text):
        return float(int(text, 16))
    if fraction := FRACTION.match(text):
        return int(fraction[1]) / max(int(fraction[2]), 1)
    found = NUMBER.match(text)
    if found is None or found[2] not in UNITS:
        return None
    value = float(found[1].replace(",", "")) * UNITS[found[2]]
    return -value if text.startswith("-") else value * (0.5 if text.startswith("<") else 1)
