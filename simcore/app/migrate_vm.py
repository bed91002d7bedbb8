"""One VM of a migration, with one vCPU: made as its policy says, saved and restored by ONE_REG, seen by its guest.

What the guest does is in ``simcore.app.migrate_guest``; nothing here judges.
"""

import errno
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pmu import one_reg
from pmu.attributes import SET_NR_COUNTERS
from pmu.events import SOFTWARE_EVENTS
from pmu.host import Host, HostPmu
from pmu.kvm import Vm
from pmu.policies import BEFORE_INIT, Policy
from pmu.registers import REGISTERS
from scheduler import vmm
from simcore.app.replaying import Operation, Replay, Result
from simcore.errors import InputError
from simcore.platform import Platform, cpu_list
from simcore.pmceid import is_common, pmceid_events

UNDEF: Final = "UNDEF"
ALL_COUNTERS: Final = 0xFFFFFFFF
MASK64: Final = (1 << 64) - 1
EL0, EL1 = 0, 1


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a migration: the host, the policy with all that the VMM sets, the pCPU of KVM_ARM_VCPU_INIT."""

    platform: Platform
    host: Host
    policy: Policy
    init_cpu: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What the guest sees and what its counters gain when it goes on, in a VM that runs.

    ``guest``: every register that it may read, as hex or UNDEF. ``gains``: by counter, what each gains in the same
    stretch of execution on either side.
    """

    vm: Vm
    cpu: int
    guest: Mapping[str, str]
    irq_level: bool
    gains: Mapping[int, int]

    @property
    def backing(self) -> HostPmu | None:
        """Return the host PMU on which a new event is made."""
        return self.vm.backing_pmu(self.cpu)

    @property
    def common_events(self) -> frozenset[int]:
        """Return the events that PMCEID0/1_EL0 show the guest."""
        return pmceid_events(*self.vm.pmceid)


@dataclass(frozen=True, slots=True)
class Pair:
    """Source and destination after the migration; N of the destination before any register was restored."""

    source: Seen
    destination: Seen
    counters_at_start: int
    saved: Mapping[str, int]

    @property
    def source_counters(self) -> int:
        """Return the source's N."""
        return self.source.vm.nr_counters

    @property
    def counters(self) -> int:
        """Return the destination's N."""
        return self.destination.vm.nr_counters


def make_side(platform: Platform, policy: Policy, host: Host, cpu: int | None, counters: int | None) -> Side:
    """Return a side; ``cpu`` None: the first pCPU on which the policy lets KVM_ARM_VCPU_INIT run."""
    allowed = sorted(policy.pinned_cpus) if policy.pins == BEFORE_INIT else list(range(host.ncpus))
    init_cpu = allowed[0] if cpu is None else cpu
    if init_cpu not in allowed:
        why = f"policy {policy.name} pins the vCPU before KVM_ARM_VCPU_INIT" if policy.pins == BEFORE_INIT else ""
        raise InputError(f"KVM_ARM_VCPU_INIT cannot run on CPU {init_cpu}", platform.id, why, cpu_list(allowed))
    if counters is not None:
        policy = replace(policy, attributes=(*policy.attributes, (SET_NR_COUNTERS, counters)))
    return Side(platform, host, policy, init_cpu)


