"""Platform: a SoC as frozen data with pure lookups (CPUs, core types, perf domains, host PMUs, what was assumed).

Files are read in `simcore.loader`; what KVM makes of a host PMU is decided in `pmu.host`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

PMUVER_IMPDEF = 15
SCHED_CAPACITY_SCALE = 1024


@dataclass(frozen=True, slots=True)
class PmuSpec:
    """The PMU of a core type as the hardware has it.

    `pmuver` is ID_AA64DFR0_EL1.PMUVer (15: IMPLEMENTATION DEFINED, None: unknown); `event_counters` counts what the
    host's driver can use besides the cycle counter; `event_map` leads from PMUv3 to native event numbers where the
    PMU is not PMUv3; `pmmir_slots` is PMMIR_EL1.SLOTS (None: unknown, or before PMUv3p4).
    """

    pmuver: int | None
    event_counters: int
    pmceid0: int
    pmceid1: int
    event_map: tuple[tuple[int, int], ...] = ()
    icntr: bool = False
    pmmir_slots: int | None = None


@dataclass(frozen=True, slots=True)
class CoreType:
    """A core type: its PMU, its events, and whose measured workload rates stand for it.

    `rates_like` is the core type whose measured rates stand for this one (itself where measured);
    `relative_ipc` is the instructions per cycle on one integer workload over that stand-in's; `silicon` is the
    marketing name of the very core that was measured, empty where there is none.
    """

    id: str
    name: str
    pmu: PmuSpec
    events: frozenset[int]
    event_names: tuple[tuple[int, str], ...]
    rates_like: str
    relative_ipc: float = 1.0
    in_order: bool = False
    el0_aarch32: bool = False
    notes: tuple[str, ...] = ()
    silicon: str = ""

    def event_name(self, event: int) -> str:
        """Return the name of an event of this core type, or its number in hex."""
        return next((name for number, name in self.event_names if number == event), f"0x{event:04x}")


@dataclass(frozen=True, slots=True)
class Opp:
    """An operating point: frequency in kHz, supply in microvolt where known."""

    khz: int
    microvolt: int | None = None


@dataclass(frozen=True, slots=True)
class IdleState:
    """An idle state of a cluster's CPUs; times in microseconds."""

    name: str
    entry_us: int
    exit_us: int
    min_residency_us: int


@dataclass(frozen=True, slots=True)
class PerfDomain:
    """CPUs that share a clock, with their OPPs in ascending order."""

    name: str
    cpus: tuple[int, ...]
    opps: tuple[Opp, ...]
    dynamic_power_coefficient: int | None = None

    @property
    def max_khz(self) -> int:
        """Return the highest frequency in kHz."""
        return self.opps[-1].khz


@dataclass(frozen=True, slots=True)
class Cpu:
    """A pCPU, numbered as Linux numbers it; `perf_domain` is an index, `dmips` capacity-dmips-mhz where known."""

    number: int
    core: str
    cluster: str
    perf_domain: int
    dmips: int | None = None
    idle_states: tuple[IdleState, ...] = ()


@dataclass(frozen=True, slots=True)
class Cache:
    """A cache above level 1 and the CPUs that share it; `size_bytes` where known."""

    level: int
    cpus: tuple[int, ...]
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class PmuNode:
    """A PMU node of the device tree: the host PMU's Linux name and the CPUs that it claims (`supported_cpus`)."""

    name: str
    cpus: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Assumption:
    """Something the source lacks: which key, what stands in for it, and why."""

    key: str
    value: str
    why: str


