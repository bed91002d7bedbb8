"""The UAPI case by case: has, set, get, VCPU_INIT, irqchip, KVM_RUN, ONE_REG (cases T01 to T49 and T64 to T72)."""

from dataclasses import replace

import pytest

from pmu.host import Host
from pmu.register import UNDEF
from pmu.revisions import REVISIONS, documented
from tests.pmu_machine import A, B, Machine, host

ATTRIBUTES = ("IRQ", "INIT", "FILTER", "SET_PMU", "SET_NR_COUNTERS", "FIXED_COUNTERS_ONLY")
FIXED = "FIXED_COUNTERS_ONLY"
NR = "SET_NR_COUNTERS"
ALLOW, DENY = 0, 1
EVERY = ("mainline", "v6", "v8", "review")
SERIES = ("v6", "v8", "review")
EXCLUSIVE = ("v8", "review")


def run_steps(machine: Machine, steps):
    """Run (attribute, value[, vCPU]) sets and return their results."""
    return [machine.set(*step) for step in steps]


@pytest.mark.parametrize("kernel", EVERY)
def test_t01_t02_has(kernel: str):
    machine = Machine("HOM", kernel)
    fixed = "-ENXIO" if kernel == "mainline" else 0
    assert [machine.has(name) for name in ATTRIBUTES] == [0, 0, 0, 0, 0, fixed]
    assert machine.has(6) == "-ENXIO"


def test_t03_without_the_feature():
    machine = Machine("HOM", feature=False)
    assert (machine.has("IRQ"), machine.set("IRQ", 23), machine.get("IRQ")) == ("-ENXIO", "-ENODEV", "-ENODEV")


def test_t04_unknown_attribute_before_and_after_init():
    machine = Machine("HOM")
    assert machine.set(FIXED) == "-ENXIO"
    assert machine.prep().set(FIXED) == "-EBUSY"


def test_t05_no_irqchip():
    machine = Machine("HOM", gic=False)
    assert (machine.set("IRQ", None), machine.get("IRQ")) == ("-EINVAL", "-EINVAL")


def test_t06_t07_interrupt_numbers():
    machine = Machine("HOM")
    assert run_steps(machine, [("IRQ", None), ("IRQ", 15), ("IRQ", 1020)]) == ["-EFAULT", "-EINVAL", "-EINVAL"]
    assert machine.get("IRQ") == "-ENXIO"
    assert (machine.set("IRQ", 31), machine.get("IRQ")) == (0, 31)


@pytest.mark.parametrize(
    "steps, results",
    (
        ([("IRQ", 20), ("IRQ", 20), ("IRQ", 21)], [0, "-EBUSY", "-EINVAL"]),
        ([("IRQ", 40), ("IRQ", 40), ("IRQ", 41)], [0, "-EINVAL", "-EBUSY"]),
        ([("IRQ", 23, 0), ("IRQ", 22, 1), ("IRQ", 23, 1)], [0, "-EINVAL", 0]),
        ([("IRQ", 40, 0), ("IRQ", 40, 1), ("IRQ", 41, 1)], [0, "-EINVAL", 0]),
        ([("IRQ", 23, 0), ("IRQ", 40, 1), ("IRQ", 23, 2)], [0, 0, "-EINVAL"]),
    ),
)
def test_t08_to_t12_interrupt_consistency(steps, results):
    assert run_steps(Machine("HOM", vcpus=3), steps) == results


def test_t13_order_of_init():
    machine = Machine("HOM")
    assert machine.set("INIT") == "-ENODEV"
    assert (machine.gic(), machine.set("INIT")) == (0, "-ENXIO")
    assert (machine.set("IRQ", 23), machine.set("INIT"), machine.set("INIT")) == (0, 0, "-EBUSY")


def test_t14_no_irqchip_runs():
    machine = Machine("HOM", gic=False)
    assert (machine.set("INIT"), machine.run()) == (0, "guest")


def test_t15_run_without_init_does_not_count():
    machine = Machine("HOM")
    assert (machine.gic(), machine.set("IRQ", 23), machine.run()) == (0, 0, "-EINVAL")
    assert machine.set("SET_PMU", 8) == 0


def test_t16_everything_is_busy_after_init():
    machine = Machine("HOM").prep()
    assert machine.get("IRQ") == 23
    assert run_steps(machine, [("SET_PMU", 8), ("FILTER", (1, 1, DENY)), (77, 0)]) == ["-EBUSY"] * 3


