"""The Linux guest that boots: every access of its PMU driver, and what it finds under each policy on two cores."""

import dataclasses

import pytest

from simcore.app.aggregating import run_answer
from simcore.app.running import run
from simcore.scenario import GuestSpec
from tests.fake_vcpu import FakeVcpu, guest_cpu
from tests.scenes import FREE, MS, guest_scene
from workloads.actions import Halt, ReadReg, Report, Run, SpinUntil, Wake, WriteReg
from workloads.catalog import Workload
from workloads.guest_linux_boot import LinuxBoot
from workloads.phase import Phase, PhaseRates

RATES = (PhaseRates("little", 1.0, 0.0),)
WORKLOAD = Workload("w", "", (Phase("w", 0, RATES),), Phase("kernel", 1, RATES))
GUEST = GuestSpec("linux-boot", "dhrystone", boot_ns=MS)
REGISTERS = {"ID_AA64DFR0_EL1": 4 << 8, "PMCR_EL0": 6 << 11, "PMCEID0_EL0": 0x3, "PMCEID1_EL0": 1 << 63}
ID = ReadReg("ID_AA64DFR0_EL1")
PROBE = [ID, ReadReg("PMCR_EL0"), ReadReg("PMCEID0_EL0"), ReadReg("PMCEID1_EL0")]
CALL = [Wake(1), Halt()]
RESET = [
    *(WriteReg(name, 0xFFFFFFFF) for name in ("PMCNTENCLR_EL0", "PMINTENCLR_EL1", "PMOVSCLR_EL0")),
    WriteReg("PMCR_EL0", 0x46),
]


def accesses(vcpu, registers=REGISTERS):
    """Return what a vCPU of two does before it works, its reads of the timer left out."""
    guest = LinuxBoot(GUEST, WORKLOAD)
    first = FakeVcpu(registers=dict(registers)).play(guest.vcpu(guest_cpu(0, 2)), 40)
    seen = first if vcpu == 0 else FakeVcpu(registers=dict(registers)).play(guest.vcpu(guest_cpu(1, 2)), 40)
    before = seen.log[: next(index for index, action in enumerate(seen.log) if isinstance(action, Run))]
    return [action for action in before if isinstance(action, Halt | Wake | ReadReg | WriteReg | SpinUntil | Report)]


def test_the_boot_cpu_sets_itself_up_starts_the_others_probes_and_resets():
    head = [SpinUntil(1, 25_000), ID, WriteReg("PMUSERENR_EL0", 0), *CALL, *PROBE, *RESET, *CALL]
    found = [Report("boot:driver", 1), Report("boot:counters", 7), Report("boot:events", 3), Report("boot:setup_ns", 0)]
    assert accesses(0) == head + found


def test_the_others_are_reset_when_the_driver_calls_them():
    assert accesses(1) == [Halt(), ID, WriteReg("PMUSERENR_EL0", 0), Wake(0), Halt(), *RESET, Wake(0)]


@pytest.mark.parametrize("pmuver", [0, 15])
def test_without_a_pmu_nothing_is_touched(pmuver):
    registers = REGISTERS | {"ID_AA64DFR0_EL1": pmuver << 8}
    assert accesses(0, registers) == [SpinUntil(1, 25_000), ID, *CALL, ID, *CALL, Report("boot:driver", 0)]
    assert accesses(1, registers) == [Halt(), ID, Wake(0), Halt(), Wake(0)]


def test_a_new_pmu_has_its_slots_read_and_its_counters_made_long():
    registers = REGISTERS | {"ID_AA64DFR0_EL1": 6 << 8, "PMCEID1_EL0": 1 << 31}
    assert ReadReg("PMMIR_EL1") in accesses(0, registers)
    assert accesses(0, registers | {"PMCEID1_EL0": 0})[-7] == WriteReg("PMCR_EL0", 0xC6)
    assert ReadReg("PMMIR_EL1") not in accesses(0, registers | {"ID_AA64DFR0_EL1": 4 << 8})


@pytest.mark.parametrize(
    "policy, kernel, driver, counters, events",
    [
        ("default", "mainline", "present", 7, 6),
        ("default-pinned:pmu_big", "mainline", "present", 7, 6),
        ("set-pmu-unpinned:pmu_little", "mainline", "present", 7, 6),
        ("set-pmu-unpinned:pmu_big", "v6", None, None, None),
        ("fixed-counters-only", "v8", "present", 1, 0),
        (None, "mainline", "absent", None, None),
    ],
)
def test_what_the_boot_log_says_under_each_policy(policy, kernel, driver, counters, events):
    """INIT is on the LITTLE core: 6 counters and 6 events. Chosen to the big PMU, it never enters on the LITTLE core.

    Eight accesses of 1 us each lie between the driver's start and its line in the log.
    """
    costs = dataclasses.replace(FREE, trap=1000)
    result = run(
        guest_scene(GUEST, policy, kernel, costs=costs, seconds_ns=2 * MS, vm={"vcpus": 1, "init_placement": "small"})
    )
    assert run_answer(result)["policies"][0]["guest_findings"] == {
        "driver": driver, "counters": counters, "events": events, "setup_ns": None if counters is None else 8_000,
    }  # fmt: skip


@pytest.mark.parametrize("name, counters, events", [("pmu_little", 7, 6), ("pmu_big", 5, 5)])
def test_a_chosen_pmu_is_what_it_finds(name, counters, events):
    result = run(guest_scene(GUEST, f"set-pmu:{name}", seconds_ns=2 * MS, vm={"init_placement": "uniform"}))
    found = run_answer(result)["policies"][0]["guest_findings"]
    assert (found["driver"], found["counters"], found["events"]) == ("present", counters, events)


def test_every_vcpu_is_reset_and_then_works():
    result = run(
        guest_scene(GUEST, "set-pmu:pmu_little", vm={"vcpus": 3, "init_placement": "uniform"}, seconds_ns=9 * MS)
    )
    assert (result.tables["vcpus"]["instructions"] > 0).all()
    assert (result.tables["vpmus"]["enabled_ns"] == 0).all()
