"""The Linux guest that counts: which events it opens, on which counter, and what it reports."""

import dataclasses

import pytest

from simcore.scenario import GuestSpec
from tests.fake_vcpu import FakeVcpu, guest_cpu
from workloads.actions import Run, Sleep, WriteReg
from workloads.catalog import Workload
from workloads.guest_perf_stat import LinuxPerfStat, admit, groups_of
from workloads.linux_pmu import CpuPmu, GuestPmu, HwEvent
from workloads.perf_tool import NOT_COUNTED, NOT_SUPPORTED
from workloads.phase import Phase, PhaseRates

MS = 1_000_000
RATES = (PhaseRates("little", 1.0, 0.0),)
WORKLOAD = Workload("w", "", (Phase("w", 0, RATES),), Phase("kernel", 1, RATES))
SPEC = GuestSpec(name="linux-perf-stat", boot_ns=MS, quantum_instructions=MS, quanta_per_wake=4, sleep_ns=0)
NAMES = ("cycles", "instructions", "l1d_cache_refill", "br_mis_pred", "stall_backend")
ALL = (0x11, 0x08, 0x03, 0x10, 0x24)
CEID0, CEID1 = 1 << 0x11 | 1 << 0x08 | 1 << 0x03 | 1 << 0x10, 1 << 0x04
SIX = GuestPmu(6, CEID0, CEID1)
HALF32 = 0x8000_0001


def registers(counters=6, pmceid0=CEID0, pmceid1=CEID1):
    return {"ID_AA64DFR0_EL1": 4 << 8, "PMCR_EL0": counters << 11, "PMCEID0_EL0": pmceid0, "PMCEID1_EL0": pmceid1}


def play(actions=300, guest=None, **fake):
    return FakeVcpu(**fake).play((guest or LinuxPerfStat(SPEC, WORKLOAD)).vcpu(guest_cpu()), actions)


def counted_by(pmu, events):
    """Return the counter on which each event counts, None for those that find none."""
    cpu = CpuPmu(pmu)
    opened = [HwEvent(event) for event in events]
    for event in opened:
        FakeVcpu().play(cpu.add(event), 20)
    return tuple(event.index for event in opened)


def test_cycles_take_the_cycle_counter_and_the_rest_event_counters_in_order():
    assert counted_by(SIX, ALL) == (31, 0, 1, 2, 3)


def test_an_event_that_finds_no_counter_has_none():
    assert counted_by(GuestPmu(2, CEID0, CEID1), ALL) == (31, 0, 1, None, None)
    assert counted_by(GuestPmu(0, CEID0, CEID1), ALL) == (31, *[None] * 4)


def test_events_take_turns_and_are_scaled():
    """Two event counters for four events, the cycle counter for cycles; 4 ms a turn, from 1 ms (the boot) to 101 ms.

    The order is cycles, instructions, refills, mispredictions, stalls. In turn the counters go to cyc ins ref, ins ref
    (mispredictions find none, so cycles are not tried), ref mis, mis sta cyc, sta cyc ins. Of 24 whole turns from 4 ms
    on the first is the second of these; before it are 3 ms, after it 1 ms of the first.
    """
    seen = play(actions=3000, registers=registers(2))
    whole = {"cycles": 4 + 5 + 5, "instructions": 4 + 5 + 5, "l1d_cache_refill": 4 + 5 + 5}
    whole |= {"br_mis_pred": 5 + 5, "stall_backend": 5 + 5}
    ends = {"cycles": 4, "instructions": 4, "l1d_cache_refill": 4}
    for name in NAMES:
        running = (4 * whole[name] + ends.get(name, 0)) * MS
        assert seen.reports(f"perf:{name}:enabled")[0] == 100 * MS
        assert seen.reports(f"perf:{name}:running")[0] == running
    assert seen.reports("perf:cycles")[:2] == [200 * MS, 400 * MS]  # 2 cycles a ns, scaled
    assert seen.reports("perf:br_mis_pred")[:1] == [0]
    assert seen.reports("perf:executed")[:2] == [100 * MS, 200 * MS]


