"""The policies that run only when named, in the scene of test_scene: LITTLE until 10 ms, big until 15 ms, LITTLE.

Costs are zero unless said. True cycles: 10e6 + 10e6 + 5e6.
"""

import dataclasses

import numpy as np
import pytest

from simcore.app.running import run
from simcore.scenario import AffinityChange, GuestSpec, LiveMigration, VmSpec
from tests.scenes import (
    CYCLES_ON,
    FREE,
    MS,
    ReadReg,
    Report,
    Run,
    Sleep,
    SpinUntil,
    Stage,
    WriteReg,
    count_and_spin,
    read_every,
    scene,
)
from workloads.actions import UNDEF, ReadTimer

MOVES = (AffinityChange(10 * MS, 0, 0, (1,)), AffinityChange(15 * MS, 0, 0, (0,)))
ON_LITTLE = {"init_placement": "small"}
NAMED = (
    ("composite", "v1"),
    ("composite", "v2"),
    ("intersection", "what-if"),
    ("scaled-time", "what-if"),
)


def hand(policy, kernel, **changes):
    vm = ON_LITTLE | changes.pop("vm", {})
    return scene(policy, kernel, vm=vm, affinity_changes=changes.pop("moves", MOVES), **changes)


@pytest.fixture
def stage(monkeypatch):
    return Stage(monkeypatch)


def booked(result, slot=31):
    rows = result.tables["ledger"]
    row = rows[rows["slot"] == slot][0]
    return {name: int(row[name]) for name in rows.dtype.names[3:] if row[name]}


@pytest.mark.parametrize("policy, kernel", NAMED[:3])
def test_each_counts_every_cycle(stage, policy, kernel):
    result = stage.run(hand(policy, kernel), count_and_spin)
    assert booked(result) == {"events": 25_000_000, "counted": 25_000_000}
    values = stage.run(hand(policy, kernel), read_every(1 * MS)).tables["reads"]["value"]
    expected = [*range(1, 11), 12, 14, 16, 18, 20, 21, 22, 23, 24, 25]
    assert values.astype(np.int64).tolist() == [1_000_000 * value for value in expected]


def test_none_has_no_counter(stage):
    def script(cpu):
        answer = yield CYCLES_ON[-1]
        yield Report("refused", int(answer is UNDEF))
        yield SpinUntil(0, 1 << 40)

    result = stage.run(hand("none", "mainline"), script)
    assert result.tables["reports"]["value"].tolist() == [1]
    assert "counted" not in booked(result)
    assert int(result.tables["vpmus"]["event_creations"][0]) == 0


def test_strict_is_pinned_to_the_pmu_that_it_selects(stage):
    """The VMM pins before INIT as under set-pmu; what moves the thread all the same makes KVM_RUN fail entry."""
    result = stage.run(hand("strict:pmu_big", "7.3", moves=(), vm={"init_placement": "uniform"}), count_and_spin)
    assert booked(result) == {"events": 40_000_000, "counted": 40_000_000}
    moved = stage.run(hand("strict:pmu_little", "7.3"), count_and_spin)
    assert booked(moved) == {"events": 15_000_000, "counted": 15_000_000}
    assert int(moved.tables["vcpus"]["fail_entries"][0]) == 1


COSTS = dataclasses.replace(FREE, event_create=8_000, event_release=4_000)


@pytest.mark.parametrize(
    "policy, kernel, reloads, creations, releases",
    [
        ("composite", "v1", 0, 4, 2),  # PMCCFILTR_EL0 and PMCCNTR_EL0: two events each, the first two released
        ("composite", "v2", 0, 2, 0),  # a write of PMCCNTR_EL0 keeps the events
        ("intersection", "what-if", 2, 4, 3),  # one event each, and one anew at each crossing
        ("scaled-time", "what-if", 0, 0, 0),
    ],
)
def test_what_each_costs(stage, policy, kernel, reloads, creations, releases):
    result = stage.run(hand(policy, kernel, costs=COSTS), count_and_spin)
    row = result.tables["vpmus"][0]
    assert (int(row["reloads"]), int(row["event_creations"]), int(row["event_releases"])) == (
        reloads,
        creations,
        releases,
    )
    assert int(result.tables["vcpus"]["pmu_overhead_ns"][0]) == 8_000 * creations + 4_000 * releases


