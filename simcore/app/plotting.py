"""The pictures: lanes or predictions in, a matplotlib Figure out, PNG or SVG on disk. Nothing is computed here.

Colours are of the Okabe-Ito palette and differ in luminance; what a colour says, a hatch, a mark or a label says too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from simcore.app.lanes import Lane
from simcore.errors import InputError

DPI = 150
WIDTH_IN = 8.0  # at 150 dpi: 1200 px
LANE_IN, HEAD_IN, FOOT_IN = 1.82, 0.74, 0.92
SUFFIXES = (".png", ".svg")

COUNTED, TRUE, STALL, DEATH = "#0072B2", "#000000", "#D55E00", "#000000"
BACKGROUNDS = (("#FAFAFA", ""), ("#C9DFEE", ""), ("#F0E3B5", "..."), ("#D5D5D5", "xxx"))
STALL_BAND: dict[str, Any] = {"facecolor": "#F4C7A8", "edgecolor": STALL, "hatch": "////"}
STOPPED_BAND: dict[str, Any] = {"facecolor": "#BBBBBB", "edgecolor": "#777777", "hatch": "|||"}
STYLE: Any = {
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.linewidth": 0.6,
    "hatch.linewidth": 0.5,
    "svg.hashsalt": "hetpmu",
    "path.simplify": True,
}


def continuity(lanes: Sequence[Lane], title: str, subtitle: str) -> Figure:
    """Draw a lane per policy: the counter against true cycles, its rate, and the guest's clock error."""
    with matplotlib.rc_context(STYLE):
        height = HEAD_IN + FOOT_IN + LANE_IN * len(lanes)
        figure = Figure(figsize=(WIDTH_IN, height), facecolor="white")
        FigureCanvasAgg(figure)
        grid = figure.add_gridspec(
            len(lanes), 1, left=0.118, right=0.978, top=1 - HEAD_IN / height, bottom=FOOT_IN / height, hspace=0.27
        )
        cores = _backgrounds(lanes)
        end_s = max(max(lane.end_ns, lane.died_ns or 0) for lane in lanes) / 1e9
        tops = (
            1.12 * max(float(lane.true.max()) / 1e9 for lane in lanes) or 1.0,
            1.12 * max(_largest(lane.true_mhz) for lane in lanes),
        )
        for index, lane in enumerate(lanes):
            strips = grid[index].subgridspec(3, 1, height_ratios=(3.0, 1.15, 1.15), hspace=0.1)
            axes = [figure.add_subplot(strips[row]) for row in range(3)]
            _draw_lane(axes, lane, cores, end_s, tops)
            _time_axis(axes, last=index == len(lanes) - 1)
        figure.text(0.012, 1 - 0.08 / height, title, fontsize=11, weight="bold", va="top")
        figure.text(0.012, 1 - 0.30 / height, subtitle, fontsize=8, va="top", color="#333333")
        _legend(figure, cores, stops=any(lane.stopped_ns for lane in lanes))
    return figure


def _backgrounds(lanes: Sequence[Lane]) -> dict[str, tuple[str, str]]:
    names = dict.fromkeys(core for lane in lanes for core in lane.cores)
    return {core: BACKGROUNDS[index % len(BACKGROUNDS)] for index, core in enumerate(names)}


def _largest(values: "np.typing.NDArray[np.float64]") -> float:
    return float(np.nanmax(values)) if np.isfinite(values).any() else 1.0


def _draw_lane(
    axes: Sequence[Axes], lane: Lane, cores: dict[str, tuple[str, str]], end_s: float, tops: tuple[float, float]
) -> None:
    for strip in axes:
        _background(strip, lane, cores)
        strip.set_xlim(0, end_s)
        strip.tick_params(length=2, width=0.5, pad=2, labelsize=7.5)
        strip.grid(axis="y", linewidth=0.3, color="#888888", alpha=0.5)
        strip.set_axisbelow(True)
        strip.yaxis.set_label_coords(-0.09, 0.5)
    counter, rate, clock = axes
    _draw_counter(counter, lane, tops[0])
    _draw_rate(rate, lane, tops[1])
    _draw_clock(clock, lane)
    counter.set_title(_heading(lane), loc="left", pad=7, weight="bold")
    counter.set_title(_verdict(lane), loc="right", pad=7)


