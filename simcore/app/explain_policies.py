"""What each PMU policy shows a guest on a platform: asked of a VM that is made as the policy says."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from pmu.bank import CounterBank
from pmu.events import STALL_SLOT, STALL_SLOT_BACKEND, STALL_SLOT_FRONTEND, event_name
from pmu.host import PMUVER_V3, Host, HostPmu
from pmu.kvm import Vm
from pmu.policies import POLICIES, parse
from simcore.platform import Platform
from simcore.pmceid import pmceid_events

Row = dict[str, Any]

HIDDEN_BY_KVM = (STALL_SLOT_BACKEND, STALL_SLOT_FRONTEND, STALL_SLOT)
_DRAWN: Final = ("default", "composite")
"""Policies under which the default PMU decides what is shown."""
_SHOWN: Final = ("default", "set-pmu", "fixed-counters-only", "strict", "composite", "intersection", "scaled-time")
"""The others show what one of these does."""


def policies_shown(platform: Platform) -> list[Row]:
    """Return what a guest is shown under each policy; no row where there is no vPMU.

    ``default`` and what depends on it has a row for each host PMU that KVM may choose.
    """
    host = guest_host(platform)
    if not host.usable_pmus:
        return []
    rows = [_policy_row(host, f"{kind}{host_pmu}", cpu) for kind, host_pmu, cpu in _shownnames_of(host)]
    return [row for number, row in enumerate(rows) if row not in rows[:number]]


def _shownnames_of(host: Host) -> Iterator[tuple[str, str, int]]:
    """Yield policy, ``:PMU`` if it takes one, and the pCPU of KVM_ARM_VCPU_INIT."""
    for kind in _SHOWN:
        if POLICIES[kind].takes_pmu:
            yield from ((kind, f":{host_pmu.name}", min(host_pmu.cpus)) for host_pmu in host.usable_pmus)
        else:
            drawn = default_pmus(host) if kind in _DRAWN else default_pmus(host)[:1]
            yield from ((kind, "", _first_cpu(host, host_pmu)) for host_pmu in drawn)


def _first_cpu(host: Host, host_pmu: HostPmu) -> int:
    """Return the first pCPU on which KVM chooses a host PMU by default."""
    return next(cpu for cpu in range(host.ncpus) if host.first_pmu(cpu) is host_pmu)


def _policy_row(host: Host, name: str, init_cpu: int) -> Row:
    """Return what a VM shows that is initialised on a pCPU as the policy asks."""
    kind = POLICIES[name.partition(":")[0]]
    policy = parse(name, host, kind.kernel)
    vm = Vm(host, policy.revision, CounterBank(1), {})
    vcpu = vm.create_vcpu(0)
    vm.vcpu_init(vcpu, init_cpu, strict=policy.strict)
    for attribute, value in policy.attributes:
        vm.set_attr(vcpu, init_cpu, attribute, value)
    backing = {cpu: vm.backing_pmus(cpu) for cpu in range(host.ncpus)}
    counts = [cpu for cpu, found in backing.items() if policy.timed or any(cpu in each.cpus for each in found)]
    named = [host_pmu for host_pmu in host.usable_pmus if any(host_pmu in found for found in backing.values())]
    hidden = () if policy.strict or vm.mode.local or not named else HIDDEN_BY_KVM
    had = frozenset().union(*(pmceid_events(each.pmceid0, each.pmceid1) for each in named))
    return {
        "policy": kind.name if not kind.takes_pmu else name,
        "kernel": kind.kernel,
        "backing": _backing_in_words(vm),
        "backed_by": [host_pmu.name for host_pmu in named],
        "runs_on": sorted(vm.supported_cpus),
        "counts_on": sorted(set(counts) & vm.supported_cpus),
        "pmuver": vm.pmuver,
        "pmcr_n": vm.nr_counters,
        "pmceid0": vm.pmceid[0],
        "pmceid1": vm.pmceid[1],
        "slots": vm.slots,
        "events": names_of(pmceid_events(*vm.pmceid)),
        "masked": names_of(event for event in hidden if event in had),
    }


def policy_kinds() -> list[Row]:
    """Return every policy: what it asks for, what kernel has it, if any, and whether it runs only when named."""
    return [
        {
            "policy": f"{kind.name}:<pmu>" if kind.takes_pmu else kind.name,
            "meaning": kind.meaning,
            "exists_in": kind.exists_in,
            "kernel": kind.kernel,
            "named": kind.named,
        }
        for kind in POLICIES.values()
    ]


def _backing_in_words(vm: Vm) -> str:
    """Return ``one``, ``local`` (that of the pCPU), ``each`` or ``none``: the host PMUs that back a counter."""
    if vm.mode.timed:
        return "none"
    if vm.mode.local:
        return "local"
    return "one" if vm.pmu is not None and vm.backing_pmus(0) == (vm.pmu,) else "each"


def default_pmus(host: Host) -> list[HostPmu]:
    """Return the host PMUs that KVM may choose by default: the first of some CPU in probe order."""
    firsts = {host_pmu.type_id for cpu in range(host.ncpus) if (host_pmu := host.first_pmu(cpu)) is not None}
    return [host_pmu for host_pmu in host.usable_pmus if host_pmu.type_id in firsts]


def guest_host(platform: Platform) -> Host:
    """Return the host; where the PMUVer is unknown, the one that there would be with PMUv3."""
    return Host.from_platform(platform, unknown_pmuver=PMUVER_V3)


def names_of(events: Iterable[int]) -> list[str]:
    """Return the names of events, ascending by number."""
    return [event_name(event) for event in sorted(events)]
