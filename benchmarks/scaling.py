"""The counter kernels with more vCPUs, counters, ticks and threads: the points of ``bench --plot-kind scaling``."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from os import sched_getaffinity

import numpy as np

from benchmarks import ticks
from benchmarks.measure import Contender, Effort, interleaved
from benchmarks.points import Point, point
from benchmarks.threads import in_threads

VCPUS = tuple(1 << power for power in range(0, 13, 2))
COUNTERS = (1, 2, 4, 8, 16, 32)
TICKS = tuple(1 << power for power in range(0, 17, 2))
ROWS, LENGTH = 16, 1024
"""vCPUs and ticks where the picture is not about them."""

SHORT = 64
"""Ticks where it is about vCPUs, of which there are many."""

THOROUGH = Effort(rounds=31, run_s=0.001, all_s=4.0)
QUICK = Effort(rounds=7, run_s=0.001, all_s=1.0)
PER_SLOT = ("stream", "category", "saved", "count", "left", "period", "ledger", "record")

Make = Callable[[int], ticks.Arrays]
KERNELS: Mapping[str, Callable[[ticks.Arrays], Contender]] = {"tick": ticks.ours, "record": ticks.ours_recording}


def measure(quick: bool = False) -> dict[str, dict[str, list[Point]]]:
    """Return updates a second of both kernels, by panel, kernel and number."""
    effort = QUICK if quick else THOROUGH
    return {
        "vcpus": curves(VCPUS, lambda rows: ticks.arrays(rows, SHORT, SHORT), effort),
        "counters": curves(COUNTERS, with_counters, effort),
        "ticks": curves(TICKS, lambda number: ticks.arrays(ROWS, number, number), effort),
        "threads": {"tick": threads(effort)},
    }


def curves(numbers: tuple[int, ...], make: Make, effort: Effort) -> dict[str, list[Point]]:
    """Measure both kernels at each number."""
    found: dict[str, list[Point]] = {name: [] for name in KERNELS}
    for number in numbers:
        contenders = {name: contender(make(number)) for name, contender in KERNELS.items()}
        for name, measurement in interleaved(contenders, effort).items():
            found[name].append(point(number, measurement))
    return found


def with_counters(number: int) -> ticks.Arrays:
    """Return a state with so many counters a vCPU."""
    state = ticks.arrays(ROWS, LENGTH, LENGTH)
    return replace(state, **{name: np.ascontiguousarray(getattr(state, name)[:, :number]) for name in PER_SLOT})


def threads(effort: Effort) -> list[Point]:
    """Measure the kernel that records nothing in so many threads, all numbers in turns."""
    found = interleaved({str(number): in_threads(number) for number in numbers_of_threads()}, effort)
    return [point(int(number), measurement) for number, measurement in found.items()]


def numbers_of_threads() -> list[int]:
    """Return the numbers of threads: powers of two, and as many as there are CPUs."""
    usable = len(sched_getaffinity(0))
    return sorted({1 << power for power in range(usable.bit_length()) if 1 << power <= usable} | {usable})
