"""Why a register does not arrive, or is of no use on the destination: a table of functions by kind of register.

Each returns a sentence, or "" where it does not apply. What concerns no single register is in
``simcore.app.migrate_hazards``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from pmu.events import CPU_CYCLES, SOFTWARE_EVENTS, event_name
from pmu.host import CYCLE_COUNTER, PMUVER_V3P5
from pmu.one_reg import PMUVER
from pmu.registers import REGISTERS
from simcore.app.migrate_vm import UNDEF, Pair, Seen, lacks_event
from simcore.platform import cpu_list

LC, LP = 1 << 6, 1 << 7
_SELECT_MASK = 0x1F


@dataclass(frozen=True, slots=True)
class Case:
    """One register: as saved, as read back by ONE_REG before the first run, its errno, and as the guest read it."""

    name: str
    saved: int | None
    restored: int | None
    error: str
    before: str | None
    after: str | None

    @property
    def index(self) -> int:
        """Return the number of the counter that the register belongs to; -1: of none."""
        row = REGISTERS.get(self.name)
        return -1 if row is None else row.index

    @property
    def lost(self) -> int:
        """Return the bits that were saved and have not arrived."""
        return (self.saved or 0) & ~(self.restored or 0)


Reason = Callable[[Case, Pair], str]


# PMUVer and PMCR_EL0


def version_above_limit(case: Case, pair: Pair) -> str:
    """PMUVer is above what KVM offers on the destination."""
    limit = pair.destination.vm.host.pmuver_limit
    return f"above {limit}, the most that KVM offers there; the VM keeps {case.restored}" if case.error else ""


def version_below_limit(case: Case, pair: Pair) -> str:
    """The destination would show a later version without this write."""
    limit = pair.destination.vm.host.pmuver_limit
    return f"without this write the guest would be shown {limit}" if (case.saved or 0) < limit else ""


def count_ignored(case: Case, pair: Pair) -> str:
    """N is larger than the destination's maximum."""
    if pair.counters == pair.source_counters:
        return ""
    most = pair.destination.vm.max_counters()
    why = "under fixed-counters-only" if pair.destination.vm.fixed_only else "there"
    return (
        f"N = {pair.source_counters} is ignored without an error: at most {most} {why}; the guest sees {pair.counters}"
    )


def no_counters_accepted(case: Case, pair: Pair) -> str:
    """N = 0 of a fixed-counters-only VM is accepted by one that is not."""
    accepted = pair.source.vm.fixed_only and not pair.destination.vm.fixed_only
    return "N = 0 is accepted: the guest still sees no event counter" if accepted else ""


def long_event_counters_kept(case: Case, pair: Pair) -> str:
    """LP arrives although the version lacks it."""
    kept = (case.restored or 0) & LP and pair.destination.vm.pmuver < PMUVER_V3P5
    return "LP stays set, though PMUVer is below v3p5: the guest reads 1, and CHAIN stands still" if kept else ""


def long_cycle_counter_forced(case: Case, pair: Pair) -> str:
    """LC is RES1 without AArch32 at EL0."""
    forced = (case.restored or 0) & ~(case.saved or 0) & LC
    return "LC is RES1 there (no AArch32 at EL0): PMCCNTR_EL0 overflows at 64 bits, not at 32" if forced else ""


# Bitmaps


def bits_beyond_n(case: Case, pair: Pair) -> str:
    """The bits of counters that the destination lacks are masked off."""
    lost = case.lost >> pair.counters << pair.counters
    return f"bits {lost:#x} masked off: N = {pair.counters}" if lost else ""


def bits_before_pmcr(case: Case, pair: Pair) -> str:
    """The bitmap was written while N was smaller than in the end."""
    lost = case.lost & (1 << pair.counters) - 1
    return f"bits {lost:#x} lost: written before PMCR_EL0, while N was {pair.counters_at_start}" if lost else ""


# Counters and event types


def beyond_n(case: Case, pair: Pair) -> str:
    """The counter does not exist for the destination's guest."""
    gone = pair.counters <= case.index < pair.source_counters
    return f"kept by KVM, but beyond N = {pair.counters}: UNDEF for the guest, and inert" if gone else ""


def upper_half_lost(case: Case, pair: Pair) -> str:
    """The counter is narrower on the destination."""
    return "32 bits wide below PMUv3p5" if case.lost >> 32 else ""


def stands_still(case: Case, pair: Pair) -> str:
    """The counter counted on the source and does not on the destination."""
    still = pair.source.gains.get(case.index, 0) and not pair.destination.gains.get(case.index, 0)
    if not still or pair.counters <= case.index < CYCLE_COUNTER:
        return ""
    causes = (function(case, pair) for function in (_not_enabled, event_untranslated, event_missing, _off_pmu))
    return f"counts no further: {next(filter(None, causes), 'KVM has no host event for it')}"


def event_masked(case: Case, pair: Pair) -> str:
    """The event number has more bits than the destination's version knows."""
    source, seen = _event(case.index, pair, pair.source), _event(case.index, pair, pair.destination)
    if source == seen or case.index >= pair.counters:
        return ""
    return f"{event_name(source)} has more than 10 bits (PMUVer 1): {event_name(seen)} is counted"


