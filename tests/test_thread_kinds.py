"""Policies, slices, nice values and clamps of host threads and vCPU threads, in scenes on the duo and on an RK3588.

The duo: CPU 0 has capacity 256 and 1 GHz, CPU 1 1024 and 2 GHz; costs are zero, HZ ticks each 4 ms.
"""

import dataclasses

import numpy as np
import pytest

from scheduler import kernel_core, kernel_rt
from scheduler import kernel_state as ks
from scheduler.attributes import check_thread, set_attributes
from scheduler.bare import bare_state
from simcore.app.running import check
from simcore.errors import InputError
from simcore.scenario import BackgroundTask, Scenario, ThreadSpec, VmSpec
from tests import run_queue
from tests.scenes import FREE, MS, Run, Sleep, SpinUntil, Stage, scene
from workloads.actions import Halt

FOREVER = 1 << 40


@pytest.fixture
def stage(monkeypatch):
    return Stage(monkeypatch)


def spin(cpu):
    yield SpinUntil(0, FOREVER)


def vms(*specs, **common):
    """Return VMs of one vCPU each, with these attributes of their threads."""
    base = scene(vm=common).vms[0]
    return tuple(dataclasses.replace(base, sched=ThreadSpec(**spec)) for spec in specs)


def guest_ns(result):
    return result.tables["vcpus"]["guest_ns"].tolist()


def test_a_fifo_thread_takes_all_it_wants_from_fair_threads(stage):
    """The vCPU has exactly what bursts of 1 ms leave of a pCPU that it shares with the thread."""
    fifo = BackgroundTask(burst_ns=MS, sleep_ns=3 * MS, cpus=(1,), policy="fifo", priority=50)
    result = stage.run(scene(vm={"cpus": (1,)}, background=(fifo,), switches=True), spin)
    switches = result.tables["switches"][["t_ns", "cpu", "task"]].tolist()
    starts = [t for t, cpu, task in switches if (cpu, task) == (1, 1)]
    assert len(starts) > 2
    for start in starts[:-1]:
        assert (start + MS, 1, 0) in switches
    whole, last = len(starts) - 1, min(MS, 20 * MS - starts[-1])
    assert guest_ns(result) == [20 * MS - whole * MS - last]


def test_the_higher_priority_runs(stage):
    specs = vms({"policy": "fifo", "priority": 2}, {"policy": "fifo", "priority": 3}, {"nice": -20}, cpus=(1,))
    assert guest_ns(stage.run(scene(vms=specs), spin)) == [0, 20 * MS, 0]


