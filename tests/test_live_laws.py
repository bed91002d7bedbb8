"""Laws of live migration on drawn scenes of a busy host: whatever a thread does when its VM stops, nothing is lost."""

import dataclasses
import random

import pytest

from scheduler import kernel_state as ks
from scheduler import live as live_module
from scheduler import stopping
from simcore.app.recording import result_of
from simcore.app.running import Machine
from simcore.scenario import CgroupSpec, GuestSpec, LiveMigration, Scenario, ThreadSpec, VmmThreadsSpec, VmSpec
from tests.scenes import MS

POLICIES = (
    "default", "default@v6", "set-pmu:armv8_cortex_a76", "set-pmu-unpinned:armv8_cortex_a55",
    "fixed-counters-only@v6", "fixed-counters-only@v8",
)  # fmt: skip
SEEDS = range(6)
SEEN: set[str] = set()


def drawn(seed: int) -> Scenario:
    """Draw a VM that goes to another host once or twice, half of the time beside another VM."""
    draw = random.Random(seed)
    guest = GuestSpec(
        name=draw.choice(["windows", "ticking", "none"]), workload=draw.choice(["429.mcf", "dhrystone"]),
        boot_ns=draw.choice([0, MS]), window_ns=MS // 2, quantum_instructions=200_000,
        quanta_per_wake=draw.choice([1, 3]), sleep_ns=draw.choice([40_000, 300_000]),
    )  # fmt: skip
    vm = VmSpec(
        guest=guest, vcpus=draw.choice([2, 6]), policy=draw.choice(POLICIES),
        vmm_threads=VmmThreadsSpec(io=draw.choice([0, 2])),
        cgroup=draw.choice([CgroupSpec(), CgroupSpec(quota_ns=MS, period_ns=2 * MS)]),
        sched=draw.choice([ThreadSpec(), ThreadSpec(policy="fifo")]),
        shadows=draw.choice([(), ("fixed-counters-only@v8",)]),
    )  # fmt: skip
    lives = tuple(
        LiveMigration(time_ns, draw.choice(POLICIES), downtime_ns=draw.choice([1, MS]))
        for time_ns in (draw.randrange(2 * MS, 4 * MS), 6 * MS)[: draw.choice([1, 2])]
    )
    other = VmSpec(guest=GuestSpec(name="none", boot_ns=0), vcpus=3, policy=None)
    scheduler = draw.choice(["eas", "eevdf", "random:2000"])
    vms = (vm, other)[: draw.choice([1, 2])]
    return Scenario(vms=vms, seconds_ns=9 * MS, seed=seed, live_migrations=lives, scheduler=scheduler, sample_ns=0)


def ran(scenario: Scenario) -> Machine:
    machine = Machine(scenario)
    machine.run()
    return machine


def note_what_threads_do(monkeypatch) -> None:
    """Keep in SEEN what the threads of a VM did when it stopped."""
    stop = stopping.stop

    def noted(host, vm):
        for task in vm.tasks:
            row = host.state.task[task]
            polls = row[ks.STATE] == ks.RUNNING and host.state.cpu[row[ks.CPU], ks.MODE] == ks.POLLING
            states = {ks.SLEEPING: "sleeps", ks.QUEUED: "waits", ks.RUNNING: "runs", ks.THROTTLED: "no quota"}
            SEEN.add("polls" if polls else states[int(row[ks.STATE])])
        return stop(host, vm)

    monkeypatch.setattr(live_module, "stop", noted)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_cycle_is_booked_and_no_thread_is_forgotten(monkeypatch, seed):
    note_what_threads_do(monkeypatch)
    scenario = drawn(seed)
    machine = ran(scenario)
    result = result_of(machine)
    ledger, vcpus = result.tables["ledger"], result.tables["vcpus"]
    rows = ledger[(ledger["slot"] == 31) & (ledger["vcpu"] < scenario.vms[0].vcpus)]
    if machine.vms[0].kvms[0].has_pmu:
        executed = {int(row["vcpu"]): int(row["guest_cycles"]) for row in vcpus}
        assert all(int(row["events"]) == executed[int(row["vcpu"])] for row in rows)
    state = machine.host.state
    for cpu in range(len(state.cpu)):
        queued = sum(state.task[:, ks.CPU][state.task[:, ks.ON_RQ] == 1] == cpu)
        assert queued == state.cpu[cpu, ks.N_QUEUED] + state.cpu[cpu, ks.N_RT]
    if machine.vms[0].alive:
        assert len(result.tables["live_migrations"]) == len(scenario.live_migrations)


@pytest.mark.parametrize("seed", SEEDS[:3])
def test_the_tick_and_samples_change_nothing(seed):
    scenario = drawn(seed)
    watched = dataclasses.replace(scenario, tick_ns=41_000, sample_ns=333_000)
    digests = {result_of(ran(each)).digest(frozenset({"samples"})) for each in (scenario, watched)}
    assert len(digests) == 1


def test_the_scenes_above_saw_every_kind_of_thread():
    if len(SEEN) > 0:  # else this test runs alone
        assert {"sleeps", "waits", "runs", "no quota", "polls"} <= SEEN
