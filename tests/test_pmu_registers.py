"""Registers as the guest sees them: KVM's selftest matrix, masks, EL0, software counts, the line (T48-T63, T71)."""

from dataclasses import replace

import pytest

from pmu.events import CHAIN, SW_INCR
from pmu.register import EN, UNDEF, Register, check_table
from pmu.registers import REGISTERS
from tests.pmu_machine import Machine, host

E, P, C, LC, LP = 1 << 0, 1 << 1, 1 << 2, 1 << 6, 1 << 7
CYCLE_BIT = 1 << 31


def guest(where="HET", **more) -> Machine:
    """Return a machine whose one vCPU is in the guest with everything cleared."""
    machine = Machine(where, **more).prep()
    machine.enter()
    machine.quiet()
    return machine


# KVM's selftest: every pair of accessors on every counter, implemented or not


def _direct(name):
    return (
        lambda machine, n: machine.read(f"{name}{n}"),
        lambda machine, n, value: machine.write(f"{name}{n}", value),
    )


def _select(machine, n):
    assert machine.write("PMSELR", n) is None


def _selected(name):
    def read(machine, n):
        _select(machine, n)
        return machine.read(name)

    def write(machine, n, value):
        _select(machine, n)
        return machine.write(name, value)

    return read, write


COUNTER_ACCESS = {"direct": _direct("PMEVCNTR"), "selected": _selected("PMXEVCNTR")}
TYPE_ACCESS = {"direct": _direct("PMEVTYPER"), "selected": _selected("PMXEVTYPER")}


@pytest.mark.parametrize("n", range(31))
@pytest.mark.parametrize("reader", COUNTER_ACCESS)
@pytest.mark.parametrize("writer", COUNTER_ACCESS)
@pytest.mark.parametrize("counters", (0, 1, 4, 6))
def test_register_matrix(counters: int, writer: str, reader: str, n: int):
    machine = Machine("HET")
    assert machine.set("SET_NR_COUNTERS", counters) == 0
    machine.prep().enter()
    machine.quiet()
    if n < counters:
        _implemented(machine, n, writer, reader)
    else:
        _unimplemented(machine, n, writer, reader)


def _implemented(machine, n, writer, reader):
    read, write = COUNTER_ACCESS[reader][0], COUNTER_ACCESS[writer][1]
    assert write(machine, n, 0x123) is None
    assert read(machine, n) == 0x123
    assert TYPE_ACCESS[writer][1](machine, n, 0x8) is None
    assert TYPE_ACCESS[reader][0](machine, n) == 0x8
    for name in ("PMCNTEN", "PMINTEN", "PMOVS"):
        assert machine.write(f"{name}SET", 1 << n) is None
        assert machine.read(f"{name}SET") == machine.read(f"{name}CLR") == 1 << n
        assert machine.write(f"{name}CLR", 1 << n) is None
        assert machine.read(f"{name}SET") == machine.read(f"{name}CLR") == 0
    assert write(machine, n, 7) is None
    assert machine.write("PMCR", P) is None
    assert read(machine, n) == 0


def _unimplemented(machine, n, writer, reader):
    assert COUNTER_ACCESS[reader][0](machine, n) is UNDEF
    assert COUNTER_ACCESS[writer][1](machine, n, 1) is UNDEF
    assert TYPE_ACCESS[reader][0](machine, n) is UNDEF
    assert TYPE_ACCESS[writer][1](machine, n, 1) is UNDEF
    for name in ("PMCNTEN", "PMINTEN", "PMOVS"):
        assert machine.write(f"{name}SET", 1 << n) is None
        assert machine.read(f"{name}SET") == 0


# PMCR_EL0


@pytest.mark.parametrize(
    "pmuver, aarch32, written, read",
    ((4, True, 0xFF, 0x3079), (4, False, 0, 0x3040), (6, True, 0x80, 0x3080), (4, True, 0xFFFFFFFFFFFF0000, 0x3000)),
)
def test_t48_to_t50_pmcr(pmuver: int, aarch32: bool, written: int, read: int):
    machine = guest(host("HET", pmuver, aarch32))
    assert machine.write("PMCR", written) is None
    assert machine.read("PMCR") == read


