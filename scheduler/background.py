"""The host's own threads: each runs a burst, sleeps for a random time, and repeats."""

from dataclasses import dataclass

from scheduler import kernel_state as ks
from simcore.draws import exponential_ns
from simcore.scenario import BackgroundTask

BURSTS_AT_ONCE = 16  # at most


@dataclass(slots=True)
class Bursts:
    """What one host thread does: ``work`` of each burst, and how often it has slept."""

    spec: BackgroundTask
    work: int
    seed: int
    number: int
    slept: int = 0

    def sleep_ns(self) -> int:
        """Return the length of the next sleep."""
        length = exponential_ns(self.spec.sleep_ns, self.seed, self.number, "background sleep", self.slept)
        self.slept += 1
        return length

    def next_rows(self) -> list[tuple[int, int, int]]:
        """Return some bursts, each with the sleep after it, as rows of a script."""
        rows = []
        for _ in range(min(BURSTS_AT_ONCE, self.slept)):  # few at first: of many threads most run seldom
            rows += [(ks.RUN, 0, self.work), (ks.SLEEP_FOR, ks.NONE, self.sleep_ns())]
        return rows
