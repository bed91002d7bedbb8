"""What `hetpmu explain` and `hetpmu platforms` say, as plain dicts and lists; `simcore.app.explain_text` makes text.

What KVM shows a guest is asked of `pmu.host`, and under each policy in `simcore.app.explain_policies`; here nothing is
decided.
"""

from collections.abc import Iterable
from typing import Any

from pmu.events import CPU_CYCLES
from pmu.host import PMUVER_V3P5, Host, HostPmu, guest_pmceid
from scheduler.energy import has_energy_model
from simcore.app.explain_policies import (
    HIDDEN_BY_KVM,
    default_pmus,
    guest_host,
    names_of,
    policies_shown,
    policy_kinds,
)
from simcore.platform import Assumption, CoreType, Platform
from simcore.pmceid import is_common, pmceid_events

Row = dict[str, Any]

PMUVER_NAMES = {
    0: "none",
    1: "PMUv3",
    4: "PMUv3p1",
    5: "PMUv3p4",
    6: "PMUv3p5",
    7: "PMUv3p7",
    8: "PMUv3p8",
    9: "PMUv3p9",
    15: "IMPDEF",
}
PMUV3P1 = 4
WITH_EVENT_COUNTERS = "where N > 0"


def explain_platform(platform: Platform) -> Row:
    """Return everything that `hetpmu explain` says about one platform."""
    host = guest_host(platform)
    return {
        "id": platform.id,
        "name": platform.name,
        "cntfrq_hz": platform.cntfrq_hz,
        "el0_aarch32": platform.el0_aarch32,
        "clusters": clusters(platform),
        "core_types": [_core_row(platform, core) for core in platform.core_types],
        "host_pmus": [_pmu_row(platform, host, host_pmu) for host_pmu in host.pmus],
        "differences": event_differences(platform),
        "policies": policies_shown(platform),
        "policy_kinds": policy_kinds(),
        "counters": counter_features(platform),
        "verdict": verdict(platform),
        "assumptions": [_assumption_row(row) for row in platform.assumptions],
        "notes": list(platform.notes),
        "sources": dict(platform.sources),
    }


def platform_row(platform: Platform) -> Row:
    """Return the line of one platform in `hetpmu platforms`, with what is assumed."""
    return {
        "id": platform.id,
        "name": platform.name,
        "cpus": len(platform.cpus),
        "core_types": _core_counts(platform),
        "host_pmus": [node.name for node in platform.pmus],
        "energy_model": has_energy_model(platform),
        "assumptions": [_assumption_row(row) for row in platform.assumptions],
    }


def verdict_table(platforms: Iterable[Platform]) -> list[Row]:
    """Return the rows of `hetpmu explain --all`, one a platform."""
    return [_verdict_row(platform) for platform in platforms]


def _verdict_row(platform: Platform) -> Row:
    found = verdict(platform)
    return {
        "id": platform.id,
        "core_types": _core_counts(platform),
        "host_pmus": [{"name": node.name, "cpus": list(node.cpus)} for node in platform.pmus],
        "vpmu": found["vpmu"],
        "stalls": found["stalls"],
        "pmcr_n": found["pmcr_n"],
        "events_lost_by_fixed": {host_pmu: len(names) for host_pmu, names in found["events_lost_by_fixed"].items()},
        "assumptions": len(platform.assumptions),
    }


def verdict(platform: Platform) -> Row:
    """Return whether KVM can offer a vPMU, whether counters can stall under `default`, and what fixed-only takes away.

    A stall needs a vPMU and a CPU that a PMU which KVM may choose does not cover. Where the PMUVer is unknown, what
    follows from it is told for the case that there is a vPMU.
    """
    host = guest_host(platform)
    chosen = default_pmus(host)
    uncovered = {host_pmu.name: sorted(set(range(host.ncpus)) - host_pmu.cpus) for host_pmu in chosen}
    stalls = platform.vpmu() if any(uncovered.values()) else "no"
    return {
        "vpmu": platform.vpmu(),
        "vpmu_reason": platform.vpmu_reason(),
        "stalls": stalls,
        "stalls_reason": _stalls_reason(platform, uncovered, stalls),
        "uncovered": uncovered,
        "no_pmu_cpus": sorted(set(range(host.ncpus)) - host.covered_cpus) if chosen else [],
        "pmcr_n": {host_pmu.name: host.max_counters(host_pmu) for host_pmu in chosen},
        "events_lost_by_fixed": {
            host_pmu.name: names_of(_shown_events(host_pmu) - {CPU_CYCLES}) for host_pmu in chosen
        },
    }


