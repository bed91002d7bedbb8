"""The tick loop in two threads of one process, and in two processes."""

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from os import sched_getaffinity

from benchmarks.measure import Contender, Unavailable
from benchmarks.ticks import arrays, ours
from benchmarks.worker import Worker

ROWS, TICKS = 1024, 1024
PARTS = 2
ROUNDS = 16  # of the loop in a call, which outlast what starts them


def part(parts: int = PARTS) -> Contender:
    """Return the loop over one of so many equal parts of the vCPUs."""
    return ours(arrays(ROWS // parts, TICKS))


def in_threads(number: int = PARTS) -> Contender:
    """Return the loop in so many threads, each with its part of the vCPUs."""
    parts = [part(number) for _ in range(number)]
    return side_by_side([partial(repeat, one) for one in parts], parts[0].work)


def in_processes() -> Contender:
    """Return the same in two processes, which wait for a word."""
    if len(sched_getaffinity(0)) < PARTS:
        raise Unavailable(f"fewer than {PARTS} CPUs")
    workers = [Worker("a process of the tick loop", [sys.executable, "-m", "benchmarks.threads"]) for _ in range(PARTS)]
    for worker in workers:
        worker.answer()
    return replace(side_by_side([partial(worker.ask, "go") for worker in workers], part().work), elsewhere=True)


def side_by_side(calls: Sequence[Callable[[], object]], work: float) -> Contender:
    """Return calls that run at the same time, each doing ``work`` units so often."""
    pool = ThreadPoolExecutor(len(calls))
    return Contender(lambda: list(pool.map(lambda call: call(), calls)), len(calls) * ROUNDS * work)


def repeat(half: Contender) -> None:
    """Run the loop so often."""
    for _ in range(ROUNDS):
        half.call()


def main() -> None:
    """Be one of the processes."""
    half = part()
    half.call()
    print("ready", flush=True)
    for _ in sys.stdin:
        repeat(half)
        print("done", flush=True)


if __name__ == "__main__":
    main()
