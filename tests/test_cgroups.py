"""Cgroups of VMs by hand on the duo (HZ ticks each 4 ms): weights, quotas that are exceeded, cpusets; and steal."""

import dataclasses

import numpy as np
import pytest

from scheduler import kernel_state as ks
from scheduler.layout import shares_of
from simcore.app.running import check, plan_vm
from simcore.errors import InputError
from simcore.loader import load_platform
from simcore.scenario import (
    AffinityChange,
    BackgroundTask,
    CgroupSpec,
    CpusetChange,
    Scenario,
    ThreadSpec,
    VmmThreadsSpec,
    VmSpec,
)
from tests.scenes import DUO, MS, Report, Run, Sleep, SpinUntil, Stage, scene
from workloads.actions import Halt, ReadSteal, ReadTimer

FOREVER = 1 << 40
BIG = {"cpus": (1,)}


@pytest.fixture
def stage(monkeypatch):
    return Stage(monkeypatch)


def spin(cpu):
    yield SpinUntil(0, FOREVER)


def vm_of(vcpus=1, cpus=(1,), sched=None, **cgroup):
    base = dataclasses.replace(scene().vms[0], vcpus=vcpus, cpus=cpus, cgroup=CgroupSpec(**cgroup))
    return dataclasses.replace(base, sched=sched) if sched else base


def guest_ns(result):
    """Return the guest time of each VM."""
    rows = result.tables["vcpus"]
    return [int(rows["guest_ns"][rows["vm"] == vm].sum()) for vm in np.unique(rows["vm"])]


# --- weight --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "first, second, share",
    [
        (vm_of(3), vm_of(1), 3 / 4),
        (vm_of(3, weight=100), vm_of(1, weight=100), 1 / 2),
        (vm_of(3, weight=300), vm_of(2, weight=100), 3 / 4),
        (vm_of(2, weight=100, sched=ThreadSpec(nice=5)), vm_of(1), 1 / 2),
        (vm_of(1, weight=1), vm_of(1, weight=100), 10 / 1034),
    ],
)
def test_vms_on_one_pcpu_share_by_the_weights_of_their_cgroups(stage, first, second, share):
    """However many vCPUs they have, and whatever the nice value of all of these."""
    result = stage.run(scene(vms=(first, second), seconds_ns=1200 * MS), spin)
    assert sum(guest_ns(result)) == 1200 * MS
    assert guest_ns(result)[0] / 1200 / MS == pytest.approx(share, abs=0.02)


def test_a_vcpu_that_wakes_up_shares_with_the_others_of_its_cgroup(stage):
    """The second vCPU sleeps for 400 of 800 ms; the VM has half of the pCPU all the time."""

    def script(cpu):
        if cpu.vcpu == 1:
            yield Sleep(400 * MS)
        yield from spin(cpu)

    vms = (vm_of(2, weight=100), vm_of(1, weight=100))
    result = stage.run(scene(vms=vms, seconds_ns=800 * MS), script)
    assert result.tables["vcpus"]["guest_ns"] / MS == pytest.approx([300, 100, 400], abs=12)


def test_fifo_threads_have_no_part_of_the_weight(stage):
    """The I/O thread of a VM with fifo vCPUs has all of it."""
    vm = dataclasses.replace(vm_of(3, weight=200, sched=ThreadSpec(policy="fifo")), vmm_threads=VmmThreadsSpec(io=1))
    machine = stage.machine(scene(vms=(vm,)), io_once)
    machine.run()
    assert machine.host.state.task[3, ks.WEIGHT] == 2048


def io_once(cpu):
    yield Sleep(MS, io=True)
    yield Halt()


def test_a_share_is_taken_as_a_thread_wakes_and_renewed_at_ticks(stage):
    """Of three vCPUs on an RK3588 the last sleeps until 1 ms, another for good: it takes a half as it wakes.

    The one that runs has the whole weight until the tick at 4 ms.
    """

    def script(cpu):
        if cpu.vcpu == 1:
            yield Halt()
        if cpu.vcpu == 2:
            yield Sleep(MS)
        yield from spin(cpu)

    machine = stage.machine(scene(platform="rk3588", vms=(vm_of(3, cpus=None, weight=100),)), script)
    seen = []

    def look():
        for when in (0, 2 * MS, 5 * MS):
            yield machine.engine.wait_until(when)
            seen.append(machine.host.state.task[[0, 2], ks.WEIGHT].tolist())

    machine.engine.start(look())
    machine.run()
    assert seen == [[1024, 341], [1024, 512], [512, 512]]


