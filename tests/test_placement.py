"""Placement by hand: docs/model.md, "Placement" and "PELT", on the duo and on arrays set up by the test.

The duo: CPU 0 has capacity 256, CPU 1 1024; two pCPUs, hence a balance each 2 ms; HZ ticks each 4 ms.
"""

import dataclasses

import numpy as np
import pytest

from scheduler import kernel_pelt, kernel_place
from scheduler import kernel_state as ks
from simcore.scenario import AffinityChange
from tests.scenes import MS, Sleep, SpinUntil, Stage, scene

LITTLE, BIG = {"init_placement": "small"}, {"init_placement": "large"}
FOREVER = 1 << 40
WAKEUPS = frozenset({"wakeup"})


@pytest.fixture
def stage(monkeypatch):
    return Stage(monkeypatch)


def spin(cpu):
    yield SpinUntil(0, FOREVER)


def moves(result):
    """Return (time, vCPU, from, to, cause) of each migration."""
    return [tuple(int(n) for n in row)[:5] for row in result.tables["migrations"]]


# --- scenes --------------------------------------------------------------------------------------------------


def test_a_wakeup_off_a_forbidden_pcpu_is_a_move_by_affinity(stage):
    def script(cpu):
        yield SpinUntil(0, 5 * MS)
        yield Sleep(5 * MS)
        yield SpinUntil(0, FOREVER)

    away = (AffinityChange(7 * MS, 0, 0, (1,)),)
    result = stage.run(scene(vm=LITTLE, affinity_changes=away), script)
    assert moves(result) == [(10 * MS, 0, 0, 1, ks.AFFINITY)]


@pytest.mark.parametrize("cause, expected", [("wakeup", [(5 * MS, 1, 0, 1, ks.WAKEUP)]), ("affinity", [])])
def test_a_wakeup_beside_a_busy_pcpu_goes_to_an_idle_one(stage, cause, expected):
    """vCPU 1 gets CPU 0 at the tick at 4 ms and sleeps 1 ms; CPU 0 is busy then."""

    def script(cpu):
        if cpu.vcpu == 1:
            yield Sleep(MS)
        yield SpinUntil(0, FOREVER)

    result = stage.run(scene(vm=LITTLE | {"vcpus": 2}, causes=frozenset({cause})), script)
    assert moves(result) == expected


def test_a_busy_pcpu_pulls_only_where_the_numbers_differ_by_two(stage):
    """Threads on CPUs 0/1: 3/0, at 2 ms 2/1, and it stays so; 4/0, 3/1, at 4 ms 2/2.

    The lowest waiting thread moves; at 4 ms that is thread 0, whose turn the HZ tick has just ended.
    """
    three = scene(vm=LITTLE | {"vcpus": 3}, causes=frozenset({"balance"}))
    assert moves(stage.run(three, spin)) == [(2 * MS, 1, 0, 1, ks.BALANCE)]
    four = dataclasses.replace(three, vms=(dataclasses.replace(three.vms[0], vcpus=4),))
    assert moves(stage.run(four, spin)) == [(2 * MS, 1, 0, 1, ks.BALANCE), (4 * MS, 0, 0, 1, ks.BALANCE)]
    still = dataclasses.replace(four, causes=frozenset())
    assert moves(stage.run(still, spin)) == []


