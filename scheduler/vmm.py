"""What a VMM does before its guest runs: KVM's calls in order, thread placement, and pinning.

The call sequences are those of ``docs/model.md``, "VMMs"; QEMU initialises every vCPU in its own thread,
which is not pinned yet, so that chance decides on the default PMU.
"""

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pmu.kvm import Vm
from pmu.policies import Policy
from pmu.vcpu import Entry, Vcpu
from scheduler import kernel_state as ks
from scheduler import outside
from scheduler.guest import GuestVm
from scheduler.pinning import Places
from simcore.draws import below, exponential_ns
from simcore.engine import Process
from simcore.errors import InputError, unknown_name
from simcore.platform import Platform
from simcore.scenario import VmSpec

if TYPE_CHECKING:
    from scheduler.host import Host

PMU_PPI = 23
VCPU_INIT = "KVM_ARM_VCPU_INIT"


@dataclass(frozen=True, slots=True)
class Vmm:
    """A VMM: whether it calls KVM_RUN again at once after KVM_EXIT_FAIL_ENTRY, and where that is known from."""

    name: str
    retries_fail_entry: bool
    source: str


VMMS = {
    "qemu": Vmm(
        "qemu",
        True,
        "accel/kvm/kvm-all.c: an exit reason that the target does not handle returns to the KVM_RUN loop",
    ),
}


def vmm_named(name: str) -> Vmm:
    """Return the VMM of this name, or raise InputError with near matches."""
    if name not in VMMS:
        raise unknown_name("VMM", name, VMMS)
    return VMMS[name]


def init_cpus(platform: Platform, spec: VmSpec, allowed: Sequence[Sequence[int]], seed: int, vm: int) -> list[int]:
    """Draw the pCPU on which each vCPU thread runs KVM_ARM_VCPU_INIT, ``allowed`` being where each may run then.

    ``uniform`` draws among the allowed pCPUs; the name of a host PMU or cluster among those of it that are
    allowed. The distribution is assumed (docs/model.md, "Lottery").
    """
    pools = [_placement_pool(platform, spec.init_placement, cpus) for cpus in allowed]
    return [pool[below(len(pool), seed, vm, "init placement", number)] for number, pool in enumerate(pools)]


def _placement_pool(platform: Platform, placement: str, allowed: Sequence[int]) -> list[int]:
    if placement == "uniform":
        return sorted(allowed)
    groups = {cpu.cluster: [c.number for c in platform.cpus if c.cluster == cpu.cluster] for cpu in platform.cpus}
    groups |= {node.name: list(node.cpus) for node in platform.pmus}
    if placement not in groups:
        raise unknown_name("init placement", placement, ["uniform", *groups])
    pool = sorted(set(groups[placement]) & set(allowed))
    if not pool:
        raise InputError(f"no allowed pCPU for init placement {placement!r}", valid=f"allowed: {sorted(allowed)}")
    return pool


def create(kvm: Vm, policy: Policy, cpus: Sequence[int], rows: Sequence[int]) -> None:
    """Make the calls of QEMU's machine creation on a VM whose threads run on ``cpus``, and enter the guest."""
    for vcpu, cpu in zip(prepare(kvm, policy, cpus, rows), cpus, strict=True):
        _succeed("KVM_RUN", _entered(kvm.run(vcpu, cpu)), policy)


def prepare(kvm: Vm, policy: Policy, cpus: Sequence[int], rows: Sequence[int]) -> list[Vcpu]:
    """Make the calls of QEMU's machine creation up to the first KVM_RUN, before which registers may be restored."""
    vcpus = [kvm.create_vcpu(row) for row in rows]
    for vcpu, cpu in zip(vcpus, cpus, strict=True):
        _succeed(VCPU_INIT, kvm.vcpu_init(vcpu, cpu, policy.has_pmu, policy.strict), policy)
    for attr, value in policy.attributes:
        _succeed(f"KVM_ARM_VCPU_PMU_V3_{attr}", kvm.set_attr(vcpus[0], cpus[0], attr, value), policy)
    if kvm.gic:
        _succeed("KVM_CREATE_DEVICE", kvm.gic_init(), policy)
    if policy.has_pmu:
        for vcpu, cpu in zip(vcpus, cpus, strict=True):
            if kvm.gic:
                _succeed("KVM_ARM_VCPU_PMU_V3_IRQ", kvm.set_attr(vcpu, cpu, "IRQ", PMU_PPI), policy)
            _succeed("KVM_ARM_VCPU_PMU_V3_INIT", kvm.set_attr(vcpu, cpu, "INIT", None), policy)
    return vcpus


def _entered(result: Entry | int) -> int:
    return result if isinstance(result, int) else 0


def _succeed(call: str, result: int, policy: Policy) -> None:
    if result < 0:
        raise InputError(
            f"{call} fails with -{errno.errorcode[-result]} under policy {policy.name}@{policy.kernel}",
            why="KVM offers no vPMU on this platform" if (call, -result) == (VCPU_INIT, errno.EINVAL) else "",
        )


def boot(host: "Host", vm: GuestVm, spec: VmSpec, places: Places) -> Process:
    """Start the vCPU threads where they were initialised; ``pin_delay`` later pin all that are to be elsewhere.

    The VMM's other threads sleep until there is something to do.
    """
    for vcpu in vm.vcpus:
        host.start_thread(vcpu.task, vcpu.init_cpu)
    if places.final != places.first:
        yield host.engine.wait_until(spec.pin_delay_ns, outside.order(outside.PIN, vm.number))
        for task, cpus in zip(vm.tasks, places.final, strict=True):
            host.set_affinity(task, cpus)


def move_at_random(host: "Host", vm: GuestVm, number: int, moves_per_s: int) -> Process:
    """Move one vCPU thread to another allowed pCPU at exponential intervals: the scheduler ``random``."""
    owner = f"vm{vm.number} vcpu{number}"
    task = vm.vcpus[number].task
    seed = host.scenario.seed
    index = 0
    while True:
        index += 1
        pause_ns = exponential_ns(1_000_000_000 // moves_per_s, seed, owner, "move time", index)
        yield host.engine.wait_until(host.engine.now_ns + pause_ns, outside.order(outside.MOVE, task))
        here = int(host.state.task[task, ks.CPU])
        others = [cpu for cpu in range(len(host.platform.cpus)) if host.state.allowed[task, cpu] and cpu != here]
        if others:
            host.move(task, others[below(len(others), seed, owner, "move target", index)], ks.OTHER_CAUSE)
