"""Law 9: fairness by weight within the lag bound, affinity, no lost wakeup, no idle pCPU beside a waiting thread.

An observer, a SimPy process of the test, looks at the host's arrays every 200 us.
"""

import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler import kernel_pelt, kernel_queue, layout
from scheduler import kernel_state as ks
from simcore.app.running import Machine
from simcore.scenario import ALL_CAUSES, BackgroundTask, GuestSpec, Scenario, VmSpec
from tests.scenes import EXAMPLES, FREE, MS, Scripted
from workloads import guests
from workloads.actions import ReadTimer, Report, Run, Sleep, SpinUntil

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


SLEEPERS = st.tuples(st.integers(20_000, 3_000_000), st.integers(20_000, 3 * MS))


@LAWS
@given(
    st.integers(1, 12),
    st.lists(SLEEPERS, min_size=12, max_size=12),
    st.lists(
        st.builds(
            BackgroundTask, st.integers(50_000, 2 * MS), st.integers(20_000, 4 * MS), st.sampled_from([-5, 0, 10])
        ),
        max_size=4,
    ),
    st.integers(0, 100),
)
def test_no_pcpu_idles_past_a_balance_interval_beside_a_waiting_thread(monkeypatch, vcpus, sleepers, background, seed):
    """Law 9 under a scheduler without EAS, and that no affinity is broken and no wakeup lost on the way."""
    interval = layout.balance_interval_ns(8)
    woken: dict[int, list[int]] = {}

    def script(cpu):
        instructions, sleep = sleepers[cpu.vcpu]
        while True:
            yield Run(0, instructions)
            before = yield ReadTimer()
            yield Sleep(sleep)
            after = yield ReadTimer()
            woken.setdefault(cpu.vcpu, []).append((after - before) * 1_000_000_000 // cpu.cntfrq_hz - sleep)

    scenario = scenario_of(vcpus, background=tuple(background), seed=seed, seconds_ns=40 * MS)
    machine = machine_of(monkeypatch, scenario, script)
    both_since: dict[tuple[int, int], int] = {}

    def look(state):
        now = int(state.glob[ks.NOW])
        task, cpu = state.task, state.cpu
        on = task[:, ks.STATE] != ks.SLEEPING
        assert all(state.allowed[p, task[p, ks.CPU]] for p in np.flatnonzero(on))
        waiting = [p for p in range(vcpus) if task[p, ks.STATE] == ks.QUEUED]
        idle = [c for c in range(len(cpu)) if cpu[c, ks.CURRENT] == ks.NONE]
        pairs = {(p, c) for p in waiting for c in idle if state.allowed[p, c]}
        for pair in list(both_since):
            if pair not in pairs:
                del both_since[pair]
        for pair in pairs:
            since = both_since.setdefault(pair, now)
            assert now - since <= interval, f"thread {pair[0]} waits while pCPU {pair[1]} idles since {since}"
        overdue = (task[:, ks.STATE] == ks.SLEEPING) & (task[:, ks.WAKE_AT] < now)
        assert not overdue.any()

    observe(machine, look)
    machine.run()
    assert all(late >= -1000 for lates in woken.values() for late in lates)  # ticks of 24 MHz round
    assert all(woken.get(vcpu) for vcpu in range(vcpus) if sum(sleepers[vcpu]) < 2 * MS)


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
            lag = int(kernel_queue.average(machine.host.handle, 5)) - int(state.task[p, ks.VRUNTIME])
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
    from workloads.actions import Halt, Wake

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


@pytest.mark.parametrize("ms, util", [(32, 512), (64, 768), (345, 1023)])
def test_pelt_rises_with_a_half_life_of_32_ms(ms, util):
    """A thread that runs at full capacity from zero: 1 - 2**(-t / 32 periods), a period being 1024 us."""
    task = np.zeros(ks.TASK_COLUMNS, np.int64)
    for step in range(1, ms + 1):
        kernel_pelt.accrue(task, step * 1024 * 1024, 1024)
    assert abs(int(task[ks.UTIL]) - util) <= 2


def test_pelt_halves_in_32_periods_of_sleep_and_does_not_depend_on_the_steps():
    awake = np.zeros(ks.TASK_COLUMNS, np.int64)
    kernel_pelt.begin(awake, 0, 1000)
    kernel_pelt.accrue(awake, 32 * 1024 * 1024, 0)
    assert abs(int(awake[ks.UTIL]) - 500) <= 1
    assert kernel_pelt.decay(1 << 20, 32) == (1 << 19) - 1 or kernel_pelt.decay(1 << 20, 32) == 1 << 19
    assert kernel_pelt.decay(1 << 20, 5000) == 0


def test_weights_and_slices_are_those_of_linux():
    assert [layout.weight_of(nice) for nice in (-20, 0, 19)] == [88761, 1024, 15]
    assert [layout.base_slice_ns(n) for n in (1, 2, 3, 4, 7, 8, 384)] == [
        700_000, 1_400_000, 1_400_000, 2_100_000, 2_100_000, 2_800_000, 2_800_000,
    ]  # fmt: skip
