"""Each cost of docs/model.md, "Costs", alone: where it is charged, once, to the ns; and the energy of busy time.

Scene: the duo (LITTLE 1 GHz, big 2 GHz; the architected timer shows ns), no background; all costs but one are zero.
"""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from simcore.errors import InputError
from simcore.scenario import AffinityChange, BackgroundTask, OppChange
from tests.scenes import CYCLES_ON, DUO, FREE, MS, ReadReg, Report, Sleep, SpinUntil, Stage, WriteReg, scene
from workloads.actions import Halt, ReadTimer, Wake

LITTLE, BIG = {"init_placement": "small"}, {"init_placement": "large"}
FOREVER = 1 << 40


@pytest.fixture
def stage(monkeypatch):
    return Stage(monkeypatch)


def costing(name, ns, vm=LITTLE, **changes):
    """The scene with one cost."""
    return scene(vm=vm, costs=dataclasses.replace(FREE, **{name: ns}), **changes)


def clocked(*parts):
    """A script that reports the time after each part (a list of actions), then executes for ever."""

    def script(cpu):
        for part in parts:
            yield from (action for action in part)
            now = yield ReadTimer()
            yield Report("at", now)
        yield SpinUntil(0, FOREVER)

    return script


def times(result, vcpu=0):
    """Return what the vCPU's clock showed, having checked that reports bear the host's time."""
    rows = result.tables["reports"]
    rows = rows[rows["vcpu"] == vcpu]
    assert (rows["value"] == rows["t_ns"]).all()
    return [int(t) for t in rows["value"]]


def guest_ns(result):
    return [int(ns) for ns in result.tables["vcpus"]["guest_ns"]]


# --- context_switch ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cost", [2_000, 6_000])
def test_a_switch_is_charged_at_the_start_and_out_of_idle(stage, cost):
    script = clocked([], [SpinUntil(0, MS)], [Sleep(MS)])
    result = stage.run(costing("context_switch", cost), script)
    assert times(result) == [cost, MS, 2 * MS + cost]
    assert guest_ns(result) == [19 * MS - 2 * cost]


@pytest.mark.parametrize("cost", [2_000, 6_000])
def test_a_switch_is_charged_to_the_incoming_thread_only(stage, cost):
    """Two threads that share CPU 0 take turns at each HZ tick (4 ms): in at 0, 8, 16 and in at 4, 12."""
    two = costing("context_switch", cost, vm=LITTLE | {"vcpus": 2}, causes=frozenset(), switches=True)
    result = stage.run(two, clocked([SpinUntil(0, FOREVER)]))
    turns = [(0, 0, 0), (4 * MS, 0, 1), (8 * MS, 0, 0), (12 * MS, 0, 1), (16 * MS, 0, 0)]
    assert result.tables["switches"][["t_ns", "cpu", "task"]].tolist() == turns
    assert guest_ns(result) == [12 * MS - 3 * cost, 8 * MS - 2 * cost]


def test_a_thread_that_goes_on_after_a_reschedule_pays_nothing(stage):
    """vCPU 1 wakes each 100 us for nothing: it preempts, sleeps again, and only those switches are paid."""

    def script(cpu):
        while cpu.vcpu == 1:
            yield Sleep(100_000)
        yield SpinUntil(0, FOREVER)

    two = costing("context_switch", 1_000, vm=LITTLE | {"vcpus": 2}, causes=frozenset(), switches=True, seconds_ns=MS)
    result = stage.run(two, script)
    switches = result.tables["switches"]
    paid = {vcpu: 1_000 * int((switches["task"] == vcpu).sum()) for vcpu in (0, 1)}
    busy = int(result.tables["cpus"]["busy_ns"][0])
    assert guest_ns(result)[1] == 0
    assert guest_ns(result)[0] == busy - sum(paid.values())


# --- migration -----------------------------------------------------------------------------------------------


def test_a_migration_is_charged_at_the_first_run_elsewhere_and_not_at_the_start(stage):
    moves = (AffinityChange(10 * MS, 0, 0, (1,)), AffinityChange(15 * MS, 0, 0, (0,)))
    result = stage.run(costing("migration", 7_000, affinity_changes=moves), clocked([], [SpinUntil(0, 10 * MS + 1)]))
    assert times(result) == [0, 10 * MS + 7_000]
    assert guest_ns(result) == [20 * MS - 2 * 7_000]


def test_a_sleeping_thread_pays_for_its_migration_when_it_runs(stage):
    moves = (AffinityChange(2 * MS, 0, 0, (1,)),)
    script = clocked([SpinUntil(0, MS)], [Sleep(3 * MS)], [Sleep(MS)])
    result = stage.run(costing("migration", 7_000, affinity_changes=moves), script)
    assert times(result) == [MS, 4 * MS + 7_000, 5 * MS + 7_000]


