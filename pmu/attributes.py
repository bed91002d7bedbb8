"""The attributes of KVM_ARM_VCPU_PMU_V3_CTRL: each has a number, checks in the kernel's order, and an effect.

Which revision has which row is decided in ``pmu.revisions``; state lives in ``pmu.kvm``; what a check is, in
``pmu.checks``.
"""

import errno
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pmu import modes
from pmu.checks import Check, Payload, no_feature, no_irqchip, refuse
from pmu.modes import COMPOSED, FIXED, ONE_PMU, Mode

if TYPE_CHECKING:
    from pmu.kvm import Vm
    from pmu.vcpu import Vcpu

IRQ: Final = "IRQ"
INIT: Final = "INIT"
FILTER: Final = "FILTER"
SET_PMU: Final = "SET_PMU"
SET_NR_COUNTERS: Final = "SET_NR_COUNTERS"
FIXED_COUNTERS_ONLY: Final = "FIXED_COUNTERS_ONLY"
COMPOSITION: Final = "COMPOSITION"
INTERSECTION: Final = "INTERSECTION"
SCALED_TIME: Final = "SCALED_TIME"

ALLOW, DENY = 0, 1
GICV5_PMU_PPI = 23
FIRST_PPI, FIRST_SPI, LAST_SPI = 16, 32, 1019

Effect = Callable[["Vm", "Vcpu", Payload], None]
Value = Callable[["Vm", "Vcpu"], int]


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute: KVM's number, the checks of a SET in order, and what a successful SET does.

    ``get_checks`` and ``value`` are those of a GET; without ``value`` there is none.
    """

    name: str
    number: int
    checks: tuple[Check, ...]
    apply: Effect
    get_checks: tuple[Check, ...] = ()
    value: Value | None = None


def _number(value: Payload) -> int:
    assert isinstance(value, int)
    return value


def _range(value: Payload) -> tuple[int, int, int]:
    assert isinstance(value, tuple)
    return value


def is_ppi(irq: int) -> bool:
    """Return whether an interrupt number is a PPI."""
    return FIRST_PPI <= irq < FIRST_SPI


def is_spi(irq: int) -> bool:
    """Return whether an interrupt number is an SPI."""
    return FIRST_SPI <= irq <= LAST_SPI


# Checks


def unknown_attribute(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """This kernel has no such attribute."""
    return refuse(value not in vm.revision.attributes, errno.ENXIO)


def not_readable(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """The attribute is unknown or cannot be read."""
    row = vm.revision.attributes.get(value) if isinstance(value, str) else None
    return refuse(row is None or row.value is None, errno.ENXIO)


def feature_hidden(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """The VM lacks the PMU_V3 feature, so that it has no PMU attributes."""
    return refuse(not vm.has_pmu, errno.ENXIO)


def bad_pointer(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """The payload cannot be read."""
    return refuse(value is None, errno.EFAULT)


def already_created(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """INIT was done on this vCPU."""
    return refuse(vcpu.created, errno.EBUSY)


def not_an_interrupt(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """The number is neither a PPI nor an SPI."""
    irq = _number(value)
    return refuse(not (is_ppi(irq) or is_spi(irq)), errno.EINVAL)


def interrupt_unset(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """This vCPU has no interrupt number."""
    return refuse(vcpu.irq_num is None, errno.ENXIO)


def inconsistent_interrupt(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """A PPI must equal every vCPU's number so far, an SPI must differ from each; a GICv5 takes PPI 23 only."""
    irq = _number(value)
    if vm.gicv5:
        return refuse(irq != GICV5_PMU_PPI, errno.EINVAL)
    numbers = [other.irq_num for other in vm.vcpus if other.irq_num is not None]
    return refuse(any((number != irq) if is_ppi(irq) else (number == irq) for number in numbers), errno.EINVAL)