@pytest.mark.parametrize("cpu_weight, shares", [(100, 1024), (1, 10), (10_000, 102_400), (33, 338), (2, 20)])
def test_shares_of_cpu_weights(cpu_weight, shares):
    assert shares_of(cpu_weight) == shares


# --- quota ---------------------------------------------------------------------------------------------------


def runs(result, task):
    """Return (start, end) of each stretch in which a thread ran."""
    rows = result.tables["switches"]
    times = [*rows["t_ns"].tolist(), result.summary["ended_ns"]]
    return [(times[n], times[n + 1]) for n, row in enumerate(rows) if row["task"] == task]


def test_a_quota_is_noticed_at_ticks_and_what_was_too_much_is_paid_back(stage):
    """10 ms each 40 ms: 12 ms until the tick that notices, then 10 - 2 = 8 ms, then 12 again."""
    result = stage.run(
        scene(vms=(vm_of(quota_ns=10 * MS, period_ns=40 * MS),), seconds_ns=159 * MS, switches=True), spin
    )
    assert runs(result, 0) == [(0, 12 * MS), (40 * MS, 48 * MS), (80 * MS, 92 * MS), (120 * MS, 128 * MS)]
    row = result.tables["cgroups"][0]
    assert tuple(row) == (0, 40 * MS, 3, 3, (28 + 32 + 28) * MS)
    assert result.tables["vcpus"]["steal_ns"].tolist() == [119 * MS]


def test_a_quota_in_one_pool_for_all_pcpus(stage):
    """Two vCPUs on two pCPUs use 24 ms until the tick at 12 ms, which both notice, and pay 4 ms of it back.

    At 48 ms nothing is left once CPU 1 is charged; CPU 0, charged before, goes on to its next tick.
    """
    vms = (vm_of(2, cpus=None, quota_ns=20 * MS, period_ns=40 * MS),)
    scenario = scene(vms=vms, seconds_ns=79 * MS, switches=True, causes=Scenario().causes)
    result = stage.run(scenario, spin)
    assert guest_ns(result) == [(2 * 12 + 8 + 12) * MS]
    assert tuple(result.tables["cgroups"][0]) == (0, 44 * MS, 1, 1, 2 * 28 * MS)


def test_an_idle_pcpu_pulls_no_thread_that_has_no_quota(stage):
    """Three vCPUs: the one that waits for CPU 1 at 12 ms is not pulled by CPU 0, which has just noticed."""
    vms = (vm_of(3, cpus=None, quota_ns=20 * MS, period_ns=40 * MS),)
    result = stage.run(scene(vms=vms, seconds_ns=39 * MS, causes=Scenario().causes), spin)
    assert guest_ns(result) == [24 * MS]


def test_a_throttled_thread_obeys_a_new_affinity_as_it_comes_back(stage):
    vms = (vm_of(quota_ns=10 * MS, period_ns=40 * MS),)
    away = (AffinityChange(20 * MS, 0, 0, (0,)),)
    result = stage.run(scene(vms=vms, seconds_ns=50 * MS, affinity_changes=away), spin)
    assert places(result) == [(40 * MS, 0, 1, 0, ks.AFFINITY)]
    assert guest_ns(result) == [20 * MS]


def test_others_have_what_a_quota_leaves(stage):
    vms = (vm_of(quota_ns=5 * MS, period_ns=20 * MS), vm_of())
    result = stage.run(scene(vms=vms, seconds_ns=400 * MS), spin)
    assert guest_ns(result)[0] == pytest.approx(100 * MS, abs=4 * MS)
    assert sum(guest_ns(result)) == 400 * MS
    assert result.tables["cgroups"]["nr_throttled"].tolist()[1] == 0


def test_a_wakeup_while_the_quota_is_used_up_waits_for_the_refill(stage):
    def script(cpu):
        yield SpinUntil(0, 2 * MS)
        yield Sleep(3 * MS)
        yield SpinUntil(0, FOREVER)

    vms = (vm_of(quota_ns=2 * MS, period_ns=20 * MS),)
    result = stage.run(scene(vms=vms, seconds_ns=39 * MS, switches=True), script)
    assert runs(result, 0) == [(0, 2 * MS), (20 * MS, 24 * MS)]


def test_periods_in_which_a_quota_is_not_used_do_not_count(stage):
    """10 ms of work at 0 and at 200 ms, with 20 ms each 20 ms: two periods are counted each time."""

    def script(cpu):
        for start in (0, 200):
            yield SpinUntil(0, (start + 10) * MS)
            yield Sleep(190 * MS)

    vms = (vm_of(quota_ns=20 * MS, period_ns=20 * MS),)
    result = stage.run(scene(vms=vms, seconds_ns=390 * MS), script)
    assert tuple(result.tables["cgroups"][0]) == (0, 20 * MS, 4, 0, 0)