@pytest.mark.parametrize(
    "policy, kernel, n, pmceid0",
    [
        ("composite", "v1", 6, 1 << 0x11 | 1 << 0x1E | 1 << 8 | 1 << 0x10 | 1),  # those of the default PMU
        ("composite", "v2", 0, 0),
        ("intersection", "what-if", 4, 1 << 0x11 | 1 << 0x1E | 1 << 8 | 1),  # BR_MIS_PRED on the LITTLE core only
        ("scaled-time", "what-if", 0, 1 << 0x11),
        ("strict:pmu_little", "7.3", 6, 1 << 0x11 | 1 << 0x1E | 1 << 8 | 1 << 0x10 | 1),
    ],
)
def test_what_the_guest_is_shown(stage, policy, kernel, n, pmceid0):
    guest = stage.run(hand(policy, kernel, moves=()), count_and_spin).tables["guests"][0]
    assert (int(guest["pmcr_n"]), int(guest["pmceid0"])) == (n, pmceid0)


def counting_instructions(cpu):
    for name, value in [
        ("PMCNTENCLR_EL0", 0xFFFFFFFF), ("PMEVTYPER0_EL0", 0x08), ("PMEVCNTR0_EL0", 0),
        ("PMCNTENSET_EL0", 1), ("PMCR_EL0", 1),
    ]:  # fmt: skip
        yield WriteReg(name, value)
    while True:
        yield SpinUntil(0, 1 << 40)


@pytest.mark.parametrize("policy, kernel", [("composite", "v1"), ("intersection", "what-if")])
def test_event_counters_go_on_across_the_crossings(stage, policy, kernel):
    result = stage.run(hand(policy, kernel), counting_instructions)
    instructions = int(result.tables["vcpus"]["instructions"][0])
    assert booked(result, 0) == {"events": instructions, "counted": instructions}


def test_a_busy_host_pmu_stops_a_composite_counter_there_only(stage):
    """The big core's four counters and its cycle counter are pinned by host users."""
    result = stage.run(hand("composite", "v1", busy_counters=(("pmu_big", 5),)), count_and_spin)
    assert booked(result) == {"events": 25_000_000, "counted": 15_000_000, "no_host_counter": 10_000_000}


# Overflow


def armed(cpu):
    """Let PMCCNTR_EL0 wrap (32 bits) 3e6 counts from now on."""
    for name, value in [
        ("PMINTENCLR_EL1", 0xFFFFFFFF), ("PMOVSCLR_EL0", 0xFFFFFFFF), ("PMCNTENCLR_EL0", 0xFFFFFFFF),
        ("PMCR_EL0", 0), ("PMCCFILTR_EL0", 0), ("PMCCNTR_EL0", (1 << 32) - 3_000_000),
        ("PMINTENSET_EL1", 1 << 31), ("PMCNTENSET_EL0", 1 << 31), ("PMCR_EL0", 1),
    ]:  # fmt: skip
        yield WriteReg(name, value)


def spinning(cpu):
    yield from armed(cpu)
    while True:
        yield SpinUntil(0, 1 << 40)


def handler(cpu):
    mask = yield ReadReg("PMOVSCLR_EL0")
    yield WriteReg("PMOVSCLR_EL0", mask)
    now = yield ReadTimer()
    yield Report("irq", now)


TO_AND_FRO = (AffinityChange(1 * MS, 0, 0, (1,)), AffinityChange(5 * MS, 0, 0, (0,)))


