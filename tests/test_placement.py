"""Placement, balance and frequency by hand: scenes on the duo.

The duo: CPU 0 has capacity 256, CPU 1 1024; two pCPUs, hence a balance each 2 ms; HZ ticks each 4 ms.
Utilisation is measured on PELT's clock, which runs at capacity times frequency: that of a thread that never sleeps
goes to 1024 on any pCPU, a quarter as fast on CPU 0 as on CPU 1.
"""

import dataclasses

import pytest

from scheduler import kernel_state as ks
from simcore.app.recording import result_of
from simcore.scenario import AffinityChange, OppChange
from tests.scenes import CYCLES_ON, MS, ReadReg, Run, Sleep, SpinUntil, Stage, read_every, scene
from workloads.actions import ReadTimer

LITTLE, BIG = {"init_placement": "small"}, {"init_placement": "large"}
FOREVER = 1 << 40
SLOW, FAST = 0, 1  # the perf domains of the duo


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


def test_an_idle_pcpu_pulls_at_once_and_a_busy_one_by_load_and_capacity(stage):
    """Threads on CPUs 0/1, of capacity 256 and 1024: 3/0, at 2 ms 2/1, and each 32 ms one more, until one is left.

    With four: of the load of 4096 CPU 0 should have 819: at 64 ms it still has 1229 to give, more than a thread.
    """
    three = scene(vm=LITTLE | {"vcpus": 3}, causes=frozenset({"balance"}), seconds_ns=200 * MS)
    assert [move[0] for move in moves(stage.run(three, spin))] == [2 * MS, 32 * MS]
    four = dataclasses.replace(three, vms=(dataclasses.replace(three.vms[0], vcpus=4),))
    found = moves(stage.run(four, spin))
    assert [move[0] for move in found] == [2 * MS, 32 * MS, 64 * MS]
    assert {move[2:] for move in found} == {(0, 1, ks.BALANCE)}
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
    """A thread on CPU 0 starts with 128 of its 256 and outgrows it at 205, 80 %.

    PELT's clock there runs at a quarter: at the tick at 16 ms 3 periods and 834 us of it have passed, at 20 ms 4 and
    786. With y**32 = 1/2: (128 * 46718 * y**3 + 1024 * 3777) / 47552 = 199, (128 * 46718 * y**4 + 1024 * 4664) / 47504
    = 215. So it is marked at 20 ms, and the balance of the same time, after the tick, pulls it.
    """
    result = stage.run(scene(vm=LITTLE, causes=frozenset({"misfit"}), seconds_ns=200 * MS), spin)
    assert moves(result) == [(20 * MS, 0, 0, 1, ks.MISFIT)]


@pytest.mark.parametrize("place, util", [(LITTLE, 128), (BIG, 512)])
def test_the_first_thread_starts_with_half_of_its_pcpu(stage, place, util):
    machine = stage.machine(scene(vm=place, seconds_ns=1000), spin)
    machine.run()
    assert int(machine.host.state.task[0, ks.SE_UTIL]) == util


def test_the_second_thread_starts_with_half_of_what_is_left(stage):
    """On the big core 512, then min((1024 - 512) / 2, 512 * 1024 / 1025) = 256."""
    machine = stage.machine(scene(vm=BIG | {"vcpus": 2}, seconds_ns=1000, causes=frozenset()), spin)
    machine.run()
    assert machine.host.state.task[:2, ks.SE_UTIL].tolist() == [512, 256]