def test_a_pcpu_that_runs_out_of_work_pulls_at_once(stage):
    """vCPU 2 is put on CPU 1 and sleeps there at 1.5 ms; vCPU 1 waits on CPU 0."""

    def script(cpu):
        if cpu.vcpu == 2:
            yield SpinUntil(0, 3 * MS // 2)
            yield Sleep(50 * MS)
        yield SpinUntil(0, FOREVER)

    start = (AffinityChange(0, 0, 2, (1,)),)
    sleepy = scene(vm=LITTLE | {"vcpus": 3}, causes=frozenset({"balance"}), affinity_changes=start)
    assert moves(stage.run(sleepy, script))[1:] == [(3 * MS // 2, 1, 0, 1, ks.BALANCE)]


def test_a_lone_running_thread_is_not_pulled_by_the_balance(stage):
    assert moves(stage.run(scene(vm=LITTLE, causes=frozenset({"balance"})), spin)) == []


def test_a_misfit_thread_is_pulled_by_the_larger_pcpu_at_the_balance(stage):
    """A thread on CPU 0 starts with 128 of the 256 (204 fit) and outgrows it; 0 -> 1 by misfit at a balance."""
    result = stage.run(scene(vm=LITTLE, causes=frozenset({"misfit"}), seconds_ns=200 * MS), spin)
    [(when, vcpu, old, new, cause)] = moves(result)
    assert (vcpu, old, new, cause) == (0, 0, 1, ks.MISFIT)
    assert when % (2 * MS) == 0
    task = np.zeros(ks.TASK_COLUMNS, np.int64)
    kernel_pelt.begin(task, 0, 128)
    tick = next(t for t in range(4 * MS, 200 * MS, 4 * MS) if grown(task, t) * 1280 >= 256 * 1024)
    assert when == tick + 2 * MS or when == tick  # marked at the tick, pulled at a balance


def grown(task, t):
    """Return the utilisation at ``t`` of a thread that runs on CPU 0 throughout."""
    kernel_pelt.accrue(task, t, 256)
    return int(task[ks.UTIL])


@pytest.mark.parametrize("place, util", [(LITTLE, 128), (BIG, 512)])
def test_the_first_thread_starts_with_half_of_its_pcpu(stage, place, util):
    machine = stage.machine(scene(vm=place, seconds_ns=1000), spin)
    machine.run()
    assert int(machine.host.state.task[0, ks.UTIL]) == util


def test_the_second_thread_starts_with_half_of_what_is_left(stage):
    """On the big core 512, then min((1024 - 512) / 2, 512 * 1024 / 1025) = 256."""
    machine = stage.machine(scene(vm=BIG | {"vcpus": 2}, seconds_ns=1000, causes=frozenset()), spin)
    machine.run()
    assert machine.host.state.task[:2, ks.UTIL].tolist() == [512, 256]


def test_the_estimate_is_renewed_at_each_sleep(stage):
    """From 1000 towards the utilisation 512 of a thread that sleeps at once: (4 * 1000 - 488) / 4."""

    def script(cpu):
        yield Sleep(50 * MS)

    machine = stage.machine(scene(vm=BIG), script)
    machine.host.state.task[0, ks.UTIL_EST] = 1000
    machine.run()
    assert int(machine.host.state.task[0, ks.UTIL_EST]) == 878


# --- rules on arrays -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "estimate, util, renewed", [(400, 200, 350), (401, 200, 350), (210, 200, 207), (209, 200, 209), (100, 300, 300)]
)
def test_the_estimate_rises_at_once_and_falls_by_a_quarter_from_a_difference_of_ten(estimate, util, renewed):
    task = np.zeros(ks.TASK_COLUMNS, np.int64)
    task[ks.UTIL], task[ks.UTIL_EST] = util, estimate
    kernel_pelt.estimate(task)
    assert (int(task[ks.UTIL]), int(task[ks.UTIL_EST])) == (util, renewed)


def arrays(stage, vcpus, **changes):
    """Return a Host whose threads have not started: all asleep on pCPU 0 at first."""
    vm = {"vcpus": vcpus} | changes.pop("vm", LITTLE)
    host = stage.machine(scene(vm=vm, **changes), spin).host
    host.state.task[:, ks.UTIL] = 0
    return host


def run_on(host, p, c):
    """Let thread ``p`` run on pCPU ``c``."""
    host.state.task[p, ks.CPU] = c
    host.state.task[p, ks.STATE] = ks.RUNNING
    host.state.cpu[c, ks.CURRENT] = p


def queue_on(host, p, c):
    """Let thread ``p`` wait on pCPU ``c``."""
    host.state.task[p, ks.CPU] = c
    host.state.task[p, ks.STATE] = ks.QUEUED


@pytest.mark.parametrize("cpu, most", [(0, 204), (1, 819)])
@pytest.mark.parametrize("column", [ks.UTIL, ks.UTIL_EST])
def test_a_thread_fits_below_80_percent(stage, cpu, most, column):
    host = arrays(stage, 1)
    host.state.task[0, column] = most
    assert kernel_place.fits(host.handle, 0, cpu)
    host.state.task[0, column] = most + 1
    assert not kernel_place.fits(host.handle, 0, cpu)


@pytest.mark.parametrize("used, weight, util", [(0, 1024, 512), (100, 1024, 99), (100, 2048, 49), (900, 1024, 62)])
def test_initial_utilisation_is_at_most_half_of_what_is_free_and_that_of_the_others(stage, used, weight, util):
    host = arrays(stage, 2)
    run_on(host, 0, 1)
    host.state.task[0, ks.UTIL], host.state.task[0, ks.WEIGHT] = used, weight
    assert kernel_place.initial_util(host.handle, 1) == util


def test_initial_utilisation_is_never_negative_and_sleepers_do_not_count(stage):
    host = arrays(stage, 2)
    run_on(host, 0, 0)
    host.state.task[0, ks.UTIL] = 300
    assert kernel_place.initial_util(host.handle, 0) == 0
    host.state.task[0, ks.STATE] = ks.SLEEPING
    assert kernel_place.initial_util(host.handle, 0) == 128


def test_the_search_starts_at_the_wakers_idle_pcpu_only_beside_a_busy_last_one_in_its_cache(stage):
    """Thread 0 slept on pCPU 2 of an RK3588; pCPU 5 wakes it."""
    host = arrays(stage, 2, platform="rk3588", vm={"init_placement": "uniform"}, causes=WAKEUPS)
    state, handle = host.state, host.handle
    state.task[0, ks.CPU] = 2
    assert kernel_place.wake_target(handle, 0, 5) == 2, "the last pCPU is idle"
    run_on(host, 1, 2)
    assert kernel_place.wake_target(handle, 0, 5) == 5
    assert kernel_place.select_cpu(handle, 0, 5) == 5
    state.allowed[0, 5] = 0
    assert kernel_place.wake_target(handle, 0, 5) == 2, "the waker's pCPU is forbidden"
    state.allowed[0, 5] = 1
    state.cpu[5, ks.CACHE] += 1
    assert kernel_place.wake_target(handle, 0, 5) == 2, "the waker has another cache"
    state.cpu[5, ks.CACHE] -= 1
    state.cpu[5, ks.CURRENT] = 1
    assert kernel_place.wake_target(handle, 0, 5) == 2, "the waker's pCPU is busy"


def test_the_scan_goes_up_from_the_target_and_prefers_where_it_fits(stage):
    """RK3588: pCPUs 0-3 are LITTLE, 4-7 big; the last pCPU, 2, is busy."""
    host = arrays(stage, 4, platform="rk3588", vm={"init_placement": "uniform"}, causes=WAKEUPS)
    state, handle = host.state, host.handle
    state.task[0, ks.CPU] = 2
    run_on(host, 1, 2)
    assert kernel_place.select_cpu(handle, 0, 2) == 3
    run_on(host, 2, 3)
    assert kernel_place.select_cpu(handle, 0, 2) == 4
    state.allowed[0, 4:] = 0
    assert kernel_place.select_cpu(handle, 0, 2) == 0, "wraps around"
    state.allowed[0, 4:] = 1
    state.cpu[3, ks.CURRENT] = ks.NONE
    state.task[2, ks.STATE] = ks.SLEEPING
    state.task[0, ks.UTIL_EST] = 600
    assert kernel_place.select_cpu(handle, 0, 2) == 4, "the first on which it fits, not the first idle"
    state.task[0, ks.UTIL_EST] = 1023
    assert state.cpu[kernel_place.select_cpu(handle, 0, 2), ks.CAPACITY] == 1024, "fits nowhere: the largest"


@pytest.mark.parametrize("waiting, moved", [(0, False), (1, False), (2, True), (3, True)])
def test_the_periodic_balance_of_a_busy_pcpu(stage, waiting, moved):
    """CPU 1 runs thread 0; CPU 0 runs thread 1 and ``waiting`` others wait there."""
    host = arrays(stage, 5, causes=frozenset({"balance"}))
    run_on(host, 0, 1)
    run_on(host, 1, 0)
    for p in range(2, 2 + waiting):
        queue_on(host, p, 0)
    kernel_place.balance(host.handle)
    assert [p for p in range(5) if host.state.task[p, ks.CPU] == 1] == [0, 2][: 1 + moved]


def test_an_idle_pcpu_pulls_from_the_one_with_the_most_threads(stage):
    """RK3588: one thread waits on pCPU 1, two on pCPU 2; pCPU 6 is idle and pulls from pCPU 2."""
    host = arrays(stage, 6, platform="rk3588", vm={"init_placement": "uniform"}, causes=frozenset({"balance"}))
    run_on(host, 0, 1)
    queue_on(host, 1, 1)
    run_on(host, 2, 2)
    queue_on(host, 3, 2)
    queue_on(host, 4, 2)
    assert kernel_place.pull_waiting(host.handle, 6) == 3
    host.state.allowed[3, 6] = 0
    assert kernel_place.pull_waiting(host.handle, 6) == 4
    host.state.allowed[4, 6] = 0
    assert kernel_place.pull_waiting(host.handle, 6) == 1
    host.state.allowed[1, 6] = 0
    assert kernel_place.pull_waiting(host.handle, 6) == ks.NONE
    assert not kernel_place.pull(host.handle, 6)