def _background(axes: Axes, lane: Lane, cores: dict[str, tuple[str, str]]) -> None:
    for segment in lane.segments:
        colour, hatch = cores[segment.core]
        axes.axvspan(
            segment.start_ns / 1e9,
            segment.end_ns / 1e9,
            facecolor=colour,
            hatch=hatch,
            edgecolor="#BBBBBB",
            lw=0,
            zorder=0,
        )
    for start, end in lane.stalls_ns:
        axes.axvspan(start / 1e9, end / 1e9, lw=0, zorder=0.5, **STALL_BAND)
    for start, end in lane.stopped_ns:
        axes.axvspan(start / 1e9, end / 1e9, lw=0, zorder=0.6, **STOPPED_BAND)


def _draw_counter(axes: Axes, lane: Lane, top: float) -> None:
    time_s = lane.t_ns / 1e9
    axes.plot(time_s, lane.true / 1e9, color=TRUE, lw=1.0, ls=(0, (4, 2)), zorder=3)
    axes.plot(time_s, lane.counted / 1e9, color=COUNTED, lw=2.0, zorder=4)
    axes.set_ylim(0, top)
    axes.vlines(lane.migrations_ns / 1e9, 0.955 * top, top, color="#444444", lw=0.5, zorder=5)
    axes.vlines(lane.crossings_ns / 1e9, 0.90 * top, top, color="#000000", lw=1.1, zorder=5)
    axes.plot(lane.interrupts_ns / 1e9, np.full(len(lane.interrupts_ns), 0.04 * top), "^", color=TRUE, ms=3.5, zorder=5)
    _mark_death(axes, lane, top)
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.set_ylabel("cycles, G", fontsize=7)


def _mark_death(axes: Axes, lane: Lane, top: float) -> None:
    if lane.died_ns is None:
        return
    x, y = lane.died_ns / 1e9, float(lane.counted[-1]) / 1e9
    axes.axvline(x, color=DEATH, lw=0.8, zorder=2)
    if lane.fatal:
        axes.plot([x], [y], marker="X", ms=11, mfc=STALL, mec=DEATH, mew=1.0, zorder=6, clip_on=False)
        text = f"guest dies at {x:.3f} s: {lane.outcome}"
    else:
        text = f"the guest died under {lane.shadow_of}"
    left, right = axes.get_xlim()
    late = x > (left + right) / 2
    axes.annotate(
        text,
        (x, y),
        xytext=(-12 if late else 12, -14 if late and y > top / 2 else 12),
        textcoords="offset points",
        ha="right" if late else "left",
        fontsize=8,
        weight="bold" if lane.fatal else "normal",
        bbox={"boxstyle": "round,pad=0.25", "fc": "white", "ec": DEATH, "lw": 0.6},
        zorder=7,
    )


def _draw_rate(axes: Axes, lane: Lane, top_mhz: float) -> None:
    axes.step(lane.rate_ns / 1e9, lane.true_mhz, where="pre", color=TRUE, lw=0.8, ls=(0, (4, 2)), zorder=3)
    axes.step(lane.rate_ns / 1e9, lane.rate_mhz, where="pre", color=COUNTED, lw=1.3, zorder=4)
    axes.set_ylim(-0.04 * top_mhz, top_mhz)
    axes.yaxis.set_major_locator(MaxNLocator(2))
    axes.set_ylabel("MHz", fontsize=7)


def _draw_clock(axes: Axes, lane: Lane) -> None:
    axes.set_ylabel("clock\nerror", fontsize=7)
    if not len(lane.clock_ns):
        axes.set_ylim(-1, 1)
        axes.set_yticks([])
        axes.text(0.5, 0.5, "the guest keeps no clock", transform=axes.transAxes, ha="center", va="center", fontsize=7)
        return
    axes.axhline(0, color="#000000", lw=0.4, zorder=2)
    axes.step(lane.clock_ns / 1e9, lane.clock_error, where="post", color=COUNTED, lw=1.3, zorder=4)
    span = max(float(np.max(np.abs(lane.clock_error))), 1e-5) * 1.25
    low, high = float(np.min(lane.clock_error)), float(np.max(lane.clock_error))
    axes.set_ylim(-span if low < -0.1 * span else -0.15 * span, span if high > 0.1 * span else 0.15 * span)
    axes.yaxis.set_major_locator(MaxNLocator(2))
    axes.yaxis.set_major_formatter(FuncFormatter(_error_text))


def _error_text(value: float, position: int | None = None) -> str:
    if value == 0:
        return "0"
    return f"{100 * value:+.3g} %" if abs(value) >= 1e-3 else f"{1e6 * value:+.3g} ppm"


