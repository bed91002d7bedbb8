"""How much faster one sample of throughputs is than another, with an interval that assumes no distribution."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import comb
from statistics import median

DOUBT = 0.025
"""Of either side of an interval: 95 % lie within."""


@dataclass(frozen=True, slots=True)
class Shift:
    """A ratio of speeds: estimate and 95 % interval."""

    ratio: float
    low: float
    high: float


def shift(now: Sequence[float], then: Sequence[float]) -> Shift:
    """Return now over then: the median of the ratios of all pairs, and the interval of Mann and Whitney.

    (Hodges and Lehmann's estimate: doi:10.1214/aoms/1177704172.) Few values have no interval of 95 %: then it is
    that of all ratios.
    """
    ratios = sorted(a / b for a in now for b in then)
    skip = skipped_pairs(len(now), len(then))
    return Shift(median(ratios), ratios[skip], ratios[-1 - skip])


@cache
def skipped_pairs(m: int, n: int) -> int:
    """Return how many of the m * n sorted ratios lie outside of the interval at each end."""
    tail = 0
    for pairs, ways in enumerate(arrangements(m, n)):
        tail += ways
        if tail > DOUBT * comb(m + n, m):
            return max(pairs - 1, 0)
    raise AssertionError("the arrangements are all counted")


@cache
def arrangements(m: int, n: int) -> tuple[int, ...]:
    """Return, for u = 0 .. m * n, in how many orders of m and n values the first one is the larger in u pairs."""
    if m == 0 or n == 0:
        return (1,)
    last_of_m, last_of_n = arrangements(m - 1, n), arrangements(m, n - 1)
    above = (0,) * n + last_of_m
    below = last_of_n + (0,) * m
    return tuple(a + b for a, b in zip(above, below, strict=True))