def test_t17_filter_payloads():
    steps = [("FILTER", (0x11, 1, 2)), ("FILTER", (0xFFFF, 2, ALLOW)), ("FILTER", (0xFFFF, 1, ALLOW))]
    assert run_steps(Machine(), steps) == ["-EINVAL", "-EINVAL", 0]


def test_t18_filter_space_of_version_1():
    machine = Machine(host("HET", pmuver=1))
    assert run_steps(machine, [("FILTER", (1023, 1, DENY)), ("FILTER", (1023, 2, DENY))]) == [0, "-EINVAL"]


@pytest.mark.parametrize("kernel", EVERY)
def test_t19_created_comes_before_the_argument_checks(kernel: str):
    machine = Machine("HET", kernel, vcpus=2).prep(0).prep(1)
    assert machine.run() == "guest"
    assert run_steps(machine, [("FILTER", (1, 1, 9), 1), ("FILTER", (1, 1, DENY), 1)]) == ["-EBUSY", "-EBUSY"]


@pytest.mark.parametrize("kernel", EVERY)
def test_t20_argument_checks_come_before_the_run_check(kernel: str):
    machine = Machine("HET", kernel, vcpus=2).prep()
    assert machine.run() == "guest"
    steps = [("FILTER", (1, 1, 9), 1), ("FILTER", (1, 1, DENY), 1), ("SET_PMU", 99, 1), ("SET_PMU", 8, 1)]
    assert run_steps(machine, steps) == ["-EINVAL", "-EBUSY", "-ENXIO", "-EBUSY"]


def n_of(machine: Machine, v: int = 0) -> int:
    value = machine.get_reg("PMCR", v)
    assert isinstance(value, int)
    return value >> 11 & 0x1F


def test_t21_t22_counter_numbers():
    machine = Machine()
    assert (machine.set("SET_PMU", 9), n_of(machine)) == (0, 4)
    assert run_steps(machine, [(NR, 5), (NR, 4), (NR, 0)]) == ["-EINVAL", 0, 0]
    assert n_of(machine) == 0
    assert run_steps(machine, [(NR, 3), ("SET_PMU", 8)]) == [0, 0]
    assert n_of(machine) == 6
    assert machine.set(NR, -1) == "-EINVAL"


def test_t23_t24_filter_freezes_the_pmu():
    steps = [("FILTER", (0x11, 1, DENY)), ("SET_PMU", 8), ("SET_PMU", 9)]
    assert run_steps(Machine(), steps) == [0, 0, "-EBUSY"]
    other = Machine(init=5)
    assert n_of(other) == 4
    assert run_steps(other, steps) == [0, "-EBUSY", 0]


def test_t25_no_pmu_where_init_runs():
    assert Machine("GAP", init=6).inits == ["-ENODEV"]


def test_a_failed_init_leaves_the_feature():
    machine = Machine("GAP", init=6)
    assert (machine.set("SET_PMU", 8), machine.init(0, 6)) == (0, 0)


def test_the_feature_is_asked_for_before_created():
    """A PMU can be created on a vCPU whose INIT failed, and the next INIT can do without the feature."""
    machine = Machine("GAP", init=6)
    assert machine.set("SET_PMU", 8) == 0
    assert machine.prep().init(0, 0, feature=False) == 0
    assert (machine.vcpus[0].created, machine.set("IRQ", 23)) == (True, "-ENODEV")


def test_t26_t27_set_nr_counters_as_implemented():
    machine = Machine(vcpus=2).prep()
    assert machine.run() == "guest"
    assert machine.set(NR, 2, 1) == 0
    machine.enter()
    assert machine.read("PMCR") == 2 << 11 | machine.vcpus[0].counters.regs[0]
    assert run_steps(Machine(), [("FILTER", (0x11, 1, ALLOW)), (NR, 2)]) == [0, 0]


def test_set_nr_counters_as_documented():
    revision = documented(REVISIONS["mainline"])
    assert Machine(kernel=revision).set(NR, 2) == "-EINVAL"
    assert run_steps(Machine(kernel=revision), [("SET_PMU", 8), (NR, 2)]) == [0, 0]
    steps = [("SET_PMU", 8), ("FILTER", (0x11, 1, ALLOW)), (NR, 2)]
    assert run_steps(Machine(kernel=revision), steps) == [0, 0, "-EBUSY"]


