"""What can go wrong when VMs of a pair are migrated: a table of functions; each returns a sentence, or "".

What is to be said of a single register is in ``simcore.app.migrate_reasons``.
"""

from collections.abc import Callable
from typing import Final

from pmu.one_reg import PMUVER
from simcore.app.migrate_vm import Pair
from simcore.platform import cpu_list


def default_is_drawn(pair: Pair) -> str:
    """The destination's default PMU depends on the pCPU of KVM_ARM_VCPU_INIT."""
    vm = pair.destination.vm
    firsts = {id(host_pmu): host_pmu for cpu in range(vm.host.ncpus) if (host_pmu := vm.host.first_pmu(cpu))}
    if vm.explicit_pmu or vm.mode.local or vm.mode.unbacked or len(firsts) < 2:
        return ""
    choices = ", ".join(f"{host_pmu.name} (CPU {cpu_list(host_pmu.cpus)})" for host_pmu in firsts.values())
    return f"which host PMU backs the destination is decided by the pCPU of its first KVM_ARM_VCPU_INIT: {choices}"


def count_too_large(pair: Pair) -> str:
    """N larger than the maximum of the destination is ignored."""
    if pair.source_counters <= pair.destination.vm.max_counters() or pair.destination.vm.fixed_only:
        return ""
    return "PMCR_EL0 with a larger N is accepted and N ignored: the VMM has to read it back to notice"


def bitmaps_before_pmcr(pair: Pair) -> str:
    """Bitmaps written before PMCR_EL0 are masked with a smaller N."""
    if not pair.counters_at_start < pair.source_counters <= pair.destination.vm.max_counters():
        return ""
    return (
        f"N is {pair.counters_at_start} until PMCR_EL0 is restored: bitmaps written before lose bits "
        "(PMINTENSET_EL1 comes before PMCR_EL0 in ascending order)"
    )


def to_fixed(pair: Pair) -> str:
    """The destination is fixed-counters-only and the source is not."""
    if pair.source.vm.fixed_only or not pair.destination.vm.fixed_only:
        return ""
    return "the destination is fixed-counters-only: N stays 0, only bit 31 of bitmaps arrives, event counters are inert"


def from_fixed(pair: Pair) -> str:
    """The source is fixed-counters-only and the destination is not."""
    if pair.destination.vm.fixed_only or not pair.source.vm.fixed_only:
        return ""
    return "the source is fixed-counters-only: the guest keeps N = 0 but now reads events in PMCEID0/1_EL0"


def version_too_high(pair: Pair) -> str:
    """The VMM has to decide what to do about a refused PMUVer."""
    if pair.saved[PMUVER] <= pair.destination.vm.host.pmuver_limit:
        return ""
    return "PMUVer is refused with -E2BIG: if the VMM goes on, the guest has another version than it found at boot"


def off_its_pmu(pair: Pair) -> str:
    """The destination's vCPU runs where its PMU does not count."""
    seen = pair.destination
    if seen.backing is None or seen.cpu in seen.backing.cpus:
        return ""
    return f"the vCPU runs on CPU {seen.cpu}, which {seen.backing.name} does not cover: every counter stands still"


HAZARDS: Final[tuple[Callable[[Pair], str], ...]] = (
    version_too_high,
    count_too_large,
    bitmaps_before_pmcr,
    to_fixed,
    from_fixed,
    default_is_drawn,
    off_its_pmu,
)


def hazards(pair: Pair) -> list[str]:
    """Return what can go wrong when VMs of this pair are migrated."""
    return [text for function in HAZARDS if (text := function(pair))]
