"""The rate of PMCCNTR_EL0 by core type: the 10 ms windows of `pmccntr_rate_mhz`, sorted by where the vCPU was."""

import itertools
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simcore.app.columns import count
from simcore.app.lanes import core_segments, first_cpu
from simcore.app.metrics import RATE_WINDOW_NS, rate_windows, tables_of_vm
from simcore.app.report_blocks import Picture, Pictures, Shape
from simcore.app.report_blocks import Table as TableBlock
from simcore.app.report_scales import ticks
from simcore.app.report_tables import plain_table
from simcore.platform import Platform
from simcore.result import Result

Table = NDArray[Any]
Ints = NDArray[np.int64]
SEVERAL = "several core types"
BINS = 30
WIDTH, HEIGHT = 340.0, 170.0
PLOT = (52.0, 8.0, 278.0, 118.0)
SHADES = 4
"""How many core types the style sheet tells apart."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Rates in MHz of one run by core type, or by `SEVERAL` where the vCPU moved within the window."""

    label: str
    by_core: dict[str, tuple[float, ...]]


def rates_of(result: Result, label: str, platform: Platform) -> Rates:
    """Return the rates of the first VM's real counters."""
    tables = tables_of_vm(result, 0)
    found: dict[str, list[float]] = {name: [] for name in (*(core.name for core in platform.core_types), SEVERAL)}
    places = {vcpu: _places(tables, vcpu, platform) for vcpu in tables["vcpus"]["vcpu"].tolist()}
    for window in rate_windows(tables["samples"]):
        starts, names = places[window.vcpu]
        first, last = np.searchsorted(starts, (window.end_ns - RATE_WINDOW_NS, window.end_ns - 1), side="right") - 1
        found[names[first] if first == last else SEVERAL].append(window.mhz)
    return Rates(label, {name: tuple(rates) for name, rates in found.items() if rates})


def _places(tables: Mapping[str, Table], vcpu: int, platform: Platform) -> tuple[Ints, list[str]]:
    """Return from when on a vCPU was on which core type."""
    moves, samples = (tables[name][tables[name]["vcpu"] == vcpu] for name in ("migrations", "samples"))
    segments = core_segments(moves, first_cpu(moves, samples), 0, platform)
    return np.array([segment.start_ns for segment in segments]), [segment.core for segment in segments]


def rate_pictures(runs: Sequence[Rates], platform: Platform) -> Pictures | None:
    """Draw a histogram of each run's rates, all on one scale."""
    known = [run for run in runs if run.by_core]
    if not known:
        return None
    looks = {core.name: f"core-{number % SHADES}" for number, core in enumerate(platform.core_types)}
    looks[SEVERAL] = "core-several"
    most = max(rate for run in known for rates in run.by_core.values() for rate in rates)
    step = next(step for step in _round_steps() if step * BINS > most)
    used = [name for name in looks if any(name in run.by_core for run in known)]
    caption = "Rate of PMCCNTR_EL0 over 10 ms windows, by the core type that the vCPU was on"
    pictures = tuple(_histogram(run, looks, step, int(most / step + 0.5) + 1) for run in known)
    return Pictures(caption, pictures, tuple((looks[name], name) for name in used))


def _round_steps() -> Iterator[int]:
    """Give 1, 2, 5, 10, 20, and so on."""
    return (digit * 10**power for power in itertools.count() for digit in (1, 2, 5))


def rate_table(runs: Sequence[Rates]) -> TableBlock | None:
    """Return windows and least, median and largest rate by run and core type."""
    rows = [
        (run.label, core, len(rates), *(f"{of(rates):.0f}" for of in (min, statistics.median, max)))
        for run in runs
        for core, rates in run.by_core.items()
    ]
    heads = ("policy@kernel", "core type", "windows", "MHz min", "MHz median", "MHz max")
    return plain_table("Rate of PMCCNTR_EL0 by core type", heads, 2, rows)


def _histogram(run: Rates, looks: dict[str, str], step: int, bins: int) -> Picture:
    """Draw one histogram, whose bins are around the multiples of `step`, core types on top of each other."""
    edges = (np.arange(bins + 1) - 0.5) * step
    counts = {name: np.histogram(rates, edges)[0] for name, rates in run.by_core.items()}
    scale = ticks(max(sum(counts.values()).tolist()), 3)  # type: ignore[union-attr]
    x, y, width, height = PLOT
    shapes, below = [], np.zeros(bins)
    for name in (name for name in looks if name in counts):
        for place, number in enumerate(counts[name].tolist()):
            if number:
                tall, bar = height * number / scale[-1], width / bins
                top = y + height - tall - height * float(below[place]) / scale[-1]
                title = f"{name}: {number} windows around {place * step} MHz"
                shapes.append(Shape(x + place * bar, top, bar, tall, looks[name], title))
        below += counts[name]
    x_ticks = tuple((x + width * (place + 0.5) / bins, str(place * step)) for place in range(0, bins, -(-bins // 6)))
    y_ticks = tuple((y + height * (1 - tick / scale[-1]), count(tick)) for tick in scale)
    return Picture(run.label, WIDTH, HEIGHT, PLOT, tuple(shapes), (), x_ticks, y_ticks, "MHz", "windows")
