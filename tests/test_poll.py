"""Halt polling: how long a vCPU polls, what ends it, and that a wakeup is late for nobody."""

import dataclasses
import random

import numpy as np
import pytest

from scheduler import kernel_poll as kp
from scheduler import kernel_state as ks
from simcore.scenario import AffinityChange
from tests.scenes import FREE, MS, Report, Sleep, SpinUntil, Stage, scene
from workloads.actions import Halt, ReadTimer, Wake

US = 1_000
MOST = 500 * US
BIG = {"cpus": (1,)}


@pytest.fixture
def stage(monkeypatch):
    return Stage(monkeypatch)


def sleeps(*lengths_us):
    def script(cpu):
        for length in lengths_us:
            yield Sleep(length * US)
            yield Report("awake", (yield ReadTimer()))
        yield SpinUntil(0, 1 << 40)

    return script


def halts(result, vcpu=0):
    return {name: int(result.tables["halts"][vcpu][name]) for name in result.tables["halts"].dtype.names[1:]}


def awake(result):
    return result.tables["reports"]["value"].tolist()


def test_the_window_follows_the_lengths_of_halts():
    """Against the rule as it is said: halve after a long halt, double after a short one that it missed."""
    rng = random.Random(1)
    poll = np.zeros(kp.POLL_COLUMNS, np.int64)
    seen = set()
    for most in (5 * US, 200 * US, MOST):
        poll[kp.WINDOW_NS], poll[kp.MOST_NS], window = 0, most, 0
        for _ in range(2000):
            halt = rng.choice((rng.randrange(30 * US), rng.randrange(most), most, rng.choice((1, 2)) * MOST))
            if halt > window:
                if window and halt > most:
                    window = window // 2 if window // 2 >= 10 * US else 0
                elif window < most and halt < most:
                    window = min(most, max(2 * window, 10 * US))
            kp.adapt(poll, halt)
            assert poll[kp.WINDOW_NS] == window
            seen.add(window)
    assert {0, 5 * US, 10 * US, 200 * US, 320 * US, MOST} <= seen


def test_a_vcpu_polls_longer_until_it_polls_long_enough(stage):
    """Halts of 30 us: it blocks in the first, polls 10 and 20 us in vain, and from then on up to 40 us."""
    result = stage.run(scene(vm=BIG, halt_poll_ns=MOST), sleeps(*[30] * 6))
    assert halts(result) == {
        "halts": 6, "polls": 5, "successful": 3, "success_ns": 90 * US, "fail_ns": 30 * US, "wait_ns": 60 * US,
        "window_ns": 40 * US,
    }  # fmt: skip
    assert awake(result) == [30 * US * number for number in range(1, 7)]
    assert int(result.tables["cpus"]["busy_ns"][1]) == 20 * MS - 60 * US


def test_a_poll_that_succeeds_costs_no_context_switch(stage):
    """One at the start and one after each of the three halts that it sleeps in, 7 us each."""
    costs = dataclasses.replace(FREE, context_switch=7 * US)
    result = stage.run(scene(vm=BIG, halt_poll_ns=MOST, costs=costs), sleeps(*[30] * 6))
    assert halts(result)["successful"] == 3
    assert awake(result)[-1] == 6 * 30 * US + 4 * 7 * US


def test_nobody_polls_if_it_is_switched_off(stage):
    result = stage.run(scene(vm=BIG, halt_poll_ns=0), sleeps(*[30] * 6))
    assert halts(result) == {
        "halts": 6, "polls": 0, "successful": 0, "success_ns": 0, "fail_ns": 0, "wait_ns": 180 * US, "window_ns": 0,
    }  # fmt: skip


def polling(stage, script, **changes):
    """Run vCPUs of which the first polls for 500 us from its first halt on."""
    machine = stage.machine(scene(halt_poll_ns=MOST, **changes), script)
    machine.host.state.poll[0, kp.WINDOW_NS] = MOST
    return stage.finish(machine)


def test_another_thread_that_wants_to_run_ends_the_poll(stage):
    """vCPU 1 wakes up on the same pCPU 100 us after vCPU 0 began to poll, and takes it."""

    def script(cpu):
        if cpu.vcpu == 1:
            yield Sleep(5_100 * US - (yield ReadTimer()))
            yield Report("awake", (yield ReadTimer()))
        else:
            yield SpinUntil(0, 5 * MS)
            yield Sleep(300 * US)
        yield SpinUntil(0, 1 << 40)

    result = polling(stage, script, vm={"vcpus": 2} | BIG)
    assert halts(result)["fail_ns"] == 100 * US
    assert halts(result)["successful"] == 0
    assert awake(result)[0] == 5_100 * US


def test_a_vcpu_that_is_woken_by_another_one_stops_polling_at_once(stage):
    def script(cpu):
        if cpu.vcpu == 1:
            yield SpinUntil(0, 5_070 * US)
            yield Wake(0)
        else:
            yield SpinUntil(0, 5 * MS)
            yield Halt()
            yield Report("awake", (yield ReadTimer()))
        yield SpinUntil(0, 1 << 40)

    places = (AffinityChange(MS, 0, 0, (1,)), AffinityChange(MS, 0, 1, (0,)))
    result = polling(stage, script, vm={"vcpus": 2}, affinity_changes=places)
    assert awake(result) == [5_070 * US]
    assert halts(result)["success_ns"] == 70 * US


def test_a_thread_that_is_moved_while_it_polls_goes_on_waiting(stage):
    places = (AffinityChange(100 * US, 0, 0, (0,)),)
    result = polling(stage, sleeps(400), vm=BIG | {"cpus": None, "init_placement": "large"}, affinity_changes=places)
    assert result.tables["migrations"]["t_ns"].tolist() == [100 * US]
    assert awake(result) == [400 * US]
    assert halts(result)["success_ns"] == 400 * US


def test_a_polling_vcpu_runs_nothing_and_its_pcpu_is_not_idle(stage):
    machine = stage.machine(scene(vm=BIG, halt_poll_ns=MOST), sleeps(450))
    machine.host.state.poll[0, kp.WINDOW_NS] = MOST
    seen = []

    def process():
        yield machine.engine.wait_until(200 * US)
        state = machine.host.state
        seen.append((int(state.cpu[1, ks.MODE]), int(state.vcpu[0, ks.GUEST_NS])))

    machine.engine.start(process())
    machine.run()
    assert seen == [(ks.POLLING, 0)]
