"""Host events behind counters: ledger categories, sample periods, host counters, work that is charged."""

import pytest

from pmu.events import CHAIN, SW_INCR
from pmu.host import Host
from pmu.kernel import (
    COUNTED,
    DISABLED,
    EXCLUDED_LEVEL,
    FILTERED,
    NO_EVENT,
    NO_HOST_COUNTER,
    OFF_PMU,
)
from pmu.register import UNDEF
from tests.pmu_machine import CYCLES, Machine, host, pmu

E, LC = 1 << 0, 1 << 6
CYCLE_BIT = 1 << 31
INSTRUCTIONS = 0x08


def counting(kernel="mainline", where="HET", attributes=(), cpu=0, **more) -> Machine:
    """Return a guest that counts cycles from 0."""
    machine = Machine(where, kernel, **more)
    for name, value in attributes:
        assert machine.set(name, value) == 0
    machine.prep().enter(cpu)
    machine.quiet()
    machine.cycles_on()
    return machine


def write_all(machine: Machine, values: dict[str, int]) -> None:
    for name, value in values.items():
        assert machine.write(name, value) is None


# The ledger


def test_every_increment_is_booked_to_the_first_category_that_holds():
    machine = counting()
    vcpu = machine.vcpus[0]
    machine.execute({CYCLES: 1})
    write_all(machine, {"PMCNTENCLR": CYCLE_BIT})
    machine.execute({CYCLES: 10})
    write_all(machine, {"PMCNTENSET": CYCLE_BIT, "PMCCFILTR": 1 << 31})
    machine.execute({CYCLES: 100})
    vcpu.migrate(5)
    machine.execute({CYCLES: 1000})  # still excluded: that comes before off-PMU
    write_all(machine, {"PMCCFILTR": 0})
    machine.execute({CYCLES: 10000})
    write_all(machine, {"PMCR": 0})
    machine.execute({CYCLES: 100000})  # disabled comes before off-PMU
    assert machine.ledger() == (1, 100010, 0, 1100, 0, 10000, 0, 0)
    assert machine.read("PMCCNTR") == 1


def test_the_event_filter_comes_before_the_level():
    machine = counting(attributes=[("FILTER", (CYCLES, 1, 1))])
    write_all(machine, {"PMCCFILTR": 1 << 31})
    assert machine.category() == FILTERED
    write_all(machine, {"PMCR": 0})
    assert machine.category() == DISABLED


def test_no_event_where_the_driver_has_no_translation():
    apple = pmu("p", 8, range(8), 8, event_map={0x11: 2})
    machine = Machine(Host(8, (apple,), 15, impdef=True)).prep()
    machine.enter()
    machine.quiet()
    write_all(machine, {"PMEVTYPER0": INSTRUCTIONS, "PMCNTENSET": 1, "PMCR": E})
    assert machine.category(0) == NO_EVENT
    write_all(machine, {"PMEVTYPER0": CYCLES})
    assert machine.category(0) == COUNTED
    assert machine.read("PMEVCNTR1") is UNDEF


def test_no_event_where_no_pmu_covers_the_cpu():
    machine = counting("v8", "GAP", [("FIXED_COUNTERS_ONLY", None)])
    vcpu = machine.vcpus[0]
    vcpu.migrate(5)
    assert machine.category() == OFF_PMU  # the old event stays
    write_all(machine, {"PMCCNTR": 3})
    assert machine.category() == NO_EVENT
    vcpu.migrate(0)
    assert (machine.category(), machine.read("PMCCNTR")) == (COUNTED, 3)


def test_software_events_are_counted_or_disabled():
    machine = counting()
    write_all(machine, {"PMEVTYPER0": SW_INCR, "PMEVTYPER1": CHAIN, "PMEVCNTR0": 0xFFFFFFFF, "PMCNTENSET": 1})
    assert [machine.category(slot) for slot in (0, 1)] == [COUNTED, DISABLED]
    assert [int(machine.bank.stream[0, slot]) for slot in (0, 1)] == [-1, -1]
    write_all(machine, {"PMSWINC": 1})
    assert [machine.ledger(slot)[:2] for slot in (0, 1)] == [(1, 0), (0, 1)]


def test_streams_follow_the_event_type():
    machine = counting()
    write_all(machine, {"PMEVTYPER0": INSTRUCTIONS, "PMEVTYPER1": 0x1B})
    assert [int(machine.bank.stream[0, slot]) for slot in (31, 0, 1, 6)] == [0, 1, -1, -1]


# Sample periods


def left(machine: Machine, slot: int = 31) -> int:
    return int(machine.bank.left[0, slot])


@pytest.mark.parametrize(
    "value, quirks, period",
    (
        (0xFFFFFFF0, True, 16),
        (0xFFFFFFF0, False, 16),
        (0x1FFFFFFFF, True, 1),
        (0, True, 0),
        (0, False, 1 << 32),
        (1 << 32, True, 0),
    ),
)
def test_first_period(value: int, quirks: bool, period: int):
    machine = counting(quirks=quirks)
    write_all(machine, {"PMCCNTR": value})
    assert left(machine) == period