def test_without_an_event_counter_only_cycles_can_count_and_the_rest_is_not_counted():
    """Cycles have their turn when they come before all others, one turn in five."""
    seen = play(actions=3000, registers=registers(0))
    assert [seen.reports(f"perf:{name}")[0] for name in NAMES[1:]] == [NOT_COUNTED] * 4
    assert seen.reports("perf:cycles:running")[0] == (3 + 4 * 4 + 1) * MS


def test_a_group_counts_together_or_not_at_all():
    """Two counters: the group of three event counters is cut to two by perf_event_open; the single event waits."""
    groups = ((0x08, 0x03, 0x10),)
    spec = dataclasses.replace(SPEC, perf_groups=groups, perf_events=())
    seen = play(actions=3000, guest=LinuxPerfStat(spec, WORKLOAD), registers=registers(2))
    assert seen.reports("perf:br_mis_pred") == [NOT_SUPPORTED]
    assert seen.reports("perf:instructions:running") == seen.reports("perf:l1d_cache_refill:running")
    assert seen.reports("perf:instructions:running")[0] == 100 * MS
    assert seen.reports("perf:cycles:running")[0] == 100 * MS  # it has a counter of its own


def test_groups_that_do_not_fit_beside_each_other_take_turns():
    spec = dataclasses.replace(SPEC, perf_groups=((0x08, 0x03), (0x10, 0x24)), perf_events=(0x10,))
    assert groups_of(spec) == ((0x08, 0x03), (0x10, 0x24), (0x11,))
    seen = play(actions=3000, guest=LinuxPerfStat(spec, WORKLOAD), registers=registers(3))
    # (8, 3) alone, as (10, 24) finds no room; then (10, 24) and cycles; then cycles and (8, 3)
    assert seen.reports("perf:instructions:running")[0] == (3 + 4 * 16) * MS
    assert seen.reports("perf:br_mis_pred:running")[0] == seen.reports("perf:stall_backend:running")[0]
    running = [seen.reports(f"perf:{name}:running")[0] for name in ("instructions", "br_mis_pred")]
    assert sum(running) == 100 * MS


def test_a_group_that_fits_in_part_leaves_its_counters():
    """Two counters. In turn they go to (mis) alone, (ins, ref) and cycles, cycles and (mis)."""
    spec = dataclasses.replace(SPEC, perf_groups=((0x10,), (0x08, 0x03)), perf_events=())
    seen = play(actions=3000, guest=LinuxPerfStat(spec, WORKLOAD), registers=registers(2))
    assert seen.reports("perf:instructions:running")[0] == (4 * 8 + 1) * MS
    assert seen.reports("perf:br_mis_pred:running")[0] == (3 + 4 * 16) * MS
    assert seen.reports("perf:cycles:running")[0] == (4 * 16 + 1) * MS


@pytest.mark.parametrize(
    "pmu, groups, taken, refused",
    [
        (SIX, [(0x11, 0x08)], [(0x11, 0x08)], []),
        (None, [(0x11, 0x08), (0x03,)], [], [0x11, 0x08, 0x03]),
        (GuestPmu(6, CEID0 & ~(1 << 0x08), CEID1), [(0x11, 0x08)], [(0x11,)], [0x08]),
        (GuestPmu(6, CEID0 & ~(1 << 0x11), CEID1), [(0x11, 0x08)], [], [0x11, 0x08]),
        (GuestPmu(1, CEID0, CEID1), [(0x11, 0x08, 0x03)], [(0x11, 0x08)], [0x03]),
        (GuestPmu(0, CEID0, CEID1), [(0x08,)], [(0x08,)], []),
        (SIX, [(0x1E,)], [], [0x1E]),
    ],
)
def test_what_perf_event_open_refuses(pmu, groups, taken, refused):
    assert admit(pmu, groups) == (taken, refused)


