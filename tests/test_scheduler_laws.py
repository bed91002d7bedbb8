"""Law 9: fairness by weight within the lag bound, affinity, no lost wakeup, no idle pCPU beside a waiting thread.

An observer, a SimPy process of the test, looks at the host's arrays every 200 us. PELT, weights' sums and EEVDF's
choices have tests of their own (test_sched_signal, test_sched_fair); here is what must hold of a whole run.
"""

import dataclasses

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler import kernel_average, layout
from scheduler import kernel_state as ks
from simcore.app.running import Machine
from simcore.scenario import (
    ALL_CAUSES,
    AffinityChange,
    BackgroundTask,
    CgroupSpec,
    GuestSpec,
    Scenario,
    VmmThreadsSpec,
    VmSpec,
)
from tests.scenes import EXAMPLES, FREE, MS, Scripted
from workloads import guests
from workloads.actions import Halt, ReadTimer, Report, Run, Sleep, SpinUntil, Wake

LOOK_NS = 200_000
LAWS = settings(
    max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def machine_of(monkeypatch, scenario, script) -> Machine:
    monkeypatch.setitem(guests.GUESTS, "scripted", lambda spec, work: Scripted((*work.phases, work.kernel), script))
    return Machine(scenario)


def scenario_of(vcpus, **changes) -> Scenario:
    guest = GuestSpec(name="scripted", workload="dhrystone")
    base = Scenario(vms=(VmSpec(guest=guest, vcpus=vcpus, policy=None),), seconds_ns=100 * MS, costs=FREE, sample_ns=0)
    return dataclasses.replace(base, **changes)


def observe(machine, look):
    def process():
        while True:
            yield machine.engine.wait_until(machine.engine.now_ns + LOOK_NS)
            look(machine.host.state)

    machine.engine.start(process())


def forever(cpu):
    while True:
        yield SpinUntil(0, 1 << 40)


SLEEPERS = st.lists(st.tuples(st.integers(20_000, 3_000_000), st.integers(20_000, 3 * MS)), min_size=12, max_size=12)
BACKGROUND = st.lists(
    st.builds(
        BackgroundTask,
        st.integers(50_000, 2 * MS),
        st.integers(20_000, 4 * MS),
        nice=st.sampled_from([-5, 0, 10]),
        slice_ns=st.sampled_from([0, 100_000, 10 * MS]),
        policy=st.sampled_from(["other", "batch", "idle"]),
        uclamp_max=st.sampled_from([None, None, None, 300]),
    )
    | st.builds(
        BackgroundTask,
        st.integers(50_000, 2 * MS),
        st.integers(20_000, 4 * MS),
        policy=st.sampled_from(["fifo", "rr"]),
        priority=st.sampled_from([1, 50]),
    ),
    max_size=4,
)
CHANGES = st.lists(
    st.tuples(
        st.integers(0, 40 * MS), st.integers(0, 11), st.sets(st.integers(0, 7), min_size=1).map(sorted).map(tuple)
    ),
    max_size=6,
    unique_by=lambda change: change[:2],
)


def check_queues(state):
    """Check that what threads are agrees with the queues that they are in, and that they are where they may be."""
    task, cpu = state.task, state.cpu
    current = {int(p) for p in cpu[:, ks.CURRENT]}
    for p, row in enumerate(task):
        awake = row[ks.STATE] in (ks.QUEUED, ks.RUNNING)
        assert row[ks.ON_RQ] == (awake or row[ks.DELAYED])
        assert not (awake and row[ks.DELAYED])
        assert not row[ks.ON_RQ] or state.allowed[p, row[ks.CPU]]
        assert (row[ks.STATE] == ks.RUNNING) == (p in current)
        assert row[ks.STATE] != ks.SLEEPING or not row[ks.PENDING_WAKE], "a wakeup is lost"
    awake = (task[:, ks.STATE] == ks.QUEUED) | (task[:, ks.STATE] == ks.RUNNING)
    assert (cpu[:, ks.N_RUNNABLE] + cpu[:, ks.N_RT]).tolist() == [
        int((awake & (task[:, ks.CPU] == c)).sum()) for c in range(len(cpu))
    ]
    assert not ((task[:, ks.STATE] == ks.SLEEPING) & (task[:, ks.WAKE_AT] < state.glob[ks.NOW])).any()


@LAWS
@given(
    st.integers(1, 12),
    SLEEPERS,
    BACKGROUND,
    CHANGES,
    st.integers(0, 100),
    st.sampled_from(["eevdf", "eas", "random", "round-robin:1ms", "pinned"]),
)
def test_no_affinity_is_broken_and_no_wakeup_lost(monkeypatch, vcpus, sleepers, background, changes, seed, scheduler):
    """Whatever places the threads, and while their affinities change."""
    whole = CgroupSpec() if seed % 3 else CgroupSpec(weight=200, quota_ns=6 * MS, period_ns=8 * MS)
    changes = tuple(AffinityChange(when, 0, vcpu, cpus) for when, vcpu, cpus in changes if vcpu < vcpus)
    if scheduler == "pinned":
        changes = ()
    scenario = scenario_of(vcpus, background=tuple(background), seed=seed, seconds_ns=40 * MS, scheduler=scheduler)
    threads = VmmThreadsSpec(main=seed % 2 == 0, io=seed % 4)
    vms = tuple(dataclasses.replace(vm, cgroup=whole, vmm_threads=threads) for vm in scenario.vms)
    scenario = dataclasses.replace(scenario, affinity_changes=changes, vms=vms)
    machine, woken = sleeping_machine(monkeypatch, scenario, sleepers)
    observe(machine, check_queues)
    machine.run()
    assert all(late >= -1000 for lates in woken.values() for late in lates)  # ticks of 24 MHz round
    if not changes and not whole.quota_ns:
        assert all(woken.get(vcpu) for vcpu in range(vcpus) if sum(sleepers[vcpu]) < 2 * MS)


def sleeping_machine(monkeypatch, scenario, sleepers):
    """Return the machine of vCPUs that run and sleep in turn, and by how many ns each slept too long."""
    woken: dict[int, list[int]] = {}

    def script(cpu):
        instructions, sleep = sleepers[cpu.vcpu]
        while True:
            yield Run(0, instructions)
            before = yield ReadTimer()
            yield Sleep(sleep, io=bool(instructions & 1))
            after = yield ReadTimer()
            woken.setdefault(cpu.vcpu, []).append((after - before) * 1_000_000_000 // cpu.cntfrq_hz - sleep)

    return machine_of(monkeypatch, scenario, script), woken


@LAWS
@given(
    st.integers(1, 12),
    SLEEPERS,
    BACKGROUND,
    CHANGES,
    st.integers(0, 100),
    st.sampled_from(["eevdf", "eevdf", "round-robin:1ms"]),
)
def test_no_pcpu_idles_past_a_balance_interval_beside_a_waiting_thread(
    monkeypatch, vcpus, sleepers, background, changes, seed, scheduler
):
    """Under a scheduler without EAS."""
    interval = layout.balance_interval_ns(8)
    changes = tuple(AffinityChange(when, 0, vcpu, cpus) for when, vcpu, cpus in changes if vcpu < vcpus)
    scenario = scenario_of(vcpus, background=tuple(background), seed=seed, seconds_ns=40 * MS, scheduler=scheduler)
    scenario = dataclasses.replace(scenario, affinity_changes=changes)
    machine, _ = sleeping_machine(monkeypatch, scenario, sleepers)
    both_since: dict[tuple[int, int], int] = {}

    def look(state):
        now = int(state.glob[ks.NOW])
        waiting = np.flatnonzero(state.task[:, ks.STATE] == ks.QUEUED)
        idle = np.flatnonzero(state.cpu[:, ks.CURRENT] == ks.NONE)
        pairs = {(int(p), int(c)) for p in waiting for c in idle if state.allowed[p, c]}
        for pair in list(both_since):
            if pair not in pairs:
                del both_since[pair]
        for pair in pairs:
            since = both_since.setdefault(pair, now)
            assert now - since <= interval, f"thread {pair[0]} waits while pCPU {pair[1]} idles since {since}"

    observe(machine, look)
    machine.run()


@LAWS
@given(st.integers(2, 6), st.integers(30_000, 100_000), BACKGROUND, st.sampled_from([None, (5,), (0, 5)]))
def test_a_token_that_vcpus_hand_on_by_waking_each_other_is_never_lost(
    monkeypatch, vcpus, instructions, background, cpus
):
    """Each vCPU waits in WFI for the one before it; a wakeup may come before, at or after the start of the wait."""
    held: list[int] = []

    def script(cpu):
        while True:
            if cpu.vcpu > 0 or held:
                yield Halt()
            held.append(cpu.vcpu)
            yield Run(0, instructions)
            yield Wake((cpu.vcpu + 1) % vcpus)

    guest = GuestSpec(name="scripted", workload="dhrystone")
    vm = VmSpec(guest=guest, vcpus=vcpus, policy=None, cpus=cpus)
    scenario = scenario_of(vcpus, background=tuple(background), vms=(vm,), seconds_ns=20 * MS)
    machine = machine_of(monkeypatch, scenario, script)
    observe(machine, check_queues)
    machine.run()
    assert held == [n % vcpus for n in range(len(held))]
    assert len(held) > 2 * vcpus


@LAWS
@given(st.lists(st.sampled_from([-10, -3, 0, 4, 12]), min_size=2, max_size=6), st.integers(0, 50))
def test_shares_follow_the_weights_within_the_lag_bound(monkeypatch, nices, seed):
    """Threads that never sleep on one pCPU: service differs from the weighted share by a slice and a tick each."""
    vcpus = len(nices)
    scenario = scenario_of(vcpus, background=(), seed=seed, vms=None)
    vm = VmSpec(guest=GuestSpec(name="scripted", workload="dhrystone"), vcpus=vcpus, policy=None, cpus=(5,))
    machine = machine_of(monkeypatch, dataclasses.replace(scenario, vms=(vm,), seconds_ns=400 * MS), forever)
    weights = [layout.weight_of(nice) for nice in nices]
    machine.host.state.task[:vcpus, ks.WEIGHT] = weights
    bound = layout.base_slice_ns(8) + 4 * MS

    def look(state):
        for p in range(vcpus):
            lag = int(kernel_average.average(machine.host.handle, 5)) - int(state.task[p, ks.VRUNTIME])
            assert abs(lag) <= bound * 1024 // min(weights[p], 1024) + bound

    observe(machine, look)
    machine.run()
    served = machine.host.state.vcpu[:, ks.GUEST_NS]
    total = int(served.sum())
    assert total == 400 * MS
    for weight, got in zip(weights, served, strict=True):
        assert abs(int(got) - total * weight // sum(weights)) <= bound


def test_an_overloaded_host_uses_every_pcpu(monkeypatch):
    machine = machine_of(monkeypatch, scenario_of(16, background=()), forever)
    machine.run()
    assert (machine.host.state.cpu[:, ks.BUSY_NS] > 95 * MS).all()


def test_misfit_threads_go_to_the_big_cores(monkeypatch):
    vm = VmSpec(guest=GuestSpec(name="scripted", workload="dhrystone"), vcpus=4, policy=None, init_placement="cluster0")
    scenario = scenario_of(4, background=(), vms=(vm,), seconds_ns=300 * MS)
    machine = machine_of(monkeypatch, scenario, forever)
    machine.run()
    where = set(machine.host.state.task[:4, ks.CPU].tolist())
    assert where == {4, 5, 6, 7}
    stay = dataclasses.replace(scenario, causes=ALL_CAUSES - {"misfit"})
    machine = machine_of(monkeypatch, stay, forever)
    machine.run()
    assert not set(machine.host.state.task[:4, ks.CPU].tolist()) & {4, 5, 6, 7}


def test_a_wakeup_before_the_sleep_is_kept(monkeypatch):
    """A Wake that comes while the other vCPU still runs ends that vCPU's next wait at once."""
    log = []

    def script(cpu):
        if cpu.vcpu == 0:
            yield SpinUntil(0, cpu.ticks(1 * MS))
            yield Wake(1)
            yield SpinUntil(0, 1 << 40)
        yield SpinUntil(0, cpu.ticks(2 * MS))
        yield Halt()
        log.append((yield ReadTimer()))
        yield Report("woken", 1)
        yield Halt()
        log.append("never")

    machine_of(monkeypatch, scenario_of(2, background=(), seconds_ns=10 * MS), script).run()
    assert log == [2 * MS * 24_000_000 // 1_000_000_000]


def test_weights_and_slices_are_those_of_linux():
    assert [layout.weight_of(nice) for nice in (-20, 0, 19)] == [88761, 1024, 15]
    assert [layout.base_slice_ns(n) for n in (1, 2, 3, 4, 7, 8, 384)] == [
        700_000, 1_400_000, 1_400_000, 2_100_000, 2_100_000, 2_800_000, 2_800_000,
    ]  # fmt: skip
