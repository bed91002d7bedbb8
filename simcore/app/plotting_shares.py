"""The pictures of shares: where guest cycles went, and where perf's samples were taken. Nothing is computed here."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from simcore.app.plotting_frame import add_legend, framed

PARTS: Mapping[str, tuple[str, str]] = {
    "counted": ("#0072B2", ""),
    "disabled": ("#DDDDDD", ""),
    "filtered": ("#F0E442", "..."),
    "excluded_level": ("#56B4E9", "\\\\\\"),
    "no_event": ("#CC79A7", "xxx"),
    "off_pmu": ("#D55E00", "///"),
    "no_host_counter": ("#E69F00", "|||"),
    "other": ("#000000", ""),
}
"""Categories of the ledger, in its order, with colour and hatch."""
SHARES: Mapping[str, tuple[str, str]] = {
    "samples": ("#0072B2", ""),
    "guest cycles": ("#E69F00", "///"),
    "guest time": ("#999999", "..."),
}
ROW_IN, BARS_IN = 0.3, 0.5

Floats = NDArray[np.float64]


def ledger(labels: Sequence[str], shares: Floats, title: str, subtitle: str) -> Figure:
    """Draw where guest cycles went: a bar a label, `shares` [label, category] in the order of `PARTS`, 1 being all."""
    shown = [number for number in range(len(PARTS)) if shares[:, number].any()]
    names = [list(PARTS)[number] for number in shown]
    figure, [axes] = framed(title, subtitle, ROW_IN * len(labels) + 0.2, names, labels)
    left = np.zeros(len(labels))
    for name, width in zip(names, 100 * shares[:, shown].T, strict=True):
        axes.barh(np.arange(len(labels)), width, 0.72, left=left, label=name, **_fill(PARTS[name]))
        left += width
    axes.set_xlabel("share of the guest's cycles, %")
    _rows(axes, labels)
    axes.set_xlim(0, 100)
    add_legend(figure, axes)
    return figure


def sampling_bias(labels: Sequence[str], pmus: Sequence[str], shares: Floats, title: str, subtitle: str) -> Figure:
    """Draw where samples were taken beside where the guest executed: `shares` [label, host PMU, kind as in `SHARES`].

    A panel a host PMU; NaN where there is nothing to take a share of.
    """
    height = BARS_IN * len(labels) + 0.2
    figure, panels = framed(title, subtitle, height, list(SHARES), labels, len(pmus))
    for number, (axes, name) in enumerate(zip(panels, pmus, strict=True)):
        _bars(axes, shares[:, number])
        axes.set_title(f"on CPUs of {name}" if name else "on CPUs without a PMU", fontsize=8.5)
        axes.set_xlabel("share of all, %")
        _rows(axes, labels if number == 0 else [""] * len(labels))
    add_legend(figure, panels[0])
    return figure


def _bars(axes: Axes, shares: Floats) -> None:
    for number, (name, look) in enumerate(SHARES.items()):
        places = np.arange(len(shares)) + 0.26 * (number - 1)
        bars = axes.barh(places, 100 * np.nan_to_num(shares[:, number]), 0.24, label=name, **_fill(look))
        texts = ["no sample" if np.isnan(share) else f"{100 * share:.0f}" for share in shares[:, number]]
        axes.bar_label(bars, texts, padding=2, fontsize=7)


def _fill(look: tuple[str, str]) -> dict[str, Any]:
    colour, hatch = look
    return {"color": colour, "hatch": hatch, "edgecolor": "white", "lw": 0.3}


def _rows(axes: Axes, labels: Sequence[str]) -> None:
    axes.set_yticks(np.arange(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_xlim(0, 118)
    axes.set_xticks(range(0, 101, 25))
    axes.grid(visible=False, axis="y")