@pytest.mark.parametrize("quirks, second", ((True, 0xFFFFFFF0), (False, 1 << 32)))
def test_second_period(quirks: bool, second: int):
    machine = counting(quirks=quirks)
    write_all(machine, {"PMCCNTR": 0xFFFFFFF0})
    assert machine.execute({CYCLES: 16}) == 1
    assert left(machine) == second


def test_a_64_bit_counter_that_starts_at_0_never_overflows():
    machine = counting(quirks=False)
    write_all(machine, {"PMCR": E | LC, "PMCCNTR": 0})
    assert left(machine) == 0
    write_all(machine, {"PMCCNTR": (1 << 64) - 5})
    assert left(machine) == 5


def test_lc_takes_effect_with_the_next_event():
    machine = counting()
    write_all(machine, {"PMCCNTR": 0xFFFFFFF0, "PMCR": E | LC})
    assert left(machine) == 16
    write_all(machine, {"PMCCFILTR": 0})
    assert left(machine) == (1 << 64) - 0xFFFFFFF0


def test_a_disabled_event_keeps_its_count_and_period():
    machine = counting()
    write_all(machine, {"PMCCNTR": 0xFFFFFFF0})
    machine.execute({CYCLES: 6})
    write_all(machine, {"PMCR": 0})
    machine.execute({CYCLES: 600})
    write_all(machine, {"PMCR": E})
    assert (machine.read("PMCCNTR"), left(machine)) == (0xFFFFFFF6, 10)


def test_a_crossing_keeps_the_distance_to_the_overflow():
    machine = counting("v8", attributes=[("FIXED_COUNTERS_ONLY", None)])
    write_all(machine, {"PMCCNTR": (1 << 32) - 1000})
    assert machine.execute({CYCLES: 600}) == 0
    machine.vcpus[0].migrate(5)
    assert left(machine) == 400
    assert machine.execute({CYCLES: 399}) == 0
    assert machine.execute({CYCLES: 1}) == 1


def test_chain_follows_an_overflow_of_a_host_event():
    machine = counting()
    values = {"PMEVTYPER0": INSTRUCTIONS, "PMEVCNTR0": 0xFFFFFFFE, "PMEVTYPER1": CHAIN, "PMEVCNTR1": 5, "PMCNTENSET": 3}
    write_all(machine, values)
    machine.execute({INSTRUCTIONS: 3})
    assert [machine.read(f"PMEVCNTR{n}") for n in (0, 1)] == [1, 6]
    assert machine.read("PMOVSSET") == 1


# Host counters


def busy(general: int, counters: int = 6, long_counters: bool = False) -> Host:
    return Host(8, (pmu("a", 8, range(8), counters, busy_counters=general, long_counters=long_counters),), 4)


@pytest.mark.parametrize(
    "used, event, wide, long_counters, bits",
    (
        (0, 0x11, True, False, 1 << 31),
        (1 << 31, 0x11, False, False, 1),
        (1 << 31, 0x11, True, False, 0b11),
        (1 << 31, 0x11, True, True, 1),
        (1 << 31 | 0b1, 0x11, True, False, 0b1100),
        (0b011, 0x08, False, False, 0b100),
        (0b101011, 0x08, True, False, 0),
        (0b111111, 0x08, False, False, 0),
    ),
)
def test_allocation(used: int, event: int, wide: bool, long_counters: bool, bits: int):
    host_pmu = pmu("a", 8, range(8), 6, long_counters=long_counters)
    assert host_pmu.allocate(used, event, wide) == bits


def test_an_event_that_finds_no_counter_stands_until_it_is_enabled_again():
    machine = counting(where=busy(5))
    write_all(
        machine, {"PMEVTYPER0": INSTRUCTIONS, "PMEVTYPER1": 0x03, "PMEVCNTR0": 0, "PMEVCNTR1": 0, "PMCNTENSET": 3}
    )
    assert [machine.category(slot) for slot in (31, 0, 1)] == [COUNTED, COUNTED, NO_HOST_COUNTER]
    machine.execute({INSTRUCTIONS: 7, 0x03: 9, CYCLES: 5})
    assert [machine.read(name) for name in ("PMEVCNTR0", "PMEVCNTR1", "PMCCNTR")] == [7, 0, 5]
    write_all(machine, {"PMCNTENCLR": 1})
    assert machine.category(1) == NO_HOST_COUNTER
    write_all(machine, {"PMCNTENSET": 2})
    assert machine.category(1) == COUNTED


@pytest.mark.parametrize("taken, category", ((4, COUNTED), (5, NO_HOST_COUNTER)))
def test_a_64_bit_cycle_event_without_the_cycle_counter_takes_a_pair(taken: int, category: int):
    machine = counting(where=busy(taken))
    write_all(machine, {"PMCNTENCLR": CYCLE_BIT, "PMEVTYPER0": CYCLES, "PMCNTENSET": 1})
    write_all(machine, {"PMCNTENSET": CYCLE_BIT})
    assert (machine.category(0), machine.category()) == (COUNTED, category)


