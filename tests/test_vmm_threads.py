"""The VMM's threads by hand on the duo: how long I/O takes, who wakes whom, and where libvirt's pinning leaves the PMU.

CPU 0 has 1 GHz and capacity 256, CPU 1 2 GHz and 1024: a burst takes four times as long on CPU 0. Costs are zero.
"""

import dataclasses

import pytest

from scheduler import kernel_state as ks
from simcore.app.running import plan_vm
from simcore.costs import Costs
from simcore.errors import InputError
from simcore.loader import load_platform
from simcore.scenario import BackgroundTask, GuestSpec, PinSpec, Scenario, VmmThreadsSpec
from tests.scenes import DUO, FREE, MS, Run, Sleep, SpinUntil, Stage, scene
from workloads.actions import Die, Halt, ReadTimer, Wake

BURST = 20_000
SLOW = 4 * BURST
ONE = VmmThreadsSpec(io=1, io_burst_ns=BURST)
ON_LITTLE = PinSpec(vcpu=((1,),), io=((0,),))


@pytest.fixture
def stage(monkeypatch):
    return Stage(monkeypatch)


def io_scene(threads=ONE, pin=ON_LITTLE, vcpus=1, **changes):
    vm = changes.pop("vm", {})
    base = dataclasses.replace(scene(vm=vm).vms[0], vcpus=vcpus, vmm_threads=threads, pin=pin, pin_delay_ns=0)
    return scene(vms=(base,), seconds_ns=40 * MS, switches=True, **changes)


def waits_of(stage, scenario, sleep=None):
    """Return how long each wait of 1 ms for I/O takes on each vCPU, in ns: the timer of the duo has 1 GHz."""
    waits: dict[int, list[int]] = {}

    def script(cpu):
        yield SpinUntil(0, MS)
        while True:
            before = yield ReadTimer()
            yield sleep or Sleep(MS, io=True)
            waits.setdefault(cpu.vcpu, []).append((yield ReadTimer()) - before)
            yield Run(0, 1000)

    return stage.run(scenario, script), waits


@pytest.mark.parametrize(
    "threads, pin, expected",
    [
        (VmmThreadsSpec(), ON_LITTLE, MS),
        (ONE, ON_LITTLE, MS + 2 * SLOW),
        (ONE, PinSpec(vcpu=((1,),), io=((1,),)), MS + 2 * BURST),
        (VmmThreadsSpec(main=True, io_burst_ns=BURST), PinSpec(vcpu=((1,),), emulator=(0,)), MS + 2 * SLOW),
        (VmmThreadsSpec(main=True, io=1, io_burst_ns=BURST), PinSpec(((1,),), (0,), ((1,),)), MS + 2 * BURST),
    ],
)
def test_io_takes_the_device_and_two_bursts_of_a_thread(stage, threads, pin, expected):
    _, waits = waits_of(stage, io_scene(threads, pin))
    assert len(waits[0]) > 20
    assert set(waits[0]) == {expected}


def test_a_wait_for_the_timer_needs_no_thread(stage):
    result, waits = waits_of(stage, io_scene(), Sleep(MS))
    assert set(waits[0]) == {MS}
    assert 1 not in result.tables["switches"]["task"]


def test_requests_of_one_thread_are_done_one_after_the_other(stage):
    """Three vCPUs that ask within a microsecond; the thread is busy with the others when the devices are done."""
    waits = {}

    def script(cpu):
        yield SpinUntil(0, cpu.ticks(2 * MS) + cpu.vcpu * 10)
        before = yield ReadTimer()
        yield Sleep(1000, io=True)
        waits[cpu.vcpu] = (yield ReadTimer()) - before
        yield Halt()

    stage.run(on_rk3588(3), script)
    assert {vcpu: round(ticks * 1000 / 24 / BURST) for vcpu, ticks in waits.items()} == {0: 4, 1: 5, 2: 6}


def on_rk3588(vcpus):
    """vCPUs on three pCPUs of an RK3588, and their I/O thread on the fourth of the biggest."""
    pin = PinSpec(vcpu=((4,), (5,), (6,)), io=((7,),))
    vm = dataclasses.replace(scene().vms[0], vcpus=vcpus, vmm_threads=ONE, pin=pin, pin_delay_ns=0)
    return scene(platform="rk3588", vms=(vm,))


def test_an_io_thread_that_does_not_come_to_run_holds_the_guest_up(stage):
    busy = BackgroundTask(100 * MS, 1, (0,), policy="fifo")
    _, waits = waits_of(stage, io_scene(background=(busy,)))
    assert waits == {}


def test_vcpus_are_spread_over_the_io_threads(stage):
    threads = VmmThreadsSpec(io=2, io_burst_ns=BURST)
    result, waits = waits_of(stage, io_scene(threads, PinSpec(io=((0,),)), vcpus=3))
    assert set(waits) == {0, 1, 2}
    assert {3, 4} <= set(result.tables["switches"]["task"].tolist())


def test_an_io_thread_wakes_the_vcpu_from_its_own_pcpu(stage):
    calls = []
    machine = stage.machine(io_scene(ONE, PinSpec(vcpu=((0, 1),), io=((1,),))), io_once)
    wake = machine.host.wake

    def record(task, cpu, *by):
        calls.append((task, cpu))
        wake(task, cpu, *by)

    machine.host.wake = record
    machine.run()
    assert {cpu for task, cpu in calls if task == 0} == {1}