@pytest.mark.parametrize("kernel", EVERY)
def test_t28_t29_unsupported_cpu(kernel: str):
    machine = Machine("HET", kernel)
    assert machine.set("SET_PMU", 9) == 0
    machine.prep()
    assert machine.run(1) == "FAIL_ENTRY"
    assert (machine.set_reg("PMCR", 2 << 11), n_of(machine)) == (0, 4)
    assert machine.run(4) == "guest"


@pytest.mark.parametrize(
    "kernel, fixed, value, reloads",
    (
        ("mainline", False, 1500, 0),
        ("v6", False, 1500, 1),
        ("v8", False, 1500, 0),
        ("v4", True, 2500, 2),
        ("v6", True, 2500, 2),
        ("v8", True, 2500, 2),
        ("review", True, 2500, 2),
    ),
)
def test_t30_to_t32_crossing(kernel: str, fixed: bool, value: int, reloads: int):
    machine = Machine("HET", kernel)
    if fixed:
        assert machine.set(FIXED) == 0
    machine.prep()
    machine.enter()
    machine.quiet()
    machine.cycles_on()
    machine.vcpus[0].leave()
    before = machine.vcpus[0].work.load_reloads
    assert [machine.run(0, 1000), machine.run(5, 1000), machine.run(0, 500)] == ["guest"] * 3
    machine.enter()
    assert machine.read("PMCCNTR") == value
    assert machine.vcpus[0].work.load_reloads - before == reloads


@pytest.mark.parametrize("kernel", SERIES)
def test_t33_t34_get_fixed(kernel: str):
    machine = Machine("HET", kernel)
    assert machine.get(FIXED) == "-ENXIO"
    assert (machine.set(FIXED), machine.get(FIXED), n_of(machine)) == (0, 0, 0)
    assert machine.set(FIXED) == 0


def test_t35_t37_v6_last_wins():
    machine = Machine("HET", "v6")
    assert run_steps(machine, [(FIXED, None), ("SET_PMU", 9)]) == [0, 0]
    assert (machine.get(FIXED), n_of(machine)) == ("-ENXIO", 4)
    other = Machine("HET", "v6")
    assert run_steps(other, [("SET_PMU", 9), (FIXED, None)]) == [0, 0]
    assert other.prep().run(0) == "guest"


@pytest.mark.parametrize("kernel", EXCLUSIVE)
def test_t36_t38_v8_excludes(kernel: str):
    machine = Machine("HET", kernel)
    assert run_steps(machine, [(FIXED, None), ("SET_PMU", 99), ("SET_PMU", 9)]) == [0, "-ENXIO", "-EBUSY"]
    assert machine.get(FIXED) == 0
    assert run_steps(Machine("HET", kernel), [("SET_PMU", 8), (FIXED, None)]) == [0, "-EBUSY"]


def test_t39_t40_v6_filter():
    assert run_steps(Machine("HET", "v6"), [("FILTER", (0x11, 1, DENY)), (FIXED, None)]) == [0, "-EBUSY"]
    machine = Machine("HET", "v6")
    steps = [(FIXED, None), ("FILTER", (0x11, 1, DENY)), (FIXED, None), ("SET_PMU", 8)]
    assert run_steps(machine, steps) == [0, 0, 0, 0]
    assert machine.get(FIXED) == "-ENXIO"


@pytest.mark.parametrize("kernel", EXCLUSIVE)
def test_t41_v8_filter(kernel: str):
    steps = [(FIXED, None), ("FILTER", (1, 1, 7)), ("FILTER", (1, 1, DENY))]
    assert run_steps(Machine("HET", kernel), steps) == [0, "-EINVAL", "-EBUSY"]
    assert run_steps(Machine("HET", kernel), [("FILTER", (1, 1, DENY)), (FIXED, None)]) == [0, "-EBUSY"]


@pytest.mark.parametrize("kernel", ("v6", "v8"))
def test_t42_counters_while_fixed(kernel: str):
    assert run_steps(Machine("HET", kernel), [(FIXED, None), (NR, 0), (NR, 1)]) == [0, 0, "-EINVAL"]
    assert run_steps(Machine("HET", kernel), [(NR, 2), (FIXED, None)]) == [0, 0]