def test_host_users_can_hold_the_cycle_counter_too():
    assert counting(where=busy(6)).category() == COUNTED
    assert counting(where=busy(7)).category() == NO_HOST_COUNTER


def test_a_load_hands_out_counters_in_the_order_of_creation():
    machine = counting(where=Host(8, (pmu("a", 8, range(4), 6, busy_counters=5), pmu("b", 9, range(4, 8), 4)), 4))
    write_all(machine, {"PMEVTYPER1": 0x03, "PMEVTYPER0": INSTRUCTIONS})
    machine.vcpus[0].migrate(5)
    write_all(machine, {"PMCNTENSET": 1})
    write_all(machine, {"PMCNTENSET": 2})
    assert [machine.category(slot) for slot in (0, 1)] == [OFF_PMU, OFF_PMU]
    machine.vcpus[0].migrate(0)
    assert [machine.category(slot) for slot in (0, 1)] == [NO_HOST_COUNTER, COUNTED]


def test_off_pmu_comes_before_the_missing_counter():
    machine = Machine(Host(8, (pmu("a", 8, range(4), 6, busy_counters=7), pmu("b", 9, range(4, 8), 4)), 4)).prep()
    machine.enter()
    machine.quiet()
    machine.cycles_on()
    assert machine.category() == NO_HOST_COUNTER
    machine.vcpus[0].migrate(5)
    assert machine.category() == OFF_PMU


# Work


@pytest.mark.parametrize("kernel, created", (("mainline", 0), ("v6", 2), ("v8", 0)))
def test_ordinary_vms_pay_under_v6_only(kernel: str, created: int):
    machine = counting(kernel)
    work = machine.vcpus[0].work
    before = work.creations, work.load_reloads
    for cpu in (4, 5, 0):
        machine.vcpus[0].migrate(cpu)
    assert (work.creations - before[0], work.load_reloads - before[1]) == (created, created)
    assert machine.vcpus[0].load_always == (kernel == "v6")


@pytest.mark.parametrize("kernel, created", (("mainline", 0), ("v6", 1), ("v8", 0)))
def test_enabling_off_pmu_recreates_under_v6_only(kernel: str, created: int):
    machine = counting(kernel)
    machine.vcpus[0].migrate(5)
    write_all(machine, {"PMCR": 0})
    before = machine.vcpus[0].work.creations
    write_all(machine, {"PMCR": E})
    assert machine.vcpus[0].work.creations - before == created


@pytest.mark.parametrize("kernel", ("v6", "v8", "review"))
def test_fixed_vms_pay_at_crossings_only(kernel: str):
    machine = counting(kernel, attributes=[("FIXED_COUNTERS_ONLY", None)])
    work = machine.vcpus[0].work
    before = work.creations, work.releases, work.load_reloads
    for cpu in (1, 2, 4, 5, 6, 0):
        machine.vcpus[0].migrate(cpu)
    assert (work.creations - before[0], work.releases - before[1], work.load_reloads - before[2]) == (2, 2, 2)


def test_reloads_by_the_guest_are_counted_apart():
    machine = counting()
    work = machine.vcpus[0].work
    before = work.other_reloads
    write_all(machine, {"PMCR": 0})
    write_all(machine, {"PMCR": E})
    write_all(machine, {"PMCR": E})
    assert (work.other_reloads - before, work.load_reloads) == (2, 0)


def test_one_reg_types_do_not_touch_the_live_event():
    machine = counting()
    machine.vcpus[0].leave()
    assert machine.set_reg("PMCCFILTR", 1 << 31) == 0
    machine.enter()
    machine.execute({CYCLES: 10})
    assert machine.read("PMCCNTR") == 10
    write_all(machine, {"PMCCNTR": 0})
    assert machine.category() == EXCLUDED_LEVEL


def test_hosts_of_unlike_versions_have_no_vpmu():
    assert host("HET", pmuver=0).usable_pmus == ()


def test_a_further_load_on_the_same_pmu_changes_nothing():
    machine = counting(where=busy(1))
    write_all(machine, {f"PMEVTYPER{n}": INSTRUCTIONS for n in range(6)})
    write_all(machine, {"PMCNTENSET": 0b111110})
    write_all(machine, {"PMCNTENSET": 0b000001})
    before = [machine.category(slot) for slot in range(32)]
    machine.vcpus[0].migrate(0)
    assert [machine.category(slot) for slot in range(32)] == before
    assert before.count(NO_HOST_COUNTER) == 1


def test_a_write_on_an_unsupported_cpu_leaves_the_vcpu_loaded():
    machine = Machine()
    assert machine.set("SET_PMU", 8) == 0
    machine.prep().enter()
    vcpu = machine.vcpus[0]
    vcpu.put()
    vcpu.load(5)
    vcpu.enter()
    write_all(machine, {"PMCCNTR": 1})
    assert vcpu.unsupported
    assert vcpu.cpu == 5
