"""Fewer points for the same picture: how curves, bands and marks of a lane are thinned for a page.

A curve through its samples is piecewise linear. Points are left out where the line through those that stay passes
closest, so every point that stays is a sample, and the largest distance of a sample from the line is known.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
EXACT = 0.5
"""Cycles: a line that is not farther from every sample than this is the samples."""
SHARE = 8
"""A round of thinning takes up segments whose distance is above this part of the largest."""


def kept_points(x: Ints, curves: Sequence[Ints], most: int, ends: Ints) -> tuple[Ints, float]:
    """Return which of the samples at `x` stay, at most about `most`, and how far any is from the lines, in cycles.

    The samples around each of `ends`, the ends of stalls, stay in any case.
    """
    last = len(x) - 1
    around = np.searchsorted(x, ends)
    kept = np.unique(np.clip(np.concatenate(([0, last], around, around - 1)), 0, last))
    while True:
        away = _distances(x, curves, kept)
        worst = np.maximum.reduceat(away, kept[:-1])
        room = most - len(kept)
        far = np.flatnonzero(worst > max(EXACT, worst.max() / SHARE))
        if room <= 0 or not len(far):
            return kept, float(worst.max())
        chosen = far[np.argsort(-worst[far], kind="stable")[:room]]
        kept = np.union1d(kept, [kept[place] + int(np.argmax(away[kept[place] : kept[place + 1]])) for place in chosen])


def _distances(x: Ints, curves: Sequence[Ints], kept: Ints) -> Floats:
    """Return how far each sample is from the lines through those that stay, the farthest of all curves."""
    away = np.zeros(len(x))
    for values in curves:
        lines = np.interp(x.astype(float), x[kept].astype(float), values[kept].astype(float))
        np.maximum(away, np.abs(values - lines), out=away)
    return away


def extremes(values: Floats, most: int) -> Ints:
    """Return which values stay: in each of `most` / 2 stretches the least and the largest; all where they are few."""
    if len(values) <= most:
        return np.arange(len(values))
    edges = np.linspace(0, len(values), max(1, most // 2) + 1).astype(int)
    kept = []
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        part = values[start:end]
        if np.isfinite(part).any():
            kept += [start + int(np.nanargmin(part)), start + int(np.nanargmax(part))]
        else:
            kept.append(start)
    return np.unique(kept)


def merged(spans: Sequence[tuple[int, int]], most: int, end_ns: int) -> list[tuple[int, int]]:
    """Join spans with short gaps between them until there are at most `most`; as they are where they are fewer."""
    gap = end_ns // (4 * most)
    while len(spans) > most:
        joined = [spans[0]]
        for start, end in spans[1:]:
            if start - joined[-1][1] <= gap:
                joined[-1] = joined[-1][0], max(end, joined[-1][1])
            else:
                joined.append((start, end))
        spans, gap = joined, 2 * gap + 1
    return list(spans)


def thinned(times: Ints, most: int, end_ns: int) -> list[int]:
    """Return times, where there are more than `most` only the first in each stretch of that part of the whole."""
    if len(times) <= most:
        return [int(time) for time in times]
    first = np.unique(times // max(1, end_ns // most), return_index=True)[1]
    return [int(time) for time in times[first]]


def steps_of(values: Ints) -> list[int]:
    """Return the first value and the differences of the others: fewer digits for the same numbers."""
    return [int(value) for value in np.diff(values, prepend=0)]


def common_step(times: Ints) -> int:
    """Return the largest whole number of ns of which all times are multiples."""
    return math.gcd(*(int(time) for time in times)) or 1