@pytest.mark.parametrize(
    "policy, kernel, quirks, times",
    [
        ("intersection", "what-if", True, [2_000_000]),
        # v2 takes what is left from the sum at each load
        ("composite", "v2", True, [2_000_000]),
        # v1: each event must count 3e6 on its own: the big core's at 1 ms + 1.5 ms, the other one's 2 ms after 5 ms
        ("composite", "v1", True, [2_500_000, 7_000_000]),
        ("scaled-time", "what-if", True, [3_000_000]),
    ],
)
def test_when_the_overflow_comes(stage, policy, kernel, quirks, times):
    """1e6 counts on the LITTLE core until 1 ms, then two a nanosecond: the counter wraps at 2 ms."""
    result = stage.run(hand(policy, kernel, moves=TO_AND_FRO, quirks=quirks), spinning, handler)
    assert result.tables["interrupts"]["t_ns"].tolist() == times
    taken = [int(row["value"]) for row in result.tables["reports"] if row["key"] == "irq"]
    assert taken == [time + 1 for time in times]


def test_a_counter_made_at_0_gets_a_period_at_the_next_load_under_v2(stage):
    """kvm_findings 9 says that it never overflows; v2 arms it anew when it crosses, 2**32 counts from 0."""
    moves = (AffinityChange(1 * MS, 0, 0, (1,)),)
    scenario = hand("composite", "v2", moves=moves, seconds_ns=2_200 * MS, sample_ns=0)

    def script(cpu):
        yield from CYCLES_ON[:-1]
        yield WriteReg("PMCR_EL0", 1)
        while True:
            yield SpinUntil(0, 1 << 40)

    crossed = stage.run(scenario, script).tables["interrupts"]["t_ns"].tolist()
    assert crossed == [MS + ((1 << 32) - MS) // 2]
    assert stage.run(dataclasses.replace(scenario, affinity_changes=()), script).tables["interrupts"].size == 0


# scaled-time


def test_scaled_time_goes_on_while_the_guest_does_not_execute(stage):
    """It sleeps from 2 ms to 7 ms, and is off from 8 ms to 9 ms."""
    values = []

    def script(cpu):
        yield from CYCLES_ON
        yield SpinUntil(0, 2 * MS)
        values.append((yield ReadReg("PMCCNTR_EL0")))
        yield Sleep(5 * MS)
        values.append((yield ReadReg("PMCCNTR_EL0")))
        yield SpinUntil(0, 8 * MS)
        yield WriteReg("PMCR_EL0", 0x40)
        yield SpinUntil(0, 9 * MS)
        values.append((yield ReadReg("PMCCNTR_EL0")))
        yield WriteReg("PMCR_EL0", 0x41)
        yield SpinUntil(0, 12 * MS)
        values.append((yield ReadReg("PMCCNTR_EL0")))
        yield WriteReg("PMCCNTR_EL0", 5)
        yield Sleep(1 * MS)
        values.append((yield ReadReg("PMCCNTR_EL0")))
        yield SpinUntil(0, 1 << 40)

    stage.run(hand("scaled-time", "what-if", moves=()), script)
    assert values == [2 * MS, 7 * MS, 8 * MS, 11 * MS, 1 * MS + 5]


def test_scaled_time_has_traps_and_switches_in_it(stage):
    """What a register access costs the host passes too: the counter is the timer, less what it was when enabled."""
    costs = dataclasses.replace(FREE, trap=1_500, context_switch=2_000, wfi=3_000)
    pairs = []

    def script(cpu):
        yield from CYCLES_ON
        while True:
            counted = yield ReadReg("PMCCNTR_EL0")
            pairs.append((counted, (yield ReadTimer())))
            yield Run(0, 100_000)
            yield Sleep(300_000)

    stage.run(hand("scaled-time", "what-if", moves=(), costs=costs), script)
    (first, began), *rest = pairs
    assert len(rest) > 20
    assert {counted - now for counted, now in rest} == {first - began}


def test_scaled_time_overflows_in_a_sleep_when_the_guest_is_back(stage):
    """No timer wakes the vCPU: it sleeps from 1 ms to 6 ms, the counter wraps at 3 ms."""

    def script(cpu):
        yield from armed(cpu)
        yield SpinUntil(0, 1 * MS)
        yield Sleep(5 * MS)
        yield SpinUntil(0, 1 << 40)

    result = stage.run(hand("scaled-time", "what-if", moves=()), script, handler)
    taken = [int(row["value"]) for row in result.tables["reports"] if row["key"] == "irq"]
    assert taken == [6_000_001]


def test_scaled_time_obeys_filter_and_level(stage):
    """Executes at EL1 until 4 ms, then at EL0, which PMCCFILTR_EL0.U excludes."""

    def script(cpu):
        yield from CYCLES_ON
        yield WriteReg("PMCCFILTR_EL0", 1 << 30)
        yield SpinUntil(1, 4 * MS)
        yield SpinUntil(2, 9 * MS)
        yield SpinUntil(1, 10 * MS)
        yield Report("value", (yield ReadReg("PMCCNTR_EL0")))
        yield SpinUntil(1, 1 << 40)

    result = stage.run(hand("scaled-time", "what-if", moves=()), script)
    assert [int(row["value"]) for row in result.tables["reports"]] == [5 * MS]


# As shadows


@pytest.mark.parametrize("policy, kernel", NAMED)
def test_a_shadow_sees_what_a_real_run_does(stage, policy, kernel):
    real = stage.run(hand(policy, kernel), count_and_spin)
    shadows = (f"{policy}@{kernel}",)
    shadow = stage.run(hand("default", "mainline", vm={"shadows": shadows}), count_and_spin)
    plain = stage.run(hand("default", "mainline"), count_and_spin)
    for name in ("ledger", "samples"):
        rows = shadow.tables[name]
        seen = rows[rows["policy"] == 1].copy()
        seen["policy"] = 0
        assert np.array_equal(seen, real.tables[name]), name
        assert np.array_equal(rows[rows["policy"] == 0], plain.tables[name]), name
    assert np.array_equal(shadow.tables["events"], plain.tables["events"])


@pytest.mark.parametrize("policy, kernel", [("default", "mainline"), *NAMED])
def test_windows_calibrates_on_the_other_core(policy, kernel):
    """From 11 ms to 14 ms, on the big core: the PMU of the LITTLE one sees no cycle, and the guest dies of it."""
    guest = GuestSpec(name="windows", workload="dhrystone", boot_ns=11 * MS, window_ns=3 * MS)
    vm = VmSpec(guest, policy=policy, kernel=kernel, vcpus=1, init_placement="small")
    tables = run(dataclasses.replace(hand(policy, kernel), vms=(vm,))).tables
    (hz,) = tables["reports"]["value"][tables["reports"]["key"] == "calibrated_hz"].tolist()
    assert hz == {"default": 0, "scaled-time": 1_000_000_000}.get(policy, 2_000_000_000)
    assert (tables["guests"]["outcome"][0] == "alive") == (policy != "default")


@pytest.mark.parametrize(
    "source, destination",
    [
        ("scaled-time@what-if", "fixed-counters-only@v8"),
        ("fixed-counters-only@v8", "scaled-time@what-if"),
        ("composite@v1", "composite@v2"),
        ("composite@v2", "intersection@what-if"),
        ("scaled-time@what-if", "scaled-time@what-if"),
    ],
)
def test_a_live_migration_from_one_to_another(stage, source, destination):
    """10 ms, 5 ms of downtime, in which the guest's timer stands as any counter does, and 5 ms at 1 GHz."""
    lives = (LiveMigration(10 * MS, destination, downtime_ns=5 * MS, init_placement="small"),)
    policy, _, kernel = source.partition("@")
    scenario = hand(policy, kernel, moves=(), vm={"pin_delay_ns": 0}, live_migrations=lives)

    def script(cpu):
        yield from CYCLES_ON
        yield SpinUntil(0, 15 * MS - 1)
        yield Report("value", (yield ReadReg("PMCCNTR_EL0")))
        yield SpinUntil(0, 1 << 40)

    assert stage.run(scenario, script).tables["reports"]["value"].tolist() == [15 * MS - 1]
