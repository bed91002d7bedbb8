"""The contenders of the counter kernels do the same work: equal arrays, equal overflows, equal records."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from benchmarks import limits, settling, threads, ticks, ticks_slow
from benchmarks.measure import Unavailable
from pmu.kernel_settle import ROW
from tests.tools import unavailable

ROWS, TICKS, SAMPLES = 2, 600, 200
STATE = ("residual", "count", "left", "ledger")
PLAIN = {
    "gcc": ticks.in_c,
    "clang": partial(ticks.in_c, compiler="clang"),
    "tuned": partial(ticks.in_c, source="tuned.c"),
    "tuned_clang": partial(ticks.in_c, source="tuned.c", compiler="clang"),
    "numpy": ticks_slow.in_numpy,
    "python": ticks_slow.in_python,
}
RECORDING = {
    "gcc": ticks.in_c_recording,
    "clang": partial(ticks.in_c_recording, compiler="clang"),
    "tuned": partial(ticks.in_c_recording, source="tuned.c"),
    "tuned_clang": partial(ticks.in_c_recording, source="tuned.c", compiler="clang"),
    "numpy": partial(ticks_slow.in_numpy, recording=True),
    "python": partial(ticks_slow.in_python, recording=True),
}


def started(change=lambda arrays: None):
    """Return arrays with a record of their own, in which slots overflow."""
    arrays = ticks.arrays(ROWS, TICKS, SAMPLES)
    arrays = replace(arrays, record=np.zeros_like(arrays.record))
    arrays.left[:] = np.minimum(arrays.left, 400_000)
    change(arrays)
    return arrays


def run(make, arrays):
    """Return the overflows that a contender reports, once its arrays are advanced."""
    try:
        found = make(arrays).call()
    except Unavailable as error:
        unavailable(str(error))
    return arrays.hits[:found].tolist()


def dense(arrays):
    """Let some slots overflow at each tick, several periods in one, and some once only."""
    arrays.period[0, ::2], arrays.left[0, ::2] = 100, 1
    arrays.period[1, ::4], arrays.left[1, ::4] = 0, 5000


def far(arrays):
    """Let periods and values be larger than 32 and 63 bits."""
    arrays.saved[:] = (1 << 64) - 1
    arrays.left[:] = 1 << 63


@pytest.fixture(scope="module")
def ours():
    """Return what the kernel makes of each start."""
    found = {}
    for change in (lambda arrays: None, dense, far):
        arrays = started(change)
        found[change.__name__] = run(ticks.ours_recording, arrays), arrays
    return found


@pytest.mark.parametrize("start", ["<lambda>", "dense", "far"])
@pytest.mark.parametrize("name", PLAIN)
def test_contenders_end_with_the_same_numbers_and_overflows(name, start, ours):
    hits, arrays = ours[start]
    theirs = started({"dense": dense, "far": far}.get(start, lambda arrays: None))
    assert run(PLAIN[name], theirs) == hits
    assert bool(hits) == (start != "far")
    for field in STATE:
        np.testing.assert_array_equal(getattr(theirs, field), getattr(arrays, field), field)


@pytest.mark.parametrize("name", RECORDING)
def test_contenders_record_the_same_values(name, ours):
    hits, arrays = ours["<lambda>"]
    theirs = started()
    assert run(RECORDING[name], theirs) == hits
    record = theirs.record
    if name in ("gcc", "clang"):  # plain loops write one tick after another
        record = record.reshape(ROWS, SAMPLES, 32).transpose(0, 2, 1)
    np.testing.assert_array_equal(record, arrays.record)


def test_without_a_record_the_kernel_reports_the_same(ours):
    hits, arrays = ours["<lambda>"]
    theirs = started()
    assert run(ticks.ours, theirs) == hits
    for field in STATE:
        np.testing.assert_array_equal(getattr(theirs, field), getattr(arrays, field), field)


def test_the_drawn_state_counts_samples_and_loses(ours):
    _, arrays = ours["<lambda>"]
    assert arrays.count.any()
    assert arrays.ledger[..., 1:].any()
    assert np.count_nonzero(arrays.period) == ROWS * 32 // ticks.ONE_IN


def test_the_work_of_a_call_is_slots_times_ticks():
    assert ticks.ours(ticks.arrays(2, 3)).work == 2 * 32 * 3


def test_settle_does_what_the_two_calls_of_the_engine_do(monkeypatch):
    arrays, words = ticks.arrays(1, 1), settling.packed(ticks.arrays(1, 1))
    monkeypatch.setattr(settling, "arrays", lambda rows, steps: arrays)
    settling.two_calls().call()
    monkeypatch.setattr(settling, "packed", lambda arrays: words)
    settling.ours().call()
    row = words.view(ROW)[0, 0]
    assert row["residual"][: ticks.EVENTS].tolist() == arrays.residual[0].tolist()
    for field in ("count", "left", "ledger"):
        np.testing.assert_array_equal(row[field][0], getattr(arrays, field)[0], field)
    settling.dispatch().call()


def test_limits_write_the_whole_record():
    arrays = started()
    for limit in (limits.fill, limits.copy, limits.memset):
        arrays.record[:] = 0
        try:
            contender = limit(arrays)
        except Unavailable as error:
            unavailable(str(error))
        contender.call()
        assert arrays.record.all()
        assert contender.work == arrays.record.size


def test_two_threads_do_the_work_of_two_halves(monkeypatch):
    monkeypatch.setattr(threads, "ROWS", 4)
    monkeypatch.setattr(threads, "TICKS", 8)
    contender = threads.in_threads()
    contender.call()
    assert contender.work == threads.ROUNDS * 4 * 8 * 32


@pytest.mark.slow
def test_two_processes_do_the_same_work():
    contender = threads.in_processes()
    contender.call()
    assert contender.work == threads.in_threads().work
