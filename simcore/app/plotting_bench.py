"""The pictures of `hetpmu bench`: a roofline, how the kernels scale, what a decision costs. Nothing is computed here.

Figures are points as benchmarks.points makes them: number, median, low, high. Colours are those of
`simcore.app.plotting`; what a colour says, a mark or a label says too.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from simcore.app.plotting import CLOUD_MARKS, COUNTED, STYLE, TRUE, WIDTH_IN

COST_TICKS = (1, 2, 5, 10, 20, 50, 100, 200)
BYTES = ((30, "GiB"), (20, "MiB"), (10, "KiB"), (0, "B"))
CURVES = {
    "tick": "kernel that records nothing (working set: its state)",
    "record": "kernel that records each counter at each tick",
    "gcc": "plain loop that does so, gcc -O3",
    "fill": "limit: memory filled, 8 bytes an update",
    "copy": "limit: memory copied",
}
ARITHMETIC = "limit: two 32-bit products a stream and tick"
LIMITS = ("fill", "copy")
MEASURED: dict[str, Any] = {"ls": "-", "lw": 1.5, "ms": 4.5}
LIMIT: dict[str, Any] = {"ls": (0, (4, 2)), "lw": 1.0, "ms": 3}
BELOW: Any = "outside lower center"
PLACE: Any = ("data", "axes fraction")
AXES = {"vcpus": "vCPUs", "counters": "counters of a vCPU", "ticks": "ticks of a call", "threads": "threads"}

Points = Sequence[Mapping[str, float]]


def roofline(curves: Mapping[str, Points], arithmetic: float | None, caches: Mapping[str, int], machine: str) -> Figure:
    """Draw updates a second over the working set, with the limits of memory and arithmetic and the caches' sizes.

    `caches`: bytes by name.
    """
    with matplotlib.rc_context(STYLE):
        figure, (axes,) = _figure(1, 4.6)
        numbers = [point["number"] for points in curves.values() for point in points]
        powers = [1 << power for power in range(10, 40, 3) if min(numbers) <= 1 << power <= max(numbers)]
        _on_log_axes(axes, powers, [_size(number) for number in powers])
        _draw_curves(axes, curves, CURVES)
        if arithmetic is not None:
            axes.axhline(arithmetic, color=TRUE, lw=1.2, ls=(0, (6, 2)), label=ARITHMETIC)
        _draw_caches(axes, caches)
        axes.set(xlabel="working set", ylabel="counter updates a second")
        handles, labels = axes.get_legend_handles_labels()
        order = sorted(range(len(labels)), key=lambda index: labels[index].startswith("limit"))
        figure.legend(*([found[k] for k in order] for found in (handles, labels)), loc=BELOW, ncols=2, frameon=False)
        figure.suptitle(f"The counter kernels and what the machine allows: {machine}", fontsize=9)
    return figure


def scaling(panels: Mapping[str, Mapping[str, Points]], machine: str) -> Figure:
    """Draw updates a second of each kernel over vCPUs, counters, ticks and threads, on one scale."""
    labels = {name: label.partition(" (")[0] for name, label in CURVES.items()}
    with matplotlib.rc_context(STYLE):
        figure, places = _figure(2, 5.4)
        for axes, (panel, curves) in zip(places, panels.items(), strict=True):
            numbers = [int(point["number"]) for point in max(curves.values(), key=len)]
            _on_log_axes(axes, numbers, [f"{number}" for number in numbers])
            _draw_curves(axes, curves, labels)
            axes.set_xlabel(AXES[panel])
        figure.supylabel("counter updates a second", fontsize=8)
        figure.legend(*places[0].get_legend_handles_labels(), loc=BELOW, ncols=2, frameon=False)
        figure.suptitle(f"How the counter kernels scale: {machine}", fontsize=9)
    return figure


def _on_log_axes(axes: Axes, numbers: Sequence[int], labels: Sequence[str]) -> None:
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(numbers, labels)
    axes.minorticks_off()
    axes.margins(x=0.05)
    axes.grid(which="major", linewidth=0.3, color="#888888", alpha=0.5)


def _draw_curves(axes: Axes, curves: Mapping[str, Points], labels: Mapping[str, str]) -> None:
    for (name, label), (shape, colour) in zip(labels.items(), CLOUD_MARKS, strict=False):
        if name in curves:
            _draw_curve(axes, curves[name], LIMIT if name in LIMITS else MEASURED, fmt=shape, color=colour, label=label)


def _draw_curve(axes: Axes, points: Points, style: Mapping[str, Any], **more: Any) -> None:
    numbers, values = ([point[key] for point in points] for key in ("number", "median"))
    spans = [[p["median"] - p["low"] for p in points], [p["high"] - p["median"] for p in points]]
    axes.errorbar(numbers, values, yerr=spans, capsize=2, elinewidth=0.7, **style, **more)


def _draw_caches(axes: Axes, caches: Mapping[str, int]) -> None:
    for name, size in caches.items():
        axes.axvline(size, color="#888888", lw=0.7, ls=":")
        place: Any = (size, 1.0)
        style: dict[str, Any] = {"fontsize": 7, "color": "#555555", "ha": "center", "xytext": (0, 3)}
        axes.annotate(f"{name}: {_size(size)}", place, xycoords=PLACE, textcoords="offset points", **style)


def _size(number: float) -> str:
    power, unit = next((power, unit) for power, unit in BYTES if number >= 1 << power)
    return f"{number / (1 << power):g} {unit}"


def _figure(side: int, height_in: float) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(WIDTH_IN, height_in), facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(side, side, sharey=True, squeeze=False).flat)


def decisions(series: Mapping[str, Points], machine: str) -> Figure:
    """Draw the cost of a decision by CPUs and by tasks, with the interval of each median, on one scale."""
    labels = {"cpus": "CPUs, two interactive vCPUs each", "tasks": "host threads on 8 CPUs"}
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, 3.4), facecolor="white", layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(1, len(series), sharey=True, squeeze=False)[0]
        for axes, (name, points) in zip(panels, series.items(), strict=True):
            _draw_costs(axes, points)
            axes.set_xlabel(labels[name])
        panels[0].set_ylabel("microseconds of a decision")
        figure.suptitle(f"What a decision costs: machine.run() only, {machine}", fontsize=9)
    return figure


def _draw_costs(axes: Axes, points: Points) -> None:
    numbers, costs = ([point[key] for point in points] for key in ("number", "us"))
    spans = [[point["us"] - point["low"] for point in points], [point["high"] - point["us"] for point in points]]
    axes.errorbar(numbers, costs, yerr=spans, color=COUNTED, marker="o", ms=4, lw=1.3, capsize=3)
    for point in points:
        place = (point["number"], point["high"])
        axes.annotate(f"{point['us']:.3g}", place, xytext=(0, 7), textcoords="offset points", ha="center", fontsize=7)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(numbers, [f"{number:g}" for number in numbers])
    axes.set_yticks(COST_TICKS, [f"{cost:g}" for cost in COST_TICKS])
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(min(COST_TICKS), max(COST_TICKS))
    axes.margins(x=0.08)
    axes.grid(which="both", linewidth=0.3, color="#888888", alpha=0.5)
