"""What the soak found, as the smallest scenarios that showed it."""

import dataclasses

import numpy as np
import pytest

from simcore.app.export_threads import threads_of
from simcore.app.ftrace_events import History
from simcore.app.running import run
from simcore.loader import load_platform
from simcore.scenario import (
    BackgroundTask,
    CgroupSpec,
    GuestSpec,
    IdleSpec,
    LiveMigration,
    PinSpec,
    Scenario,
    ThreadSpec,
    VmSpec,
)
from tests.scenes import MS

RECORDER = VmSpec(GuestSpec(name="linux-perf-record", workload="dhrystone", boot_ns=MS), vcpus=2)
WINDOWS = VmSpec(GuestSpec(boot_ns=MS, window_ns=MS), vcpus=1)


@pytest.mark.parametrize("number", [0, 1])
def test_a_vm_with_fewer_shadows_than_another_has_its_own_counters(number):
    """Rows of the counter bank were taken for those of another virtual PMU, and a run could go on for ever."""
    vms = [RECORDER, WINDOWS]
    plain = run(Scenario(vms=tuple(vms), seconds_ns=15 * MS, background=()))
    assert len(plain.tables["interrupts"]) > 5
    vms[number] = dataclasses.replace(vms[number], shadows=("fixed-counters-only@v8", "default@v6"))
    watched = run(Scenario(vms=tuple(vms), seconds_ns=15 * MS, background=()))
    for name in ("interrupts", "vpmus", "ledger", "stalls"):
        table = watched.tables[name]
        assert np.array_equal(table[table["policy"] == 0], plain.tables[name]), name


@pytest.mark.parametrize("policy", ["other", "fifo"])
def test_a_wakeup_at_the_ns_at_which_a_vcpu_blocks_is_kept(policy):
    """vCPU 1 goes to sleep on pCPU 0 at the very ns at which vCPU 0, on pCPU 1, starts it; it waited for ever."""
    vm = VmSpec(
        GuestSpec(name="none", boot_ns=0), vcpus=2, policy=None, vmm="libvirt", pin=PinSpec(vcpu=((1,), (0,))),
        sched=ThreadSpec(policy=policy),
    )  # fmt: skip
    scenario = Scenario(vms=(vm,), seconds_ns=5 * MS, background=(), idle=IdleSpec(latency_limit_ns=0))
    executed = run(scenario).tables["vcpus"]
    assert (executed["guest_ns"] > MS).all()
    assert (executed["steal_ns"] < 10_000).all()


@pytest.mark.parametrize("boot_ns", [0, 300_000])
def test_a_vcpu_that_is_powered_on_at_once_is_not_run_where_entry_fails(boot_ns):
    """vCPU 1 was turned on before its thread, on pCPU 4, slept or while it polled; it executed there, unloaded."""
    vm = VmSpec(
        GuestSpec(name="none", boot_ns=boot_ns), vcpus=2, policy="set-pmu-unpinned:armv8_cortex_a55",
        kernel="mainline", vmm="libvirt", pin=PinSpec(vcpu=((0,), (4,))),
    )  # fmt: skip
    scenario = Scenario(vms=(vm,), seconds_ns=5 * MS, background=())
    first, second = run(scenario).tables["vcpus"]
    assert first["guest_ns"] > MS
    assert (second["guest_ns"], second["fail_entries"] > 0) == (0, True)


def test_a_thread_whose_affinity_changes_as_it_goes_to_sleep_wakes_where_it_may_run():
    """A live migration stops a vCPU and unpins it in one ns; it stayed on the pCPU that it had to leave."""
    beside = VmSpec(policy="scaled-time", kernel="what-if", cgroup=CgroupSpec(weight=105, cpus=(3, 4)))
    vm = VmSpec(policy="default-pinned:armv8_cortex_a76", pin_delay_ns=55_877)
    move = LiveMigration(228_256, "default@mainline", vm=1, downtime_ns=1_757)
    scenario = Scenario(
        vms=(beside, vm), seconds_ns=2 * MS, seed=1878118622, scheduler="pinned", live_migrations=(move,), trace=True
    )
    switches = run(scenario).tables["switches"]
    first = beside.vcpus
    runs = switches[(switches["t_ns"] > 228_256) & (switches["task"] == first)]
    assert runs["cpu"].tolist() == [0]


def test_an_idle_pcpu_pulls_from_one_that_takes_long_to_wake_up():
    """pCPU 1 takes 9.8 ms to leave its idle state; of the two threads that wait there one is bound to it."""
    bound = BackgroundTask(sleep_ns=259_145, policy="rr", cpus=(1,))
    free = BackgroundTask(sleep_ns=8_827)
    scenario = Scenario(platform="sc8280xp", seconds_ns=10 * MS, seed=1226562391, background=(bound, free), trace=True)
    result = run(scenario)
    moves = result.tables["moves"]
    interval = 8 * MS  # one ms for each pCPU
    waiting = 4 + 1  # four vCPUs, two threads
    assert moves[moves["task"] == waiting]["t_ns"].tolist() == [interval]
    wakings = result.tables["wakings"]
    assert wakings[wakings["task"] == waiting]["t_ns"][0] < MS


@pytest.mark.parametrize("seed", range(5))
def test_a_thread_ends_once(seed):
    """A vCPU came to another pCPU and died there within a nanosecond; the pCPU before said that it ended there too."""
    first = VmSpec(GuestSpec(name="none", boot_ns=0), vcpus=3, policy=None)
    dying = VmSpec(
        first.guest, vcpus=2, policy="default-pinned:apple_icestorm_pmu", vmm="kvmtool", pin_delay_ns=2
    )  # fmt: skip
    fifo = BackgroundTask(2_411_323, 1_000, policy="fifo", priority=52)
    result = run(Scenario("apple-m1-ultra", (first, dying), seconds_ns=10_000, seed=seed, scheduler="eevdf",
                          background=(fifo,), trace=True))  # fmt: skip
    platform = load_platform("apple-m1-ultra")
    history = History(result.tables, threads_of(result), platform, int(str(result.summary["ended_ns"])))
    rows = result.tables["switches"]
    ended = history.running(rows["cpu"], rows["order"])[rows["state"] == 2]
    assert len(ended) == len(set(ended.tolist())) > 0