def interrupt_set(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """This vCPU has its interrupt number already."""
    return refuse(vcpu.irq_num is not None, errno.EBUSY)


def irqchip_not_initialised(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """The in-kernel irqchip is not initialised."""
    return refuse(vm.gic and not vm.gic_ready, errno.ENODEV)


def interrupt_missing(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """The in-kernel irqchip needs an interrupt number (a GICv5 takes 23)."""
    return refuse(vm.gic and vm.pmu_irq(vcpu) is None, errno.ENXIO)


def interrupt_not_claimed(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """The interrupt line does not exist or belongs to somebody else."""
    irq = vm.pmu_irq(vcpu)
    return vm.claim(vcpu, irq, "pmu") if vm.gic and irq is not None else 0


def bad_filter(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """The range leaves the host's event space or the action is unknown."""
    base, count, action = _range(value)
    return refuse(base + count > vm.host_events or action not in (ALLOW, DENY), errno.EINVAL)


def vm_ran(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """A vCPU of the VM has run."""
    return refuse(vm.ran, errno.EBUSY)


def unknown_pmu(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """No host PMU has this type id."""
    return refuse(vm.host.pmu_of_type(_number(value)) is None, errno.ENXIO)


def pmu_frozen(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """The VM has run, or it has a filter and the PMU is another one."""
    differs = vm.filter is not None and vm.host.pmu_of_type(_number(value)) is not vm.pmu
    return refuse(vm.ran or differs, errno.EBUSY)


def no_backing_pmu(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """No host PMU backs the VM."""
    return refuse(vm.pmu is None, errno.EINVAL)


def too_many_counters(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """The host PMU has fewer counters (unsigned comparison)."""
    return refuse(_number(value) & 0xFFFFFFFF > vm.max_counters(), errno.EINVAL)


def filter_present(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """The VM has an event filter."""
    return refuse(vm.filter is not None, errno.EBUSY)


def filtered_unless_fixed(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """The VM has an event filter and is not fixed-counters-only yet."""
    return refuse(vm.filter is not None and not vm.fixed_only, errno.EBUSY)


def filtered_unless_composed(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """The VM has an event filter and no composite PMU yet."""
    return refuse(vm.filter is not None and vm.mode is not COMPOSED, errno.EBUSY)


def not_composed(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """The VM has no composite PMU."""
    return refuse(vm.mode is not COMPOSED, errno.ENXIO)


def already_fixed(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """The VM is fixed-counters-only."""
    return refuse(vm.fixed_only, errno.EBUSY)


def not_fixed(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """The VM is not fixed-counters-only."""
    return refuse(not vm.fixed_only, errno.ENXIO)


def pmu_selected(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """SET_PMU was done."""
    return refuse(vm.explicit_pmu, errno.EBUSY)


def no_selected_pmu(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """SET_PMU was not done (documented, not implemented)."""
    return refuse(not vm.explicit_pmu, errno.EINVAL)


def count_selected(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """SET_NR_COUNTERS was done."""
    return refuse(vm.explicit_count, errno.EBUSY)


# Effects


def set_interrupt(vm: "Vm", vcpu: "Vcpu", value: Payload) -> None:
    """Store the interrupt number."""
    vcpu.irq_num = _number(value)


def set_created(vm: "Vm", vcpu: "Vcpu", value: Payload) -> None:
    """Mark this vCPU's PMU as created, with its interrupt where the irqchip knows it."""
    vcpu.irq_num = vm.pmu_irq(vcpu)
    vcpu.created = True


def apply_filter(vm: "Vm", vcpu: "Vcpu", value: Payload) -> None:
    """Apply a range; the first one decides the default for all other events."""
    vm.apply_filter(*_range(value))


def select_pmu_explicitly(vm: "Vm", vcpu: "Vcpu", value: Payload) -> None:
    """Back the VM by the PMU, show all its counters, restrict the VM to its pCPUs."""
    host_pmu = vm.host.pmu_of_type(_number(value))
    assert host_pmu is not None
    vm.back_with(host_pmu)
    vm.supported_cpus = host_pmu.cpus
    vm.explicit_pmu = True


def select_pmu_and_unfix(vm: "Vm", vcpu: "Vcpu", value: Payload) -> None:
    """Select the PMU; the VM is no longer fixed-counters-only."""
    vm.mode = ONE_PMU
    select_pmu_explicitly(vm, vcpu, value)


def select_pmu_then_unfix(vm: "Vm", vcpu: "Vcpu", value: Payload) -> None:
    """Select the PMU and only then drop fixed-counters-only, so that N ends as 0 (the bug of v4)."""
    select_pmu_explicitly(vm, vcpu, value)
    vm.mode = ONE_PMU


def set_nr_counters(vm: "Vm", vcpu: "Vcpu", value: Payload) -> None:
    """Show this many event counters."""
    vm.nr_counters = _number(value)
    vm.explicit_count = True


def fix(vm: "Vm", vcpu: "Vcpu", value: Payload) -> None:
    """Show the fixed counters only; supported_cpus stays as it is."""
    vm.mode = FIXED
    vm.nr_counters = 0


def fix_on_union(vm: "Vm", vcpu: "Vcpu", value: Payload) -> None:
    """Show the fixed counters only; the VM may run on every pCPU that has a host PMU."""
    fix(vm, vcpu, value)
    vm.supported_cpus = vm.host.covered_cpus


def compose(vm: "Vm", vcpu: "Vcpu", value: Payload) -> None:
    """Back each counter by every host PMU, show the cycle counter only, run wherever there is a host PMU."""
    _enter(vm, COMPOSED)
    vm.supported_cpus = vm.host.covered_cpus


def intersect(vm: "Vm", vcpu: "Vcpu", value: Payload) -> None:
    """Show what every host PMU has, and back it by that of the pCPU."""
    _enter(vm, modes.INTERSECTION)


def follow_the_timer(vm: "Vm", vcpu: "Vcpu", value: Payload) -> None:
    """Let PMCCNTR_EL0 follow the architected timer at a nominal rate; no host PMU is asked."""
    _enter(vm, modes.SCALED_TIME)
    vm.drawn_pmu = None


def _enter(vm: "Vm", mode: Mode) -> None:
    vm.mode = mode
    if mode.unbacked:
        vm.pmu = None
    vm.nr_counters = vm.max_counters()


# Values of a GET


def interrupt_number(vm: "Vm", vcpu: "Vcpu") -> int:
    """Return the interrupt number."""
    assert vcpu.irq_num is not None
    return vcpu.irq_num


def nothing(vm: "Vm", vcpu: "Vcpu") -> int:
    """Return no data; that the GET succeeds is the answer."""
    return 0


COMMON_CHECKS: Final[tuple[Check, ...]] = (no_feature, already_created)
"""What every SET checks first, an unknown attribute included."""
HAS_CHECKS: Final[tuple[Check, ...]] = (unknown_attribute, feature_hidden)

IRQ_ROW: Final = Attribute(
    IRQ,
    0,
    (no_irqchip, bad_pointer, not_an_interrupt, inconsistent_interrupt, interrupt_set),
    set_interrupt,
    get_checks=(no_irqchip, no_feature, interrupt_unset),
    value=interrupt_number,
)
INIT_ROW: Final = Attribute(INIT, 1, (irqchip_not_initialised, interrupt_missing, interrupt_not_claimed), set_created)
FILTER_ROW: Final = Attribute(FILTER, 2, (bad_pointer, bad_filter, vm_ran), apply_filter)
SET_PMU_ROW: Final = Attribute(SET_PMU, 3, (bad_pointer, unknown_pmu, pmu_frozen), select_pmu_explicitly)
SET_NR_ROW: Final = Attribute(SET_NR_COUNTERS, 4, (bad_pointer, no_backing_pmu, too_many_counters), set_nr_counters)
FIXED_ROW: Final = Attribute(
    FIXED_COUNTERS_ONLY,
    5,
    (vm_ran, filter_present, pmu_selected),
    fix,
    get_checks=(not_fixed,),
    value=nothing,
)
COMPOSITION_ROW: Final = Attribute(
    COMPOSITION, 5, (vm_ran, filtered_unless_composed), compose, get_checks=(not_composed,), value=nothing
)
INTERSECTION_ROW: Final = Attribute(INTERSECTION, 0x100, (vm_ran,), intersect)
"""What-if; like that of the next row, its number is none of KVM's."""
SCALED_TIME_ROW: Final = Attribute(SCALED_TIME, 0x101, (vm_ran,), follow_the_timer)
