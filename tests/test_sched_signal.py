"""PELT, its clock and util_est: against unbounded integers and the geometric series, and what threads leave behind."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler import kernel_clock, kernel_core, kernel_signal
from scheduler import kernel_state as ks
from scheduler.bare import bare_state
from scheduler.kernel_handle import handle_of
from scheduler.layout import weight_of
from tests.run_queue import MS, START_NS, TICK_NS, Host
from tests.scenes import PLAIN

PERIOD_NS = 1024 * 1024
MAX_SUM = 47742
PERIOD_SHARE = 1024 * 1024 // (MAX_SUM - 1024) + 1
"""What one period adds to an average at most."""
INVERSE = [
    0xFFFFFFFF, 0xFA83B2DA, 0xF5257D14, 0xEFE4B99A, 0xEAC0C6E6, 0xE5B906E6, 0xE0CCDEEB, 0xDBFBB796, 0xD744FCC9,
    0xD2A81D91, 0xCE248C14, 0xC9B9BD85, 0xC5672A10, 0xC12C4CC9, 0xBD08A39E, 0xB8FBAF46, 0xB504F333, 0xB123F581,
    0xAD583EE9, 0xA9A15AB4, 0xA5FED6A9, 0xA2704302, 0x9EF5325F, 0x9B8D39B9, 0x9837F050, 0x94F4EFA8, 0x91C3D373,
    0x8EA4398A, 0x8B95C1E3, 0x88980E80, 0x85AAC367, 0x82CD8698,
]  # fmt: skip
"""Linux' runnable_avg_yN_inv."""


