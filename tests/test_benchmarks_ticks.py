"""The contenders of the tick loop do the same work: equal arrays, equal results, overflow or not."""

import numpy as np
import pytest

from benchmarks import ticks
from benchmarks.measure import Unavailable
from tests.tools import unavailable

CONTENDERS = {"c": ticks.in_c, "numpy": ticks.in_numpy, "python": ticks.in_python}


def contender(name, arrays):
    try:
        return CONTENDERS[name](arrays)
    except Unavailable as error:
        unavailable(str(error))


def both(name, left, rows=3, steps=20):
    """Return the arrays and the result of the kernel and of one contender, from the same start."""
    found = []
    for make in (ticks.ours, lambda arrays: contender(name, arrays)):
        arrays = ticks.arrays(rows, steps)
        arrays.left[arrays.left > 0] = left
        found.append((arrays, make(arrays).call()))
    return found


@pytest.mark.parametrize("name", CONTENDERS)
@pytest.mark.parametrize("left", [1 << 62, 1 << 63])
def test_contenders_end_with_the_same_numbers(name, left):
    (ours, our_result), (theirs, their_result) = both(name, left)
    assert our_result == their_result == (20, -1, 0)
    for mine, other in zip(ours.all()[:-1], theirs.all()[:-1], strict=True):
        np.testing.assert_array_equal(mine, other)
    assert ours.count.any()
    assert ours.ledger[..., 1:].any()


@pytest.mark.parametrize("name", CONTENDERS)
@pytest.mark.parametrize("overshoot", [0, 1])
def test_contenders_stop_at_the_same_overflow(name, overshoot):
    probe = ticks.arrays(3, 20)
    ticks.ours(probe).call()
    row, slot = np.argwhere((probe.left > 0) & (probe.category == 0))[5]
    found = []
    for make in (ticks.ours, lambda arrays: contender(name, arrays)):
        arrays = ticks.arrays(3, 20)
        arrays.left[row, slot] = int(probe.count[row, slot]) - overshoot
        found.append((make(arrays).call(), arrays))
    (our_result, ours), (their_result, theirs) = found
    assert our_result == their_result == (20, row, 1 << slot)
    assert ours.left[row, slot] == 0
    np.testing.assert_array_equal(ours.left, theirs.left)


def test_the_work_of_a_call_is_slots_times_ticks():
    assert ticks.ours(ticks.arrays(2, 3)).work == 2 * 32 * 3


def test_settle_equals_one_tick_of_one_row():
    settled, ticked = ticks.arrays(1, 1), ticks.arrays(1, 1)
    ticks.settle(settled).call()
    ticks.ours(ticked).call()
    for mine, other in zip(settled.all(), ticked.all(), strict=True):
        np.testing.assert_array_equal(mine, other)
