"""The cgroups of VMs: which threads are in them, their period timers, and cpusets on top of affinities."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from scheduler import kernel_state as ks
from scheduler import outside
from simcore.engine import Process
from simcore.errors import InputError
from simcore.scenario import CgroupSpec, check_cpus

if TYPE_CHECKING:
    from scheduler.host import Host

Cpus = tuple[int, ...]


class Affinities:
    """Where the threads of VMs may run: what was asked for each, within the cpuset of its VM's cgroup."""

    def __init__(self, cpusets: Sequence[Cpus | None]) -> None:
        """Start with the cpuset of each VM, None for all pCPUs, and no threads."""
        self._cpusets = list(cpusets)
        self._asked: dict[int, Cpus] = {}
        self._vm: dict[int, int] = {}

    def admit(self, task: int, vm: int, cpus: Sequence[int]) -> Cpus:
        """Take in a thread of a VM with its affinity; return where it may run."""
        self._vm[task] = vm
        self._asked[task] = tuple(cpus)
        return self.within(vm, cpus) or tuple(self._cpusets[vm] or ())

    def ask(self, task: int, cpus: Sequence[int]) -> Cpus:
        """Return where a thread may run after sched_setaffinity; nowhere means EINVAL, and nothing changes."""
        within = self.within(self._vm[task], cpus)
        if within:
            self._asked[task] = tuple(cpus)
        return within

    def confine(self, vm: int, cpus: Sequence[int]) -> Iterator[tuple[int, Cpus]]:
        """Give a VM's cgroup another cpuset; yield each of its threads and where it may run."""
        self._cpusets[vm] = tuple(cpus)
        for task, owner in self._vm.items():
            if owner == vm:
                yield task, self.within(vm, self._asked[task]) or tuple(cpus)

    def within(self, vm: int, cpus: Sequence[int]) -> Cpus:
        """Return those of some pCPUs that are in the cpuset of a VM."""
        cpuset = self._cpusets[vm]
        return tuple(cpus) if cpuset is None else tuple(cpu for cpu in cpus if cpu in cpuset)


def has_cgroup(spec: CgroupSpec) -> bool:
    """Tell whether a VM's threads are in a cgroup that decides about their time."""
    return spec.weight is not None or spec.quota_ns > 0


def check_cgroup(spec: CgroupSpec, cpus: int, where: str) -> None:
    """Refuse what cpu.max and cpuset.cpus refuse; ``where`` is the key above."""
    if spec.quota_ns and not spec.quota_ns >= 1_000_000:
        raise InputError(f"quota of {spec.quota_ns} ns", f"{where}.quota", valid="0 (none), or 1ms and more")
    if not 1_000_000 <= spec.period_ns <= 1_000_000_000:
        raise InputError(f"period of {spec.period_ns} ns", f"{where}.period", valid="1ms to 1s")
    if spec.cpus is not None:
        check_cpus(spec.cpus, cpus, f"{where}.cpus", "cpuset")


def join(state: ks.State, task: int, vm: int, spec: CgroupSpec) -> None:
    """Put a thread, which has its attributes, into its VM's cgroup, if there is one; fair ones share its weight."""
    row = state.task[task]
    row[ks.OWN_WEIGHT] = 0 if row[ks.POLICY] == ks.FIFO else row[ks.WEIGHT]
    if has_cgroup(spec):
        state.task[task, ks.GROUP] = vm


def refill_quota(host: "Host", vm: int, spec: CgroupSpec) -> Process:
    """Be the period timer of a VM's cgroup."""
    when = 0
    while True:
        when += spec.period_ns
        yield host.engine.wait_until(when, outside.order(outside.REFILL, vm))
        host.refill(vm)