def decayed(value, periods):
    """Return a value after some periods, in unbounded integers."""
    return 0 if periods > 2016 else ((value >> periods // 32) * INVERSE[periods % 32]) >> 32


def int64(*values):
    return tuple(np.int64(value) for value in values)


def test_the_factors_are_those_of_linux():
    assert kernel_signal.INVERSE.tolist() == INVERSE


@given(st.integers(0, 1 << 59), st.integers(0, 2100))
def test_decay_is_exact_where_the_product_exceeds_64_bits(value, periods):
    assert int(kernel_signal.decay(*int64(value, periods))) == decayed(value, periods)


def stepped(signal, now, load, runnable, running, weight):
    """Return a signal (a list) at ``now``, in unbounded integers, and whether its averages are new."""
    at, load_sum, runnable_sum, util_sum, position, *averages = signal
    if now < at:
        return [now, *signal[1:]], False
    units = (now - at) >> 10
    if units == 0:
        return signal, False
    at += units << 10
    if load == 0:
        runnable = running = 0
    periods, rest = divmod(position + units, 1024)
    grown = units
    if periods:
        load_sum, runnable_sum, util_sum = (decayed(total, periods) for total in (load_sum, runnable_sum, util_sum))
        full = MAX_SUM - decayed(MAX_SUM, periods) - 1024
        grown = decayed(1024 - position, periods) + full + rest
    load_sum += load * grown
    runnable_sum += runnable * grown * 1024
    util_sum += bool(running) * grown * 1024
    if periods:
        divider = MAX_SUM - 1024 + rest
        averages = [weight * load_sum // divider, runnable_sum // divider, util_sum // divider]
    return [at, load_sum, runnable_sum, util_sum, rest, *averages], periods > 0


SPANS = st.one_of(st.integers(0, 3000), st.integers(0, 40 * MS), st.integers(0, 10**10), st.just(-5))


@given(
    st.lists(st.tuples(SPANS, st.integers(0, 4096), st.integers(0, 4096), st.integers(0, 1)), max_size=30),
    st.sampled_from([1, 3, 1024, 88761]),
    st.sampled_from([1, 1024, 88761]),
)
def test_a_signal_is_that_of_unbounded_integers(spans, weight, heavier):
    """For a run queue of up to 4096 threads of any weight; time may go back."""
    row = np.zeros(12, np.int64)
    first = 3
    row[first] = START_NS
    model = [START_NS, *[0] * 7]
    now = START_NS
    for ns, load, runnable, running in spans:
        now += ns
        state = (load * heavier, runnable, running)
        model, changed = stepped(model, now, *state, weight)
        assert bool(kernel_signal.step(row, *int64(first, now, *state, weight))) == changed
        assert row[first : first + 8].tolist() == model
    assert not row[:first].any()
    assert not row[first + 8 :].any()


@pytest.mark.parametrize("ms, util", [(32, 512), (64, 768), (96, 896), (345, 1023)])
def test_util_rises_with_a_half_life_of_32_periods(ms, util):
    row = np.zeros(8, np.int64)
    for period in range(1, ms + 1):
        kernel_signal.step(row, *int64(0, period * PERIOD_NS, 1, 1, 1, 1024))
    assert abs(int(row[kernel_signal.UTIL]) - util) <= 2
    high = row.copy()
    kernel_signal.step(row, *int64(0, (ms + 32) * PERIOD_NS, 0, 0, 0, 1024))
    assert abs(int(row[kernel_signal.UTIL]) - int(high[kernel_signal.UTIL]) / 2) <= 1


# The clock


def test_pelt_time_truncates_at_each_update_first_by_capacity_then_by_frequency():
    host = Host(1, 1)
    host.state.cpu[0, ks.CAPACITY] = 397
    host.state.dom[0, ks.KHZ], host.state.dom[0, ks.MAX_KHZ] = 408_000, 1_800_000
    host.start(0)
    want = host.cpu(0, ks.CLOCK_PELT)
    scale = (408_000 << 10) // 1_800_000
    for ns in (1, 2, 3, 10_007, 999_999, 3, 1):
        host.state.glob[ks.NOW] += ns
        kernel_clock.update_clock(host.handle, 0)
        want += ((ns * 397 >> 10) * scale) >> 10
        assert host.cpu(0, ks.CLOCK_PELT) == want


@pytest.mark.parametrize("capacity", (200, 1024))
@pytest.mark.parametrize("run_ms", (5, 600))
def test_idle_catches_up_unless_the_pcpu_was_saturated(capacity, run_ms):
    """On a slow pCPU 600 ms of work take long enough on PELT's clock only at full capacity."""
    host = Host(1, 1)
    host.state.cpu[0, ks.CAPACITY] = capacity
    host.state.dom[0, ks.KHZ] = 1000
    host.start(0)
    host.run(run_ms * MS)
    behind = host.cpu(0, ks.CLOCK) - host.cpu(0, ks.CLOCK_PELT)
    host.sleep()
    assert host.cpu(0, ks.CLOCK_PELT) == host.cpu(0, ks.CLOCK)
    assert behind > 0
    assert host.cpu(0, ks.LOST) == (behind if (capacity, run_ms) == (1024, 600) else 0)
    assert kernel_clock.pelt_time(host.handle, 0) == host.cpu(0, ks.CLOCK) - host.cpu(0, ks.LOST)


# What threads leave behind


@settings(max_examples=30 if PLAIN else 100)
@given(
    st.lists(st.tuples(st.sampled_from([-20, -5, 0, 10, 19]), st.integers(0, 1)), min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 30 * MS), st.integers(0, 3)), max_size=30),
)
def test_when_all_threads_are_gone_their_signals_are_too(threads, steps):
    """Whether they die, or wake up or are moved elsewhere: what remains is of the periods that had not ended."""
    host = Host(3, len(threads))
    for p, (nice, c) in enumerate(threads):
        host.start(p, c, nice)
    for p, ns, c in steps:
        p %= len(threads)
        host.run(ns)
        if host.task(p, ks.ON_RQ) == 0:
            host.wake(p, c % 3)
        elif p in (host.current(0), host.current(1), host.current(2)):
            home = host.task(p, ks.CPU)
            if c in (home, 3):
                host.sleep(home)
            else:
                host.expel(home, c)
        elif c < 3 and c != host.task(p, ks.CPU):
            host.migrate(p, c)
    for c in range(3):
        while host.current(c) >= 0:
            host.sleep(c, ks.DEATH)
    for p in range(len(threads)):
        if host.alive[p]:
            kernel_core.bury(host.handle, p)
    for c in range(3):
        host.run(1000)
        kernel_clock.update_clock(host.handle, c)
        kernel_signal.age_queue(host.handle, c)
        assert host.cpu(c, ks.CFS_EST) == host.cpu(c, ks.N_REMOVED) == 0
        assert 0 <= host.cpu(c, ks.CFS_UTIL) <= PERIOD_SHARE * len(threads)
        assert 0 <= host.cpu(c, ks.CFS_RUNNABLE) <= PERIOD_SHARE * len(threads)
        weights = sum(weight_of(nice) for nice, _ in threads)
        assert 0 <= host.cpu(c, ks.CFS_LOAD) <= PERIOD_SHARE * weights // 1024 + len(threads)


def test_a_thread_takes_its_signals_along_when_it_moves():
    host = Host(2, 3)
    host.start(0)
    host.start(1, nice=-5)
    host.run(100 * MS)
    waiting = 1 - host.current()
    util, load = host.task(waiting, ks.SE_UTIL), host.task(waiting, ks.SE_LOAD)
    before = host.cpu(0, ks.CFS_UTIL)
    assert util > 100
    host.migrate(waiting, 1)
    assert abs(host.cpu(0, ks.CFS_UTIL) - (before - util)) <= 30, "and what decayed meanwhile"
    assert abs(host.cpu(1, ks.CFS_UTIL) - util) <= 30
    assert abs(host.cpu(1, ks.CFS_LOAD) - load) <= load // 10
    assert host.task(waiting, ks.SE_AT) == host.cpu(1, ks.CFS_AT)


def test_a_sleeper_that_wakes_elsewhere_has_decayed_although_its_pcpu_idled():
    host = Host(2, 1)
    host.start(0)
    host.run(300 * MS)
    host.sleep()
    util = host.task(0, ks.SE_UTIL)
    host.run(32 * PERIOD_NS)
    assert host.task(0, ks.SE_UTIL) == util
    host.wake(0, 1)
    assert abs(host.task(0, ks.SE_UTIL) - util / 2) <= 2
    assert host.cpu(0, ks.N_REMOVED) == 1


def test_a_new_thread_starts_with_half_of_what_is_free():
    host = Host(1, 3)
    host.state.cpu[0, ks.CAPACITY] = 400
    host.start(0)
    assert host.task(0, ks.SE_UTIL) == host.task(0, ks.SE_RUNNABLE) == 200
    host.start(1, nice=10)
    util, load = host.cpu(0, ks.CFS_UTIL), host.cpu(0, ks.CFS_LOAD)
    assert host.task(1, ks.SE_UTIL) == 200 * weight_of(10) // (1024 + 1)
    assert (util, load) == (200 + host.task(1, ks.SE_UTIL), 1024 + weight_of(10))
    host.state.cpu[0, ks.CAPACITY] = util - 11
    host.start(2)
    assert host.task(2, ks.SE_UTIL) == 0


def test_a_load_that_has_nearly_decayed_attaches_with_a_sum_of_one():
    host = Host(2, 1)
    host.start(0, nice=-20)
    host.run(MS)
    host.sleep()
    host.state.task[0, ks.SE_LOAD] = 1
    host.state.task[0, ks.SE_AT] = ks.NONE
    host.wake(0)
    assert host.task(0, ks.SE_LOAD_SUM) == 1


def test_another_weight_changes_the_load_of_thread_and_queue_alike():
    host = Host(1, 2)
    host.start(0)
    host.start(1)
    host.run(200 * MS)
    host.renice(0, -10)
    total = host.task(0, ks.SE_LOAD) + host.task(1, ks.SE_LOAD)
    assert host.task(0, ks.SE_LOAD) > 8 * host.task(1, ks.SE_LOAD)
    assert abs(host.cpu(0, ks.CFS_LOAD) - total) <= total // 50


# util_est

CASES = [
    ("follows a rise at once", (300, 200, 300, 0), (300, 1)),
    ("falls by a quarter of the difference", (100, 200, 100, 0), ((4 * 200 - 100) >> 2, 1)),
    ("keeps within the margin", (191, 200, 191, 0), (200, 1)),
    ("keeps when the thread had to wait", (100, 200, 111, 0), (200, 1)),
    ("falls when it waited no more than the margin", (100, 200, 110, 0), (175, 1)),
    ("once for each period", (300, 200, 300, 1), (200, 1)),
]


@pytest.mark.parametrize(
    "util, est, runnable, kept, want", [(*row[1], row[2]) for row in CASES], ids=[r[0] for r in CASES]
)
def test_estimated_utilisation(util, est, runnable, kept, want):
    state = bare_state(1, 1)
    task = state.task[0]
    task[ks.SE_UTIL], task[ks.UTIL_EST], task[ks.SE_RUNNABLE], task[ks.EST_KEPT] = util, est, runnable, kept
    kernel_signal.renew_estimate(handle_of(state), 0)
    assert (task[ks.UTIL_EST], task[ks.EST_KEPT]) == want
    assert kernel_signal.expected_util(handle_of(state), 0) == max(util, want[0])


# SCHED_FIFO


def test_the_fifo_signal_counts_while_such_a_thread_runs():
    host = Host(1, 2)
    host.state.task[1, ks.POLICY] = ks.FIFO
    host.start(0)
    host.alive[1] = True
    kernel_core.start(host.handle, 0, 1)
    host.react()
    host.run(32 * PERIOD_NS)
    assert abs(host.cpu(0, ks.RT_UTIL) - 512) <= 8 + TICK_NS // MS * 10
    host.sleep()
    high = host.cpu(0, ks.RT_UTIL)
    host.run(32 * PERIOD_NS)
    assert host.cpu(0, ks.RT_UTIL) == high, "nothing updates it while others run"
    host.wake(1)
    assert abs(host.cpu(0, ks.RT_UTIL) - high / 2) <= 2


def test_a_wait_behind_a_fifo_thread_raises_runnable_and_not_util():
    host = Host(1, 2)
    host.state.task[1, ks.POLICY] = ks.FIFO
    host.start(0)
    host.run(100 * MS)
    host.alive[1] = True
    kernel_core.start(host.handle, 0, 1)
    host.react()
    util, runnable = host.task(0, ks.SE_UTIL), host.task(0, ks.SE_RUNNABLE)
    host.run(32 * PERIOD_NS)
    assert (host.task(0, ks.SE_UTIL), host.task(0, ks.SE_RUNNABLE)) == (util, runnable)
    host.sleep()
    assert abs(host.task(0, ks.SE_UTIL) - util / 2) <= 2
    assert host.task(0, ks.SE_RUNNABLE) > runnable
