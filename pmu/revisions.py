"""Kernel revisions as rows: which attributes exist, the order of their checks, their effects, what vcpu_load tests.

A row names plain functions. Those of the attributes live in ``pmu.attributes``; adding a revision is adding a row.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from pmu import attributes as rules
from pmu.attributes import Attribute
from pmu.modes import ONE_PMU, Mode
from pmu.register import MASK64

if TYPE_CHECKING:
    from pmu.kvm import Vm
    from pmu.vcpu import Vcpu


@dataclass(frozen=True, slots=True)
class Revision:
    """A kernel revision.

    ``load_reloads(vcpu, last_cpu, cpu)``: whether vcpu_load requests a reload. ``recreates_off_pmu(vm)``: whether
    enabling a counter replaces an event whose PMU does not cover the pCPU. ``keeps_last_cpu``: vcpu->cpu survives
    vcpu_put.
    ``load_always``: every load must be told to the vCPU, not only those on another host PMU.
    ``mode``: how a new VM's counters are backed. ``has_strict``: there is the vCPU feature PMU_V3_STRICT.
    ``rearms``: a write of a counter keeps its host events, and what an event has left of its sample period is taken
    from the counter's value anew at a load of a composite PMU, a write, an enable and an overflow.

    What may change upstream: ``period_quirks``: the period after an overflow is taken from what the event counted, and
    a counter made at 0 never overflows. ``one_reg_raw``: user space stores event types, filters, PMUSERENR_EL0 and
    PMCR_EL0 unmasked. ``one_reg_recreates``: a type or filter that it stores gets a new event. ``pmcr_recreates``: so
    do all counters when PMCR_EL0.LC or LP changes. ``reset_keeps_events``: live events survive a second
    KVM_ARM_VCPU_INIT, and what they counted is added to the reset value; ``reset_reloads``: it requests a reload.

    ``bitmap_mask`` and ``reload_mask``: the counters that the bitmaps and the loop of a reload reach. 32 bits do for
    every counter of today; what they would get wrong with counter 32 is in docs/icntr.md.
    """

    name: str
    attributes: Mapping[str, Attribute]
    load_reloads: Callable[["Vcpu", int, int], bool]
    recreates_off_pmu: Callable[["Vm"], bool]
    keeps_last_cpu: bool = False
    load_always: bool = False
    mode: Mode = ONE_PMU
    has_strict: bool = False
    rearms: bool = False
    period_quirks: bool = True
    one_reg_raw: bool = True
    one_reg_recreates: bool = False
    pmcr_recreates: bool = False
    reset_keeps_events: bool = True
    reset_reloads: bool = True
    bitmap_mask: int = MASK64
    reload_mask: int = MASK64

    @property
    def has_fixed_counters_only(self) -> bool:
        """Return whether KVM_ARM_VCPU_PMU_V3_FIXED_COUNTERS_ONLY exists."""
        return rules.FIXED_COUNTERS_ONLY in self.attributes


def _never_reload(vcpu: "Vcpu", last_cpu: int, cpu: int) -> bool:
    return False


def _reload_off_pmu(vcpu: "Vcpu", last_cpu: int, cpu: int) -> bool:
    """An enabled counter has an event whose PMU lacks this pCPU; asked of every VM."""
    counters = vcpu.counters
    return counters.off_pmu(counters.enabled_mask() & counters.implemented_mask())


def reload_crossing(vcpu: "Vcpu", last_cpu: int, cpu: int) -> bool:
    """A VM that is backed by the pCPU's host PMU came from a pCPU with another first one."""
    host = vcpu.vm.host
    return vcpu.vm.mode.local and last_cpu not in (-1, cpu) and host.first_pmu(cpu) is not host.first_pmu(last_cpu)


def _never(vm: "Vm") -> bool:
    return False


def _always(vm: "Vm") -> bool:
    return True


def if_local(vm: "Vm") -> bool:
    """Events are made on the host PMU of the pCPU."""
    return vm.mode.local


def attribute_table(*rows: Attribute) -> Mapping[str, Attribute]:
    """Return attributes by name."""
    return MappingProxyType({row.name: row for row in rows})


MAINLINE_ROWS: Final = (rules.IRQ_ROW, rules.INIT_ROW, rules.FILTER_ROW, rules.SET_PMU_ROW, rules.SET_NR_ROW)

MAINLINE: Final = Revision("mainline", attribute_table(*MAINLINE_ROWS), _never_reload, _never)

V6: Final = Revision(
    "v6",
    attribute_table(
        rules.IRQ_ROW,
        rules.INIT_ROW,
        rules.FILTER_ROW,
        replace(rules.SET_PMU_ROW, apply=rules.select_pmu_and_unfix),
        rules.SET_NR_ROW,
        replace(rules.FIXED_ROW, checks=(rules.vm_ran, rules.filtered_unless_fixed), apply=rules.fix_on_union),
    ),
    _reload_off_pmu,
    _always,
    load_always=True,
)

V4: Final = replace(
    V6,
    name="v4",
    attributes=MappingProxyType(
        {**V6.attributes, rules.SET_PMU: replace(rules.SET_PMU_ROW, apply=rules.select_pmu_then_unfix)}
    ),
)

V8: Final = Revision(
    "v8",
    attribute_table(
        rules.IRQ_ROW,
        rules.INIT_ROW,
        replace(rules.FILTER_ROW, checks=(*rules.FILTER_ROW.checks, rules.already_fixed)),
        replace(
            rules.SET_PMU_ROW, checks=(rules.bad_pointer, rules.unknown_pmu, rules.already_fixed, rules.pmu_frozen)
        ),
        rules.SET_NR_ROW,
        rules.FIXED_ROW,
    ),
    reload_crossing,
    if_local,
    keeps_last_cpu=True,
)

REVIEW: Final = replace(
    V8,
    name="review",
    attributes=MappingProxyType(
        {
            **V8.attributes,
            rules.SET_NR_COUNTERS: replace(
                rules.SET_NR_ROW,
                checks=(rules.bad_pointer, rules.already_fixed, rules.no_backing_pmu, rules.too_many_counters),
            ),
            rules.FIXED_COUNTERS_ONLY: replace(rules.FIXED_ROW, checks=(*rules.FIXED_ROW.checks, rules.count_selected)),
        }
    ),
)

REVISIONS: Final[Mapping[str, Revision]] = MappingProxyType({row.name: row for row in (MAINLINE, V4, V6, V8, REVIEW)})


def ideal(revision: Revision) -> Revision:
    """Return the revision with a sample period that ends exactly at each wrap of the counter."""
    return replace(revision, period_quirks=False)


def documented(revision: Revision) -> Revision:
    """Return the revision with SET_NR_COUNTERS as KVM's documentation has it, instead of as implemented."""
    row = revision.attributes[rules.SET_NR_COUNTERS]
    head, tail = row.checks[:1], row.checks[1:]
    strict = replace(row, checks=(*head, rules.vm_ran, rules.filter_present, rules.no_selected_pmu, *tail))
    return replace(revision, attributes=MappingProxyType({**revision.attributes, row.name: strict}))