def test_fifo_threads_have_no_quota(stage):
    vms = (vm_of(quota_ns=MS, period_ns=20 * MS, sched=ThreadSpec(policy="fifo")),)
    assert guest_ns(stage.run(scene(vms=vms, seconds_ns=40 * MS), spin)) == [40 * MS]


# --- cpuset --------------------------------------------------------------------------------------------------


def places(result):
    return [tuple(int(n) for n in row)[:5] for row in result.tables["migrations"]]


def test_a_cpuset_moves_threads_and_gives_their_affinity_back(stage):
    """Only CPU 0 from 5 ms on, which the affinity (CPU 1) does not contain; both again from 9 ms on."""
    changes = (CpusetChange(5 * MS, 0, (0,)), CpusetChange(9 * MS, 0, (0, 1)))
    result = stage.run(scene(vms=(vm_of(),), cpuset_changes=changes), spin)
    assert places(result) == [(5 * MS, 0, 1, 0, ks.AFFINITY), (9 * MS, 0, 0, 1, ks.AFFINITY)]


def test_an_affinity_outside_the_cpuset_is_refused_and_one_across_it_is_cut(stage):
    """What was refused has no effect later, when the cpuset has room for it."""
    vm = dataclasses.replace(vm_of(cpus=None), cgroup=CgroupSpec(cpus=(0,)))
    wider = (CpusetChange(8 * MS, 0, (0, 1)),)
    for asked, moves in (((1,), []), ((0, 1), [])):
        change = (AffinityChange(5 * MS, 0, 0, asked),)
        result = stage.run(scene(vms=(vm,), affinity_changes=change, cpuset_changes=wider), spin)
        assert places(result) == moves
        assert result.tables["vcpus"]["init_cpu"].tolist() == [0]


@pytest.mark.parametrize(
    "spec, where",
    [
        (CgroupSpec(quota_ns=10), "vms.0.cgroup.quota"),
        (CgroupSpec(period_ns=10), "vms.0.cgroup.period"),
        (CgroupSpec(cpus=(0, 9)), "vms.0.cgroup.cpus"),
        (CgroupSpec(cpus=(0,)), "vms.0.cpus"),
    ],
)
def test_impossible_cgroups_are_refused(spec, where):
    scenario = Scenario(platform=DUO, vms=(VmSpec(cpus=(1,), cgroup=spec),))
    check(scenario)
    with pytest.raises(InputError) as caught:
        plan_vm(load_platform(DUO), scenario, 0)
    assert str(caught.value).startswith(where)


# --- steal ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vms", [2, 3, 5])
def test_what_vcpus_on_one_pcpu_do_not_run_is_stolen(stage, vms):
    """Each has the whole time but what it ran, and a fair share of that to a few turns of 4 ms."""
    result = stage.run(scene(vms=(vm_of(),) * vms, seconds_ns=600 * MS), spin)
    rows = result.tables["vcpus"]
    assert (rows["steal_ns"] + rows["guest_ns"]).tolist() == [600 * MS] * vms
    assert rows["steal_ns"] / MS == pytest.approx([600 * (vms - 1) / vms] * vms, abs=9)


def test_a_guest_reads_its_steal(stage):
    """A vCPU that runs 1 ms at a time: what the architected timer shows beyond that is what was stolen meanwhile."""
    seen = []

    def script(cpu):
        stolen = yield ReadSteal()
        while True:
            before = yield ReadTimer()
            yield Run(0, 1_000_000)
            now = yield ReadTimer()
            after = yield ReadSteal()
            seen.append((now - before, after - stolen))
            stolen = after
            yield Report("steal", after)

    machine = stage.machine(
        scene(vms=(vm_of(),), background=(BackgroundTask(MS, MS, (1,)),), seconds_ns=100 * MS), script
    )
    machine.run()
    alone = min(passed for passed, _ in seen)
    assert max(stolen for _, stolen in seen) > MS // 2
    assert all(abs(passed - stolen - alone) <= 2 for passed, stolen in seen)


def test_sleep_is_not_stolen(stage):
    def script(cpu):
        while True:
            yield Run(0, 100_000)
            yield Sleep(MS)

    assert stage.run(scene(vms=(vm_of(),)), script).tables["vcpus"]["steal_ns"].tolist() == [0]