def test_the_estimate_is_renewed_at_each_sleep(stage):
    """From 1000 by a quarter of the way towards the utilisation at the sleep.

    That is (512 * 46718 * y**4 + 1024 * 4664) / 47504 = 562 after 4 periods and 786 us. A new thread has no estimate,
    so the test sets it while the thread runs.
    """

    def script(cpu):
        yield SpinUntil(0, 5 * MS)
        machine.host.state.task[0, ks.UTIL_EST] = 1000
        yield Sleep(50 * MS)

    machine = stage.machine(scene(vm=BIG), script)
    machine.run()
    assert machine.host.state.task[0, [ks.SE_UTIL, ks.UTIL_EST]].tolist() == [562, (3 * 1000 + 562) // 4]


@pytest.mark.parametrize("sleep, expected", [(MS // 5, []), (5 * MS, [(6 * MS, 0, 0, 1, ks.WAKEUP)])])
def test_a_thread_that_sleeps_while_ineligible_wakes_where_it_is_until_it_has_left(stage, sleep, expected):
    """vCPU 0 runs 1 ms beside vCPU 1, which has not run: it is ahead of the average and stays queued as it sleeps.

    Woken after 0.2 ms it is still there, although CPU 1 is idle. At the tick at 4 ms vCPU 1 has run 3 ms, the average
    is 2 ms and vCPU 0 would be picked: it leaves the queue, and woken at 6 ms it finds CPU 0 busy and CPU 1 idle.
    """
    delayed = []

    def script(cpu):
        if cpu.vcpu == 0:
            yield SpinUntil(0, MS)
            yield Sleep(sleep)
        else:
            yield SpinUntil(0, 11 * MS // 10)
            delayed.append(machine.host.state.task[0, [ks.STATE, ks.ON_RQ, ks.DELAYED]].tolist())
        yield SpinUntil(0, FOREVER)

    machine = stage.machine(scene(vm=LITTLE | {"vcpus": 2}, causes=frozenset({"wakeup"})), script)
    machine.run()
    assert delayed == [[ks.SLEEPING, 1, 1]]
    assert moves(result_of(machine)) == expected


def test_a_delayed_thread_leaves_a_pcpu_that_is_forbidden_to_it(stage):
    """As above, but at 1.1 ms, while vCPU 0 sleeps and is still queued on CPU 0, its affinity becomes CPU 1."""

    def script(cpu):
        if cpu.vcpu == 0:
            yield SpinUntil(0, MS)
            yield Sleep(MS // 5)
        yield SpinUntil(0, FOREVER)

    away = (AffinityChange(11 * MS // 10, 0, 0, (1,)),)
    result = stage.run(scene(vm=LITTLE | {"vcpus": 2}, affinity_changes=away), script)
    assert moves(result) == [(12 * MS // 10, 0, 0, 1, ks.AFFINITY)]


def test_the_next_thread_runs_at_once_where_a_running_one_is_moved_away(stage):
    """vCPU 0 runs on CPU 0 for 2 ms and then on CPU 1; vCPU 1 has CPU 0 from then on."""
    away = (AffinityChange(2 * MS, 0, 0, (1,)),)
    machine = stage.machine(scene(vm=LITTLE | {"vcpus": 2}, affinity_changes=away), spin)
    machine.run()
    assert machine.host.state.vcpu[:, ks.GUEST_NS].tolist() == [20 * MS, 18 * MS]


# --- frequency -----------------------------------------------------------------------------------------------


def reads(result):
    """Return (time, PMCCNTR, true cycles) of each read of the cycle counter."""
    return [(int(when), int(value), int(true)) for when, _, value, true in result.tables["reads"]]


def at_each_ms(cycles_at):
    """Return what ``read_every(MS)`` reads in 20 ms if the counter stands at ``cycles_at(ms)``."""
    return [(ms * MS, cycles_at(ms), cycles_at(ms)) for ms in range(1, 21)]


@pytest.mark.parametrize("place, low, raised", [(LITTLE, 500_000, 12), (BIG, 1_000_000, 4)])
def test_schedutil_raises_the_frequency_of_a_busy_domain_and_the_cycles_follow(stage, place, low, raised):
    """A new thread uses half of its pCPU: 5/8 of the highest frequency with headroom, more than the lower OPP.

    The rate limit of 1 ms, counted from time 0, refuses that at the start. It is asked again at the first tick at
    which a period of PELT's clock has ended, 1.024 ms: on CPU 1, at half its frequency, that of 4 ms, with 2 ms; on
    CPU 0, a quarter of that fast, that of 12 ms, with 1.5 ms.
    """
    result = stage.run(scene(vm=place, governor="schedutil"), read_every(MS))
    assert reads(result) == at_each_ms(lambda ms: (ms + max(0, ms - raised)) * low)


def test_busy_time_counts_at_the_frequency_in_force(stage):
    machine = stage.machine(scene(vm=BIG, governor="schedutil"), spin)
    machine.run()
    assert machine.host.state.busy.tolist() == [[0, 0], [4 * MS, 16 * MS]]


def test_work_ends_when_it_is_done_at_the_new_frequency(stage):
    """The frequency doubles at 4 ms, in the middle of the work; its end was predicted at the lower one."""
    done, work = [], 20_000_000

    def script(cpu):
        yield Run(0, work)
        done.append(int(machine.host.state.vcpu[0, ks.INSTRUCTIONS]))
        done.append((yield ReadTimer()))
        yield SpinUntil(0, FOREVER)

    machine = stage.machine(scene(vm=BIG, governor="schedutil"), script)
    machine.run()
    instructions, end = done
    assert 4 * MS < end < 20 * MS
    assert work <= instructions < work + 20


def test_schedutil_lowers_the_frequency_after_sleeps(stage):
    """Bursts of 2 ms each 52 ms on CPU 1; the reads at their ends give the frequency of each.

    The first runs at 1000 MHz until its end, where the rate limit lets 512 ask for 2000 MHz. The thread's estimate is
    512 then and 436 after the second burst, as its utilisation falls to about 210: 640 and 545 of 1024 are asked for
    at the wakeups, more than half. After the third it is about 355, 443 are asked for: the fourth burst runs
    at 1000 MHz.
    """

    def script(cpu):
        yield from CYCLES_ON
        while True:
            now = yield ReadTimer()
            yield SpinUntil(0, now + 2 * MS)
            yield ReadReg("PMCCNTR_EL0")
            yield Sleep(50 * MS)

    result = stage.run(scene(vm=BIG, governor="schedutil", seconds_ns=200 * MS), script)
    ends = [(2, 2), (54, 6), (106, 10), (158, 12)]
    assert reads(result) == [(ms * MS, million * 1_000_000, million * 1_000_000) for ms, million in ends]


@pytest.mark.parametrize("place, khz", [(LITTLE, (500_000, 1_000_000)), (BIG, (1_000_000, 2_000_000))])
def test_powersave_and_performance_keep_the_lowest_and_the_highest_opp(stage, place, khz):
    for governor, cycles in zip(("powersave", "performance"), khz, strict=True):
        result = stage.run(scene(vm=place, governor=governor), read_every(MS))
        assert reads(result) == at_each_ms(lambda ms, cycles=cycles: ms * cycles)


@pytest.mark.parametrize("domain, khz, pinned", [(FAST, 1_000_000, True), (SLOW, 500_000, False)])
def test_an_opp_change_pins_its_domain_against_schedutil(stage, domain, khz, pinned):
    """Before the tick at 4 ms, at which CPU 1 would go to 2000 MHz; that of the other domain holds up nothing."""
    change = (OppChange(2 * MS, domain, khz),)
    result = stage.run(scene(vm=BIG, governor="schedutil", opp_changes=change), read_every(MS))
    assert reads(result) == at_each_ms(lambda ms: 1_000_000 * (ms if pinned or ms <= 4 else 2 * ms - 4))


def test_an_opp_change_pins_what_schedutil_has_raised(stage):
    change = (OppChange(10 * MS, FAST, 1_000_000),)
    result = stage.run(scene(vm=BIG, governor="schedutil", opp_changes=change), read_every(MS))
    expected = [1, 2, 3, 4, 6, 8, 10, 12, 14, 16, *range(17, 27)]
    assert reads(result) == at_each_ms(lambda ms: expected[ms - 1] * 1_000_000)