def _stalls_reason(platform: Platform, uncovered: dict[str, list[int]], stalls: str) -> str:
    if platform.vpmu() == "no":
        return "there is no vPMU to stall"
    if not any(uncovered.values()):
        return "each PMU that KVM may choose covers every CPU"
    text = "a PMU that KVM may choose does not cover every CPU"
    return text if stalls == "yes" else f"if there is a vPMU: {text}"


def clusters(platform: Platform) -> list[Row]:
    """Return a row for each run of CPUs of one cluster, core type and perf domain."""
    capacities = platform.capacities()
    groups: dict[tuple[str, str, int], list[int]] = {}
    for cpu in platform.cpus:
        groups.setdefault((cpu.cluster, cpu.core, cpu.perf_domain), []).append(cpu.number)
    return [
        {
            "cluster": cluster,
            "core": core,
            "cpus": cpus,
            "capacity": capacities[cpus[0]],
            "dmips": platform.cpus[cpus[0]].dmips,
            "perf_domain": platform.perf_domains[domain].name,
            "opps": len(platform.perf_domains[domain].opps),
            "max_khz": platform.perf_domains[domain].max_khz,
        }
        for (cluster, core, domain), cpus in groups.items()
    ]


def event_differences(platform: Platform) -> Row:
    """Return the common events that all core types have, those that each has besides, and those that each lacks."""
    sets = {core.id: frozenset(filter(is_common, core.events)) for core in platform.core_types}
    everywhere = frozenset.intersection(*sets.values())
    anywhere = frozenset.union(*sets.values())
    return {
        "on_every_core_type": names_of(everywhere),
        "besides_on": {core: names_of(events - everywhere) for core, events in sets.items()},
        "missing_on": {core: names_of(anywhere - events) for core, events in sets.items()},
        "event_counters": {core.id: core.pmu.event_counters for core in platform.core_types},
        "pmuver": {core.id: core.pmu.pmuver for core in platform.core_types},
    }


def counter_features(platform: Platform) -> list[Row]:
    """Return each counter that some policy shows and the architectural features that it depends on."""
    host = guest_host(platform)
    if not host.usable_pmus:
        return []
    most = max(host.max_counters(host_pmu) for host_pmu in host.usable_pmus)
    rows = [_cycle_counter(platform)]
    if most:
        rows.append(_event_counters(host, most))
    return [*rows, *_event_rows(host, most), _instruction_counter(platform, host)]


def _cycle_counter(platform: Platform) -> Row:
    width = "64 bits wide, overflow at 32 or, by PMCR_EL0.LC, 64"
    if not platform.el0_aarch32:
        width = "64 bits wide, overflow at 64: LC is RES1 without AArch32 at EL0"
    return _counter("PMCCNTR_EL0", "all but none", "PMUv3", width)


def _event_counters(host: Host, most: int) -> Row:
    version = host.pmuver_limit
    names = "PMEVCNTR0_EL0" if most == 1 else f"PMEVCNTR0_EL0..PMEVCNTR{most - 1}_EL0"
    width = (
        "64 bits wide by PMUv3p5, overflow at 32 or, by PMCR_EL0.LP, 64"
        if version >= PMUVER_V3P5
        else "32 bits wide below PMUv3p5"
    )
    space = "16-bit event numbers by PMUv3p1" if version >= PMUV3P1 else "10-bit event numbers below PMUv3p1"
    return _counter(names, WITH_EVENT_COUNTERS, "PMUv3, PMCR_EL0.N", width, space)