def test_t43_t44_review_excludes_a_count():
    assert run_steps(Machine("HET", "review"), [(FIXED, None), (NR, None), (NR, 0)]) == [0, "-EFAULT", "-EBUSY"]
    machine = Machine("HET", "review")
    assert run_steps(machine, [(NR, 2), (FIXED, None), ("SET_PMU", 8)]) == [0, "-EBUSY", 0]


def test_review_counts_set_nr_counters_only():
    machine = Machine("HET", "review")
    assert machine.set_reg("PMCR", 2 << 11) == 0
    assert not machine.vm.explicit_count
    assert machine.set(FIXED) == 0
    other = Machine("HET", "review")
    assert (other.set(NR, 2), other.vm.explicit_count) == (0, True)
    assert (other.set("SET_PMU", 8), other.vm.explicit_count) == (0, False)


def test_review_looks_at_the_mode_before_the_number():
    assert run_steps(Machine("HET", "review"), [(FIXED, None), (NR, 7)]) == [0, "-EBUSY"]


def test_the_timer_takes_its_interrupt_before_the_pmu_is_looked_at():
    machine = Machine()
    assert (machine.gic(), machine.run(), machine.set("IRQ", 27)) == (0, "-EINVAL", 0)
    assert machine.set("INIT") == "-EEXIST"


def test_a_user_space_irqchip_is_told_before_entry_fails():
    machine = Machine("HET", "v8", gic=False)
    assert machine.set("SET_PMU", 8) == 0
    for name, value in (("PMCR", 6 << 11 | 1), ("PMOVSSET", 1), ("PMINTENSET", 1)):
        assert machine.set_reg(name, value) == 0
    machine.prep()
    assert [machine.run(5), machine.run(5), machine.run(0)] == ["INTR", "FAIL_ENTRY", "guest"]


@pytest.mark.parametrize("kernel", SERIES)
def test_t45_fixed_after_init(kernel: str):
    machine = Machine("HET", kernel).prep()
    assert (machine.run(), machine.set(FIXED)) == ("guest", "-EBUSY")


def test_t46_t47_cpu_without_pmu():
    machine = Machine("GAP", "v6")
    assert machine.set(FIXED) == 0
    assert machine.prep().run(5) == "FAIL_ENTRY"
    other = Machine("GAP", "review")
    assert other.set(FIXED) == 0
    other.prep().enter()
    other.cycles_on()
    other.vcpus[0].leave()
    assert [other.run(0, 100), other.run(5, 100), other.run(0, 100)] == ["guest"] * 3
    other.enter()
    assert other.read("PMCCNTR") == 200


def test_t64_registers_that_are_no_one_reg():
    machine = Machine()
    assert [machine.get_reg(name) for name in ("PMCEID0", "PMXEVCNTR", "PMMIR")] == ["-ENOENT"] * 3
    assert (machine.get_reg("PMSWINC"), machine.set_reg("PMCEID1", 0)) == (0, "-ENOENT")


def test_one_reg_needs_init_and_the_feature():
    assert Machine(init=None).get_reg("PMCR") == "-ENOEXEC"
    assert Machine(feature=False).get_reg("PMCR") == "-ENOENT"


def test_t65_n_by_one_reg():
    machine = Machine()
    assert (machine.set_reg("PMCR", 2 << 11), n_of(machine)) == (0, 2)
    assert (machine.set_reg("PMCR", 7 << 11), n_of(machine)) == (0, 2)


def test_t66_both_names_store():
    machine = Machine()
    assert (machine.set_reg("PMCNTENSET", 5), machine.set_reg("PMCNTENCLR", 5)) == (0, 0)
    assert machine.get_reg("PMCNTENSET") == 5


@pytest.mark.parametrize("kernel", SERIES)
def test_t67_t68_what_fixed_shows(kernel: str):
    machine = Machine("HET", kernel)
    assert machine.set(FIXED) == 0
    assert (machine.set_reg("PMCR", 3 << 11), machine.set_reg("PMCNTENSET", 0xFFFFFFFF)) == (0, 0)
    assert (n_of(machine), machine.get_reg("PMCNTENSET")) == (0, 0x80000000)
    machine.prep().enter()
    assert [machine.read(name) for name in ("PMCEID0", "PMCEID1", "PMEVCNTR0")] == [0, 0, UNDEF]


