"""The figures of a study's points with their 95 % intervals: points in, rows of numbers out, and those as text."""

from collections.abc import Sequence
from typing import Any

from simcore.app.columns import NONE, Column, count, render
from simcore.app.estimating import Estimate
from simcore.app.study_points import Point

Row = dict[str, Any]
ESTIMATES = ("crash", "moves_hz", "crossings_hz", "stalled", "overhead", "crossing_ns", "speed", "throughput")
COUNTS = ("runs", "crossings", "reloads", "creations")
HEAD = (
    "What it costs the host, and what is left for the guest; after ~ half of a 95 % interval. moves: of a vCPU; PMU",
    "cost: host time in us per second lived; throughput: instructions per second over those of a point without a PMU.",
)


def table_rows(points: Sequence[Point]) -> list[Row]:
    """Return a row for each point: `policy`, `kernel`, `keys`, counts, and [value, low, high] of each estimate.

    None stands for what has no meaning there; low and high are None where the runs tell no interval.
    """
    return [
        {"policy": point.policy, "kernel": point.kernel, "keys": dict(point.keys)}
        | {name: getattr(point, name) for name in COUNTS}
        | {name: _plain(getattr(point, name)) for name in ESTIMATES}
        for point in points
    ]


def _plain(estimate: Estimate | None) -> list[float | None] | None:
    if estimate is None or estimate.value != estimate.value:
        return None
    return [None if figure != figure else figure for figure in estimate]


def table_text(points: Sequence[Point], numbers: Sequence[int], colour: bool = False) -> str:
    """Return the rows as text, each under the number of its point."""
    return "\n".join([*HEAD, *render(COLUMNS, labelled_rows(points, numbers), colour)])


def labelled_rows(points: Sequence[Point], numbers: Sequence[int]) -> list[Row]:
    """Return a row for each point with its `label` and its `number`."""
    return [
        row | {"label": point.label, "number": number}
        for row, point, number in zip(table_rows(points), points, numbers, strict=True)
    ]


def _spread(row: Row, name: str, scale: float, digits: int) -> str:
    """Show value and half of the interval."""
    found = row[name]
    if found is None:
        return NONE
    value, low, high = found  # low may be cut at 0
    text = f"{scale * value:.{digits}f}"
    return text if low is None or not value else f"{text}~{scale * (high - value):.{digits}f}"


COLUMNS = (
    Column(("", "#"), lambda row: str(row["number"])),
    Column(("", "policy@kernel"), lambda row: row["label"], left=True),
    Column(("moves", "/s"), lambda row: _spread(row, "moves_hz", 1, 1)),
    Column(("cross-", "ings/s"), lambda row: _spread(row, "crossings_hz", 1, 1)),
    Column(("re-", "loads"), lambda row: count(row["reloads"])),
    Column(("events", "created"), lambda row: count(row["creations"])),
    Column(("PMU cost", "us/s"), lambda row: _spread(row, "overhead", 1e6, 1)),
    Column(("instructions", "G/s"), lambda row: _spread(row, "speed", 1e-9, 3)),
    Column(("through-", "put"), lambda row: _spread(row, "throughput", 1, 3)),
)