def test_no_migration_is_charged_to_a_thread_that_changes_places_with_another(stage):
    """A switch on the same pCPU is no migration."""
    two = costing("migration", 7_000, vm=LITTLE | {"vcpus": 2}, causes=frozenset())
    result = stage.run(two, clocked([SpinUntil(0, FOREVER)]))
    assert guest_ns(result) == [12 * MS, 8 * MS]


@pytest.mark.parametrize("cost", ["migration", "context_switch"])
def test_a_thread_that_is_back_before_it_ran_elsewhere_pays_nothing(stage, cost):
    there_and_back = (AffinityChange(5 * MS, 0, 0, (1,)), AffinityChange(5 * MS, 0, 0, (0,)))
    result = stage.run(costing(cost, 7_000, affinity_changes=there_and_back), clocked([], [SpinUntil(0, 5 * MS + 1)]))
    start = 7_000 if cost == "context_switch" else 0
    assert len(result.tables["migrations"]) == 2
    assert times(result) == [start, 5 * MS + 1]


# --- trap ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["default", None])
def test_each_register_access_is_a_trap_defined_or_not(stage, policy):
    access = [ReadReg("PMCCNTR_EL0"), WriteReg("PMSELR_EL0", 1), ReadReg("PMCEID0_EL0")]
    script = clocked([], access, [ReadTimer()] * 5, access[:1])
    result = stage.run(costing("trap", 1_500, policy=policy), script)
    assert times(result) == [0, 4_500, 4_500, 6_000]
    assert guest_ns(result) == [20 * MS - 6_000]


# --- wfi -----------------------------------------------------------------------------------------------------


def test_a_wfi_is_charged_when_it_ends_blocked_or_not(stage):
    """vCPU 0 on its own core wakes vCPU 1 while that one runs (its next WFI does not block) and while it waits."""

    def script(cpu):
        if cpu.vcpu == 0:
            yield SpinUntil(0, MS)
            yield Wake(1)
            yield SpinUntil(0, 4 * MS)
            yield Wake(1)
            yield SpinUntil(0, FOREVER)
        yield from clocked([SpinUntil(0, 2 * MS)], [Halt()], [Halt()], [Sleep(MS)])(cpu)

    places = tuple(AffinityChange(0, 0, vcpu, (vcpu,)) for vcpu in (0, 1))
    result = stage.run(costing("wfi", 3_000, vm=LITTLE | {"vcpus": 2}, affinity_changes=places), script)
    assert times(result, vcpu=1) == [2 * MS, 2 * MS + 3_000, 4 * MS + 3_000, 5 * MS + 6_000]
    slept = (4 * MS - (2 * MS + 3_000)) + MS
    assert guest_ns(result) == [20 * MS, 20 * MS - slept - 3 * 3_000]


def test_the_sleep_of_a_host_thread_is_no_wfi(stage):
    sleeper = BackgroundTask(burst_ns=100_000, sleep_ns=300_000, cpus=(1,))
    busy = [
        int(stage.run(s, clocked([])).tables["cpus"]["busy_ns"][1])
        for s in (costing("wfi", 0, background=(sleeper,)), costing("wfi", 3_000, background=(sleeper,)))
    ]
    assert busy[0] == busy[1] > MS


# --- host events ---------------------------------------------------------------------------------------------

BIT = 1 << 31
STEPS: list[tuple[list[Any], int, int, int]] = [
    # (what the guest writes, events created, released, enabled or disabled alive)
    ([WriteReg("PMCR_EL0", 0x40), WriteReg("PMCNTENCLR_EL0", 0xFFFFFFFF)], 0, 0, 0),
    ([WriteReg("PMCCFILTR_EL0", 0)], 1, 0, 0),
    ([WriteReg("PMCCNTR_EL0", 0)], 1, 1, 0),
    ([WriteReg("PMCNTENSET_EL0", BIT)], 0, 0, 0),  # PMCR_EL0.E is clear: the event stays disabled
    ([WriteReg("PMCR_EL0", 0x41)], 0, 0, 1),
    ([WriteReg("PMCNTENCLR_EL0", BIT)], 0, 0, 1),
    ([WriteReg("PMCNTENSET_EL0", BIT)], 0, 0, 1),
    ([WriteReg("PMCCNTR_EL0", 5)], 1, 1, 0),
    ([WriteReg("PMCCFILTR_EL0", 1 << 30)], 1, 1, 0),
    ([ReadReg("PMCCNTR_EL0")], 0, 0, 0),
    ([WriteReg("PMCR_EL0", 0x40)], 0, 0, 1),
    ([WriteReg("PMCR_EL0", 0x40)], 0, 0, 0),
]


