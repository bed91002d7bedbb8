"""What a soak found: counts, times, what was exercised, and whether all that must be."""

from collections import Counter
from dataclasses import dataclass, field

from tests.soak.examining import Verdict
from tests.soak.laws import WANTED

MOST_INVALID_PERCENT = 5
ENOUGH = 1000
"""Scenarios from which on everything that is wanted must have been seen."""


@dataclass(slots=True)
class Report:
    """Adds up verdicts."""

    seed: int
    verdicts: int = 0
    seconds: float = 0.0
    slowest: tuple[float, int] = (0.0, -1)
    seen: Counter[str] = field(default_factory=Counter)
    scenarios: Counter[str] = field(default_factory=Counter)
    laws: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    invalid: Counter[str] = field(default_factory=Counter)

    def take(self, verdict: Verdict) -> None:
        """Add one scenario."""
        self.verdicts += 1
        self.seconds += verdict.seconds
        self.slowest = max(self.slowest, (verdict.seconds, verdict.index))
        self.seen += verdict.seen
        self.scenarios.update(what for what, times in verdict.seen.items() if times)
        self.laws += verdict.laws
        self.broken.update([verdict.law] if verdict.law else [])
        self.invalid.update([verdict.invalid.splitlines()[0]] if verdict.invalid else [])

    @property
    def missing(self) -> list[str]:
        """Return what should have been exercised and was not."""
        return [what for what in WANTED if not self.seen[what]] if self.verdicts >= ENOUGH else []

    @property
    def status(self) -> int:
        """Return 1 where a law was broken, too many draws were not valid, or something was never exercised."""
        too_many = 100 * self.invalid.total() > MOST_INVALID_PERCENT * max(self.verdicts, 40)
        return int(bool(self.broken or self.missing or too_many))

    def line(self) -> str:
        """Return how far the soak is."""
        each = 1000 * self.seconds / max(1, self.verdicts)
        bad = f"{self.broken.total()} broke a law, {self.invalid.total()} not valid"
        return f"{self.verdicts} scenarios, {each:.0f} ms of a CPU each, {bad}"

    def text(self) -> str:
        """Return the report."""
        lines = [self.line(), f"slowest: {self.slowest[0]:.1f} s, scenario {self.slowest[1]} of seed {self.seed}"]
        lines += [f"law {name}: {times} scenarios" for name, times in self.laws.items()]
        lines += [f"{what}: {times} in {self.scenarios[what]} scenarios" for what, times in sorted(self.seen.items())]
        lines += [f"not valid: {times} x {why}" for why, times in self.invalid.most_common()]
        lines += [f"broken: {law} by {times} scenarios" for law, times in self.broken.items()]
        lines += [f"never exercised: {what}" for what in self.missing]
        return "\n".join(lines)