def io_once(cpu):
    while True:
        yield Run(0, 100_000)
        yield Sleep(MS, io=True)


def test_a_dead_guest_takes_its_threads_along(stage):
    def script(cpu):
        yield Sleep(MS, io=True)
        yield Die("for the test")

    machine = stage.machine(io_scene(VmmThreadsSpec(main=True, io=2)), script)
    machine.run()
    assert (machine.host.state.task[:, ks.STATE] == ks.DEAD).all()


def test_a_wait_that_an_interrupt_ended_is_not_ended_again(stage):
    """vCPU 0 is woken by another one while it waits for I/O: the completion, later, ends no other wait."""
    ends = []

    def script(cpu):
        if cpu.vcpu == 1:
            yield SpinUntil(0, 2 * MS)
            yield Wake(0)
            yield Halt()
        yield Sleep(10 * MS, io=True)
        ends.append((yield ReadTimer()))
        yield Sleep(25 * MS)
        ends.append((yield ReadTimer()))
        yield Halt()

    stage.run(io_scene(vcpus=2, vm={"init_placement": "large"}), script)
    assert len(ends) == 2
    assert ends[1] - ends[0] >= 25 * MS


def test_ipis_cost_what_a_wait_costs(stage):
    """A vCPU on CPU 0 wakes one on CPU 1 after 2 ms: that one goes on `wfi` and a switch later."""
    seen = []

    def script(cpu):
        if cpu.vcpu == 0:
            yield SpinUntil(0, 2 * MS)
            yield Wake(1)
            yield SpinUntil(0, 1 << 40)
        yield Halt()
        seen.append((yield ReadTimer()))
        yield Halt()

    costs = dataclasses.replace(FREE, wfi=3_000, context_switch=Costs().context_switch)
    pin = PinSpec(vcpu=((0,), (1,)))
    result = stage.run(io_scene(VmmThreadsSpec(), pin, vcpus=2, costs=costs), script)
    assert seen == [2 * MS + 3_000 + costs.context_switch]
    assert len(result.tables["migrations"]) <= 2


# --- pinning -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("emulator, pmu", [((0,), "pmu_little"), ((1,), "pmu_big")])
def test_the_default_pmu_is_that_of_the_emulators_pcpus(stage, emulator, pmu):
    """The vCPU is pinned to CPU 1, but only after KVM_ARM_VCPU_INIT."""
    pin = PinSpec(vcpu=((1,),), emulator=emulator)
    base = io_scene(VmmThreadsSpec(main=True), pin)
    scenario = dataclasses.replace(base, vms=(dataclasses.replace(base.vms[0], pin_delay_ns=3 * MS),))
    result = stage.run(scenario, spin)
    moves = [tuple(int(n) for n in row)[:5] for row in result.tables["migrations"]]
    assert result.tables["guests"]["init_pmu"].tolist() == [pmu]
    assert moves == ([(3 * MS, 0, 0, 1, ks.AFFINITY)] if emulator == (0,) else [])


def spin(cpu):
    yield SpinUntil(0, 1 << 40)


@pytest.mark.parametrize(
    "policy, pin, final",
    [
        ("default", PinSpec(), [(0, 1)] * 5),
        ("default", PinSpec(((1,), (0,)), (0,), ((1,),)), [(1,), (0,), (1,), (0,), (1,)]),
        ("default-pinned:pmu_big", PinSpec(vcpu=((0, 1),)), [(1,), (1,), (1,), (0, 1), (0, 1)]),
    ],
)
def test_where_threads_are_in_the_end(policy, pin, final):
    vm = dataclasses.replace(scene().vms[0], policy=policy, vcpus=3, vmm_threads=VmmThreadsSpec(True, 1), pin=pin)
    vm = dataclasses.replace(vm, guest=GuestSpec())
    places = plan_vm(load_platform(DUO), Scenario(platform=DUO, vms=(vm,)), 0).places
    assert list(places.final) == final
    assert set(places.first) == ({pin.emulator} if pin.emulator else {(0, 1)})


@pytest.mark.parametrize(
    "scheduler, policy, pin, where",
    [
        ("eas", "default", PinSpec(vcpu=((2,),)), "vms.0.pin.vcpu"),
        ("eas", "default", PinSpec(emulator=(5,)), "vms.0.pin.emulator"),
        ("eas", "default", PinSpec(io=((),)), "vms.0.pin.io"),
        ("eas", "set-pmu:pmu_big", PinSpec(vcpu=((0,),)), "vms.0.cpus"),
        ("pinned", "default", PinSpec(emulator=(0,)), "vms.0.pin"),
    ],
)
def test_impossible_pinning_is_refused(scheduler, policy, pin, where):
    vm = dataclasses.replace(scene().vms[0], policy=policy, vmm_threads=VmmThreadsSpec(io=1), pin=pin)
    with pytest.raises(InputError) as caught:
        plan_vm(load_platform(DUO), Scenario(platform=DUO, vms=(vm,), scheduler=scheduler), 0)
    assert str(caught.value).startswith(where)
