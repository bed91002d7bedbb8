"""Live migration in mid-run: a VM stops, its PMU is saved, a new VM on the other host gets it, and the guest goes on.

The destination is the source's twin: the same pCPUs, on which all else goes on as before. What registers carry is in
``pmu.one_reg``, how threads stop in ``scheduler.stopping``; shadows stay as they are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pmu import one_reg
from pmu.kvm import Vm
from pmu.policies import Policy
from pmu.vcpu import Vcpu
from scheduler import kernel_entry, outside
from scheduler import kernel_state as ks
from scheduler.failing import pmu_cost_ns
from scheduler.guest import GuestVcpu, GuestVm
from scheduler.pinning import Places
from scheduler.stopping import go_on, stop
from scheduler.vmm import prepare
from scheduler.vmm_rows import Vmm
from simcore.engine import Process
from simcore.errors import InputError
from simcore.scenario import LiveMigration

if TYPE_CHECKING:
    from scheduler.host import Host

MakeVm = Callable[[Policy], Vm]
"""Makes the VM of a policy on the machine's bank and streams."""


@dataclass(frozen=True, slots=True)
class LivePlan:
    """A live migration with its names resolved: policy, pCPUs of VCPU_INIT, places of the threads when it is over."""

    spec: LiveMigration
    policy: Policy
    init_cpus: tuple[int, ...]
    places: Places

    @property
    def resumed_ns(self) -> int:
        """Return when the guest goes on."""
        return self.spec.time_ns + self.spec.downtime_ns


def migrate(host: "Host", vm: GuestVm, plans: Sequence[LivePlan], vmm: Vmm, make: MakeVm, seed: int) -> Process:
    """Be the live migrations of one VM, in the order of their times, as long as its guest lives."""
    for plan in plans:
        yield host.engine.wait_until(plan.spec.time_ns, outside.order(outside.LIVE, vm.number))
        if not vm.alive:
            return
        paused = stop(host, vm)
        _leave(host, vm)
        changed = _replace(host, vm, plan, vmm, make(plan.policy), seed)
        for task, cpus in zip(vm.tasks, plan.places.final, strict=True):
            host.set_affinity(task, cpus)
        log_move(host, vm, plan, changed)
        yield host.engine.wait_until(plan.resumed_ns, outside.order(outside.LIVE, vm.number))
        for vcpu in vm.vcpus:
            kernel_entry.fill_until_now(host.handle, vcpu.index)
        go_on(host, vm, paused, plan.spec.downtime_ns)


def log_move(host: "Host", vm: GuestVm, plan: LivePlan, changed: int) -> None:
    """Record a live migration in the results."""
    kvm = vm.kvms[0]
    label = f"{plan.policy.name}@{plan.policy.kernel}"
    host_pmu = kvm.pmu or kvm.drawn_pmu
    backing = host_pmu.name if host_pmu else ""
    host.logs["live_migrations"].add(
        plan.spec.time_ns, plan.resumed_ns, vm.number, label, backing, kvm.nr_counters, changed
    )


def _leave(host: "Host", vm: GuestVm) -> None:
    """Let every vCPU, whose thread has stopped, return from KVM_RUN to user space."""
    for vcpu in vm.vcpus:
        kernel_entry.fill_until_now(host.handle, vcpu.index)
        host.settle_shadows(vcpu)
        for vpmu in vcpu.vpmus:
            vpmu.leave()
        host.book_residence(vcpu)
        host.state.vcpu[vcpu.index, ks.LOADED_CLASS] = ks.NONE
        vcpu.interrupt_line = False


def _replace(host: "Host", vm: GuestVm, plan: LivePlan, vmm: Vmm, new: Vm, seed: int) -> int:
    """Make the VM of the destination on the rows of the source's; return how many registers it reads back otherwise."""
    old, shown = vm.kvms[0], vm.kvms[0].nr_counters
    saved = [one_reg.save(old, vcpu.vpmus[0]) if old.has_pmu else {} for vcpu in vm.vcpus]
    for vcpu in vm.vcpus:
        vcpu.vpmus[0].free()
    fresh = prepare(new, plan.policy, plan.init_cpus, [vcpu.rows()[0] for vcpu in vm.vcpus], vmm)
    check_feature(old, new, plan.policy)
    vm.kvms[0] = new
    for vcpu, vpmu, registers in zip(vm.vcpus, fresh, saved, strict=True):
        order = one_reg.ordered(list(registers), plan.spec.order, seed)
        one_reg.restore(new, vpmu, registers, order)
        _take(host, vcpu, vpmu)
    vm.lost = range(new.nr_counters, shown)
    return sum(
        one_reg.get(new, vcpu.vpmus[0], name) != value
        for vcpu, registers in zip(vm.vcpus, saved, strict=True)
        for name, value in registers.items()
    )


def _take(host: "Host", vcpu: GuestVcpu, vpmu: Vcpu) -> None:
    """Let a vCPU have another virtual PMU from now on, and let KVM admit it to its first KVM_RUN."""
    source, *shadows = vcpu.vpmus
    vpmu.replace(source)
    host.tell_time(vcpu, vpmu)
    vcpu.charged_ns = pmu_cost_ns(vpmu.work, host.scenario.costs)
    vcpu.vpmus = (vpmu, *shadows)
    vcpu.level = None
    error = vpmu.vm.admit(vpmu)
    assert not error


def check_feature(old: Vm, new: Vm, policy: Policy) -> None:
    """Refuse a destination that has a PMU where the source has none, or none where it has: registers do not match."""
    if old.has_pmu != new.has_pmu:
        side = "source" if new.has_pmu else "destination"
        raise InputError(f"cannot migrate to {policy.name}@{policy.kernel}", why=f"the VM of the {side} has no PMU")