def _event_rows(host: Host, most: int) -> list[Row]:
    rows = [_counter("SW_INCR", WITH_EVENT_COUNTERS, "PMSWINC_EL0; counted by KVM itself, on every CPU")]
    pairs = ["an even and an odd event counter; counted by KVM itself"]
    rows.append(_counter("CHAIN", WITH_EVENT_COUNTERS, *pairs, *(["unusable here: one event counter"] * (most < 2))))
    high = sorted({event for host_pmu in host.usable_pmus for event in _shown_events(host_pmu) if event >= 0x4000})
    if high:
        depends = "PMUv3p1 (16-bit event numbers, PMCEID[63:32])"
        rows.append(_counter(f"{len(high)} events from 0x4000 up", WITH_EVENT_COUNTERS, depends))
    if any(set(HIDDEN_BY_KVM) & pmceid_events(host_pmu.pmceid0, host_pmu.pmceid1) for host_pmu in host.usable_pmus):
        why = "else KVM masks them, and shows PMMIR_EL1 as 0"
        rows.append(_counter("STALL_SLOT, _BACKEND, _FRONTEND", "strict", "PMUv3p4 (PMMIR_EL1.SLOTS)", why))
    return rows


def _instruction_counter(platform: Platform, host: Host) -> Row:
    have = [core.id for core in platform.core_types if core.pmu.icntr]
    place = f"in hardware on {', '.join(have)}" if have else "on no core type here"
    depends = [f"FEAT_PMUv3_ICNTR (PMUv3p9), {place}", "KVM does not offer it"]
    if have:
        where = [host_pmu.name for host_pmu in host.usable_pmus if host_pmu.icntr]
        depends += [f"with `icntr = true` shown if backed by {name}" for name in where]
        depends.append(f"and {'also' if host.icntr_everywhere else 'not'} under fixed-counters-only")
    return _counter("PMICNTR_EL0", "nowhere", *depends)


def _counter(counter: str, shown_under: str, *depends_on: str) -> Row:
    return {"counter": counter, "shown_under": shown_under, "depends_on": list(depends_on)}


def _shown_events(host_pmu: HostPmu) -> frozenset[int]:
    return pmceid_events(*guest_pmceid(host_pmu))


def _core_counts(platform: Platform) -> dict[str, int]:
    return {core.id: len(platform.cpus_of_core(core.id)) for core in platform.core_types}


def _core_row(platform: Platform, core: CoreType) -> Row:
    common = sorted(filter(is_common, core.events))
    return {
        "id": core.id,
        "name": core.name,
        "cpus": list(platform.cpus_of_core(core.id)),
        "pmuver": core.pmu.pmuver,
        "pmuver_name": "unknown" if core.pmu.pmuver is None else PMUVER_NAMES[core.pmu.pmuver],
        "event_counters": core.pmu.event_counters,
        "pmceid0": core.pmu.pmceid0,
        "pmceid1": core.pmu.pmceid1,
        "common_events": [core.event_name(event) for event in common],
        "other_events": [core.event_name(event) for event in sorted(core.events - set(common))],
        "event_map": {f"0x{event:04x}": f"0x{native:02x}" for event, native in core.pmu.event_map},
        "rates_like": core.rates_like,
        "relative_ipc": core.relative_ipc,
        "silicon": core.silicon,
        "notes": list(core.notes),
    }


def _pmu_row(platform: Platform, host: Host, host_pmu: HostPmu) -> Row:
    return {
        "name": host_pmu.name,
        "type_id": host_pmu.type_id,
        "cpus": sorted(host_pmu.cpus),
        "core_types": [core.id for core in platform.core_types if host_pmu.cpus & set(platform.cpus_of_core(core.id))],
        "probed_on": min(host_pmu.cpus),
        "event_counters": host_pmu.counters,
        "default_on": [cpu for cpu in range(host.ncpus) if host.first_pmu(cpu) is host_pmu],
    }


def _assumption_row(row: Assumption) -> dict[str, str]:
    return {"key": row.key, "value": row.value, "why": row.why}
