"""Axes of the pictures of a report: round ticks, linear or by decades."""

import math

NICE = (1, 2, 2.5, 5, 10)


def ticks(most: float, number: int = 5) -> list[float]:
    """Return round values from 0 to at least `most`, about `number` steps; `most` above 0."""
    rough = most / number
    scale = 10.0 ** math.floor(math.log10(rough))
    step = next(nice * scale for nice in NICE if nice * scale >= rough * 0.999)
    return [place * step for place in range(math.ceil(most / step * 0.999) + 1)]


def decades(least: float, most: float) -> list[float]:
    """Return powers of ten, and their doubles and fives where they are few, around values above 0."""
    low, high = math.floor(math.log10(least)), math.ceil(math.log10(most))
    powers = [10.0**power for power in range(low, max(high, low + 1) + 1)]
    if len(powers) > 3:
        return powers
    fine = [power * part for power in powers[:-1] for part in (1, 2, 5)] + [powers[-1]]
    first = max((place for place, value in enumerate(fine) if value <= least), default=0)
    last = min((place for place, value in enumerate(fine) if value >= most), default=len(fine) - 1)
    return fine[first : max(last, first + 1) + 1]
