"""The Linux guest that counts: which events it opens, on which counter, and what it reports."""

import pytest

from simcore.scenario import GuestSpec
from tests.fake_vcpu import FakeVcpu, guest_cpu
from workloads.actions import Run, WriteReg
from workloads.catalog import Workload
from workloads.guest_perf_stat import NOT_COUNTED, NOT_SUPPORTED, LinuxPerfStat
from workloads.linux_pmu import CpuPmu, GuestPmu, HwEvent
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


def test_an_event_that_finds_no_counter_is_not_counted():
    assert counted_by(GuestPmu(2, CEID0, CEID1), ALL) == (31, 0, 1, None, None)
    assert counted_by(GuestPmu(0, CEID0, CEID1), ALL) == (31, *[None] * 4)
    seen = play(registers=registers(2))
    assert [seen.reports(f"perf:{name}")[:1] for name in NAMES] == [[200 * MS], [0], [0], [NOT_COUNTED], [NOT_COUNTED]]


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