@pytest.mark.parametrize("cost, column", [("event_create", 0), ("event_release", 1), ("event_enable", 2)])
@pytest.mark.parametrize("shadows", [(), ("fixed-counters-only@v8", "default@v6")])
def test_each_host_event_is_charged_once_and_a_shadows_never(stage, cost, column, shadows):
    result = stage.run(costing(cost, 1_000, vm=LITTLE | {"shadows": shadows}), clocked(*(row[0] for row in STEPS)))
    expected, total = [], 0
    for _, *done in STEPS:
        total += 1_000 * done[column]
        expected.append(total)
    assert times(result) == expected
    assert guest_ns(result) == [20 * MS - total]
    assert int(result.tables["vcpus"]["pmu_overhead_ns"][0]) == total


@pytest.mark.parametrize(
    "cost, moved", [("event_create", 1_000), ("event_release", 1_000), ("event_enable", 0), ("migration", 1_000)]
)
def test_a_reload_costs_one_release_and_one_creation(stage, cost, moved):
    """fixed-counters-only at v8: the one live event goes to the other host PMU with the vCPU at 10 ms."""
    moves = (AffinityChange(10 * MS, 0, 0, (1,)),)
    before = SpinUntil(0, 9 * MS)
    still = scene("fixed-counters-only", "v8", vm=LITTLE, affinity_changes=moves)
    costs = dataclasses.replace(FREE, **{cost: 1_000})
    script = clocked([*CYCLES_ON, before], [SpinUntil(0, 10 * MS + 1)])
    result = stage.run(dataclasses.replace(still, costs=costs), script)
    assert times(result) == [9 * MS, 10 * MS + max(1, moved)]


def test_a_shadow_that_reloads_costs_nothing(stage):
    moves = (AffinityChange(10 * MS, 0, 0, (1,)),)
    costs = dataclasses.replace(FREE, event_create=1_000, event_release=1_000, event_enable=1_000)
    watched = scene(vm=LITTLE | {"shadows": ("fixed-counters-only@v8",)}, affinity_changes=moves, costs=costs)
    result = stage.run(watched, clocked([*CYCLES_ON, SpinUntil(0, 9 * MS)], [SpinUntil(0, 10 * MS + 1)]))
    assert result.tables["vpmus"]["reloads"].tolist() == [0, 1]
    assert times(result) == [9 * MS, 10 * MS + 1]


# --- interrupt_latency and fail_entry ------------------------------------------------------------------------


def overflow_after_5_ms(cpu):
    yield WriteReg("PMCR_EL0", 0)
    for name, value in [
        ("PMOVSCLR_EL0", 0xFFFFFFFF), ("PMINTENCLR_EL1", 0xFFFFFFFF), ("PMCCFILTR_EL0", 0),
        ("PMCCNTR_EL0", (1 << 32) - 5 * MS), ("PMINTENSET_EL1", BIT), ("PMCNTENCLR_EL0", 0xFFFFFFFF),
        ("PMCNTENSET_EL0", BIT), ("PMCR_EL0", 1),
    ]:  # fmt: skip
        yield WriteReg(name, value)
    yield SpinUntil(0, 10 * MS)
    yield ReadReg("PMCCNTR_EL0")
    yield SpinUntil(0, FOREVER)


def acknowledge(cpu):
    yield WriteReg("PMOVSCLR_EL0", BIT)
    now = yield ReadTimer()
    yield Report("at", now)


@pytest.mark.parametrize("irqchip, exits", [("kernel", 0), ("user", 2)])
def test_a_user_space_irqchip_costs_an_exit_at_each_change_of_the_level(stage, irqchip, exits):
    """The level rises at 5 ms and falls when the handler acknowledges; both are told before the guest goes on."""
    scenario = costing("user_exit", 30_000, vm=LITTLE | {"irqchip": irqchip})
    result = stage.run(scenario, overflow_after_5_ms, acknowledge)
    assert [int(row["t_ns"]) for row in result.tables["interrupts"]] == [5 * MS]
    assert times(result) == [5 * MS + 1 + exits * 30_000 - (exits > 0)]
    assert guest_ns(result) == [20 * MS - exits * 30_000]
    assert int(result.tables["vcpus"]["irqchip_exits"][0]) == exits


def test_counters_go_on_across_exits_to_a_user_space_irqchip(stage):
    result = stage.run(scene(vm=LITTLE | {"irqchip": "user"}), overflow_after_5_ms, acknowledge)
    assert int(result.tables["reads"]["value"][0]) == (1 << 32) + 5 * MS


def test_an_unknown_irqchip_is_refused(stage):
    with pytest.raises(InputError, match="irqchip"):
        stage.run(scene(vm=LITTLE | {"irqchip": "gicv2"}), overflow_after_5_ms)


