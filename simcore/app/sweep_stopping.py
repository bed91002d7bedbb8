"""When a point of a study has had enough seeds; decided seed by seed, so that nothing depends on who ran what when."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from simcore.app.aggregating import Z_95, wilson
from simcore.app.run_rows import RunRow
from simcore.run_columns import COLUMN_NAMES, RATIOS
from simcore.study import Stop

Figure = Callable[[RunRow], float]
WHOLE = "crash_probability"
"""The metric that is a share of runs; all others are means over runs."""


def figure_of(metric: str) -> Figure:
    """Return the function that takes a metric of `STOP_METRICS` from a run's row; NaN where it has no meaning."""
    above, below, factor = RATIOS.get(metric, (metric, None, 1))
    upper = COLUMN_NAMES.index(above)
    if below is None:
        return lambda row: float(row[upper])
    lower = COLUMN_NAMES.index(below)
    return lambda row: row[upper] / row[lower] * factor if row[lower] else math.nan


@dataclass
class Spread:
    """Count, mean and squared deviations of numbers that come one by one."""

    number: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, value: float) -> None:
        """Take one more number."""
        self.number += 1
        step = value - self.mean
        self.mean += step / self.number
        self.squares += step * (value - self.mean)

    def half_width(self, share: bool) -> float:
        """Return half of the 95 % interval: Wilson's for a share of runs, else that of the mean (normal)."""
        if share:
            low, high = wilson(round(self.mean * self.number), self.number)
            return (high - low) / 2
        return Z_95 * math.sqrt(self.squares / (self.number - 1) / self.number)


@dataclass
class PointProgress:
    """What is known of one point: a figure for each finished seed by its place, NaN for failed runs.

    ``ended`` is the number of seeds that the point stands on, None while that is open.
    """

    seeds: int
    stop: Stop | None
    known: dict[int, float] = field(default_factory=dict)
    ended: int | None = None
    asked: int = 0
    _prefix: int = 0
    _spread: Spread = field(default_factory=Spread)

    def add(self, place: int, value: float) -> None:
        """Take the figure of a finished run."""
        self.known[place] = value
        while self.ended is None and self._prefix in self.known:
            self._next(self.known[self._prefix])

    def _next(self, value: float) -> None:
        self._prefix += 1
        if not math.isnan(value):
            self._spread.add(value)
        if self._prefix == self.seeds or self._enough():
            self.ended = self._prefix

    def _enough(self) -> bool:
        if self.stop is None or self._spread.number < self.stop.min_seeds:
            return False
        return self._spread.half_width(self.stop.metric == WHOLE) <= self.stop.half_width

    def needs_no(self, place: int) -> bool:
        """Tell whether a run would change nothing: it is known, or the point stands without it."""
        return place in self.known or (self.ended is not None and place >= self.ended)

    @property
    def surplus(self) -> int:
        """Return how many known runs the point stands without."""
        return 0 if self.ended is None else sum(place >= self.ended for place in self.known)

    def next_place(self) -> int | None:
        """Return the place of the next seed to run and count it as asked for; None where there is none."""
        while self.ended is None and self.asked < self.seeds:
            place, self.asked = self.asked, self.asked + 1
            if place not in self.known:
                return place
        return None
