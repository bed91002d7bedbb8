"""How a table is laid out as plain text, and how numbers are shortened for it: at most 120 columns.

Nothing is computed here but the shortening of numbers.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from textwrap import TextWrapper
from typing import Any

from simcore.scenario import RTAPP, THEN

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


def label(row: Row) -> str:
    """Name the policy and kernel of a row."""
    return f"{row['policy']}@{row['kernel']}"


def without_folder(name: str) -> str:
    """Shorten `FILE` and `rt-app:FILE` to the file's own name, whatever colons its folders have."""
    program, file = program_and_file(name)
    return program + file.rstrip("/").rpartition("/")[2]


def program_and_file(name: str) -> tuple[str, str]:
    """Split `rt-app:FILE` behind the colon; of any other name the first part is empty."""
    program = f"{RTAPP}:" if name.startswith(f"{RTAPP}:") else ""
    return program, name.removeprefix(program)


def backed(name: str, init_pmu: str, how: str = ", ") -> str:
    """Name a policy with the host PMU that backs the guest, unless there is none or its name says which."""
    return f"{name}{how}{init_pmu}" if init_pmu and init_pmu not in name else name


POLICY = Column(("", "policy@kernel"), label, left=True)


def render(columns: Sequence[Column], rows: Sequence[Row], colour: bool = False) -> list[str]:
    """Lay rows out under their headings; a row whose guest died stands in red if colour is wanted.

    Where that is too wide, the policies that a VM has after live migrations stand on lines of their own.
    """
    cells = [[column.text(row) for column in columns] for row in rows]
    if any(len(line) > WIDTH for line in _lines(columns, cells)):
        pairs = [pair for pair in zip(cells, rows, strict=True) for pair in _broken(*pair)]
        cells, rows = [line for line, _ in pairs], [row for _, row in pairs]
    heads, lines = _lines(columns, cells, True), _lines(columns, cells)
    ruler = "-" * max(map(len, heads))
    if colour:
        heads = [BOLD + head + PLAIN for head in heads]
        lines = [RED + line + PLAIN if row.get("crashes") else line for line, row in zip(lines, rows, strict=True)]
    return [*heads, ruler, *lines]


def wrapped(lines: Iterable[str]) -> list[str]:
    """Break long lines at spaces, never within a path."""
    fill = TextWrapper(WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    return [part for line in lines for part in fill.wrap(line)]


def _broken(cells: list[str], row: Row) -> list[tuple[list[str], Row]]:
    first, *then = cells[0].split(THEN)
    return [([first, *cells[1:]], row), *(([f" {THEN}{label}", *[""] * (len(cells) - 1)], row) for label in then)]


def _lines(columns: Sequence[Column], cells: Sequence[Sequence[str]], heads: bool = False) -> list[str]:
    widths = [
        max(len(text) for text in (*column.heading, *(line[index] for line in cells)))
        for index, column in enumerate(columns)
    ]
    if not heads:
        return [_line(columns, widths, line) for line in cells]
    levels = (_line(columns, widths, [column.heading[level] for column in columns]) for level in (0, 1))
    return [level for level in levels if level]


def _line(columns: Sequence[Column], widths: Sequence[int], texts: Iterable[str]) -> str:
    padded = (
        text.ljust(width) if column.left else text.rjust(width)
        for column, width, text in zip(columns, widths, texts, strict=True)
    )
    return " ".join(padded).rstrip()


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