def test_the_interrupt_latency_delays_and_takes_no_time_of_the_pcpu(stage):
    result = stage.run(costing("interrupt_latency", 40_000), overflow_after_5_ms, acknowledge)
    assert [int(row["t_ns"]) for row in result.tables["interrupts"]] == [5 * MS]
    assert times(result) == [5 * MS + 40_000]
    assert guest_ns(result) == [20 * MS]


@pytest.mark.parametrize("away, attempts", [(5 * MS, 1_000), (5 * MS + 1, 1_001), (5 * MS - 1, 1_000), (1, 1)])
def test_failed_entries_are_attempts_of_their_cost_rounded_up(stage, away, attempts):
    moves = (AffinityChange(10 * MS, 0, 0, (1,)), AffinityChange(10 * MS + away, 0, 0, (0,)))
    on_little = costing("fail_entry", 5_000, policy="set-pmu-unpinned:pmu_little", affinity_changes=moves)
    result = stage.run(on_little, clocked([SpinUntil(0, FOREVER)]))
    assert int(result.tables["vcpus"]["fail_entries"][0]) == attempts
    assert guest_ns(result) == [20 * MS - away]
    assert [int(ns) for ns in result.tables["cpus"]["busy_ns"]] == [20 * MS - away, away]


# --- energy --------------------------------------------------------------------------------------------------


def powered(tmp_path: Path, slow: str, fast: str) -> str:
    """Write a duo whose perf domains have the given further keys."""
    text = Path(DUO).read_text(encoding="utf-8")
    text = text.replace("khz = [500000, 1000000]", f"khz = [500000, 1000000]\n{slow}")
    text = text.replace("khz = [1000000, 2000000]", f"khz = [1000000, 2000000]\n{fast}")
    path = tmp_path / "powered.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


SLOW = "microvolt = [600000, 700000]\ndynamic_power_coefficient = 50"
FAST = "microvolt = [800999, 900000]\ndynamic_power_coefficient = 100"


def test_energy_is_busy_time_times_the_power_of_its_opp(stage, tmp_path):
    """Big core: 5 ms at 2 GHz and 900 mV, OPP change, 3 ms and, after 2 ms of sleep, 5 ms at 1 GHz and 800 mV.

    LITTLE core: the last 5 ms at 1 GHz and 700 mV. 100 * 900^2 * 2000 / 10^6 = 162000 uW, 100 * 800^2 * 1000 / 10^6 =
    64000 uW, 50 * 700^2 * 1000 / 10^6 = 24500 uW. In WFI a tenth of the power at the lowest OPP: 7 ms of 6400 uW and
    15 ms of 900 uW.
    """
    whole = scene(
        vm=BIG,
        opp_changes=(OppChange(5 * MS, 1, 1_000_000),),
        affinity_changes=(AffinityChange(15 * MS, 0, 0, (0,)),),
        platform=powered(tmp_path, SLOW, FAST),
    )
    result = stage.run(whole, clocked([SpinUntil(0, 8 * MS)], [Sleep(2 * MS)]))
    assert [int(ns) for ns in result.tables["cpus"]["busy_ns"]] == [5 * MS, 13 * MS]
    fast = (5 * MS * 162_000 + 8 * MS * 64_000) // 10**9
    slow = 5 * MS * 24_500 // 10**9
    assert (slow, fast) == (122, 1_322)
    assert [tuple(row) for row in result.tables["energy"]] == [(0, slow, 13), (1, fast, 44)]
    assert result.summary["has_energy_model"]


def test_overhead_and_failed_entries_are_busy_time_too(stage, tmp_path):
    moves = (AffinityChange(10 * MS, 0, 0, (0,)),)
    costs = dataclasses.replace(FREE, context_switch=1 * MS)
    whole = scene(
        "set-pmu-unpinned:pmu_big",
        vm=BIG,
        costs=costs,
        affinity_changes=moves,
        platform=powered(tmp_path, SLOW, FAST),
    )
    result = stage.run(whole, clocked([SpinUntil(0, FOREVER)]))
    assert guest_ns(result) == [9 * MS]
    assert [int(row["busy_uj"]) for row in result.tables["energy"]] == [245, 1_620]


@pytest.mark.parametrize("slow", ["", "microvolt = [600000, 700000]", "dynamic_power_coefficient = 50"])
def test_without_a_voltage_or_coefficient_there_is_no_energy(stage, tmp_path, slow):
    result = stage.run(scene(vm=LITTLE, platform=powered(tmp_path, slow, FAST)), clocked([SpinUntil(0, FOREVER)]))
    assert int(result.tables["energy"]["busy_uj"][0]) == int(result.tables["energy"]["idle_uj"][0]) == -1
    assert not result.summary["has_energy_model"]
