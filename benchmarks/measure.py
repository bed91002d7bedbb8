"""Time callables against each other: interleaved runs, medians, intervals and ratios. Knows no case."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import comb, inf
from resource import RUSAGE_SELF, getrusage
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Contender:
    """Something to time: one call does ``work`` units, and so much of ``also`` in other units.

    ``setup`` prepares each call, outside the clock. ``elsewhere``: other processes do the work, and when those lose
    a CPU is not seen.
    """

    call: Callable[[], Any]
    work: float
    setup: Callable[[], object] | None = None
    also: Mapping[str, float] = field(default_factory=dict)
    elsewhere: bool = False


class Unavailable(Exception):
    """A peer cannot run here; the text says why."""


def made(makers: Mapping[str, Callable[[], Contender]]) -> tuple[dict[str, Contender], dict[str, str]]:
    """Make contenders; return them, and of those that cannot run the reasons."""
    contenders, skipped = {}, {}
    for name, maker in makers.items():
        try:
            contenders[name] = maker()
        except Unavailable as error:
            skipped[name] = str(error)
    return contenders, skipped


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure: rounds, seconds of one timed run of one contender at least, and of all rounds at most.

    Short runs in many rounds: where others want the CPU too, most runs still have it for themselves.
    """

    rounds: int
    run_s: float
    all_s: float = inf

    def rounds_of(self, round_s: float) -> int:
        """Return how many rounds to measure where one takes so long: no fewer than LEAST_ROUNDS for lack of time."""
        fitting = self.rounds if round_s * self.rounds <= self.all_s else int(self.all_s / round_s)
        return min(self.rounds, max(fitting, LEAST_ROUNDS))


LEAST_ROUNDS = 5
THOROUGH = Effort(rounds=31, run_s=0.01, all_s=60.0)
QUICK = Effort(rounds=11, run_s=0.002, all_s=4.0)
TRIES = 4
LONG_S = 0.1
"""A run of so many seconds always loses its CPU at some time."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """Throughputs of one contender in units per second, one a round, or ratios of such."""

    throughputs: tuple[float, ...]

    @property
    def median(self) -> float:
        """Return the median."""
        return median(self.throughputs)

    @property
    def interval(self) -> tuple[float, float]:
        """Return a 95 % interval of the median that assumes no distribution (all runs when they are few)."""
        ordered = sorted(self.throughputs)
        skip = skipped_ranks(len(ordered))
        return ordered[skip], ordered[-1 - skip]

    def times(self, factor: float) -> "Measurement":
        """Return the throughputs in another unit, of which there are ``factor`` in one of this."""
        return Measurement(tuple(value * factor for value in self.throughputs))

    def over(self, peer: "Measurement") -> "Measurement":
        """Return the paired ratios of throughputs, round by round."""
        return Measurement(tuple(a / b for a, b in zip(self.throughputs, peer.throughputs, strict=True)))


def skipped_ranks(runs: int) -> int:
    """Return how many of ``runs`` sorted values to drop at each end for a 95 % interval of the median."""
    tail = 0.0
    for rank in range(runs // 2):
        tail += comb(runs, rank) / 2**runs
        if tail > 0.025:
            return max(rank - 1, 0)
    return 0


def interleaved(contenders: Mapping[str, Contender], effort: Effort) -> dict[str, Measurement]:
    """Measure all contenders in turns, so that a slow spell of the machine meets all of them."""
    calls = {name: calls_for(contender, effort.run_s) for name, contender in contenders.items()}
    rounds = [one_round(contenders, calls)]
    planned = effort.rounds_of(sum(rounds[0].values()))
    rounds += [one_round(contenders, calls) for _ in range(planned - 1)]
    units = {name: contender.work * calls[name] for name, contender in contenders.items()}
    return {name: Measurement(tuple(units[name] / row[name] for row in rounds)) for name in contenders}


def one_round(contenders: Mapping[str, Contender], calls: Mapping[str, int]) -> dict[str, float]:
    """Return the seconds that the calls of each contender take.

    No run is repeated where one works elsewhere, as that would be for the good of the others only.
    """
    time_of = timed if any(contender.elsewhere for contender in contenders.values()) else undisturbed
    return {name: time_of(contender, calls[name]) for name, contender in contenders.items()}


def undisturbed(contender: Contender, calls: int) -> float:
    """Return the seconds of a short run in which this process did not lose a CPU, or of the best of TRIES."""
    tries = []
    for _ in range(TRIES):
        before = times_preempted()
        tries.append(timed(contender, calls))
        if times_preempted() == before or tries[-1] > LONG_S:
            return tries[-1]
    return min(tries)


def times_preempted() -> int:
    """Return how often this process had to leave a CPU."""
    return getrusage(RUSAGE_SELF).ru_nivcsw


def calls_for(contender: Contender, run_s: float) -> int:
    """Return how many calls take about ``run_s`` seconds; the first call, which may compile, is not timed."""
    timed(contender, 1)
    calls = 1
    while (seconds := timed(contender, calls)) < run_s / 4:
        calls *= 4
    return max(1, round(calls * run_s / seconds))


def timed(contender: Contender, calls: int) -> float:
    """Return the seconds that ``calls`` calls take, without what prepares them.

    One of many goes before, untimed: it finds in the caches what others left there.
    """
    if contender.setup is None:
        if calls > 1:
            contender.call()
        return elapsed(contender.call, calls)
    seconds = 0.0
    for _ in range(calls):
        contender.setup()
        seconds += elapsed(contender.call, 1)
    return seconds


def elapsed(call: Callable[[], object], calls: int) -> float:
    """Return the seconds that ``calls`` calls in a row take."""
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return time.perf_counter() - start
