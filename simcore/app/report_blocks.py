"""What a report page is made of: sections of blocks, as frozen data. The templates of `simcore/data/report` draw them.

``kind`` of a block is the name of the template macro that draws it. Places and widths in strips are per cent of the
strip, those in a picture units of its view box. A ``look`` is a class that the style sheet gives colour and pattern.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

Row = dict[str, Any]
SHORT, LONG = 6, 48
"""Characters of the longest text of a column that is narrow, and of one that needs more room than a name."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A text, and the number that it is sorted by; None for a text that is no number."""

    text: str
    sort: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a table; ``marked``: its guest died."""

    cells: tuple[Cell, ...]
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its caption; ``left`` says which columns are texts, ``folded`` that it opens on demand.

    The first column heads its row.
    """

    kind: ClassVar[str] = "table"
    caption: str
    heads: tuple[str, ...]
    left: tuple[bool, ...]
    lines: tuple[Line, ...]
    folded: bool = False

    @property
    def looks(self) -> tuple[str, ...]:
        """Return the classes of each column: ``left`` for texts, and ``short`` where all or ``long`` where some are."""
        return tuple(self._look(column) if left else "" for column, left in enumerate(self.left))

    def _look(self, column: int) -> str:
        longest = max(len(line.cells[column].text) for line in self.lines)
        return "left short" if longest <= SHORT else "left long" if longest > LONG else "left"


@dataclass(frozen=True, slots=True)
class Notes:
    """Paragraphs, or with ``listed`` the items of a list."""

    kind: ClassVar[str] = "notes"
    texts: tuple[str, ...]
    listed: bool = False


@dataclass(frozen=True, slots=True)
class Code:
    """Text to copy."""

    kind: ClassVar[str] = "code"
    caption: str
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A part of a strip: a bar of some width, or a dot where the width is None."""

    x: float
    width: float | None
    look: str
    title: str


@dataclass(frozen=True, slots=True)
class Strip:
    """A row of a chart: its name, its figures in words, and what is drawn."""

    label: str
    text: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Strips:
    """A chart of rows over one axis; ``ticks`` are (place, text), ``legend`` (look, text)."""

    kind: ClassVar[str] = "strips"
    caption: str
    strips: tuple[Strip, ...]
    ticks: tuple[tuple[float, str], ...]
    legend: tuple[tuple[str, str], ...] = ()
    axis: str = ""

    @property
    def short(self) -> bool:
        """Tell whether all figures in words are short enough to stand beside their strip."""
        return all(len(strip.text) <= 18 for strip in self.strips)

    @property
    def crowded(self) -> bool:
        """Tell whether a phone has no room for the texts of all ticks beside each other."""
        return len(self.ticks) > 6


@dataclass(frozen=True, slots=True)
class Matrix:
    """Moves from each name to each name: ``cells`` [row][column] of (text, step of shade from 0 to 5)."""

    label: str
    names: tuple[str, ...]
    cells: tuple[tuple[tuple[str, int], ...], ...]


@dataclass(frozen=True, slots=True)
class Matrices:
    """Matrices side by side."""

    kind: ClassVar[str] = "matrices"
    caption: str
    matrices: tuple[Matrix, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """A rectangle in a picture."""

    x: float
    y: float
    width: float
    height: float
    look: str
    title: str


@dataclass(frozen=True, slots=True)
class Point:
    """A point in a picture, and where its label stands."""

    x: float
    y: float
    look: str
    title: str
    label: str
    label_x: float
    label_y: float


@dataclass(frozen=True, slots=True)
class Picture:
    """A small chart with two axes: ticks are (place, text)."""

    label: str
    width: float
    height: float
    plot: tuple[float, float, float, float]
    shapes: tuple[Shape, ...]
    points: tuple[Point, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    x_title: str
    y_title: str


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures side by side, with one legend."""

    kind: ClassVar[str] = "pictures"
    caption: str
    pictures: tuple[Picture, ...]
    legend: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Plot:
    """The interactive plot: ``data`` is what the script reads, ``looks`` the legend (look, text)."""

    kind: ClassVar[str] = "plot"
    data: Mapping[str, Any]
    policies: tuple[tuple[str, bool], ...]
    vcpus: tuple[int, ...]
    vcpu: int
    views: tuple[tuple[str, str], ...]
    axes: tuple[tuple[str, str], ...]
    legend: tuple[tuple[str, str], ...]


Block = Table | Notes | Code | Strips | Matrices | Pictures | Plot


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page; ``key`` is its anchor, ``name`` what the list of contents calls it."""

    key: str
    name: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A whole page: ``head`` are the lines below the title, ``verdict`` its opening, by what each is about."""

    title: str
    head: tuple[str, ...]
    verdict: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    foot: tuple[str, ...]


def section(key: str, name: str, title: str, blocks: Sequence[Block | None]) -> Section | None:
    """Make a section of the blocks that there are; None of none."""
    known = tuple(block for block in blocks if block is not None)
    return Section(key, name, title, known) if known else None
