"""The schedulers by name: round-robin and pinned on the duo and an RK3588, and what no scheduler is called."""

import dataclasses
import itertools

import pytest

from scheduler import choice, kernel_core, kernel_thread
from scheduler import kernel_state as ks
from scheduler.attributes import set_attributes
from simcore.app.running import check
from simcore.errors import InputError
from simcore.scenario import AffinityChange, BackgroundTask, Scenario, ThreadSpec
from tests import run_queue
from tests.scenes import MS, Run, Sleep, SpinUntil, Stage, scene

FOREVER = 1 << 40


@pytest.fixture
def stage(monkeypatch):
    return Stage(monkeypatch)


def spin(cpu):
    yield SpinUntil(0, FOREVER)


def hop(cpu):
    while True:
        yield Run(0, 300_000)
        yield Sleep(MS)


def on_rk3588(scheduler, vcpus, **changes):
    vm = dataclasses.replace(scene().vms[0], vcpus=vcpus, **changes.pop("vm", {}))
    causes = Scenario().causes
    base = scene(scheduler=scheduler, governor="schedutil", causes=causes, seconds_ns=60 * MS, switches=True)
    return dataclasses.replace(base, platform="rk3588", vms=(vm,), **changes)


def cpus_of(result, vcpus):
    """Return the set of pCPUs on which each thread came to run."""
    rows = result.tables["switches"]
    return [set(rows[rows["task"] == task]["cpu"].tolist()) for task in range(vcpus)]


def test_pinned_vcpus_run_on_one_pcpu_each_and_nothing_moves(stage):
    busy = (BackgroundTask(MS, MS),) * 4
    result = stage.run(on_rk3588("pinned", 10, background=busy), hop)
    assert cpus_of(result, 14) == [{n % 8} for n in range(10)] + [{n} for n in range(4)]
    assert len(result.tables["migrations"]) == 0
    assert result.tables["vcpus"]["init_cpu"].tolist() == [n % 8 for n in range(10)]


@pytest.mark.parametrize(
    "vm, cpus",
    [
        ({"cpus": (6, 2)}, [6, 2, 6]),
        ({"policy": "set-pmu:armv8_cortex_a76"}, [4, 5, 6]),
        ({"policy": "default-pinned:armv8_cortex_a55", "cpus": (1, 3, 5)}, [1, 3, 1]),
    ],
)
def test_pinned_takes_the_pcpus_of_the_vm_and_its_policy(stage, vm, cpus):
    result = stage.run(on_rk3588("pinned", 3, vm=vm), hop)
    assert cpus_of(result, 3) == [{cpu} for cpu in cpus]


def test_round_robin_runs_all_in_turn_whatever_their_nice_value(stage):
    nice = dataclasses.replace(scene().vms[0], sched=ThreadSpec(nice=19), cpus=(1,))
    scenario = scene(scheduler="round-robin:8ms", seconds_ns=480 * MS, switches=True)
    vms = (nice, dataclasses.replace(nice, sched=ThreadSpec()), dataclasses.replace(nice, sched=ThreadSpec(nice=-20)))
    result = stage.run(dataclasses.replace(scenario, vms=vms), spin)
    turns = [(int(row["t_ns"]), int(row["task"])) for row in result.tables["switches"]]
    assert turns == [(8 * MS * n, n % 3) for n in range(60)]


def test_round_robin_wakes_a_thread_on_the_pcpu_with_the_fewest(stage):
    """Two vCPUs spin on an RK3588, six sleep and wake up: nobody ever waits."""

    def script(cpu):
        yield from spin(cpu) if cpu.vcpu < 2 else hop(cpu)

    machine = stage.machine(on_rk3588("round-robin", 8), script)
    waits = []

    def watch():
        while True:
            yield machine.engine.wait_until(machine.engine.now_ns + MS // 10)
            waits.append(int((machine.host.state.task[:, ks.STATE] == ks.QUEUED).sum()))

    machine.engine.start(watch())
    machine.run()
    assert max(waits[1:]) == 0


@pytest.mark.parametrize("numbers, expected", [((2, 1, 2), 1), ((1, 1, 2), 0), ((2, 1, 1), 1)])
def test_round_robin_counts_threads_and_prefers_the_last_pcpu(numbers, expected):
    host = run_queue.Host(cpus=3, tasks=8)
    host.state.glob[ks.ROUND_ROBIN] = 1
    host.state.glob[ks.CAUSES] = 1 << ks.WAKEUP
    task = 0
    for cpu, number in enumerate(numbers):
        for _ in range(number):
            task += 1
            set_attributes(host.state, task, ThreadSpec(policy="rr"), 250)
            kernel_core.start(host.handle, cpu, task)
    assert int(kernel_thread.chosen_cpu(host.handle, 0, 2)) == expected


def test_round_robin_balances_by_number(stage):
    """Sixteen vCPUs that never sleep, all started on one cluster: two for each pCPU in the end."""
    result = stage.machine(on_rk3588("round-robin:4ms", 16, vm={"init_placement": "cluster0"}), spin)
    result.run()
    assert result.host.state.cpu[:, ks.N_RT].tolist() == [2] * 8


@pytest.mark.parametrize("name, turn", [("round-robin", 100 * MS), ("round-robin:5ms", 5 * MS), ("eas", 0)])
def test_the_length_of_a_turn(name, turn):
    assert choice.name_of(name) == name.partition(":")[0]
    assert choice.turn_ns(name) == turn


@pytest.mark.parametrize(
    "name, fragment",
    [
        ("cfs", "unknown scheduler"),
        ("pinned:3", "no parameter"),
        ("eas:1", "no parameter"),
        ("random:0", "bad rate"),
        ("random:x", "bad rate"),
        ("round-robin:0ms", "no length"),
        ("round-robin:x", "round-robin:x"),
    ],
)
def test_what_is_no_scheduler_is_refused(name, fragment):
    with pytest.raises(InputError, match=fragment) as caught:
        check(Scenario(scheduler=name))
    assert len(str(caught.value).splitlines()) <= 3


def test_pinned_refuses_changes_of_affinity():
    with pytest.raises(InputError, match="affinity_changes"):
        check(Scenario(scheduler="pinned", affinity_changes=(AffinityChange(0, 0, 0, (1,)),)))


def doze(cpu):
    while True:
        yield Run(0, 1000)
        yield Sleep(5 * MS)


def test_a_thread_that_random_puts_elsewhere_as_it_sleeps_migrates_when_it_wakes(stage):
    """Some ten moves a sleep: a crossing is one between two loads, of which the guest can see something."""
    result = stage.run(on_rk3588("random:2000", 2, trace=True, schedule=True), doze)
    loads, moves = result.tables["loads"], result.tables["migrations"]
    for vcpu in range(2):
        cpus = loads["cpu"][loads["vcpu"] == vcpu].tolist()
        own = moves[moves["vcpu"] == vcpu]
        assert len(own) > 5
        assert own[["from_cpu", "to_cpu"]].tolist() == [pair for pair in itertools.pairwise(cpus) if pair[0] != pair[1]]
    assert len(result.tables["moves"]) == len(moves)