def test_p_clears_event_counters_and_c_the_cycle_counter():
    machine = guest()
    for name in ("PMEVCNTR0", "PMEVCNTR5", "PMCCNTR"):
        assert machine.write(name, 9) is None
    assert machine.write("PMCR", P) is None
    assert [machine.read(name) for name in ("PMEVCNTR0", "PMEVCNTR5", "PMCCNTR")] == [0, 0, 9]
    assert machine.write("PMCR", C) is None
    assert machine.read("PMCCNTR") == 0


def test_one_reg_keeps_what_the_guest_cannot():
    machine = Machine()
    assert machine.set_reg("PMCR", P | C | LP | 6 << 11) == 0
    assert machine.get_reg("PMCR") == P | C | LP | 6 << 11
    assert machine.set_reg("PMSELR", 0xFFFF) == 0
    machine.prep().enter()
    assert machine.read("PMCR") == LP | 6 << 11
    assert (machine.read("PMSELR"), machine.get_reg("PMSELR")) == (31, 0xFFFF)


# Bitmaps, selector, types


def test_t51_only_implemented_bits_stick():
    machine = guest()
    assert machine.write("PMCNTENSET", 0xFFFFFFFFFFFFFFFF) is None
    assert machine.read("PMCNTENCLR") == 0x8000003F


def test_t52_selector_31_is_the_cycle_counter():
    machine = guest()
    assert machine.write("PMSELR", 31) is None
    assert (machine.write("PMXEVTYPER", 0x80000000), machine.read("PMCCFILTR")) == (None, 0x80000000)
    assert (machine.write("PMXEVCNTR", 77), machine.read("PMCCNTR")) == (None, 77)


@pytest.mark.parametrize(
    "pmuver, el2, el3, mask",
    ((4, 0, 0, 0xC000FFFF), (1, 0, 0, 0xC00003FF), (4, 1, 0, 0xC800FFFF), (4, 0, 1, 0xF400FFFF)),
)
def test_t54_t55_type_mask(pmuver: int, el2: int, el3: int, mask: int):
    machine = guest(host("HET", pmuver), el2=bool(el2), el3=bool(el3))
    for name in ("PMEVTYPER0", "PMCCFILTR"):
        assert machine.write(name, 0xFFFFFFFF) is None
        assert machine.read(name) == mask


@pytest.mark.parametrize(
    "name, value",
    (
        ("PMCNTENSET", 0x8000001E),
        ("PMINTENSET", 0x8000001E),
        ("PMOVSSET", 0x8000001E),
        ("PMSELR", 0x1E),
        ("PMEVCNTR3", 0xDBADC0DE),
        ("PMCCNTR", 0x1DE7EC7EDBADC0DE),
        ("PMCCFILTR", 0),
        ("PMUSERENR", 0),
    ),
)
def test_reset_values(name: str, value: int):
    assert Machine().get_reg(name) == value


def test_a_reset_keeps_what_the_live_event_counted():
    machine = guest()
    machine.cycles_on()
    machine.execute({0x11: 100})
    machine.vcpus[0].leave()
    assert machine.init() == 0
    assert machine.get_reg("PMCCNTR") == 0x1DE7EC7EDBADC0DE + 100


# Software events and chains


def pair(low: int, high: int, pmcr: int, pmuver: int = 4) -> Machine:
    """Return a guest whose counter 0 counts SW_INCR and counter 1 its chain."""
    machine = guest(host("HET", pmuver))
    values = {"PMEVTYPER0": SW_INCR, "PMEVTYPER1": CHAIN, "PMEVCNTR0": low, "PMEVCNTR1": high, "PMCNTENSET": 3}
    for name, value in values.items():
        assert machine.write(name, value) is None
    assert machine.write("PMCR", pmcr) is None
    return machine


