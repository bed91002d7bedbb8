"""The table of revisions: flags for what may change upstream, which rule decides an ioctl, and the next row."""

from dataclasses import replace
from types import MappingProxyType

import pytest

from pmu import attributes, checks
from pmu.register import UNDEF
from pmu.revisions import REVISIONS, documented, ideal
from tests.pmu_machine import CYCLES, Machine

FIXED = "FIXED_COUNTERS_ONLY"
NR = "SET_NR_COUNTERS"
PATTERN = 0x1DE7EC7EDBADC0DE
V8 = REVISIONS["v8"]


def running(kernel, **options) -> Machine:
    """Return a machine whose guest counts cycles from 0 and has executed 100."""
    machine = Machine("HET", kernel, **options).prep()
    machine.enter()
    machine.quiet()
    machine.cycles_on()
    machine.execute({CYCLES: 100})
    return machine


@pytest.mark.parametrize("raw", (True, False), ids=("raw", "masked"))
@pytest.mark.parametrize("recreates", (False, True), ids=("goes-on", "recreates"))
def test_one_reg_writes_of_filters(raw: bool, recreates: bool):
    """Raw or masked, and the live event goes on or there is a new one at the next entry."""
    kernel = replace(V8, one_reg_raw=raw, one_reg_recreates=recreates)
    machine = running(kernel)
    machine.vcpus[0].leave()
    assert machine.set_reg("PMCCFILTR", 1 << 31 | 1 << 29) == 0  # exclude EL1; NSK needs EL3
    assert machine.set_reg("PMUSERENR", 0x1F) == 0
    assert machine.run(0, 50) == "guest"
    assert machine.get_reg("PMCCFILTR") == (1 << 31 | 1 << 29 if raw else 1 << 31)
    assert machine.get_reg("PMUSERENR") == (0x1F if raw else 0xF)
    counts = not recreates or raw  # raw: NSK is stored, and equals P
    assert machine.get_reg("PMCCNTR") == (150 if counts else 100)
    assert machine.vcpus[0].work.releases == recreates + 1  # one by the guest's write of PMCCNTR_EL0


@pytest.mark.parametrize("kernel, stored", ((V8, 0xC7), (replace(V8, one_reg_raw=False), 0x41)), ids=("raw", "masked"))
def test_one_reg_writes_of_pmcr(kernel, stored: int):
    machine = Machine("HET", kernel)
    assert machine.set_reg("PMCR", 0xC7) == 0
    value = machine.get_reg("PMCR")
    assert isinstance(value, int)
    assert value & 0xFF == stored


@pytest.mark.parametrize("recreates, overflows", ((False, 1), (True, 0)))
def test_lc_moves_the_overflow_of_a_live_event_where_events_are_recreated(recreates: bool, overflows: int):
    machine = running(replace(V8, pmcr_recreates=recreates))
    assert machine.write("PMCCNTR", (1 << 32) - 10) is None
    assert machine.write("PMCR", 0x41) is None
    assert machine.execute({CYCLES: 20}) == overflows
    assert machine.read("PMCCNTR") == (1 << 32) + 10


@pytest.mark.parametrize("reloads", (True, False))
def test_a_reset_requests_a_reload_or_not(reloads: bool):
    machine = running(replace(V8, reset_reloads=reloads))
    machine.vcpus[0].leave()
    before = machine.vcpus[0].work.other_reloads
    assert (machine.init(), machine.run()) == (0, "guest")
    assert machine.vcpus[0].work.other_reloads - before == reloads


@pytest.mark.parametrize("kernel", (V8, replace(V8, reset_keeps_events=False)), ids=("keeps", "releases"))
def test_a_reset(kernel):
    machine = running(kernel)
    machine.vcpus[0].leave()
    assert machine.init() == 0
    assert machine.get_reg("PMCCNTR") == PATTERN + (100 if kernel.reset_keeps_events else 0)
    assert machine.vcpus[0].counters.live == (1 << 31 if kernel.reset_keeps_events else 0)


