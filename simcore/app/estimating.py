"""Estimates with 95 % intervals from a few runs: probabilities by Wilson, ratios of sums linearised, by Student's t.

Reports only: floating point, and nothing here decides an outcome.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simcore.app.aggregating import Z_95, wilson

T_95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
"""Student's t for two-sided 95 %, by degrees of freedom from 1 on."""

Numbers = NDArray[np.integer] | NDArray[np.floating]


class Estimate(NamedTuple):
    """A figure of several runs, and its 95 % interval: NaN where runs do not tell one."""

    value: float
    low: float = math.nan
    high: float = math.nan


NOTHING = Estimate(math.nan)


def student(freedom: int) -> float:
    """Give Student's t for two-sided 95 % (within 0.1 % above 30 degrees of freedom)."""
    return T_95[freedom - 1] if freedom <= len(T_95) else Z_95 + 2.4 / freedom


def probability(hits: int, runs: int) -> Estimate:
    """Give the share of `runs` that `hits` is, with its Wilson interval."""
    return Estimate(hits / runs, *wilson(hits, runs)) if runs else NOTHING


def ratio_of_sums(over: Sequence[Numbers], under: Sequence[Numbers], scale: float = 1.0) -> Estimate:
    """Estimate scale * (product of the sums of `over`) / (product of the sums of `under`), runs being the sample.

    Arrays have an item a run, in the same order of seeds: what runs of one seed have in common cancels. The interval is
    that of the linearised ratio; it needs two runs. NaN where something under the line sums to 0.
    """
    sums = [[float(np.sum(values)) for values in side] for side in (over, under)]
    if not all(sums[1]):
        return NOTHING
    value = scale * math.prod(sums[0]) / math.prod(sums[1])
    runs = len(over[0])
    if runs < 2 or not value:
        return Estimate(value) if value else Estimate(0.0, 0.0, 0.0)
    parts = np.zeros(runs)
    for sign, side, totals in ((1, over, sums[0]), (-1, under, sums[1])):
        for values, total in zip(side, totals, strict=True):
            parts += sign * np.asarray(values, dtype=np.float64) / total
    spread = student(runs - 1) * value * math.sqrt(runs / (runs - 1) * float(np.sum(parts**2)))
    return Estimate(value, max(0.0, value - spread), value + spread)
