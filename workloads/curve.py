"""The course of measured rates over frequency: what was counted at each measured frequency, and what lies between.

A curve says by which factor CPI departs from the line (core part + stall time * frequency), and how often events occur.
How a curve is made of profiles is in `workloads.fitting`.
"""

from dataclasses import dataclass

Knots = tuple[tuple[float, float], ...]
"""(kHz, value), ascending by kHz, at least one."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Measured courses of one program on one silicon.

    cpi_factor: CPI over that of the line; linear in the frequency between the knots, constant beyond them.
    events: (event, counts per 1000 instructions), ascending by event; linear between the knots, and beyond, in the
        frequency for the events of `by_frequency`, in its inverse for all others.
    """

    cpi_factor: Knots
    events: tuple[tuple[int, Knots], ...] = ()
    by_frequency: tuple[int, ...] = ()

    def factor(self, khz: int) -> float:
        """Compute what the line's CPI is multiplied by at a frequency."""
        first, last = self.cpi_factor[0][0], self.cpi_factor[-1][0]
        return along(self.cpi_factor, min(max(khz, first), last))

    def per_kinst(self, event: int, khz: int) -> float | None:
        """Compute the count of an event per 1000 instructions, not below 0; None where the curve has no such event."""
        for known, knots in self.events:
            if known == event:
                count = along(knots, khz) if event in self.by_frequency else along_inverse(knots, khz)
                return max(count, 0.0)
        return None


def along(knots: Knots, at: float) -> float:
    """Interpolate linearly between knots, and extend the first and the last stretch."""
    (x0, y0), (x1, y1) = _stretch(knots, at)
    return y0 if at == x0 else y1 if at == x1 else y0 + (y1 - y0) * (at - x0) / (x1 - x0)


def along_inverse(knots: Knots, at: float) -> float:
    """Interpolate linearly in 1/x between knots, and extend the first and the last stretch."""
    (x0, y0), (x1, y1) = _stretch(knots, at)
    return y0 if at == x0 else y1 if at == x1 else y0 + (y1 - y0) * (at - x0) / (x1 - x0) * (x1 / at)


def _stretch(knots: Knots, at: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the knots around a place, or the two that are nearest to it; the only one twice."""
    if len(knots) == 1:
        return (at, knots[0][1]), (at, knots[0][1])
    after = next((i for i, (x, _) in enumerate(knots[1:-1], 1) if at < x), len(knots) - 1)
    return knots[after - 1], knots[after]
