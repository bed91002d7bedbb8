"""The host as KVM sees it: host PMUs in probe order, their counters and events, and the version limit.

What a virtual machine does with them is decided in ``pmu.kvm`` and ``pmu.perf``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pmu.events import CHAIN, CPU_CYCLES, INST_RETIRED, STALL_SLOT, STALL_SLOT_BACKEND, STALL_SLOT_FRONTEND, SW_INCR
from simcore.errors import InputError, unknown_name
from simcore.platform import Platform, PmuNode

PMUVER_V3 = 1
PMUVER_V3P5 = 6
PMUVER_IMPDEF = 15
FIRST_DYNAMIC_TYPE = 8
"""perf type id of the first PMU that registers without a fixed one."""
CYCLE_COUNTER, INSTRUCTION_COUNTER = 31, 32
IMPDEF_COUNTERS = 1

_FORCED0 = 1 << SW_INCR | 1 << CHAIN
_HIDDEN1 = sum(1 << (event - 0x20) for event in (STALL_SLOT, STALL_SLOT_BACKEND, STALL_SLOT_FRONTEND))
_MASK64 = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class HostPmu:
    """A host PMU driver instance (``struct arm_pmu``).

    ``counters``: general counters of the hardware (PMCR_EL0.N); host users keep ``busy_counters`` of them pinned, one
    more than there are: the cycle counter too. ``event_map``: PMUv3 to native event numbers where the PMU is not
    PMUv3. ``long_counters`` (PMUv3p5): a 64-bit event needs one general counter, else two. ``limited`` false: a host
    that never runs out of counters. ``icntr``: it has the instruction counter of FEAT_PMUv3_ICNTR. ``slots``:
    PMMIR_EL1.SLOTS, 0 where it is not known.
    """

    name: str
    type_id: int
    cpus: frozenset[int]
    counters: int
    pmceid0: int = 0
    pmceid1: int = 0
    event_map: Mapping[int, int] | None = field(default=None, hash=False)
    busy_counters: int = 0
    long_counters: bool = False
    limited: bool = True
    icntr: bool = False
    slots: int = 0

    def native_event(self, event: int) -> int | None:
        """Return the native number of a PMUv3 event, or None where the driver has no translation."""
        return event if self.event_map is None else self.event_map.get(event)

    @property
    def busy_mask(self) -> int:
        """Return the bits of the counters that host users hold."""
        general = (1 << min(self.busy_counters, self.counters)) - 1
        return general | int(self.busy_counters > self.counters) << CYCLE_COUNTER

    def allocate(self, used: int, event: int, wide: bool) -> int:
        """Return the bits of the counters that an event gets beside those in ``used``; 0 if it does not fit."""
        if event == CPU_CYCLES and not used >> CYCLE_COUNTER & 1:
            return 1 << CYCLE_COUNTER
        if event == INST_RETIRED and self.icntr and not used >> INSTRUCTION_COUNTER & 1:
            return 1 << INSTRUCTION_COUNTER
        free = ~used & ((1 << self.counters) - 1)
        return _free_pair(free) if wide and not self.long_counters else free & -free


def _free_pair(free: int) -> int:
    pairs = (3 << even for even in range(0, CYCLE_COUNTER - 1, 2))
    return next((pair for pair in pairs if free & pair == pair), 0)


@dataclass(frozen=True, slots=True)
class Host:
    """A host: pCPUs 0..ncpus-1, host PMUs in probe order, sanitised ID_AA64DFR0_EL1.PMUVer.

    ``el0_aarch32`` is false where PMCR_EL0.LC is RES1; ``impdef`` is a host that traps PMUv3 registers for a PMU of its
    own kind (Apple).
    """

    ncpus: int
    pmus: tuple[HostPmu, ...]
    pmuver: int
    el0_aarch32: bool = True
    impdef: bool = False
    _first: Mapping[int, HostPmu] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the first PMU of each pCPU."""
        first = {cpu: host_pmu for host_pmu in reversed(self.usable_pmus) for cpu in host_pmu.cpus}
        object.__setattr__(self, "_first", first)

    @classmethod
    def from_platform(
        cls, platform: Platform, unknown_pmuver: int = 0, busy_counters: Mapping[str, int] | None = None
    ) -> "Host":
        """Return the host that Linux makes of a platform.

        ``unknown_pmuver`` stands in where PMUVer is not known; ``busy_counters``: by host PMU, what host users pin.
        """
        busy = busy_counters or {}
        for name, count in busy.items():
            node = platform.pmu_named(name)
            if node is None:
                raise unknown_name("host PMU", name, [node.name for node in platform.pmus], where="busy_counters")
            most = platform.probed_core(node).pmu.event_counters + 1
            if count > most:
                why = "its event counters and the cycle counter are all that it has"
                raise InputError(f"{name} has no {count} counters", "busy_counters", why, f"0 to {most}")
        pmuver = platform.pmuver()
        nodes = enumerate(platform.pmus, FIRST_DYNAMIC_TYPE)
        return cls(
            ncpus=len(platform.cpus),
            pmus=tuple(_host_pmu(platform, node, type_id, busy.get(node.name, 0)) for type_id, node in nodes),
            pmuver=unknown_pmuver if pmuver is None else pmuver,
            el0_aarch32=platform.el0_aarch32,
            impdef=platform.impdef_traps(),
        )

    @property
    def pmuver_limit(self) -> int:
        """Return the highest PMUVer that KVM offers; 0: none."""
        if self.impdef:
            return PMUVER_V3
        return 0 if self.pmuver == PMUVER_IMPDEF else min(self.pmuver, PMUVER_V3P5)

    @property
    def usable_pmus(self) -> tuple[HostPmu, ...]:
        """Return the host PMUs that KVM registers, in probe order; the feature exists if there is one."""
        return self.pmus if self.pmuver_limit else ()

    @property
    def covered_cpus(self) -> frozenset[int]:
        """Return the pCPUs that some usable host PMU covers."""
        return frozenset().union(*(host_pmu.cpus for host_pmu in self.usable_pmus))

    @property
    def icntr_everywhere(self) -> bool:
        """Return whether every pCPU has a PMU, and every PMU the instruction counter."""
        return len(self.covered_cpus) == self.ncpus and all(host_pmu.icntr for host_pmu in self.usable_pmus)

    def first_pmu(self, cpu: int) -> HostPmu | None:
        """Return the first registered host PMU that covers a pCPU, KVM's default choice there."""
        return self._first.get(cpu)

    def pmu_of_type(self, type_id: int) -> HostPmu | None:
        """Return the usable host PMU with this perf type id, or None."""
        return next((host_pmu for host_pmu in self.usable_pmus if host_pmu.type_id == type_id), None)

    def pmu_named(self, name: str) -> HostPmu | None:
        """Return the host PMU with this Linux name, or None."""
        return next((host_pmu for host_pmu in self.pmus if host_pmu.name == name), None)

    def max_counters(self, host_pmu: HostPmu) -> int:
        """Return the most event counters that a guest backed by ``pmu`` can be shown."""
        return IMPDEF_COUNTERS if self.impdef else host_pmu.counters


def guest_pmceid(host_pmu: HostPmu, slots: bool = False) -> tuple[int, int]:
    """Return PMCEID0/1_EL0 as KVM shows them for a backing PMU, before any event filter.

    ``slots``: it shows PMMIR_EL1.SLOTS too, so that it need not hide the events that are given in slots.
    """
    return host_pmu.pmceid0 | _FORCED0, host_pmu.pmceid1 & ~(0 if slots else _HIDDEN1) & _MASK64


def _host_pmu(platform: Platform, node: PmuNode, type_id: int, busy_counters: int) -> HostPmu:
    spec = platform.probed_core(node).pmu
    return HostPmu(
        name=node.name,
        type_id=type_id,
        cpus=frozenset(node.cpus),
        counters=spec.event_counters,
        pmceid0=spec.pmceid0,
        pmceid1=spec.pmceid1,
        event_map=dict(spec.event_map) or None,
        busy_counters=busy_counters,
        long_counters=spec.pmuver is not None and spec.pmuver >= PMUVER_V3P5,
        icntr=spec.icntr,
        slots=spec.pmmir_slots or 0,
    )
