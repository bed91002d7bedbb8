"""Where the threads of a VM may run: at first, as the VMM starts them, and when all pinning is done."""

from collections.abc import Sequence, Set
from dataclasses import dataclass

from pmu.policies import AFTER_INIT, BEFORE_INIT, Policy
from simcore.errors import InputError
from simcore.scenario import PinSpec, VmSpec, check_cpus

Cpus = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Places:
    """The pCPUs of each thread of a VM: vCPU threads, the VMM's main thread if it has one, I/O threads."""

    first: tuple[Cpus, ...]
    final: tuple[Cpus, ...]


def vmm_thread_count(spec: VmSpec) -> int:
    """Return how many threads the VMM has beside those of the vCPUs."""
    return int(spec.vmm_threads.main) + spec.vmm_threads.io


def places_of(
    spec: VmSpec, policy: Policy, everywhere: Cpus, pinned: bool, where: str, anywhere: bool = False
) -> Places:
    """Return the places of a VM's threads; ``pinned``: each vCPU thread has one pCPU from the beginning.

    A VMM that libvirt starts has the affinity of its emulator threads, or none (``anywhere``), until libvirt pins each
    thread.
    """
    asked = everywhere if spec.cpus is None else spec.cpus
    check_cpus(asked, len(everywhere), f"{where}.cpus", "affinity")
    covered = policy.pinned_cpus if policy.pins else set(everywhere)
    cpuset = set(everywhere) if spec.cgroup.cpus is None else set(spec.cgroup.cpus)
    if pinned:
        _refuse_pins(spec.pin, where)
        homes = _cut(asked, cpuset & covered, policy, f"{where}.cpus")
        vcpus: tuple[Cpus, ...] = tuple((homes[n % len(homes)],) for n in range(spec.vcpus))
        rest = (_cut(asked, cpuset, policy, f"{where}.cpus"),) * vmm_thread_count(spec)
        return Places(vcpus + rest, vcpus + rest)
    start = _started(spec, everywhere if anywhere else asked, everywhere, where)
    early = covered if policy.pins == BEFORE_INIT else set(everywhere)
    first = (_cut(start, cpuset & early, policy, f"{where}.cpus"),) * spec.vcpus
    final = tuple(
        _cut(cpus, cpuset & covered, policy, f"{where}.cpus")
        for cpus in _each(spec.pin.vcpu, asked, spec.vcpus, everywhere, f"{where}.pin.vcpu")
    )
    others = vmm_thread_count(spec)
    io = _each(spec.pin.io, asked, spec.vmm_threads.io, everywhere, f"{where}.pin.io")
    main = [spec.pin.emulator or asked] * spec.vmm_threads.main
    return Places(
        first + (_cut(start, cpuset, policy, f"{where}.cpus"),) * others,
        final + tuple(_cut(cpus, cpuset, policy, f"{where}.cgroup.cpus") for cpus in (*main, *io)),
    )


def _started(spec: VmSpec, asked: Cpus, everywhere: Cpus, where: str) -> Cpus:
    if spec.pin.emulator is None:
        return asked
    check_cpus(spec.pin.emulator, len(everywhere), f"{where}.pin.emulator", "pinning")
    return spec.pin.emulator


def _each(pins: Sequence[Cpus], asked: Cpus, threads: int, everywhere: Cpus, where: str) -> list[Cpus]:
    for cpus in pins:
        check_cpus(cpus, len(everywhere), where, "pinning")
    return [pins[n % len(pins)] if pins else asked for n in range(threads)]


def _cut(cpus: Cpus, within: Set[int], policy: Policy, where: str) -> Cpus:
    left = tuple(cpu for cpu in cpus if cpu in within)
    if not left:
        raise InputError(f"policy {policy.name} and the cpuset leave no allowed pCPU", where)
    return tuple(sorted(left)) if policy.pins in (AFTER_INIT, BEFORE_INIT) else left


def _refuse_pins(pin: PinSpec, where: str) -> None:
    if pin != PinSpec():
        raise InputError(
            "scheduler pinned pins the vCPU threads itself", f"{where}.pin", valid="another scheduler, or none"
        )