@pytest.mark.parametrize("slice_ns, turn", [(0, 100 * MS), (8 * MS, 8 * MS), (5 * MS, 8 * MS), (1, 4 * MS)])
def test_threads_of_one_priority_take_turns_after_whole_ticks(stage, slice_ns, turn):
    specs = vms(*[{"policy": "rr", "slice_ns": slice_ns}] * 2, cpus=(1,))
    result = stage.run(scene(vms=specs, seconds_ns=400 * MS, switches=True), spin)
    turns = [(int(row["t_ns"]), int(row["task"])) for row in result.tables["switches"] if row["cpu"] == 1]
    assert turns == [(n * turn, n % 2) for n in range(400 * MS // turn)]


def test_nice_values_share_by_weight(stage):
    result = stage.run(scene(vms=vms({"nice": 0}, {"nice": 5}, cpus=(1,)), seconds_ns=400 * MS), spin)
    assert guest_ns(result)[0] / 400 / MS == pytest.approx(1024 / (1024 + 335), abs=0.02)


def test_an_idle_thread_gets_next_to_nothing(stage):
    result = stage.run(scene(vms=vms({}, {"policy": "idle"}, cpus=(1,)), seconds_ns=400 * MS), spin)
    assert guest_ns(result)[1] <= 8 * MS


@pytest.mark.parametrize("slice_ns, turn", [(0, 4 * MS), (20 * MS, 20 * MS), (1 << 40, 100 * MS)])
def test_a_turn_lasts_for_the_slice_of_its_own(stage, slice_ns, turn):
    """Rounded up to the HZ tick that notices its end; above 100 ms it is held to that. A first slice is half."""
    specs = vms(*[{"slice_ns": slice_ns}] * 2, cpus=(1,))
    result = stage.run(scene(vms=specs, seconds_ns=600 * MS, switches=True), spin)
    starts = result.tables["switches"]["t_ns"]
    assert set(np.diff(starts)[2:].tolist()) == {turn}


def test_a_batch_thread_does_not_preempt_as_it_wakes(stage):
    """A thread that sleeps half of the time beside a vCPU that never does: how often it comes to run in 400 ms."""

    def starts(policy):
        sleeper = BackgroundTask(MS // 2, MS // 2, cpus=(1,), policy=policy)
        result = stage.run(scene(vm={"cpus": (1,)}, background=(sleeper,), switches=True, seconds_ns=400 * MS), spin)
        return int((result.tables["switches"]["task"] == 1).sum())

    assert starts("other") > 250 > 100 > starts("batch")


def test_an_upper_clamp_holds_the_frequency_and_the_thread_down(stage):
    """On an RK3588 a vCPU that never sleeps runs at a low OPP of a LITTLE core where its clamp says so."""
    free, held = (stage.run(eas_scene(ThreadSpec(uclamp_max=high)), spin) for high in (None, 100))
    cpus = [int(result.tables["samples"]["cpu"][-2]) for result in (free, held)]
    assert cpus[0] >= 4 > cpus[1]
    assert mhz(held) == 1008 < 1400 < mhz(free)  # 1008 MHz: its lowest efficient OPP


def eas_scene(sched):
    vm = dataclasses.replace(scene().vms[0], init_placement="cluster0", sched=sched)
    base = scene(scheduler="eas", governor="schedutil", causes=Scenario().causes, seconds_ns=100 * MS)
    return dataclasses.replace(base, platform="rk3588", vms=(vm,))


def mhz(result):
    row = result.tables["vcpus"][0]
    return 1000 * int(row["guest_cycles"]) // int(row["guest_ns"])


def test_a_lower_clamp_lifts_the_frequency_and_the_thread(stage):
    """A vCPU that hardly runs does so at a low OPP, unless its clamp asks for one of a big core."""

    def script(cpu):
        while True:
            yield Run(0, 100_000)
            yield Sleep(2 * MS)

    free = eas_scene(ThreadSpec())
    lifted = eas_scene(ThreadSpec(uclamp_min=800))
    assert mhz(stage.run(free, script)) < 1200
    assert mhz(stage.run(lifted, script)) > 1600


# --- real-time placement, on arrays ---------------------------------------------------------------------------


def test_fifo_threads_spread_over_the_pcpus_that_run_less_urgent_things(stage):
    """Four fifo vCPUs that start on one pCPU of an RK3588: each soon has one of the biggest pCPUs to itself."""
    vm = dataclasses.replace(scene().vms[0], vcpus=4, init_placement="cluster0", sched=ThreadSpec(policy="fifo"))
    scenario = dataclasses.replace(scene(), platform="rk3588", vms=(vm,), causes=Scenario().causes)
    result = stage.run(scenario, spin)
    assert min(guest_ns(result)) > 19 * MS


def behind_an_urgent_thread(first, second, spinning, placement):
    """A vCPU of priority 50 that runs on one pCPU until 5 ms, and two of priority 10 that start elsewhere."""

    def script(cpu):
        if cpu.vcpus == 1:
            yield SpinUntil(0, 5 * MS)
            yield Halt()
        if cpu.vcpu < spinning:
            yield SpinUntil(0, FOREVER)
        yield Halt()

    base = scene().vms[0]
    urgent = dataclasses.replace(base, cpus=(first,), sched=ThreadSpec(policy="fifo", priority=50))
    others = dataclasses.replace(base, vcpus=2, init_placement=placement, sched=ThreadSpec(**second))
    return scene(vms=(urgent, others), causes=Scenario().causes), script


def places(result):
    return [tuple(int(n) for n in row)[:5] for row in result.tables["migrations"]]


def test_a_pcpu_that_runs_out_of_urgent_threads_pulls_one_that_waits(stage):
    """Two vCPUs start on CPU 1 while CPU 0 has something more urgent: one waits until that sleeps, at 5 ms."""
    result = stage.run(*behind_an_urgent_thread(0, {"policy": "fifo", "priority": 10}, 2, "large"))
    assert places(result) == [(5 * MS, 2, 1, 0, ks.BALANCE)]


def test_a_running_fifo_thread_is_no_misfit(stage):
    """It runs on CPU 0 and asks for more than that has; from 5 ms on CPU 1 has nothing but one that sleeps at once."""
    sched = {"policy": "fifo", "priority": 10, "uclamp_min": 800}
    assert places(stage.run(*behind_an_urgent_thread(1, sched, 1, "small"))) == [(5 * MS, 2, 0, 1, ks.BALANCE)]


def test_a_fifo_thread_takes_the_frequency_to_its_highest_as_it_wakes(stage):
    """A thread that runs for a microsecond in 2 ms: all of its run is over before an HZ tick could change anything."""

    def script(cpu):
        while True:
            yield Run(0, 1_000)
            yield Sleep(2 * MS)

    fair, fifo = (mhz(stage.run(eas_scene(ThreadSpec(policy=policy)), script)) for policy in ("other", "fifo"))
    assert fifo > 1800 > 1200 > fair, (fifo, fair)


def test_schedutil_is_asked_as_a_fifo_thread_comes_and_goes():
    host = run_queue.Host()
    set_attributes(host.state, 0, ThreadSpec(policy="fifo"), 250)
    kernel_core.start(host.handle, 0, 0)
    assert host.cpu(0, ks.UTIL_CHANGED) == 1
    host.react()
    host.state.cpu[0, ks.UTIL_CHANGED] = 0
    kernel_core.block(host.handle, 0, ks.SLEEP)
    assert host.cpu(0, ks.UTIL_CHANGED) == 1


def test_a_fifo_thread_wakes_where_the_least_urgent_thing_runs():
    host = run_queue.Host(cpus=3, tasks=5)
    host.state.cpu[:, ks.DOMAIN] = 0
    for c, priority in enumerate((50, 10, 30)):
        start_fifo(host, c, c, priority)
    host.state.task[3, ks.CPU] = 0
    for priority, expected in ((60, 0), (40, 1), (20, 1), (5, 0)):
        set_attributes(host.state, 3, ThreadSpec(policy="fifo", priority=priority), 250)
        assert int(kernel_rt.select_rt(host.handle, 3, 2)) == expected
    host.state.allowed[3] = [1, 0, 1]
    set_attributes(host.state, 3, ThreadSpec(policy="fifo", priority=40), 250)
    assert int(kernel_rt.select_rt(host.handle, 3, 2)) == 2


def start_fifo(host, p, c, priority):
    set_attributes(host.state, p, ThreadSpec(policy="fifo", priority=priority), 250)
    host.alive[p] = True
    kernel_core.start(host.handle, c, p)
    host.react()


# --- attributes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spec, columns",
    [
        (ThreadSpec(nice=5), (ks.NORMAL, 335, 0, 0, 0, 1024)),
        (ThreadSpec(policy="idle", nice=5), (ks.IDLE_POLICY, 3, 0, 0, 0, 1024)),
        (ThreadSpec(slice_ns=1), (ks.NORMAL, 1024, 100_000, 1, 0, 1024)),
        (ThreadSpec(slice_ns=1 << 40, uclamp_min=3), (ks.NORMAL, 1024, 100_000_000, 1, 3, 1024)),
        (ThreadSpec(policy="fifo", slice_ns=5, uclamp_max=70), (ks.FIFO, 1024, 0, 0, 70, 70)),
        (ThreadSpec(policy="rr", uclamp_min=7), (ks.FIFO, 1024, 25, 0, 7, 1024)),
        (ThreadSpec(policy="rr", slice_ns=5_000_000), (ks.FIFO, 1024, 2, 0, 1024, 1024)),
    ],
)
def test_what_attributes_make_of_a_thread(spec, columns):
    state = bare_state(1, 1)
    set_attributes(state, 0, spec, 250)
    names = (ks.POLICY, ks.WEIGHT, ks.SLICE, ks.CUSTOM_SLICE, ks.CLAMP_MIN, ks.CLAMP_MAX)
    assert tuple(state.task[0, list(names)].tolist()) == columns
    assert state.glob[ks.UCLAMP_USED] == (spec.uclamp_min is not None or spec.uclamp_max is not None)


@pytest.mark.parametrize(
    "spec, where",
    [
        (ThreadSpec(policy="deadline"), "key.policy"),
        (ThreadSpec(priority=3), "key.priority"),
        (ThreadSpec(policy="fifo", nice=3), "key.nice"),
        (ThreadSpec(uclamp_min=300, uclamp_max=200), "key"),
    ],
)
def test_impossible_attributes_are_refused(spec, where):
    with pytest.raises(InputError) as caught:
        check_thread(spec, "key")
    assert str(caught.value).startswith(where)
    with pytest.raises(InputError, match=r"vms\.1\.sched"):
        check(Scenario(vms=(VmSpec(), VmSpec(sched=spec))))
    with pytest.raises(InputError, match=r"background\.0"):
        check(
            Scenario(background=(BackgroundTask(**{f.name: getattr(spec, f.name) for f in dataclasses.fields(spec)}),))
        )


def test_clamps_are_taken_off_where_a_thread_leaves(stage):
    """Whatever threads do, in the end each run queue counts exactly the clamps of its runnable threads."""
    tasks = [BackgroundTask(MS, MS, uclamp_min=n * 200, policy=("other", "fifo", "batch", "rr")[n]) for n in range(4)]
    scenario = scene(vm={"vcpus": 3}, background=tuple(tasks), causes=Scenario().causes, costs=FREE, seconds_ns=60 * MS)
    machine = stage.machine(scenario, spin)
    machine.run()
    state = machine.host.state
    awake = np.isin(state.task[:, ks.STATE], (ks.QUEUED, ks.RUNNING))
    for c in range(2):
        here = awake & (state.task[:, ks.CPU] == c)
        assert state.bucket[c, :, :, ks.IN_BUCKET].sum(axis=1).tolist() == [here.sum()] * 2
        if here.any():
            assert state.cpu[c, ks.RQ_CLAMP_MIN] >= state.task[here, ks.CLAMP_MIN].max()
