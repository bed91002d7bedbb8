"""The calls that a VMM makes before its first KVM_RUN: their form in a table, and what one of them has answered.

The tables are in ``scheduler.vmm_rows``; ``scheduler.vmm_calling`` makes the calls.
"""

import errno
from collections.abc import Generator
from dataclasses import dataclass
from typing import Final

from pmu.checks import Payload
from pmu.kvm import Vm
from pmu.policies import Policy
from pmu.vcpu import Vcpu

PMU_PPI = 23
VCPU_INIT: Final = "KVM_ARM_VCPU_INIT"
VGIC: Final = "KVM_CREATE_DEVICE"
HAS: Final = "KVM_HAS_DEVICE_ATTR"
SET: Final = "KVM_SET_DEVICE_ATTR"
CHOICE: Final = "the VMM chooses a PMU"
WISHED: Final = "each attribute that the user asked for or the VMM chose"
ATTRIBUTE: Final = "KVM_ARM_VCPU_PMU_V3_"

MAIN, OWN = "main", "own"
"""Which thread makes a call: the main one, or the vCPU's own."""
EACH, FIRST = "each", "first"
"""For which vCPUs a stage is: each in turn, or the first alone (also for calls on the VM)."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a VMM: by which thread, which ioctl (or CHOICE), of which attribute (or WISHED).

    ``irqchip``: only where the irqchip is in the kernel.
    """

    thread: str
    ioctl: str
    attribute: str = ""
    irqchip: bool = False


@dataclass(frozen=True, slots=True)
class Stage:
    """Calls that are made for one vCPU after the other.

    ``pmu``: not made for a VM without a PMU. ``tolerant``: a refused call ends the stage for that vCPU, and the VMM
    goes on.
    """

    of: str
    calls: tuple[Call, ...]
    pmu: bool = False
    tolerant: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """A call that was made: by the main thread or a vCPU's, on which pCPU, for which vCPU, and what KVM answered.

    ``vcpu`` is None for a call on the VM; ``scratch``: on a VM that only probes. ``fatal``: the VMM gives up if KVM
    refuses it.
    """

    thread: str
    cpu: int
    vcpu: int | None
    ioctl: str
    attribute: str = ""
    value: Payload = None
    result: int = 0
    scratch: bool = False
    fatal: bool = True

    @property
    def name(self) -> str:
        """Return the name of the ioctl, or of its attribute."""
        return f"{ATTRIBUTE}{self.attribute}" if self.attribute else self.ioctl

    @property
    def text(self) -> str:
        """Return the call as a step of `hetpmu uapi` and its result, after the thread: ``main: v0 set IRQ 23: 0``."""
        who = "scratch VM " if self.scratch else "" if self.vcpu is None else f"v{self.vcpu} "
        answer = f"-{errno.errorcode[-self.result]}" if self.result < 0 else str(self.result)
        return f"{self.thread}: {who}{self._step()}: {answer}"

    def _step(self) -> str:
        if self.ioctl == VCPU_INIT:
            return f"init cpu={self.cpu}{'' if self.value else ' nopmu'}"
        if self.ioctl == VGIC:
            return "gic"
        verb = "has" if self.ioctl == HAS else "set"
        return f"{verb} {self.attribute}{'' if self.value is None else f' {self.value}'}"


@dataclass(frozen=True, slots=True)
class Wish:
    """Whether a VM is to have a PMU, and which attributes are to be set beside IRQ and INIT."""

    has_pmu: bool
    attributes: tuple[tuple[str, int | None], ...] = ()


Choosing = Generator[Made, None, Wish]
"""Yields the calls that a VMM makes to choose a PMU; returns what it chose."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What a VMM looks at when it chooses: its VM, the user's policy, the pCPU of its main thread."""

    kvm: Vm
    policy: Policy
    cpu: int


def ask(kvm: Vm, vcpu: Vcpu, cpu: int, name: str, scratch: bool = False) -> Made:
    """Ask for an attribute from the main thread."""
    result = kvm.has_attr(vcpu, name)
    return Made(MAIN, cpu, kvm.vcpus.index(vcpu), HAS, name, result=result, scratch=scratch, fatal=False)
