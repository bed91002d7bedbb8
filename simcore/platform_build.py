"""Builds a `Platform` from checked tables, and writes down as `Assumption` what the tables lack."""

from collections.abc import Callable, Iterator, Sequence

from simcore.platform import (
    Assumption,
    Cache,
    CoreType,
    Cpu,
    IdleState,
    Opp,
    PerfDomain,
    Platform,
    PmuNode,
    PmuSpec,
)
from simcore.pmceid import pmceid_events, pmceid_words
from simcore.schema_platform import ClusterTable, CoreTable, PerfDomainTable, SocFile

ASSUMED_COUNTERS = 6
ASSUMED_KHZ = 2_000_000
CoreLookup = Callable[[str], CoreTable]


def build_platform(soc: SocFile, lookup: CoreLookup) -> Platform:
    """Return the platform of a checked SoC file; `lookup` gives the table of a core type by its id."""
    domains = _domain_tables(soc)
    cores = {core: lookup(core) for core in dict.fromkeys(cluster.core for cluster in soc.cluster)}
    silicon = {cluster.core: cluster.silicon or "" for cluster in soc.cluster}
    types = tuple(core_type(table, lookup, silicon[core]) for core, table in cores.items())
    return Platform(
        id=soc.id,
        name=soc.name,
        cpus=_cpus(soc, [domain.name for domain in domains]),
        perf_domains=tuple(_perf_domain(soc, domain) for domain in domains),
        core_types=types,
        pmus=tuple(PmuNode(row.name, tuple(sorted(row.cpus))) for row in soc.pmu),
        cntfrq_hz=soc.cntfrq_hz,
        el0_aarch32=all(core.el0_aarch32 for core in types),
        caches=tuple(Cache(row.level, tuple(sorted(row.cpus)), row.size_bytes) for row in soc.cache),
        assumptions=tuple(_assumptions(soc, domains, list(cores.values()), lookup)),
        sources=tuple(soc.sources.items()),
        notes=tuple(soc.notes),
    )


def _domain_name(cluster: ClusterTable) -> str:
    return cluster.perf_domain or cluster.name


def _domain_tables(soc: SocFile) -> list[PerfDomainTable]:
    """Return the perf domains, with one at an assumed frequency for each cluster that names none."""
    lacking = [cluster.name for cluster in soc.cluster if cluster.perf_domain is None]
    assumed = [PerfDomainTable(name=name, khz=[ASSUMED_KHZ], confidence="assumed") for name in lacking]
    return soc.perf_domain + assumed


def _cpus(soc: SocFile, domains: list[str]) -> tuple[Cpu, ...]:
    states = {row.name: IdleState(row.name, row.entry_us, row.exit_us, row.min_residency_us) for row in soc.idle_state}
    cpus = [
        Cpu(
            number=cpu,
            core=cluster.core,
            cluster=cluster.name,
            perf_domain=domains.index(_domain_name(cluster)),
            dmips=cluster.capacity_dmips_mhz,
            idle_states=tuple(states[name] for name in cluster.idle_states),
        )
        for cluster in soc.cluster
        for cpu in cluster.cpus
    ]
    return tuple(sorted(cpus, key=lambda cpu: cpu.number))


def _perf_domain(soc: SocFile, domain: PerfDomainTable) -> PerfDomain:
    cpus = [cpu for cluster in soc.cluster if _domain_name(cluster) == domain.name for cpu in cluster.cpus]
    volts: Sequence[int | None] = domain.microvolt or [None] * len(domain.khz)
    opps = tuple(Opp(khz, microvolt) for khz, microvolt in zip(domain.khz, volts, strict=True))
    return PerfDomain(domain.name, tuple(sorted(cpus)), opps, domain.dynamic_power_coefficient)


def stand_in(core: CoreTable) -> str:
    """Return the measured core type that stands in for one: Cortex-A55 for in-order cores, A76 for others."""
    return core.rates_like or ("cortex-a55" if core.in_order else "cortex-a76")


def _rates(core: CoreTable, lookup: CoreLookup) -> tuple[str, float]:
    """Return whose measured rates stand for a core type, and its IPC relative to those."""
    like, ipc = stand_in(core), core.relative_ipc or 1.0
    while like != core.id and (table := lookup(like)).rates_like not in (None, like):
        like, ipc = stand_in(table), ipc * (table.relative_ipc or 1.0)
    return like, ipc


def core_type(core: CoreTable, lookup: CoreLookup, silicon: str = "") -> CoreType:
    """Return the core type of a checked table; `silicon` names the very core that was measured, if there is one."""
    names = {number: name for name, number in core.events.items()}
    spec = _pmu_spec(core, lookup)
    events = frozenset(names) | pmceid_events(spec.pmceid0, spec.pmceid1)
    known = {number: name for name, number in lookup(stand_in(core)).events.items()}
    named = {number: names.get(number) or known[number] for number in sorted(events) if number in names | known}
    like, ipc = _rates(core, lookup)
    return CoreType(
        id=core.id,
        name=core.name or core.id,
        pmu=spec,
        events=events,
        event_names=tuple(named.items()),
        rates_like=like,
        relative_ipc=ipc,
        in_order=core.in_order,
        el0_aarch32=core.el0_aarch32,
        notes=tuple(core.notes),
        silicon=silicon,
    )


