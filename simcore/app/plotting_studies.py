"""The pictures of a study's curves: series in, a matplotlib Figure out. Nothing is computed here.

A series differs from the next in colour (Okabe-Ito), in mark and, after eight, in line.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from simcore.app.plotting_frame import add_legend, framed
from simcore.app.study_series import Series

MARKS = (
    ("#0072B2", "o"),
    ("#D55E00", "s"),
    ("#009E73", "^"),
    ("#CC79A7", "D"),
    ("#E69F00", "v"),
    ("#56B4E9", "P"),
    ("#000000", "X"),
    ("#777777", "*"),
)
LINES = ("-", "--", ":", "-.")
NS_A_CROSSING = (1_000, 10_000, 100_000)
ROW_IN, PANEL_IN = 0.34, 3.9


def crash_probability(series: Sequence[Series], title: str, subtitle: str) -> Figure:
    """Draw the crash probability against migrations of a vCPU per second, with Wilson intervals."""
    figure, [axes] = framed(title, subtitle, PANEL_IN, [curve.label for curve in series])
    for curve, style in _styled(series):
        _draw(axes, curve, style, scale=100)
    _rate_axis(axes, series)
    top = max([float(np.nanmax(curve.high, initial=0.1)) for curve in series], default=1.0)
    axes.set(
        xlabel="migrations per vCPU and second", ylabel="guests that died, %", ylim=(-2, 103 * min(1.0, 1.1 * top))
    )
    add_legend(figure, axes)
    return figure


def throughput(series: Sequence[Series], title: str, subtitle: str, relative: bool = True) -> Figure:
    """Draw throughput by policy, hence by where it pins: a row a policy, a mark a setting, with intervals."""
    rows: dict[str, float] = {name: place for curve in series for name, place in zip(curve.names, curve.x, strict=True)}
    figure, [axes] = framed(title, subtitle, 0.3 + ROW_IN * len(rows), [curve.label for curve in series], rows)
    for number, (curve, style) in enumerate(_styled(series)):
        shift = (number - (len(series) - 1) / 2) * min(0.12, 0.7 / len(series))
        spans = np.nan_to_num(np.array([curve.y - curve.low, curve.high - curve.y]))
        axes.errorbar(curve.y, curve.x + shift, xerr=spans, **style | {"ls": ""})
    axes.set_yticks(list(rows.values()), list(rows))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(left=0)
    if relative:
        axes.axvline(1, color="#000000", lw=0.7, ls=(0, (4, 2)), zorder=1)
    axes.set_xlabel(
        "instructions per second, over those of an unpinned VM without a PMU" if relative else "instructions per second"
    )
    add_legend(figure, axes)
    return figure


def overhead(series: Sequence[Series], title: str, subtitle: str) -> Figure:
    """Draw the host's time for the PMU against crossings per second, with lines of equal cost of a crossing."""
    figure, [axes] = framed(title, subtitle, PANEL_IN, [curve.label for curve in series])
    for curve, style in _styled(series):
        _draw(axes, curve, style | {"ls": "", "capsize": 0}, scale=1e6)
    axes.set_xscale("symlog", linthresh=1)
    axes.set_yscale("symlog", linthresh=1)
    axes.set_xlabel("crossings of the VM per second")
    axes.set_ylabel("host time for the PMU, us per second")
    _limits(axes, series)
    _lines_of_cost(axes)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(_plain))
    add_legend(figure, axes)
    return figure


def _styled(series: Sequence[Series]) -> Iterator[tuple[Series, dict[str, Any]]]:
    for number, curve in enumerate(series):
        colour, mark = MARKS[number % len(MARKS)]
        line = LINES[number // len(MARKS) % len(LINES)]
        yield (
            curve,
            {"color": colour, "marker": mark, "ls": line, "ms": 5, "lw": 1.2, "capsize": 2.5, "label": curve.label},
        )


def _draw(axes: Axes, curve: Series, style: dict[str, Any], scale: float) -> None:
    spans = np.nan_to_num(np.array([curve.y - curve.low, curve.high - curve.y])) * scale
    axes.errorbar(curve.x, curve.y * scale, yerr=spans, elinewidth=0.8, clip_on=False, zorder=4, **style)


def _rate_axis(axes: Axes, series: Sequence[Series]) -> None:
    """Make the axis logarithmic where rates span more than a decade."""
    rates = np.concatenate([np.zeros(0), *(curve.x[curve.x > 0] for curve in series)])
    if not rates.size or rates.max() <= 10 * rates.min():
        axes.set_xlim(left=0)
    elif any((curve.x == 0).any() for curve in series):
        axes.set_xscale("symlog", linthresh=float(10 ** np.floor(np.log10(rates.min()))))
    else:
        axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(_plain))


def _limits(axes: Axes, series: Sequence[Series]) -> None:
    x, y = (np.concatenate([getattr(curve, name) for curve in series]) for name in ("x", "y"))
    axes.set_xlim(0, 2 * max(float(x.max()), 10))
    axes.set_ylim(0, 2e6 * max(float(y.max()), 1e-5))


def _lines_of_cost(axes: Axes) -> None:
    ends = np.geomspace(1, axes.get_xlim()[1], 50)
    for cost in NS_A_CROSSING:
        height = ends * cost / 1e3
        axes.plot(ends, height, color="#999999", lw=0.6, ls=(0, (1, 2)), zorder=1)
        place: dict[str, Any] = {"xytext": (-3, 0), "textcoords": "offset points", "ha": "right", "va": "center"}
        axes.annotate(f"{cost / 1e3:g} us a crossing", (ends[0], height[0]), fontsize=7, color="#555555", **place)


def _plain(value: float, position: int | None = None) -> str:
    return f"{value:.15g}" if abs(value) < 1e6 else f"{value:.0e}"