def test_a_sleep_is_interrupted_by_a_turn_but_a_wait_for_io_is_not():
    spec = dataclasses.replace(SPEC, sleep_ns=10 * MS, quanta_per_wake=1)
    seen = play(actions=400, guest=LinuxPerfStat(spec, WORKLOAD), registers=registers(2))
    sleeps = [(sleep.ns, sleep.io) for sleep in seen.of(Sleep)[:5]]
    # turns at 4, 8 and 12 ms, when the first 10 ms are over; 1 ms of work; I/O up to 23 ms; work to the turn at 24 ms
    assert sleeps == [(2 * MS, False), (4 * MS, False), (4 * MS, False), (10 * MS, True), (4 * MS, False)]


def test_second_cycles_event_needs_an_event_counter():
    assert counted_by(SIX, (0x11, 0x11)) == (31, 0)


def test_an_event_without_its_pmceid_bit_is_not_supported():
    seen = play(registers=registers(pmceid0=CEID0 & ~(1 << 0x10)))
    assert seen.reports("perf:br_mis_pred") == [NOT_SUPPORTED]
    assert seen.registers["PMEVTYPER2_EL0"] == 0x24


@pytest.mark.parametrize("event, register, bit", [
    (0x00, 0, 0), (0x1F, 0, 31), (0x20, 1, 0), (0x3F, 1, 31),
    (0x4000, 0, 32), (0x401F, 0, 63), (0x4020, 1, 32), (0x403F, 1, 63),
])  # fmt: skip
def test_each_common_event_has_its_own_bit(event, register, bit):
    every = (1 << 64) - 1
    only, but = [0, 0], [every, every]
    only[register], but[register] = 1 << bit, every & ~(1 << bit)
    assert GuestPmu(6, *only).supports(event)
    assert not GuestPmu(6, *but).supports(event)


@pytest.mark.parametrize("event", [0x40, 0xE7, 0x3FFF, 0x4040])
def test_events_outside_the_bitmaps_are_opened_without_a_bit(event):
    assert GuestPmu(6, 0, 0).supports(event)


def test_refusals_are_reported_once_and_nothing_is_programmed():
    seen = play(registers=registers(0, 0, 0))
    for name in NAMES:
        assert seen.reports(f"perf:{name}") == [NOT_SUPPORTED]
    assert WriteReg("PMCNTENSET_EL0", 1 << 31) not in seen.log
    assert seen.of(Run)


def test_guest_without_a_pmu_works_on():
    seen = play(undefined=frozenset({"PMCR_EL0"}), registers={"ID_AA64DFR0_EL1": 0})
    assert seen.reports("perf:cycles") == [NOT_SUPPORTED]
    assert seen.of(WriteReg) == []
    assert seen.of(Run)
    assert seen.deaths == []


def test_counts_are_reported_each_interval():
    """Quanta of 1 ms, 2 cycles a ns: after 100 and 200 ms the guest has counted 0.2 and 0.4 G cycles."""
    seen = play(actions=500, registers=registers())
    assert seen.reports("perf:cycles")[:2] == [200 * MS, 400 * MS]
    assert seen.reports("perf:instructions")[:2] == [0, 0]  # the fake moves the cycle counter only


def test_cycles_go_on_over_the_overflow_of_the_lower_half():
    """2^31 cycles last 1.07 s here: the counter passes it at 1.1 s, and no interrupt comes."""
    seen = play(actions=2700, registers=registers())
    assert len(seen.reports("perf:cycles")) > 11
    assert seen.reports("perf:cycles")[10:12] == [2200 * MS, 2400 * MS]


def test_driver_programs_each_counter():
    seen = play(registers=registers())
    assert seen.registers["PMEVTYPER0_EL0"] == 0x08
    assert seen.registers["PMEVTYPER3_EL0"] == 0x24
    assert seen.registers["PMEVCNTR0_EL0"] == HALF32
    assert WriteReg("PMCCNTR_EL0", 0xFFFF_FFFF_8000_0001) in seen.log
    assert seen.registers["PMCCFILTR_EL0"] == 0
    for bit in (31, 0, 1, 2, 3):
        assert WriteReg("PMINTENSET_EL1", 1 << bit) in seen.log
        assert WriteReg("PMCNTENSET_EL0", 1 << bit) in seen.log
    assert seen.registers["PMCR_EL0"] & 0x41 == 0x41