def event_untranslated(case: Case, pair: Pair) -> str:
    """The destination's PMU is none of PMUv3 and has no such event."""
    host_pmu, event = pair.destination.backing, _event(case.index, pair, pair.destination)
    if host_pmu is None or not _counts_by_host(case, pair, event) or host_pmu.native_event(event) is not None:
        return ""
    return f"{host_pmu.name} has no event for {event_name(event)}"


def event_missing(case: Case, pair: Pair) -> str:
    """The destination's hardware lacks the event."""
    host_pmu, event = pair.destination.backing, _event(case.index, pair, pair.destination)
    if host_pmu is None or not _counts_by_host(case, pair, event) or host_pmu.native_event(event) is None:
        return ""
    return f"{host_pmu.name} does not have {event_name(event)}" if lacks_event(host_pmu, event) else ""


def bound_to_one_pmu(case: Case, pair: Pair) -> str:
    """The cycle counter counted everywhere and now depends on one host PMU."""
    vm = pair.destination.vm
    if vm.fixed_only or not pair.source.vm.fixed_only or vm.pmu is None:
        return ""
    rest = vm.supported_cpus - vm.pmu.cpus
    return f"counts on the CPUs of {vm.pmu.name}; stands still on CPU {cpu_list(rest)}" if rest else ""


def _not_enabled(case: Case, pair: Pair) -> str:
    bit = 1 << case.index
    enabled = int(pair.destination.guest["PMCNTENSET_EL0"], 16) & bit
    return "" if enabled else "its bit of PMCNTENSET_EL0 is lost"


def _off_pmu(case: Case, pair: Pair) -> str:
    seen = pair.destination
    covered = seen.backing is not None and seen.cpu in seen.backing.cpus
    return "" if covered or seen.backing is None else f"{seen.backing.name} does not cover CPU {seen.cpu}"


def _event(index: int, pair: Pair, seen: Seen) -> int:
    if index == CYCLE_COUNTER:
        return CPU_CYCLES
    return pair.saved[f"PMEVTYPER{index}_EL0"] & seen.vm.event_mask


def _counts_by_host(case: Case, pair: Pair, event: int) -> bool:
    shown = case.index < min(pair.counters, pair.source_counters) or case.index == CYCLE_COUNTER
    return shown and event not in SOFTWARE_EVENTS


# Registers without ONE_REG, and one that reads as 0


def follows_the_backing_pmu(case: Case, pair: Pair) -> str:
    """PMCEID0/1_EL0 come from the PMU that backs the VM."""
    if pair.destination.vm.fixed_only:
        return "0 under fixed-counters-only"
    name = getattr(pair.destination.vm.pmu, "name", "no host PMU")
    lost = len(pair.source.common_events - pair.destination.common_events)
    gained = len(pair.destination.common_events - pair.source.common_events)
    changes = f"; in both registers {lost} events lost, {gained} new" if lost or gained else ""
    return f"as {name} has it{changes}"


def reaches_the_selected_counter(case: Case, pair: Pair) -> str:
    """PMXEV* are names of another counter's registers."""
    selected = pair.saved["PMSELR_EL0"] & _SELECT_MASK
    beyond = f", beyond N = {pair.counters}" if case.after == UNDEF else ""
    return f"another name for the registers of counter {selected}{beyond} (PMSELR_EL0)"


def always_zero(case: Case, pair: Pair) -> str:
    """PMMIR_EL1 is not emulated."""
    return "reads as 0 in every VM"


def write_only(case: Case, pair: Pair) -> str:
    """PMSWINC_EL0 has no value."""
    return "has no value: ONE_REG reads 0 and drops writes"


REASONS: Final[Mapping[str, tuple[Reason, ...]]] = {
    PMUVER: (version_above_limit, version_below_limit),
    "PMCR": (count_ignored, no_counters_accepted, long_event_counters_kept, long_cycle_counter_forced),
    "PMCNTEN": (bits_beyond_n, bits_before_pmcr),
    "PMINTEN": (bits_beyond_n, bits_before_pmcr),
    "PMOVS": (bits_beyond_n, bits_before_pmcr),
    "PMEVCNTR": (beyond_n, upper_half_lost, stands_still),
    "PMEVTYPER": (beyond_n, event_masked, event_untranslated, event_missing),
    "PMCCNTR": (stands_still, bound_to_one_pmu),
    "PMCEID": (follows_the_backing_pmu,),
    "PMXEV": (reaches_the_selected_counter,),
    "PMMIR": (always_zero,),
    "PMSWINC": (write_only,),
}
"""Beginning of a register's name -> what may be said of it; registers not named here always arrive as they are."""


def reasons(case: Case, pair: Pair) -> list[str]:
    """Return what is to be said of a register."""
    functions = next((row for start, row in REASONS.items() if case.name.startswith(start)), ())
    return [text for function in functions if (text := function(case, pair))]
