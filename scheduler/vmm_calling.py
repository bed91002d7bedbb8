"""Makes the calls of a VMM on a VM, one after the other, each with KVM's answer."""

from collections.abc import Generator, Iterator, Sequence
from typing import Final

from pmu.attributes import IRQ
from pmu.kvm import Vm
from pmu.policies import Policy
from scheduler.vmm_call import (
    CHOICE,
    FIRST,
    HAS,
    MAIN,
    PMU_PPI,
    SET,
    VCPU_INIT,
    VGIC,
    WISHED,
    Call,
    Made,
    Situation,
    Stage,
    Wish,
)
from scheduler.vmm_rows import Vmm

VALUES: Final[dict[str, int | None]] = {IRQ: PMU_PPI}
Refused = Generator[Made, None, bool]
"""Yields calls; returns whether KVM has refused one."""


class Calling:
    """A VMM that makes its calls on a VM whose vCPUs have been created.

    ``cpus`` is where each vCPU's thread runs; the main thread runs where the first of them does.
    """

    def __init__(self, vmm: Vmm, kvm: Vm, policy: Policy, cpus: Sequence[int]) -> None:
        self.vmm = vmm
        self.kvm = kvm
        self.policy = policy
        self.cpus = cpus
        self.wish = Wish(policy.has_pmu, policy.attributes)

    def calls(self) -> Iterator[Made]:
        """Make every call that comes before the first KVM_RUN, and yield it."""
        for stage in self.vmm.calls:
            if self.wish.has_pmu or not stage.pmu:
                for number in (0,) if stage.of == FIRST else range(len(self.cpus)):
                    yield from self._stage(stage, number)

    def _stage(self, stage: Stage, number: int) -> Iterator[Made]:
        for call in stage.calls:
            refused = yield from self._call(call, number, not stage.tolerant)
            if refused and stage.tolerant:
                return

    def _call(self, call: Call, number: int, fatal: bool) -> Refused:
        if call.irqchip and not self.kvm.gic:
            return False
        if call.ioctl == CHOICE:
            assert self.vmm.chooses is not None
            self.wish = yield from self.vmm.chooses(Situation(self.kvm, self.policy, self.cpus[0]))
            return False
        refused = False
        for attribute, value in self._attributes(call):
            made = self._made(call, number, attribute, value, fatal)
            refused |= made.result < 0
            yield made
        return refused

    def _attributes(self, call: Call) -> tuple[tuple[str, int | None], ...]:
        if call.attribute == WISHED:
            return self.wish.attributes
        return ((call.attribute, VALUES.get(call.attribute)),)

    def _made(self, call: Call, number: int, attribute: str, value: int | None, fatal: bool) -> Made:
        thread, cpu = (MAIN, self.cpus[0]) if call.thread == MAIN else (f"vcpu {number}", self.cpus[number])
        vcpu = self.kvm.vcpus[number]
        if call.ioctl == VGIC:
            return Made(thread, cpu, None, VGIC, result=self.kvm.gic_init(), fatal=fatal)
        if call.ioctl == VCPU_INIT:
            has_pmu = self.wish.has_pmu
            result = self.kvm.vcpu_init(vcpu, cpu, has_pmu, self.policy.strict)
            return Made(thread, cpu, number, VCPU_INIT, value=int(has_pmu), result=result, fatal=fatal)
        if call.ioctl == HAS:
            result = self.kvm.has_attr(vcpu, attribute)
            return Made(thread, cpu, number, HAS, attribute, result=result, fatal=fatal)
        result = self.kvm.set_attr(vcpu, cpu, attribute, value)
        return Made(thread, cpu, number, SET, attribute, value, result, fatal=fatal)