def test_ideal_changes_the_periods_only():
    row = REVISIONS["mainline"]
    assert ideal(row) == replace(row, period_quirks=False)


# GICv5


def test_gicv5_takes_ppi_23_only():
    machine = Machine("HOM", gicv5=True)
    assert [machine.set("IRQ", irq) for irq in (22, 40, 23, 23)] == ["-EINVAL", "-EINVAL", 0, "-EBUSY"]


def test_gicv5_has_its_interrupt_without_being_told():
    machine = Machine("HOM", gicv5=True)
    assert (machine.set("INIT"), machine.gic()) == ("-ENODEV", 0)
    assert (machine.get("IRQ"), machine.set("INIT"), machine.get("IRQ"), machine.run()) == ("-ENXIO", 0, 23, "guest")


# Which rule decided


@pytest.mark.parametrize(
    "kernel, steps, rule",
    (
        ("mainline", [(FIXED, None)], attributes.unknown_attribute),
        ("v8", [("SET_PMU", 8), (FIXED, None)], attributes.pmu_selected),
        ("v8", [("SET_PMU", 8)], attributes.select_pmu_explicitly),
        ("v6", [("FILTER", (1, 1, 1)), (FIXED, None)], attributes.filtered_unless_fixed),
        ("review", [(NR, 2), (FIXED, None)], attributes.count_selected),
        ("v8", [("INIT", None)], attributes.irqchip_not_initialised),
    ),
)
def test_the_rule_that_decides_a_set(kernel: str, steps, rule):
    machine = Machine("HET", kernel)
    for step in steps:
        machine.set(*step)
    assert machine.vm.decided_by is rule


def test_the_rule_that_decides_other_ioctls():
    machine = Machine("GAP", "v8", init=6)
    assert machine.vm.decided_by is checks.no_default_pmu
    machine = Machine("HOM", "v8")
    for act, rule in (
        (lambda: machine.has("IRQ"), None),
        (lambda: machine.has(9), attributes.unknown_attribute),
        (lambda: machine.get("INIT"), attributes.not_readable),
        (lambda: machine.get(FIXED), attributes.not_fixed),
        (lambda: machine.run(), checks.vgic_not_initialised),
        (lambda: machine.get_reg("PMMIR"), checks.not_a_one_reg),
        (lambda: machine.get_reg("PMCR"), None),
    ):
        act()
        assert machine.vm.decided_by is rule


def test_every_rule_says_what_it_objects_to():
    rows = [row for revision in REVISIONS.values() for row in revision.attributes.values()]
    rules = {check for row in rows for check in (*row.checks, *row.get_checks, row.apply)}
    rules |= {*attributes.COMMON_CHECKS, *attributes.HAS_CHECKS, *checks.RUN_CHECKS, *checks.ONE_REG_CHECKS}
    assert all((rule.__doc__ or "").strip().endswith(".") for rule in rules)


# The next revision


def test_the_next_revision_is_a_row():
    """What the titles of v11 announce: the count of counters freezes at the first run."""
    frozen = replace(
        V8.attributes[NR], checks=(attributes.bad_pointer, attributes.vm_ran, *V8.attributes[NR].checks[1:])
    )
    row = replace(V8, name="next", attributes=MappingProxyType({**V8.attributes, NR: frozen}))
    for kernel, result in ((V8, 0), (row, "-EBUSY")):
        machine = Machine("HET", kernel, vcpus=2).prep()
        assert (machine.run(), machine.set(NR, 2, 1)) == ("guest", result)


def test_documented_differs_in_one_attribute():
    row = documented(V8)
    assert {name for name in V8.attributes if V8.attributes[name] != row.attributes[name]} == {NR}
    machine = Machine("HET", row, vcpus=2)
    assert machine.set("SET_PMU", 8) == 0
    machine.prep()
    assert (machine.run(), machine.set(NR, 2, 1)) == ("guest", "-EBUSY")


def test_registers_without_the_feature_are_undefined_under_every_revision():
    for kernel in REVISIONS:
        assert Machine("HOM", kernel, feature=False).read("PMCCNTR") is UNDEF
