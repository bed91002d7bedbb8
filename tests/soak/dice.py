"""Draws of one scenario: whole numbers that depend on the seed, the scenario's number and the order of asking."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from simcore.draws import below

T = TypeVar("T")


@dataclass(slots=True)
class Dice:
    """Throws dice for scenario number ``index`` of a soak with this seed."""

    seed: int
    index: int
    thrown: int = 0

    def below(self, limit: int) -> int:
        """Return a number from 0 to ``limit`` - 1."""
        self.thrown += 1
        return below(limit, self.seed, "soak", self.index, self.thrown)

    def between(self, low: int, high: int) -> int:
        """Return a number from ``low`` to ``high``, both included."""
        return low + self.below(high - low + 1)

    def chance(self, percent: int) -> bool:
        """Return True so often in a hundred times."""
        return self.below(100) < percent

    def choice(self, among: Sequence[T]) -> T:
        """Return one of them."""
        return among[self.below(len(among))]

    def weighted(self, weights: Mapping[T, int]) -> T:
        """Return one of the keys, each as often as its weight says."""
        left = self.below(sum(weights.values()))
        for value, weight in weights.items():
            left -= weight
            if left < 0:
                return value
        raise AssertionError("weights are positive")

    def some(self, among: Sequence[T], keep: T | None = None) -> list[T]:
        """Return a part of them in their order, never none; ``keep`` is always in it."""
        kept = [value for value in among if value == keep or self.chance(50)]
        return kept or [self.choice(among)]

    def span(self, low: int, high: int) -> int:
        """Return a number from ``low`` (above 0) to ``high`` whose order of magnitude is uniform."""
        top = self.between(low.bit_length(), max(low, high).bit_length())
        return min(max(low, self.between(1 << (top - 1), (1 << top) - 1)), max(low, high))

    def time(self, low_ns: int, high_ns: int) -> str:
        """Return a time between two, as a scenario has it."""
        return f"{self.span(low_ns, high_ns)}ns"

    def time_of(self, length_ns: int) -> str:
        """Return a time within a length, as a scenario has it."""
        return f"{self.below(max(1, length_ns))}ns"
