"""The kernels beside the recorded revisions: PMU_V3_STRICT, the two postings of 2025, and what-ifs."""

import dataclasses

import pytest

from pmu.host import Host
from pmu.vcpu import Entry
from pmu.versions import KERNELS
from tests.pmu_machine import CYCLES, A, B, Machine

INSTRUCTIONS = 0x08
SLOTS = Host(8, (dataclasses.replace(A, slots=5), dataclasses.replace(B, slots=8, pmceid1=0xFFFFFFFF)), 5)
STALL_SLOTS = 7 << 29


def made(kernel, *attributes, where="HET", **more) -> Machine:
    machine = Machine(where, kernel, **more)
    assert [machine.set(*attribute) for attribute in attributes] == [0] * len(attributes)
    return machine


def cycles_after_moves(machine, *cpus) -> int:
    """Return what PMCCNTR_EL0 shows after 100 cycles on each pCPU."""
    vcpu = machine.prep().enter(cpus[0])
    machine.quiet()
    machine.cycles_on()
    machine.execute({CYCLES: 100})
    for cpu in cpus[1:]:
        vcpu.migrate(cpu)
        machine.execute({CYCLES: 100})
    return value(machine, "PMCCNTR")


def value(machine, name) -> int:
    found = machine.read(name)
    assert isinstance(found, int)
    return found


# strict


@pytest.mark.parametrize("kernel", [name for name in KERNELS if name != "7.3"])
def test_other_kernels_do_not_know_the_feature(kernel):
    assert Machine("HET", kernel, strict=True).inits == ["-ENOENT"]


def test_without_set_pmu_the_first_run_fails_and_does_not_count():
    machine = Machine("HET", "7.3", strict=True)
    assert machine.inits == [0]
    assert (machine.vm.pmu, machine.vm.nr_counters) == (None, 0)
    assert machine.set("SET_NR_COUNTERS", 0) == "-EINVAL"
    machine.gic()
    assert (machine.set("IRQ", 23), machine.set("INIT"), machine.run(0)) == (0, 0, "-EINVAL")
    assert not machine.vm.ran


def test_strict_with_set_pmu_is_set_pmu():
    machine = made("7.3", ("SET_PMU", 9), strict=True)
    assert machine.vm.nr_counters == B.counters
    machine.prep()
    assert (machine.run(0), machine.run(4)) == ("FAIL_ENTRY", "guest")


def test_strict_shows_slots_and_their_events():
    usual, strict = made("7.3", ("SET_PMU", 9), where=SLOTS), made("7.3", ("SET_PMU", 9), where=SLOTS, strict=True)
    for machine, slots, events in ((usual, 0, 0), (strict, 8, STALL_SLOTS)):
        machine.prep().enter(4)
        assert machine.read("PMMIR") == slots
        assert value(machine, "PMCEID1") & STALL_SLOTS == events


def test_strict_ignores_n_that_user_space_writes():
    usual, strict = made("7.3", ("SET_PMU", 8)), made("7.3", ("SET_PMU", 8), strict=True)
    for machine, n in ((usual, 2), (strict, A.counters)):
        assert machine.set_reg("PMCR", 2 << 11) == 0
        assert machine.vm.nr_counters == n


def test_strict_needs_the_pmu_feature_and_all_vcpus_alike():
    assert Machine("HET", "7.3", feature=False, strict=True).inits == ["-EINVAL"]
    assert Machine(Host(8, (A, B), 0), "7.3", strict=True).inits == ["-EINVAL"]
    machine = Machine("HET", "7.3", vcpus=2, init=None)
    assert machine.init(0) == 0
    machine.strict = True
    assert machine.init(1) == "-EINVAL"


# composite


def test_v1_counts_everywhere_without_being_asked():
    machine = made("v1")
    assert cycles_after_moves(machine, 0, 5, 1) == 300
    assert machine.vm.nr_counters == A.counters
    assert len(machine.vm.backing_pmus(0)) == 2


def test_v1_makes_one_event_where_the_default_pmu_covers_every_pcpu():
    assert len(made("v1", where="HOM").vm.backing_pmus(0)) == 1


def test_v2_counts_everywhere_and_shows_the_cycle_counter_only():
    machine = made("v2", ("COMPOSITION", None))
    assert machine.get("COMPOSITION") == 0
    assert cycles_after_moves(machine, 0, 5, 1) == 300
    assert (machine.vm.nr_counters, machine.read("PMCEID0")) == (0, 0)
    assert machine.vcpus[0].work.load_reloads == 0


def test_v2_without_the_attribute_is_mainline():
    machine = made("v2")
    assert machine.get("COMPOSITION") == "-ENXIO"
    assert cycles_after_moves(machine, 0, 5, 1) == 200


def test_what_composition_excludes():
    machine = made("v2", ("FILTER", (0x11, 1, 1)))
    assert machine.set("COMPOSITION") == "-EBUSY"
    machine = made("v2", ("COMPOSITION", None), ("FILTER", (0x11, 1, 1)), ("COMPOSITION", None))
    assert machine.set("SET_NR_COUNTERS", 0) == "-EINVAL"
    machine = made("v2", ("COMPOSITION", None), ("SET_PMU", 9))
    assert (machine.get("COMPOSITION"), machine.vm.nr_counters) == ("-ENXIO", B.counters)
    ran = Machine("HET", "v2", vcpus=2)
    ran.prep().run(0)
    assert ran.set("COMPOSITION", None, 1) == "-EBUSY"


def test_v2_fails_entry_where_there_is_no_host_pmu():
    machine = made("v2", ("COMPOSITION", None), where="GAP").prep()
    assert machine.vm.run(machine.vcpus[0], 5) is Entry.FAIL_ENTRY


def test_a_write_under_v2_keeps_the_events_and_counts_from_the_value():
    machine = made("v2", ("COMPOSITION", None)).prep()
    vcpu = machine.enter(0)
    machine.quiet()
    machine.cycles_on()
    created = vcpu.work.creations
    machine.execute({CYCLES: 1000})
    machine.write("PMCCNTR", (1 << 32) - 50)
    assert machine.read("PMCCNTR") == (1 << 32) - 50
    vcpu.migrate(5)
    assert machine.execute({CYCLES: 49}) == 0
    vcpu.migrate(0)
    assert machine.execute({CYCLES: 1}) == 1
    assert (vcpu.work.creations, vcpu.work.releases) == (created, 0)


# intersection


def test_the_intersection_is_what_both_have():
    host = Host(8, (dataclasses.replace(A, pmceid0=0xFF), dataclasses.replace(B, pmceid0=0xF0F00)), 4)
    machine = made("what-if", ("INTERSECTION", None), where=host)
    assert machine.vm.nr_counters == 4
    assert machine.vm.pmceid[0] == 1 | 1 << 0x1E
    assert machine.set("SET_NR_COUNTERS", 5) == "-EINVAL"
    assert machine.set("SET_NR_COUNTERS", 3) == 0


def test_the_intersection_makes_events_anew_at_a_crossing_only():
    machine = made("what-if", ("INTERSECTION", None)).prep()
    vcpu = machine.enter(0)
    machine.quiet()
    for name, value in (("PMEVTYPER0", INSTRUCTIONS), ("PMEVCNTR0", 0), ("PMCNTENSET", 1), ("PMCR", 1)):
        machine.write(name, value)
    created = vcpu.work.creations
    for cpu in (1, 5, 6, 0):
        machine.execute({INSTRUCTIONS: 10})
        vcpu.migrate(cpu)
    assert machine.read("PMEVCNTR0") == 40
    assert (vcpu.work.load_reloads, vcpu.work.creations - created) == (2, 2)