class Machine:
    """One VM of one vCPU on one side, made up to its first KVM_RUN."""

    def __init__(self, side: Side) -> None:
        """Make the VM as QEMU does; raise InputError where a call of it fails."""
        self.side = side
        self.replay = Replay(side.host, side.policy.revision, 1)
        self.vm = self.replay.vm
        try:
            vmm.prepare(self.vm, side.policy, [side.init_cpu], [0])
        except InputError as error:
            counters = f"0 to {self.vm.max_counters()}" if SET_NR_COUNTERS in error.what else error.valid
            raise InputError(error.what, side.platform.id, error.why, counters) from None
        self.counters_at_start = self.vm.nr_counters

    @property
    def run_cpus(self) -> list[int]:
        """Return the pCPUs on which the policy and KVM let the vCPU run, that of KVM_ARM_VCPU_INIT first."""
        cpus = self.side.policy.pinned_cpus or self.vm.supported_cpus
        return sorted(cpus, key=lambda cpu: (cpu != self.side.init_cpu, cpu))

    def step(self, name: str, *arguments: object) -> Result:
        """Do one operation of the recorded sequences on the vCPU."""
        operation: Operation = [name, 0, *arguments]
        return self.replay.step(operation)

    # ONE_REG

    def get(self, name: str) -> int:
        """Return a register as KVM_GET_ONE_REG does."""
        return one_reg.get(self.vm, self.vm.vcpus[0], name)

    def set(self, name: str, value: int) -> int:
        """Set a register as KVM_SET_ONE_REG does: 0 or a negative errno."""
        return one_reg.put(self.vm, self.vm.vcpus[0], name, value)

    def save(self) -> dict[str, int]:
        """Return every ONE_REG of the PMU, ascending by id."""
        return one_reg.save(self.vm, self.vm.vcpus[0])

    def restore(self, saved: Mapping[str, int], order: Sequence[str]) -> dict[str, str]:
        """Set registers in an order; return the errno of each that is refused."""
        refused = one_reg.restore(self.vm, self.vm.vcpus[0], saved, order)
        return {name: f"-{errno.errorcode[-result]}" for name, result in refused.items()}

    # The guest

    def enter(self) -> int:
        """Run the vCPU for the first time, or again, and return the pCPU."""
        cpu = self.run_cpus[0]
        ended = self.step("run", cpu)
        if ended != "guest":
            raise InputError(f"KVM_RUN on CPU {cpu} ends with {ended}", where=self.side.platform.id)
        return cpu

    def look(self) -> dict[str, str]:
        """Return each register that the guest at EL1 can name and read, as hex or UNDEF."""
        return {
            row.name: self.step("rd", row.name, EL1)
            for row in REGISTERS.values()
            if row.read is not None and self.vm.shows(row.index)
        }

    def seen(self, look: Mapping[str, str]) -> Seen:
        """Return what the guest has just seen, and let it go on for a while to find what its counters gain."""
        vcpu = self.vm.vcpus[0]
        level, cpu = vcpu.irq_level, vcpu.cpu
        before = self.values()
        self.advance(1000)
        self.step("wr", "PMSWINC_EL0", hex(ALL_COUNTERS), EL1)
        gains = {idx: value - before[idx] & MASK64 for idx, value in self.values().items()}
        return Seen(self.vm, cpu, look, level, gains)

    def advance(self, least: int) -> None:
        """Let the guest execute at EL0 and EL1: each event that the pCPU's hardware has happens, each in its number."""
        host_pmu = self.vm.host.first_pmu(self.vm.vcpus[0].cpu)
        for level in (EL0, EL1):
            events = {hex(event): least + event for event in hardware_events(host_pmu)}
            self.step("adv", 4 * least, events, level)

    def values(self) -> dict[int, int]:
        """Return every counter as user space reads it."""
        rows = [row for row in REGISTERS.values() if row.one_reg and self.vm.shows(row.index)]
        return {row.index: self.get(row.name) for row in rows if "CNTR" in row.name}


def hardware_events(host_pmu: HostPmu | None) -> frozenset[int]:
    """Return the PMUv3 events that a host PMU's hardware has, as far as PMCEID can tell; cycles are counted apart."""
    if host_pmu is None:
        return frozenset()
    listed = pmceid_events(host_pmu.pmceid0, host_pmu.pmceid1)
    return frozenset(event for event in listed - SOFTWARE_EVENTS if host_pmu.native_event(event) is not None)


def lacks_event(host_pmu: HostPmu, event: int) -> bool:
    """Tell whether the hardware is known not to have an event; of events without a PMCEID bit nothing is known."""
    return is_common(event) and event not in SOFTWARE_EVENTS and event not in hardware_events(host_pmu)
