"""What the curves of a study show, as plain arrays taken from the figures of its points; `plotting_studies` draws them.

Nothing is drawn here, and nothing is simulated.
"""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simcore.app.estimating import Estimate
from simcore.app.study_points import POLICY_KEYS, Point, known, setting, varied

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Series:
    """Points of one label: `x`, and `y` with its 95 % interval (NaN: none), all of one length.

    ``names``: what a point is called where x has no scale of its own.
    """

    label: str
    x: Floats
    y: Floats
    low: Floats
    high: Floats
    names: tuple[str, ...] = ()


def crash_series(points: Sequence[Point], along: str = "scheduler") -> list[Series]:
    """Give the crash probability against migrations per vCPU and second, a curve a setting of all keys but one."""
    return _curves(points, along, lambda point: point.moves_hz.value, lambda point: point.crash)


def overhead_series(points: Sequence[Point]) -> list[Series]:
    """Give the host's time for the PMU, in CPUs, against crossings per second; a series a policy."""
    lived = [point for point in points if known(point.crossings_hz) and point.has_pmu]
    groups = _grouped(lived, lambda point: point.label)
    return _alike([
        _series(label, group, lambda point: point.crossings_hz.value, lambda point: point.overhead)
        for label, group in groups.items()
    ])  # fmt: skip


def throughput_series(points: Sequence[Point]) -> list[Series]:
    """Give the throughput by policy, a series for each setting of all other keys; `names` are the policies."""
    shown = [point for point in points if point.has_pmu and point.throughput is not None]
    others = [key for key in varied(shown) if key not in POLICY_KEYS]
    rows = {name: float(place) for place, name in enumerate(dict.fromkeys(point.label for point in shown))}
    return [
        _series(label, group, lambda point: rows[point.label], lambda point: point.throughput or Estimate(np.nan))
        for label, group in _grouped(shown, lambda point: setting(point.keys, others)).items()
    ]


def _alike(series: Sequence[Series]) -> list[Series]:
    """Draw series that are equal once, under all their names."""
    kept: list[Series] = []
    for found in series:
        same = next((number for number, known in enumerate(kept) if _equal(known, found)), None)
        if same is None:
            kept.append(found)
        else:
            kept[same] = dataclasses.replace(kept[same], label=_joined(kept[same].label, found.label))
    return kept


def _equal(one: Series, other: Series) -> bool:
    return np.array_equal(one.x, other.x) and np.array_equal(one.y, other.y)


def _joined(known: str, label: str) -> str:
    """Name two policies, one that differs in the kernel only by that."""
    policy, at, kernel = label.rpartition("@")
    return f"{known}, {at}{kernel}" if known.startswith(f"{policy}@") else f"{known}, {label}"


def _curves(
    points: Sequence[Point], along: str, x: Callable[[Point], float], y: Callable[[Point], Estimate]
) -> list[Series]:
    others = [key for key in varied(points) if key not in (along, *POLICY_KEYS)]
    groups = _grouped(points, lambda point: " ".join(filter(None, (point.label, setting(point.keys, others)))))
    return [_series(label, group, x, y) for label, group in groups.items()]


def _grouped(points: Iterable[Point], name: Callable[[Point], str]) -> dict[str, list[Point]]:
    groups: dict[str, list[Point]] = {}
    for point in points:
        groups.setdefault(name(point), []).append(point)
    return groups


def _series(label: str, points: Sequence[Point], x: Callable[[Point], float], y: Callable[[Point], Estimate]) -> Series:
    ordered = sorted(points, key=x)
    figures = np.array([y(point) for point in ordered], dtype=np.float64).reshape(-1, 3).T
    x_values = np.array([x(point) for point in ordered], dtype=np.float64)
    return Series(label, x_values, figures[0], figures[1], figures[2], tuple(point.label for point in ordered))