def _lacks_events(core: CoreTable) -> bool:
    return core.pmu.pmceid0 is None and not core.events


def _pmu_spec(core: CoreTable, lookup: CoreLookup) -> PmuSpec:
    table = core.pmu
    source = lookup(stand_in(core)) if _lacks_events(core) else core
    derived = pmceid_words(source.events.values())
    return PmuSpec(
        pmuver=table.pmuver,
        event_counters=ASSUMED_COUNTERS if table.event_counters is None else table.event_counters,
        pmceid0=derived[0] if table.pmceid0 is None else table.pmceid0,
        pmceid1=derived[1] if table.pmceid1 is None else table.pmceid1,
        event_map=tuple((pair[0], pair[1]) for pair in table.event_map),
        icntr=table.icntr,
        pmmir_slots=table.pmmir_slots,
    )


def _assumptions(
    soc: SocFile, domains: list[PerfDomainTable], cores: list[CoreTable], lookup: CoreLookup
) -> Iterator[Assumption]:
    if not soc.pmu:
        yield Assumption("pmu", "no host PMU", "the device tree has no PMU node; KVM offers no vPMU")
    for core in cores:
        yield from _core_assumptions(core, lookup)
    yield from _pmu_assumptions(soc, {core.id: core for core in cores})
    if any(cluster.capacity_dmips_mhz is None for cluster in soc.cluster):
        why = "the device tree lacks capacity-dmips-mhz, so Linux takes all CPUs for equal (no EAS)"
        yield Assumption("capacity_dmips_mhz", "capacity 1024 for every CPU", why)
    for domain in domains:
        yield from _khz_assumption(domain)
    yield from _power_assumption(domains)
    if not any(cluster.idle_states for cluster in soc.cluster):
        yield Assumption("idle_state", "WFI without latency only", "the device tree lists no idle states")


def _core_assumptions(core: CoreTable, lookup: CoreLookup) -> Iterator[Assumption]:
    key = f"core.{core.id}"
    if core.pmu.pmuver is None:
        yield Assumption(f"{key}.pmuver", "unknown", "no source found; whether KVM offers a vPMU stays unknown")
    elif core.confidence.get("pmuver") == "assumed":
        yield Assumption(f"{key}.pmuver", str(core.pmu.pmuver), core.sources.get("pmuver", "assumed"))
    if core.pmu.event_counters is None:
        yield Assumption(f"{key}.event_counters", str(ASSUMED_COUNTERS), "no source found; most cores have 6")
    elif core.confidence.get("event_counters") == "assumed":
        why = core.sources.get("event_counters", "assumed")
        yield Assumption(f"{key}.event_counters", str(core.pmu.event_counters), why)
    if _lacks_events(core):
        why = "no event list found; the nearest measured core stands in"
        yield Assumption(f"{key}.events", f"estimate: as {stand_in(core)}", why)
    yield from _rate_assumptions(core, lookup)


def _rate_assumptions(core: CoreTable, lookup: CoreLookup) -> Iterator[Assumption]:
    like, ipc = _rates(core, lookup)
    why = core.sources.get("relative_ipc", "assumed: no measured speed given")
    if like != core.id and not why.startswith("pmu_profiles.json"):
        yield Assumption(
            f"core.{core.id}.rates", f"estimate: as {like}, IPC x {ipc:.3g}", why.removeprefix("estimate: ")
        )


def _pmu_assumptions(soc: SocFile, cores: dict[str, CoreTable]) -> Iterator[Assumption]:
    core_of = {cpu: cluster.core for cluster in soc.cluster for cpu in cluster.cpus}
    for index, node in enumerate(soc.pmu):
        types = sorted({core_of[cpu] for cpu in node.cpus})
        sets = {(frozenset(cores[core].events.values()), cores[core].pmu.event_counters) for core in types}
        if len(sets) > 1:
            why = f"the node spans {', '.join(types)}; Linux reads PMCEID and N on any one of its CPUs"
            yield Assumption(f"pmu.{node.name}.probed_on", f"CPU {min(node.cpus)}", why)
        shared = [row.name for row in soc.pmu[:index] if set(row.cpus) & set(node.cpus)]
        if shared:
            why = "the masks overlap; KVM takes the first in probe order, taken to be the order of the file"
            yield Assumption(f"pmu.{node.name}.order", f"after {', '.join(shared)}", why)


def _khz_assumption(domain: PerfDomainTable) -> Iterator[Assumption]:
    if domain.confidence != "read":
        shown = ", ".join(str(khz) for khz in domain.khz)
        value = f"one OPP of {shown} kHz" if len(domain.khz) == 1 else f"{shown} kHz"
        yield Assumption(f"perf_domain.{domain.name}.khz", value, domain.source or "no OPPs given")


def _power_assumption(domains: list[PerfDomainTable]) -> Iterator[Assumption]:
    lacking = {
        "voltages": [domain.name for domain in domains if domain.microvolt is None],
        "dynamic power coefficients": [domain.name for domain in domains if domain.dynamic_power_coefficient is None],
    }
    texts = [f"{what} of {', '.join(names)}" for what, names in lacking.items() if names]
    if texts:
        yield Assumption("perf_domain.power", "no energy model", f"the source lacks {' and '.join(texts)}")