@dataclass(frozen=True, slots=True)
class Platform:
    """A SoC: CPUs 0..n-1, core types, perf domains, host PMUs in probe order, and what was assumed."""

    id: str
    name: str
    cpus: tuple[Cpu, ...]
    perf_domains: tuple[PerfDomain, ...]
    core_types: tuple[CoreType, ...]
    pmus: tuple[PmuNode, ...]
    cntfrq_hz: int
    el0_aarch32: bool
    caches: tuple[Cache, ...] = ()
    assumptions: tuple[Assumption, ...] = ()
    sources: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    def core(self, cpu: int) -> CoreType:
        """Return the core type of a CPU."""
        return self.core_named(self.cpus[cpu].core)

    def core_named(self, core: str) -> CoreType:
        """Return the core type with this id."""
        return next(row for row in self.core_types if row.id == core)

    def cpus_of_core(self, core: str) -> tuple[int, ...]:
        """Return the CPUs of a core type."""
        return tuple(cpu.number for cpu in self.cpus if cpu.core == core)

    def max_khz(self, cpu: int) -> int:
        """Return the highest frequency of a CPU in kHz."""
        return self.perf_domains[self.cpus[cpu].perf_domain].max_khz

    def capacities(self) -> tuple[int, ...]:
        """Return the capacity of each CPU; all 1024 where the device tree lacks a CPU's capacity-dmips-mhz."""
        raw = [(cpu.dmips or 0) * self.max_khz(cpu.number) for cpu in self.cpus]
        if not all(raw):
            return (SCHED_CAPACITY_SCALE,) * len(self.cpus)
        return scaled_capacities(raw)

    def pmus_of(self, cpu: int) -> tuple[PmuNode, ...]:
        """Return the host PMUs that claim a CPU, in probe order."""
        return tuple(node for node in self.pmus if cpu in node.cpus)

    def pmu_named(self, name: str) -> PmuNode | None:
        """Return the host PMU with this Linux name, or None."""
        return next((node for node in self.pmus if node.name == name), None)

    def probed_core(self, node: PmuNode) -> CoreType:
        """Return the core type whose ID registers the driver read: that of the lowest CPU of the node.

        Linux probes on any CPU of the mask; which one is a matter of where the probing thread runs.
        """
        return self.core(min(node.cpus))

    def pmuver(self) -> int | None:
        """Return PMUVer as Linux sanitises it over all CPUs: 0 where CPUs differ, None where it is unknown."""
        known = {core.pmu.pmuver for core in self.core_types}
        if len(known - {None}) > 1:
            return 0
        return None if None in known else known.pop()

    def impdef_traps(self) -> bool:
        """Return whether every core traps PMUv3 registers for a PMU of its own kind (Apple), as KVM demands."""
        return all(core.pmu.pmuver == PMUVER_IMPDEF and core.pmu.event_map for core in self.core_types)

    def vpmu(self) -> str:
        """Return whether KVM can offer a vPMU: `yes`, `no` or `unknown`."""
        return self._vpmu_verdict()[0]

    def vpmu_reason(self) -> str:
        """Return the reason of `vpmu` as one sentence."""
        return self._vpmu_verdict()[1]

    def _vpmu_verdict(self) -> tuple[str, str]:
        if not self.pmus:
            return "no", "the device tree has no PMU node, so Linux registers no host PMU"
        version = self.pmuver()
        if version is None:
            unknown = ", ".join(core.id for core in self.core_types if core.pmu.pmuver is None)
            return "unknown", f"the PMUVer of {unknown} is not known"
        if version == PMUVER_IMPDEF and self.impdef_traps():
            return "yes", "IMPLEMENTATION DEFINED PMU; KVM traps and offers PMUv3 with one event counter"
        if version in (0, PMUVER_IMPDEF):
            return "no", self._no_pmuv3_reason()
        return "yes", f"every CPU has PMUVer {version}"

    def _no_pmuv3_reason(self) -> str:
        versions = {core.id: core.pmu.pmuver for core in self.core_types}
        if len(set(versions.values()) - {None}) > 1:
            rows = ", ".join(f"{core} {version}" for core, version in versions.items() if version is not None)
            return f"PMUVer differs between the core types ({rows}); Linux sanitises it to 0"
        return f"PMUVer is {next(iter(versions.values()))} on every CPU: no PMUv3"


def scaled_capacities(raw: Sequence[int]) -> tuple[int, ...]:
    """Return the capacities of CPUs from capacity-dmips-mhz * fmax of each."""
    highest = max(raw)
    return tuple(SCHED_CAPACITY_SCALE * value // highest for value in raw)


def cpu_list(cpus: Iterable[int]) -> str:
    """Return CPU numbers as Linux prints a mask list (`0-3,6`)."""
    runs: list[list[int]] = []
    for cpu in sorted(cpus):
        if runs and runs[-1][1] == cpu - 1:
            runs[-1][1] = cpu
        else:
            runs.append([cpu, cpu])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in runs)
