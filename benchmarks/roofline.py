"""The counter kernels and the limits of the machine, by working set: the points of ``bench --plot-kind roofline``.

Of the kernel that records the working set is the record, and its limit is memory: each update stores 8 bytes.
Of the kernel that does not it is the state of its vCPUs. What multiplication allows holds for whoever computes
every tick: two products of 32 bits a stream and tick, for the 32 counters of 8 streams.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from benchmarks import limits, ticks
from benchmarks.measure import Contender, Effort, Measurement, interleaved, made
from benchmarks.points import Point, point
from pmu import kernel

ROWS = 4
RECORDED_TICKS = tuple(1 << power for power in range(5, 19))
"""A record of so many ticks of 4 vCPUs has 32 KiB to 256 MiB."""

ADVANCED_ROWS = tuple(1 << power for power in range(0, 15, 2))
ADVANCED_TICKS = 1024
PRODUCTS = 2
"""Of 32 bits, for a rate of Q32.32 times a span."""

THOROUGH = Effort(rounds=31, run_s=0.001, all_s=4.0)
QUICK = Effort(rounds=7, run_s=0.001, all_s=1.0)
EVERY_OTHER = slice(None, None, 2)

Curves = dict[str, list[Point]]


def measure(quick: bool = False) -> dict[str, Any]:
    """Return updates a second: "curves" by name, a point for each size in bytes, and the limit "arithmetic"."""
    effort, sizes = (QUICK, EVERY_OTHER) if quick else (THOROUGH, slice(None))
    curves = recording(RECORDED_TICKS[sizes], effort) | advancing(ADVANCED_ROWS[sizes], effort)
    return {"curves": curves, "arithmetic": arithmetic(effort)}


def recording(numbers: Iterable[int], effort: Effort) -> Curves:
    """Measure the kernel that records, gcc's plain loop and the memory, all in turns at each size."""
    curves: Curves = {}
    for number in numbers:
        contenders = recorders(number)
        size = ticks.arrays(ROWS, number, number).record.nbytes
        add(curves, size, interleaved(contenders, effort))
    return curves


def recorders(number: int) -> dict[str, Contender]:
    """Return the contenders that write a record of so many ticks."""
    makers = {"record": ticks.ours_recording, "gcc": ticks.in_c_recording, "fill": limits.fill, "copy": limits.copy}
    found, _ = made({name: of(maker, number) for name, maker in makers.items()})
    return found


def of(contender: Callable[[ticks.Arrays], Contender], number: int) -> Callable[[], Contender]:
    """Return a maker of a contender that records every one of so many ticks."""
    return lambda: contender(ticks.arrays(ROWS, number, number))


def advancing(numbers: Iterable[int], effort: Effort) -> Curves:
    """Measure the kernel that does not record, for so many vCPUs."""
    curves: Curves = {}
    for rows in numbers:
        state = ticks.arrays(rows, ADVANCED_TICKS)
        size = sum(array.nbytes for array in (state.stream, state.category, state.count, state.left, state.ledger))
        add(curves, size, interleaved({"tick": ticks.ours(state)}, effort))
    return curves


def add(curves: Curves, size: int, found: Mapping[str, Measurement]) -> None:
    """Add a point of each curve."""
    for name, measurement in found.items():
        curves.setdefault(name, []).append(point(size, measurement))


def arithmetic(effort: Effort) -> float | None:
    """Return the updates a second that multiplication allows, where a compiler can tell."""
    found, _ = made({"multiply_add": limits.multiply_add})
    if not found:
        return None
    per_product = kernel.SLOTS / (PRODUCTS * ticks.EVENTS)
    return interleaved(found, effort)["multiply_add"].median * per_product
