"""What is timed beside a case in every round: work that no change of hetpmu touches, to show the machine's own drift.

A saved case and one of today were not measured in one run. Divided by a reference of the same rounds they can
be compared nevertheless: what slowed the machine slowed both.
"""

from functools import cache

import numpy as np

from benchmarks.measure import Contender

PREFIX = "reference:"
CACHED = 1024
"""64-bit numbers of the arithmetic, which stay in the first cache."""

MEMORY_BYTES = 32 << 20
"""What one copy reads, and writes elsewhere: beyond the second cache."""


@cache
def contenders() -> dict[str, Contender]:
    """Return the references by name."""
    return {"arithmetic": arithmetic(), "memory": memory()}


def arithmetic() -> Contender:
    """Return Python that multiplies and adds 64-bit numbers by numpy: interpreter and arithmetic in equal parts."""
    values, factors = np.arange(CACHED, dtype=np.uint64), np.full(CACHED, 0x9E3779B1, np.uint64)

    def call() -> None:
        np.multiply(values, factors, out=values)
        np.add(values, factors, out=values)

    return Contender(call, CACHED)


def memory() -> Contender:
    """Return copies of memory."""
    source = np.ones(MEMORY_BYTES, np.uint8)
    target = np.zeros_like(source)
    return Contender(lambda: np.copyto(target, source), MEMORY_BYTES)
