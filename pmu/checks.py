"""What a check of an ioctl is, and the checks of the ioctls that are no attributes: VCPU_INIT, KVM_RUN, ONE_REG.

A check looks at a VM, a vCPU and the ioctl's argument, and returns the errno that it raises, or 0. Its docstring says
what it objects to. The order of checks is a tuple of them. Those of the attributes are in ``pmu.attributes``.
"""

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from pmu.registers import REGISTERS

if TYPE_CHECKING:
    from pmu.kvm import Vm
    from pmu.vcpu import Vcpu

Payload = int | str | tuple[int, int, int] | None
"""An int, a name, (base_event, nevents, action) of FILTER, or None for a NULL pointer."""
Check = Callable[["Vm", "Vcpu", Payload], int]

TIMER_PPIS: Final = (27, 30)
PMU_V3, PMU_V3_STRICT = 1 << 3, 1 << 9
"""Features of KVM_ARM_VCPU_INIT, as bits of its argument."""


def refuse(condition: bool, error: int) -> int:
    """Return the errno where the condition holds, else 0."""
    return error if condition else 0


def no_feature(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """The VM lacks the PMU_V3 feature."""
    return refuse(not vm.has_pmu, errno.ENODEV)


def no_irqchip(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """There is no in-kernel irqchip."""
    return refuse(not vm.gic, errno.EINVAL)


# KVM_ARM_VCPU_INIT


def unknown_feature(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """This kernel has no feature PMU_V3_STRICT."""
    return refuse(bool(_features(value) & PMU_V3_STRICT) and not vm.revision.has_strict, errno.ENOENT)


def feature_not_available(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """The PMU_V3 feature is asked for on a host that has no usable PMU."""
    return refuse(bool(_features(value)) and not vm.host.usable_pmus, errno.EINVAL)


def strict_without_pmu(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """PMU_V3_STRICT is asked for without PMU_V3."""
    return refuse(_features(value) == PMU_V3_STRICT, errno.EINVAL)


def features_differ(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """The features differ from those that the VM was first initialised with."""
    features = vm.has_pmu * PMU_V3 | vm.strict * PMU_V3_STRICT
    return refuse(vm.features_set and features != _features(value), errno.EINVAL)


def _features(value: Payload) -> int:
    assert isinstance(value, int)
    return value


def no_default_pmu(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """No host PMU covers the pCPU that runs KVM_ARM_VCPU_INIT (the feature is recorded all the same)."""
    assert isinstance(value, int)
    return refuse(vm.host.first_pmu(value) is None, errno.ENODEV)


# KVM_RUN


def not_initialised(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """KVM_ARM_VCPU_INIT was not done on this vCPU."""
    return refuse(not vcpu.initialised, errno.ENOEXEC)


def vgic_not_initialised(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """The vGIC is not initialised."""
    return refuse(vm.gic and not vm.gic_ready, errno.EBUSY)


def timer_interrupt_taken(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """A timer's PPI (27, 30) belongs to the PMU."""
    return refuse(vm.gic and any(vm.claim(vcpu, irq, "timer") for irq in TIMER_PPIS), errno.EINVAL)


def no_pmu_selected(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """SET_PMU was not done in a VM with the PMU_V3_STRICT feature, which has no default PMU."""
    return refuse(vm.strict and vm.pmu is None, errno.EINVAL)


def pmu_not_created(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """INIT was not done on this vCPU, which has the PMU_V3 feature."""
    return refuse(vm.has_pmu and not vcpu.created, errno.EINVAL)


def interrupt_without_irqchip(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """The PMU has an interrupt number, but there is no in-kernel irqchip."""
    return refuse(vm.has_pmu and not vm.gic and vcpu.irq_num is not None, errno.EINVAL)


# ONE_REG


def not_a_one_reg(vm: "Vm", vcpu: "Vcpu", value: Payload) -> int:
    """The register is not one that user space can reach, or the VM lacks the PMU_V3 feature."""
    assert isinstance(value, str)
    row = REGISTERS[value]
    return refuse(not (row.one_reg and vm.shows(row.index)), errno.ENOENT)


VCPU_INIT_CHECKS: Final[tuple[Check, ...]] = (
    unknown_feature,
    feature_not_available,
    strict_without_pmu,
    features_differ,
)
RUN_CHECKS: Final[tuple[Check, ...]] = (
    not_initialised,
    vgic_not_initialised,
    timer_interrupt_taken,
    no_pmu_selected,
    pmu_not_created,
    interrupt_without_irqchip,
)
ONE_REG_CHECKS: Final[tuple[Check, ...]] = (not_initialised, not_a_one_reg)