def test_t56_software_increment_needs_e():
    machine = pair(0xFFFFFFF0, 0, 0)
    for _ in range(3):
        assert machine.write("PMSWINC", 1) is None
    assert machine.read("PMEVCNTR0") == 0xFFFFFFF0
    assert machine.write("PMCR", E) is None
    assert machine.write("PMSWINC", 1) is None
    assert machine.read("PMEVCNTR0") == 0xFFFFFFF1
    assert machine.ledger(0) == (1, 3, 0, 0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    "high, pmcr, pmuver, low_after, high_after, overflow",
    (
        (0, E, 4, 0, 1, 0b01),
        (0xFFFFFFFF, E, 4, 0, 0, 0b11),
        (0, E | LP, 6, 0x100000000, 0, 0b00),
        (0, E, 6, 0x100000000, 1, 0b01),
    ),
)
def test_t57_to_t59_chain(high: int, pmcr: int, pmuver: int, low_after: int, high_after: int, overflow: int):
    machine = pair(0xFFFFFFFF, high, pmcr, pmuver)
    assert machine.write("PMSWINC", 1) is None
    assert [machine.read(f"PMEVCNTR{n}") for n in (0, 1)] == [low_after, high_after]
    assert machine.read("PMOVSSET") == overflow


def test_an_odd_counter_does_not_chain():
    machine = guest()
    values = {"PMEVTYPER1": SW_INCR, "PMEVCNTR1": 0xFFFFFFFF, "PMEVTYPER2": CHAIN, "PMEVCNTR2": 5, "PMCNTENSET": 6}
    for name, value in (values | {"PMCR": E, "PMSWINC": 2}).items():
        assert machine.write(name, value) is None
    assert [machine.read(f"PMEVCNTR{n}") for n in (1, 2)] == [0, 5]
    assert machine.read("PMOVSSET") == 0b10


def test_software_increment_ignores_the_level_filter():
    machine = Machine().prep()
    machine.enter()
    machine.quiet()
    for name, value in (("PMEVTYPER0", 3 << 30), ("PMEVCNTR0", 7), ("PMCNTENSET", 1), ("PMCR", 1), ("PMSWINC", 1)):
        assert machine.write(name, value) is None
    assert machine.read("PMEVCNTR0") == 8


def test_software_events_ignore_the_event_filter():
    machine = Machine()
    assert machine.set("FILTER", (SW_INCR, 1, 1)) == 0
    machine.prep().enter()
    machine.quiet()
    values = {"PMEVTYPER0": SW_INCR, "PMEVCNTR0": 0, "PMCNTENSET": 1, "PMCR": E}
    for name, value in values.items():
        assert machine.write(name, value) is None
    assert machine.write("PMSWINC", 1) is None
    assert machine.read("PMEVCNTR0") == 1
    assert machine.vm.pmceid[0] & 1 == 0


# Overflow and the interrupt line


@pytest.mark.parametrize("lc, overflow", ((0, CYCLE_BIT), (LC, 0)))
def test_t60_t61_cycle_counter_width(lc: int, overflow: int):
    machine = guest()
    assert machine.write("PMCR", E | lc) is None
    assert machine.write("PMCCNTR", 0xFFFFFFF0) is None
    assert machine.write("PMCNTENSET", CYCLE_BIT) is None
    machine.execute({0x11: 32})
    assert (machine.read("PMOVSSET"), machine.read("PMCCNTR")) == (overflow, 0x100000010)


def test_t62_interrupt_line():
    machine = guest()
    for name, value in (("PMINTENSET", CYCLE_BIT), ("PMCCNTR", 0xFFFFFFF0), ("PMCR", E), ("PMCNTENSET", CYCLE_BIT)):
        assert machine.write(name, value) is None
    assert not machine.vcpus[0].irq_level
    machine.execute({0x11: 32})
    assert machine.vcpus[0].irq_level
    assert machine.write("PMCNTENCLR", CYCLE_BIT) is None
    assert machine.vcpus[0].irq_level
    assert machine.write("PMCR", 0) is None
    assert (machine.vcpus[0].irq_level, machine.read("PMOVSSET")) == (False, CYCLE_BIT)


@pytest.mark.parametrize("bit, level, other", ((1 << 31, 1, 0), (1 << 30, 0, 1)))
def test_t71_level_filter(bit: int, level: int, other: int):
    machine = guest()
    machine.cycles_on()
    assert machine.write("PMCCFILTR", bit) is None
    machine.execute({0x11: 1000}, level=level)
    assert machine.read("PMCCNTR") == 0
    machine.execute({0x11: 1000}, level=other)
    assert machine.read("PMCCNTR") == 1000


