"""What a VMM does before its guest runs: KVM's calls in order, thread placement, and pinning.

Which calls, and by which thread, is in ``scheduler.vmm_rows``. Where the thread runs that makes the first
KVM_ARM_VCPU_INIT is chance, and decides which host PMU KVM takes by default.
"""

import errno
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pmu.kvm import Vm
from pmu.policies import Policy
from pmu.vcpu import Entry, Vcpu
from scheduler import kernel_state as ks
from scheduler import outside
from scheduler.guest import GuestVm
from scheduler.pinning import Places
from scheduler.vmm_call import MAIN, VCPU_INIT
from scheduler.vmm_calling import Calling
from scheduler.vmm_rows import QEMU, Vmm, vmm_named
from simcore.draws import below, exponential_ns
from simcore.engine import Process
from simcore.errors import InputError, unknown_name
from simcore.platform import Platform
from simcore.scenario import VmSpec

if TYPE_CHECKING:
    from scheduler.host import Host


def init_cpus(
    platform: Platform,
    spec: VmSpec,
    allowed: Sequence[Sequence[int]],
    seed: int,
    vm: int,
    purpose: str = "init placement",
) -> list[int]:
    """Draw the pCPU on which each vCPU thread runs at first, ``allowed`` being where each may run then.

    There it makes KVM_ARM_VCPU_INIT; a main thread that does so for all vCPUs runs where the first of them does.

    ``uniform`` draws among the allowed pCPUs; the name of a host PMU or cluster among those of it that are
    allowed. The distribution is assumed (docs/model.md, "Lottery").
    """
    pools = [_placement_pool(platform, spec.init_placement, cpus) for cpus in allowed]
    return [pool[below(len(pool), seed, vm, purpose, number)] for number, pool in enumerate(pools)]


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


def initialises_in_main(vmm: Vmm) -> bool:
    """Tell whether the main thread makes KVM_ARM_VCPU_INIT of every vCPU."""
    return all(call.thread == MAIN for stage in vmm.calls for call in stage.calls if call.ioctl == VCPU_INIT)


def check_vm(vmm: Vmm, policy: Policy, spec: VmSpec, where: str) -> None:
    """Refuse a policy or an irqchip that a VMM cannot do."""
    refusal = vmm.refusal(policy)
    if refusal:
        raise InputError(f"policy {policy.name!r} is not for VMM {vmm.name!r}", where, refusal)
    if spec.irqchip == "user" and not vmm.user_irqchip:
        why = f"{vmm.name} always has the irqchip in the kernel"
        raise InputError("a user-space irqchip", f"{where}.irqchip", why, valid='"kernel", or VMM qemu')


def create(kvm: Vm, policy: Policy, cpus: Sequence[int], rows: Sequence[int], vmm: Vmm = QEMU) -> None:
    """Make the calls of a VMM on a new VM whose vCPU threads run on ``cpus``, and enter the guest."""
    for vcpu, cpu in zip(prepare(kvm, policy, cpus, rows, vmm), cpus, strict=True):
        result = kvm.run(vcpu, cpu)
        if not isinstance(result, Entry):
            raise _refused("KVM_RUN", result, policy)


def prepare(kvm: Vm, policy: Policy, cpus: Sequence[int], rows: Sequence[int], vmm: Vmm = QEMU) -> list[Vcpu]:
    """Make the calls of a VMM up to the first KVM_RUN, before which registers may be restored."""
    vcpus = [kvm.create_vcpu(row) for row in rows]
    for made in Calling(vmm, kvm, policy, cpus).calls():
        if made.fatal and made.result < 0:
            raise _refused(made.name, made.result, policy)
    return vcpus


def _refused(call: str, result: int, policy: Policy) -> InputError:
    return InputError(
        f"{call} fails with -{errno.errorcode[-result]} under policy {policy.name}@{policy.kernel}",
        why="KVM offers no vPMU on this platform" if (call, -result) == (VCPU_INIT, errno.EINVAL) else "",
    )


def boot(host: "Host", vm: GuestVm, spec: VmSpec, places: Places) -> Process:
    """Start the vCPU threads where they are; pin all that are to be elsewhere, at once or ``pin_delay`` later.

    The VMM's other threads sleep until there is something to do.
    """
    for vcpu in vm.vcpus:
        host.start_thread(vcpu.task, int(host.state.task[vcpu.task, ks.CPU]))
    if places.final != places.first:
        delay_ns = 0 if vmm_named(spec.vmm).pins_first else spec.pin_delay_ns
        yield host.engine.wait_until(delay_ns, outside.order(outside.PIN, vm.number))
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
