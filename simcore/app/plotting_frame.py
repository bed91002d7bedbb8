"""What the pictures of studies have in common: a figure of the width of a mail, its head, its legend."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from simcore.app.plotting import STYLE, WIDTH_IN

Picture: TypeAlias = Figure
"""For modules that only pass figures on."""
HEAD_IN, LEGEND_ROW_IN, AXIS_IN = 0.62, 0.18, 0.5
RIGHT = 0.97
LINE = 110
"""Characters of a line of the legend."""


def blank(height: float, title: str, subtitle: str) -> Figure:
    """Make a figure of `height` inches with its head."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, height), facecolor="white")
        FigureCanvasAgg(figure)
    figure.text(0.012, 1 - 0.08 / height, title, fontsize=11, weight="bold", va="top")
    figure.text(0.012, 1 - 0.32 / height, subtitle, fontsize=8, va="top", color="#333333")
    return figure


def framed(
    title: str, subtitle: str, height: float, legend: Sequence[str], rows: Iterable[str] = (), panels: int = 1
) -> tuple[Figure, list[Axes]]:
    """Make a figure of `panels` beside each other, `height` inches each; `rows` are the labels of their y axis."""
    longest = max(map(len, rows), default=0)
    left = min(0.45, 0.03 + 0.0088 * longest) if longest else 0.1
    head, foot = HEAD_IN + 0.16 * (panels > 1), AXIS_IN + LEGEND_ROW_IN * -(-len(legend) // columns_of(legend))
    whole = head + height + foot
    figure = blank(whole, title, subtitle)
    width = (RIGHT - left) / panels
    with matplotlib.rc_context(STYLE):
        for panel in range(panels):
            box = (left + panel * width, foot / whole, width - 0.03 * (panels > 1), height / whole)
            _plain(figure.add_axes(box))
    return figure, figure.axes


def _plain(axes: Axes) -> None:
    axes.tick_params(length=2, width=0.5, labelsize=8)
    axes.grid(which="major", linewidth=0.3, color="#888888", alpha=0.5)
    axes.set_axisbelow(True)


def columns_of(legend: Sequence[str]) -> int:
    """Return how many of the labels of a legend stand beside each other."""
    return max(1, min(6, LINE // (max(map(len, legend), default=1) + 7), len(legend)))


def add_legend(figure: Figure, axes: Axes) -> None:
    """Put the legend of some axes at the foot of the figure; none where there is nothing to tell apart."""
    handles, labels = axes.get_legend_handles_labels()
    place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0.03, 0.0), "frameon": False, "fontsize": 8}
    if any(labels):
        figure.legend(handles, labels, ncols=columns_of(labels), **place)