def _heading(lane: Lane) -> str:
    known = not lane.backing or lane.backing in lane.policy or lane.stopped_ns
    return lane.policy + ("" if known else f"  (VCPU_INIT drew {lane.backing})")


def _verdict(lane: Lane) -> str:
    if lane.died_ns is not None and lane.fatal:
        return f"died at {lane.died_ns / 1e9:.3f} s"
    counted = int(lane.counted[-1]) / max(int(lane.true[-1]), 1)
    crossings = len(lane.crossings_ns)
    return f"{100 * counted:.1f} % of the cycles counted, {crossings} crossing{'' if crossings == 1 else 's'}"


def _time_axis(axes: Sequence[Axes], last: bool) -> None:
    for strip in axes[:-1]:
        strip.tick_params(labelbottom=False, bottom=False)
    axes[-1].tick_params(labelbottom=last)
    if last:
        axes[-1].set_xlabel("simulated time, s", labelpad=2)


def _legend(figure: Figure, cores: dict[str, tuple[str, str]], stops: bool) -> None:
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=COUNTED, lw=2, label="PMCCNTR_EL0, as the guest counts"),
        Line2D([], [], color=TRUE, lw=1, ls=(0, (4, 2)), label="cycles really executed in the guest"),
        Patch(**STALL_BAND, lw=0, label="stall: runs, enabled, but does not count"),
        Line2D([], [], color=TRUE, marker="|", ls="", ms=8, mew=1.1, label="crossing (long), other migration (short)"),
        Line2D([], [], color=TRUE, marker="^", ls="", ms=4, label="overflow interrupt"),
        Line2D([], [], mfc=STALL, mec=DEATH, marker="X", ls="", ms=8, label="guest died"),
    ]
    handles += [
        Patch(facecolor=colour, hatch=hatch, edgecolor="#999999", lw=0.5, label=f"on {core}")
        for core, (colour, hatch) in cores.items()
    ]
    if stops:
        handles.append(Patch(**STOPPED_BAND, lw=0, label="VM stopped: live migration"))
    figure.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.01, 0.0), ncols=3, frameon=False, fontsize=7.5)


@dataclass(frozen=True, slots=True)
class Cloud:
    """Points of one kind: measured and predicted values, all above 0."""

    label: str
    measured: Sequence[float]
    predicted: Sequence[float]


CLOUD_MARKS = (
    ("o", "#0072B2"),
    ("^", "#009E73"),
    ("s", "#E69F00"),
    ("D", "#CC79A7"),
    ("x", "#555555"),
    ("+", "#D55E00"),
)


def agreement(panels: Mapping[str, Sequence[Cloud]], title: str) -> Figure:
    """Draw predicted against measured values, both logarithmic, a panel for each quantity, the first kind on top."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, WIDTH_IN), facecolor="white", layout="constrained")
        FigureCanvasAgg(figure)
        for axes, (name, clouds) in zip(figure.subplots(2, 2).flat, panels.items(), strict=True):
            _draw_clouds(axes, clouds)
            axes.set_title(name)
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=len(CLOUD_MARKS))
        figure.suptitle(title, fontsize=9)
    return figure


def _draw_clouds(axes: Axes, clouds: Sequence[Cloud]) -> None:
    values = [value for cloud in clouds for value in (*cloud.measured, *cloud.predicted)]
    span = (0.8 * min(values), 1.25 * max(values))
    for order, (cloud, (mark, colour)) in enumerate(zip(clouds, CLOUD_MARKS, strict=True)):
        style: dict[str, Any] = {"marker": mark, "color": colour, "ms": 3.5, "lw": 0, "mew": 0.8, "alpha": 0.75}
        axes.plot(cloud.measured, cloud.predicted, label=cloud.label, zorder=9 - order, **style)
    axes.plot(span, span, color=TRUE, lw=0.7, zorder=10)
    axes.set(xscale="log", yscale="log", xlim=span, ylim=span, xlabel="measured", ylabel="predicted", aspect="equal")
    axes.grid(linewidth=0.3, color="#888888", alpha=0.5)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG or SVG, by the suffix, with equal bytes for equal figures."""
    check_suffix(path)
    with matplotlib.rc_context(STYLE):
        figure.savefig(path, dpi=DPI, metadata={"Date": None} if path.suffix == ".svg" else {"Software": "hetpmu"})


def check_suffix(path: Path) -> None:
    """Refuse a file name that says neither PNG nor SVG."""
    if path.suffix not in SUFFIXES:
        raise InputError("unknown picture format", where=str(path), valid="a name that ends in .png or .svg")
