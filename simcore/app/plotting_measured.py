"""The picture of a measured log over the simulated counter: a lane for each policy. Nothing is computed here.

Colours are those of `simcore.app.plotting`; stalls are told apart by hatch as well.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from simcore.app.measuring import BOTH, MEASURED, SIMULATED, Compared, Overlay
from simcore.app.plotting import COUNTED, STYLE, TRUE, WIDTH_IN, save

MEASURED_PICTURES = ("measured.png", "measured.svg")
LOGGED = "#D55E00"
LANE_IN, HEAD_IN, FOOT_IN = 1.62, 0.74, 0.86
MAX_POINTS, MAX_BANDS = 4000, 1000
STALLS: dict[str, dict[str, Any]] = {
    BOTH: {"facecolor": "#D9D9D9", "edgecolor": "#777777", "hatch": "////"},
    MEASURED: {"facecolor": "#F4C7A8", "edgecolor": LOGGED, "hatch": "\\\\\\\\"},
    SIMULATED: {"facecolor": "#C9DFEE", "edgecolor": COUNTED, "hatch": "...."},
}
LABELS = {BOTH: "stalled in both", MEASURED: "stalled in the log only", SIMULATED: "stalled in the replay only"}


def draw_measured(overlay: Overlay, platform: str, path: Path) -> None:
    """Write the picture of an overlay as PNG or SVG."""
    save(measured_figure(overlay, platform), path)


def measured_figure(overlay: Overlay, platform: str) -> Figure:
    """Draw a lane for each policy: both counters against time, and below how far they are apart."""
    shown = _one_of_each(overlay.policies)
    with matplotlib.rc_context(STYLE):
        height = HEAD_IN + FOOT_IN + LANE_IN * len(shown)
        figure = Figure(figsize=(WIDTH_IN, height), facecolor="white")
        FigureCanvasAgg(figure)
        grid = figure.add_gridspec(
            len(shown), 1, left=0.118, right=0.978, top=1 - HEAD_IN / height, bottom=FOOT_IN / height, hspace=0.33
        )
        for index, row in enumerate(shown):
            strips = grid[index].subgridspec(2, 1, height_ratios=(2.4, 1.0), hspace=0.1)
            axes = [figure.add_subplot(strips[place]) for place in range(2)]
            _draw_lane(axes, overlay, row)
            axes[0].tick_params(labelbottom=False, bottom=False)
            axes[1].tick_params(labelbottom=index == len(shown) - 1)
        axes[1].set_xlabel("time since the trace began, s", labelpad=2)
        title = f"PMCCNTR_EL0 as measured and as replayed on {platform}"
        source = f"{len(overlay.t_ns)} samples of {Path(overlay.log.path).name}, by {overlay.log.source}"
        subtitle = f"vCPU {overlay.vcpu}, {source}; policies that count alike are drawn once"
        figure.text(0.012, 1 - 0.08 / height, title, fontsize=11, weight="bold", va="top")
        figure.text(0.012, 1 - 0.30 / height, subtitle, fontsize=8, va="top", color="#333333")
        _legend(figure)
    return figure


def _one_of_each(rows: Sequence[Compared]) -> list[Compared]:
    """Keep the first of rows that count alike."""
    kept: list[Compared] = []
    for row in rows:
        if not any(np.array_equal(row.counted, other.counted) for other in kept):
            kept.append(row)
    return kept


def _draw_lane(axes: Sequence[Axes], overlay: Overlay, row: Compared) -> None:
    counter, apart = axes
    thin = slice(None, None, max(1, len(overlay.t_ns) // MAX_POINTS))
    time_s = overlay.t_ns[thin] / 1e9
    for strip in axes:
        strip.set_xlim(overlay.t_ns[0] / 1e9, overlay.t_ns[-1] / 1e9)
        strip.tick_params(length=2, width=0.5, pad=2, labelsize=7.5)
        strip.grid(axis="y", linewidth=0.3, color="#888888", alpha=0.5)
        strip.set_axisbelow(True)
        strip.yaxis.set_label_coords(-0.09, 0.5)
        for start, end, seen in sorted(row.stretches, key=lambda band: band[0] - band[1])[:MAX_BANDS]:
            strip.axvspan(start / 1e9, end / 1e9, lw=0, zorder=0.5, **STALLS[seen])
    counter.plot(time_s, overlay.true[thin] / 1e9, color=TRUE, lw=0.8, ls=(0, (4, 2)), zorder=3)
    counter.plot(time_s, row.counted[thin] / 1e9, color=COUNTED, lw=3.2, zorder=4)
    counter.plot(time_s, overlay.measured[thin] / 1e9, color=LOGGED, lw=1.2, zorder=5)
    counter.set_ylim(0, 1.12 * max(int(overlay.true[-1]), int(overlay.measured[-1]), 1) / 1e9)
    counter.yaxis.set_major_locator(MaxNLocator(3, prune="lower"))
    counter.set_ylabel("cycles, G", fontsize=7)
    backed = f"  ({row.init_pmu})" if row.init_pmu and row.init_pmu not in row.label else ""
    counter.set_title(row.label + backed, loc="left", pad=5, weight="bold")
    counter.set_title(f"{row.error:+,} cycles at the end", loc="right", pad=5)
    apart.axhline(0, color="#000000", lw=0.4, zorder=2)
    apart.plot(time_s, (overlay.measured - row.counted)[thin] / 1e6, color=LOGGED, lw=1.2, zorder=4)
    apart.yaxis.set_major_locator(MaxNLocator(2))
    apart.margins(y=0.3)
    apart.set_ylabel("log less\nreplay, M", fontsize=7)
    if not (overlay.measured - row.counted).any():
        apart.set_ylim(-1, 1)


def _legend(figure: Figure) -> None:
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=LOGGED, lw=1.2, label="measured, as logged in the guest"),
        Line2D([], [], color=COUNTED, lw=3.2, label="replayed under the policy"),
        Line2D([], [], color=TRUE, lw=0.8, ls=(0, (4, 2)), label="cycles really executed, as replayed"),
    ]
    handles += [Patch(lw=0, label=label, **STALLS[seen]) for seen, label in LABELS.items()]
    figure.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.01, 0.0), ncols=3, frameon=False, fontsize=7.5)
