"""How a VM's counters are backed, as rows: what the guest is shown, and on which host PMUs host events are made.

A row names plain functions of the VM. Attributes (``pmu.attributes``) or a kernel revision put a VM into a mode; what
vcpu_load does about it is in ``pmu.revisions``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pmu.events import CPU_CYCLES
from pmu.host import HostPmu, guest_pmceid

if TYPE_CHECKING:
    from pmu.kvm import Vm

Shown = tuple[int, int, int]
"""The most event counters (PMCR_EL0.N), PMCEID0_EL0 and PMCEID1_EL0 before any event filter."""
NOTHING: Final[Shown] = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Mode:
    """A way to back counters.

    ``shown(vm)``: what the guest is shown. ``backing(vm, cpu)``: the host PMUs on which a counter's events are made for
    a vCPU on a pCPU, one event on each. ``local``: on the PMU of the pCPU, so that a crossing needs new events.
    ``unbacked``: no host PMU is the VM's, so that KVM_ARM_VCPU_INIT chooses none. ``timed``: PMCCNTR_EL0 has no host
    event, it follows the architected timer.
    """

    name: str
    shown: Callable[["Vm"], Shown]
    backing: Callable[["Vm", int], tuple[HostPmu, ...]]
    local: bool = False
    unbacked: bool = False
    timed: bool = False


# What the guest is shown


def _of_the_pmu(vm: "Vm") -> Shown:
    """What the VM's host PMU has."""
    if vm.pmu is None:
        return NOTHING
    return (vm.host.max_counters(vm.pmu), *guest_pmceid(vm.pmu, vm.strict))


def _nothing(vm: "Vm") -> Shown:
    """No event counter, no event."""
    return NOTHING


def _of_every_pmu(vm: "Vm") -> Shown:
    """What every host PMU has: the smallest N, the events that are in each PMCEID."""
    least, both0, both1 = 31, ~0, ~0
    for host_pmu in vm.host.usable_pmus:
        pmceid0, pmceid1 = guest_pmceid(host_pmu)
        least, both0, both1 = min(least, vm.host.max_counters(host_pmu)), both0 & pmceid0, both1 & pmceid1
    return (least, both0, both1) if vm.host.usable_pmus else NOTHING


def _cycles(vm: "Vm") -> Shown:
    """No event counter, CPU_CYCLES alone."""
    return 0, 1 << CPU_CYCLES, 0


# On which host PMUs events are made


def _on_the_pmu(vm: "Vm", cpu: int) -> tuple[HostPmu, ...]:
    """The VM's host PMU, wherever the vCPU is."""
    return () if vm.pmu is None else (vm.pmu,)


def _on_the_local_pmu(vm: "Vm", cpu: int) -> tuple[HostPmu, ...]:
    """The first host PMU that covers the pCPU."""
    host_pmu = vm.host.first_pmu(cpu)
    return () if host_pmu is None else (host_pmu,)


def _on_every_pmu(vm: "Vm", cpu: int) -> tuple[HostPmu, ...]:
    """Every host PMU, in probe order."""
    return vm.host.usable_pmus


def _on_pmus_of_the_thread(vm: "Vm", cpu: int) -> tuple[HostPmu, ...]:
    """The VM's host PMU if it covers every pCPU, else all that share no pCPU with one before: a thread not pinned."""
    if vm.pmu is not None and len(vm.pmu.cpus) == vm.host.ncpus:
        return (vm.pmu,)
    chosen: list[HostPmu] = []
    for host_pmu in vm.host.usable_pmus:
        if all(host_pmu.cpus.isdisjoint(other.cpus) for other in chosen):
            chosen.append(host_pmu)
    return tuple(chosen)


def _on_none(vm: "Vm", cpu: int) -> tuple[HostPmu, ...]:
    """No host PMU."""
    return ()


ONE_PMU: Final = Mode("one host PMU", _of_the_pmu, _on_the_pmu)
FIXED: Final = Mode("fixed counters only", _nothing, _on_the_local_pmu, local=True)
COMPOSED_DEFAULT: Final = Mode("several events a counter, as v1", _of_the_pmu, _on_pmus_of_the_thread)
COMPOSED: Final = Mode("several events a counter, as v2", _nothing, _on_every_pmu, unbacked=True)
INTERSECTION: Final = Mode("what every host PMU has", _of_every_pmu, _on_the_local_pmu, local=True)
SCALED_TIME: Final = Mode("the architected timer", _cycles, _on_none, unbacked=True, timed=True)
