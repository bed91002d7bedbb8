"""The pictures of matrices: which host PMU has which event, and between which core types vCPUs move.

Nothing is computed here. A cell's number, or its hatch, says what its colour says.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from simcore.app.plotting import WIDTH_IN
from simcore.app.plotting_frame import HEAD_IN, blank

NOWHERE, SOMEWHERE, EVERYWHERE = 0, 1, 2
CELLS = {
    EVERYWHERE: ("#0072B2", "shown whichever host PMU backs the guest"),
    SOMEWHERE: ("#E69F00", "shown with some host PMUs only: the lottery decides"),
    NOWHERE: ("#F2F2F2", "shown with none"),
}
PANELS = 4
CELL_IN, NAMES_IN, SIDE_IN = 0.165, 1.4, 2.62

Ints = NDArray[np.int64]


def event_sets(names: Sequence[str], events: Sequence[str], cells: Ints, title: str, subtitle: str) -> Figure:
    """Draw what a guest is shown: `cells` [platform, event] of NOWHERE, SOMEWHERE and EVERYWHERE."""
    height = CELL_IN * len(names)
    whole = HEAD_IN + height + NAMES_IN
    figure = blank(whole, title, subtitle)
    left = SIDE_IN / WIDTH_IN
    axes = figure.add_axes((left, NAMES_IN / whole, 0.985 - left, height / whole))
    axes.imshow(cells, aspect="auto", cmap=ListedColormap([CELLS[kind][0] for kind in sorted(CELLS)]), vmin=0, vmax=2)
    for row, column in np.argwhere(cells == SOMEWHERE):
        box: dict[str, Any] = {"hatch": "/////", "fill": False, "edgecolor": "#FFFFFF", "lw": 0}
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, **box))
    axes.set_yticks(range(len(names)), names, fontsize=6.5)
    axes.set_xticks(range(len(events)), events, fontsize=5, rotation=90)
    axes.tick_params(length=0, pad=2)
    axes.set_xticks(np.arange(len(events) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=0.6)
    axes.tick_params(which="minor", length=0)
    handles = [
        Patch(facecolor=colour, hatch="/////" if kind == SOMEWHERE else "", edgecolor="#FFFFFF", lw=0, label=label)
        for kind, (colour, label) in CELLS.items()
    ]
    figure.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.01, 0.0), ncols=3, frameon=False, fontsize=7.5)
    return figure


def crossings(panels: Mapping[str, Ints], cores: Sequence[str], title: str, subtitle: str) -> Figure:
    """Draw moves between core types: a panel a label, its matrix [core type left, core type reached]."""
    columns = PANELS if len(cores) < 4 else PANELS - 1
    lines = -(-len(panels) // columns)
    foot = 0.5
    whole = HEAD_IN + lines * (0.95 + 0.4 * len(cores)) + 0.1
    figure = blank(whole, title, subtitle)
    grid = figure.add_gridspec(
        lines, columns, left=0.08, right=0.985, top=1 - (HEAD_IN + 0.28) / whole, bottom=foot / whole,
        hspace=0.95 / (0.4 * len(cores)), wspace=0.12,
    )  # fmt: skip
    for number, (label, moves) in enumerate(panels.items()):
        row, column = divmod(number, columns)
        _matrix(figure.add_subplot(grid[row, column]), label, moves, cores, column)
    return figure


def _matrix(axes: Axes, label: str, moves: Ints, cores: Sequence[str], column: int) -> None:
    total = int(moves.sum())
    axes.imshow(moves / max(total, 1), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, place), number in np.ndenumerate(moves):
        share = number / total if total else 0.0
        text = f"{number}\n{100 * share:.0f} %" if number else "0"
        colour = "white" if share > 0.55 else "black"
        axes.text(place, row, text, ha="center", va="center", fontsize=7, color=colour)
    axes.set_xticks(range(len(cores)), cores, fontsize=7)
    axes.set_yticks(range(len(cores)), cores if column == 0 else [""] * len(cores), fontsize=7)
    axes.tick_params(length=0)
    axes.set_title(f"{label}\n{total} moves", fontsize=7.5)
    axes.set_xlabel("to", fontsize=7, labelpad=1)
    if column == 0:
        axes.set_ylabel("from", fontsize=7)