@pytest.mark.parametrize("kernel", EVERY)
def test_t69_t70_filter(kernel: str):
    machine = Machine("HET", kernel)
    assert machine.set("FILTER", (0x11, 1, DENY)) == 0
    machine.prep().enter()
    machine.cycles_on()
    machine.execute({0x11: 1000})
    assert machine.read("PMCCNTR") == 0
    other = Machine("HET", kernel)
    assert other.set("FILTER", (0x08, 1, ALLOW)) == 0
    assert other.vm.pmceid == (1 << 8, 0)


@pytest.mark.parametrize("pmuver, extended", ((4, 1 << 36), (1, 0)))
def test_a_filter_hides_extended_events_where_the_event_space_ends_before_them(pmuver: int, extended: int):
    row = replace(B, cpus=frozenset(range(8)), pmceid0=1 << 36 | 1 << 8)
    machine = Machine(Host(8, (row,), pmuver))
    assert machine.vm.pmceid[0] & 1 << 36
    assert machine.set("FILTER", (0x3, 1, DENY)) == 0
    assert machine.vm.pmceid[0] == extended | 1 << 30 | 1 << 8 | 1


def test_t72_bug_of_v4():
    machine = Machine("HET", "v4")
    assert run_steps(machine, [(FIXED, None), ("SET_PMU", 9)]) == [0, 0]
    assert (machine.get(FIXED), n_of(machine)) == ("-ENXIO", 0)


@pytest.mark.parametrize(
    "pmuver, has_vpmu, limit", ((0, False, 0), (1, True, 1), (4, True, 4), (8, True, 6), (15, False, 0))
)
def test_version_limit(pmuver: int, has_vpmu: bool, limit: int):
    machine = Machine(host("HET", pmuver))
    assert machine.inits == [0 if has_vpmu else "-EINVAL"]
    assert machine.vm.host.pmuver_limit == limit
    if has_vpmu:
        assert (machine.vm.pmuver, machine.vm.set_pmuver(limit), machine.vm.set_pmuver(limit + 1)) == (limit, 0, -7)


@pytest.mark.parametrize("irq", (27, 30))
def test_timer_interrupts_are_refused_at_the_first_run(irq: int):
    machine = Machine()
    assert (machine.gic(), machine.set("IRQ", irq), machine.set("INIT"), machine.run()) == (0, 0, 0, "-EINVAL")
    assert not machine.vm.ran


def test_spi_beyond_the_vgic_passes_irq_and_fails_in_init():
    machine = Machine(nr_spis=32)
    assert (machine.gic(), machine.set("IRQ", 64), machine.set("INIT")) == (0, 0, "-EINVAL")


def test_features_must_match():
    machine = Machine(vcpus=2, init=None)
    assert (machine.init(0), machine.init(1, feature=False), machine.init(1)) == (0, "-EINVAL", 0)


def test_no_vcpu_once_the_vgic_is_initialised():
    machine = Machine()
    assert (machine.vm.may_create_vcpu(), machine.gic(), machine.vm.may_create_vcpu()) == (0, 0, -16)


def test_run_before_the_vgic_is_initialised():
    machine = Machine()
    assert (Machine(init=None).run(), machine.run()) == ("-ENOEXEC", "-EBUSY")


def test_default_pmu_of_the_first_init_stays():
    machine = Machine(vcpus=2, init=None)
    assert (machine.init(0, 5), machine.init(1, 0)) == (0, 0)
    assert machine.vm.pmu is B
    assert Machine(init=0).vm.pmu is A


def test_userspace_irqchip_is_told_the_level():
    machine = Machine(gic=False)
    assert machine.set("INIT") == 0
    machine.enter()
    assert machine.write("PMCR", 1) is None  # a reset leaves overflow and interrupt bits set
    assert not machine.vcpus[0].in_guest
    assert (machine.vcpus[0].irq_level, machine.vcpus[0].device_irq_level) == (True, 4)
    assert machine.run() == "guest"


def test_version_is_frozen_by_the_first_run():
    machine = Machine().prep()
    assert machine.run() == "guest"
    assert [machine.vm.set_pmuver(version) for version in (4, 1, 9)] == [0, -16, -16]
    assert Machine().vm.set_pmuver(15) == 0