# EL0

ALL = {"EN": 1, "SW": 2, "CR": 4, "ER": 8}
READERS = {
    "PMCR": {"EN"},
    "PMCNTENSET": {"EN"},
    "PMOVSCLR": {"EN"},
    "PMCEID0": {"EN"},
    "PMEVTYPER0": {"EN"},
    "PMXEVTYPER": {"EN"},
    "PMCCFILTR": {"EN"},
    "PMCCNTR": {"CR", "EN"},
    "PMSELR": {"ER", "EN"},
    "PMEVCNTR0": {"ER", "EN"},
    "PMXEVCNTR": {"ER", "EN"},
    "PMINTENSET": set(),
    "PMMIR": set(),
    "PMUSERENR": {"EN", "SW", "CR", "ER"},
}
WRITERS = {
    **{name: {"EN"} for name in READERS},
    "PMSELR": {"ER", "EN"},
    "PMSWINC": {"SW", "EN"},
    "PMINTENSET": set(),
    "PMMIR": set(),
    "PMUSERENR": set(),
    "PMCEID0": set(),
}


@pytest.mark.parametrize("bit", ALL)
@pytest.mark.parametrize("name", READERS)
def test_el0_reads(name: str, bit: str):
    machine = guest()
    assert machine.write("PMSELR", 0) is None
    assert machine.write("PMUSERENR", ALL[bit]) is None
    assert (machine.read(name, level=0) is not UNDEF) == (bit in READERS[name])


@pytest.mark.parametrize("bit", ALL)
@pytest.mark.parametrize("name", WRITERS)
def test_el0_writes(name: str, bit: str):
    machine = guest()
    assert machine.write("PMSELR", 0) is None
    assert machine.write("PMUSERENR", ALL[bit]) is None
    assert (machine.write(name, 0, level=0) is None) == (bit in WRITERS[name])


def test_userenr_reads_at_el0_even_when_zero():
    machine = guest()
    assert machine.write("PMUSERENR", 0xF0) is None
    assert machine.read("PMUSERENR", level=0) == 0


def test_write_only_and_read_only():
    machine = guest()
    assert machine.read("PMSWINC") is UNDEF
    assert machine.write("PMCEID0", 1) is UNDEF
    assert (machine.write("PMMIR", 1), machine.read("PMMIR")) == (None, 0)


def test_without_the_feature_everything_is_undefined():
    machine = Machine(feature=False)
    assert machine.gic() == 0
    machine.enter()
    assert {machine.read(name) for name in REGISTERS} == {UNDEF}
    assert {machine.write(name, 0) for name in REGISTERS} == {UNDEF}


# The table itself

GOOD = Register("PMX_EL0", (3, 3, 9, 12, 0), slot=0)


@pytest.mark.parametrize(
    "rows, wrong",
    (
        ((GOOD, GOOD), "does not come after"),
        ((GOOD, replace(GOOD, encoding=(3, 3, 9, 12, 1))), "two rows"),
        ((replace(GOOD, encoding=(3, 3, 9, 13, 0)), replace(GOOD, name="PMY_EL0")), "does not come after"),
        ((replace(GOOD, slot=None),), "neither slot nor hook"),
        ((replace(GOOD, slot=None, read=None),), "can be written"),
        ((replace(GOOD, slot=None, read=None, write=None),), "neither slot nor both hooks"),
        ((replace(GOOD, slot=99),), "slot 99"),
        ((replace(GOOD, read=None, on_read=lambda vcpu, row: 0),), "refuses"),
        ((replace(GOOD, mask=0xF, reset=0x1F),), "outside of the mask"),
        ((replace(GOOD, read=1 << 7),), "PMUSERENR_EL0 does not have"),
    ),
)
def test_bad_tables_are_refused(rows, wrong: str):
    with pytest.raises(ValueError, match=wrong):
        check_table(rows)


def test_the_table_is_complete():
    assert check_table(REGISTERS.values()) == REGISTERS
    assert len(REGISTERS) == 16 + 31 + 31 + 1 + 2
    assert sum(row.read == EN for row in REGISTERS.values()) > 31
