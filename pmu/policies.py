"""PMU policies: what a VMM asks of KVM for a VM's PMU, and to which pCPUs it pins the vCPU threads, and when.

Those that a user must name (``none``, proposals, what-ifs) are never among those that apply.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from pmu.attributes import COMPOSITION, FIXED_COUNTERS_ONLY, INTERSECTION, SCALED_TIME, SET_PMU
from pmu.host import Host, HostPmu
from pmu.modes import COMPOSED_DEFAULT
from pmu.revisions import Revision
from pmu.versions import KERNELS
from simcore.errors import InputError, unknown_name

BEFORE_INIT: Final = "before-init"
AFTER_INIT: Final = "after-init"


def _has_no_mode(revision: Revision) -> bool:
    """Return whether a VM of which nothing is asked has one host PMU."""
    return revision.mode is not COMPOSED_DEFAULT


def _always(revision: Revision) -> bool:
    return True


def _with(attribute: str) -> Callable[[Revision], bool]:
    """Return the question whether a kernel has an attribute."""
    return lambda revision: attribute in revision.attributes


def _composes(revision: Revision) -> bool:
    """Return whether a VM can have several host events a counter, by an attribute or whether it wants or not."""
    return revision.mode is COMPOSED_DEFAULT or COMPOSITION in revision.attributes


def _has_strict(revision: Revision) -> bool:
    return revision.has_strict


@dataclass(frozen=True, slots=True)
class PolicyKind:
    """A row of the table of policies: its syntax, what the VMM asks for, when it pins, and what kernel has it.

    ``attribute``: set without data where the kernel has it. ``exists(kernel)``: whether the kernel has the policy;
    ``kernel``: the one without suffix; ``needs``: what others lack. ``counts_cycles``: PMCCNTR_EL0 counts cycles.
    ``named``: it runs only when named. ``exists_in``: in words, for users.
    """

    name: str
    meaning: str
    exists_in: str
    takes_pmu: bool = False
    selects_pmu: bool = False
    strict: bool = False
    attribute: str = ""
    has_pmu: bool = True
    counts_cycles: bool = True
    pins: str = ""
    exists: Callable[[Revision], bool] = _has_no_mode
    kernel: str = "mainline"
    needs: str = "one host PMU for a VM that asks for nothing"
    named: bool = False


_ATTRIBUTE: Final = "KVM_ARM_VCPU_PMU_V3_"
_KINDS: Final = (
    PolicyKind("default", "KVM's default PMU: the one of the pCPU that ran the first KVM_ARM_VCPU_INIT", "mainline"),
    PolicyKind(
        "default-pinned",
        "default PMU; threads pinned to one host PMU's pCPUs after INIT",
        "mainline",
        takes_pmu=True,
        pins=AFTER_INIT,
    ),
    PolicyKind(
        "set-pmu",
        "SET_PMU; threads pinned to the PMU's pCPUs before INIT",
        "mainline",
        takes_pmu=True,
        selects_pmu=True,
        pins=BEFORE_INIT,
    ),
    PolicyKind(
        "set-pmu-unpinned",
        "SET_PMU; KVM_RUN fails entry on other pCPUs",
        "mainline",
        takes_pmu=True,
        selects_pmu=True,
    ),
    PolicyKind(
        "fixed-counters-only",
        "the cycle counter only, on every pCPU",
        "proposed 2026, series v3 to v11, not merged",
        attribute=FIXED_COUNTERS_ONLY,
        exists=_with(FIXED_COUNTERS_ONLY),
        kernel="v8",
        needs=_ATTRIBUTE + FIXED_COUNTERS_ONLY,
    ),
    PolicyKind("none", "no PMU", "mainline", has_pmu=False, exists=_always, named=True),
    PolicyKind(
        "strict",
        "no default PMU: SET_PMU, pinned as set-pmu; shows PMMIR_EL1.SLOTS",
        "proposed 2026-07-02, vCPU feature bit 9, merged for Linux 7.3",
        takes_pmu=True,
        selects_pmu=True,
        strict=True,
        pins=BEFORE_INIT,
        exists=_has_strict,
        kernel="7.3",
        needs=_ATTRIBUTE + "STRICT",
        named=True,
    ),
    PolicyKind(
        "composite",
        "several host events a counter, one on each host PMU",
        "proposed 2025, RFC v1 (2025-03-19) and v2 (2025-08-06), refused",
        attribute=COMPOSITION,
        exists=_composes,
        kernel="v1",
        needs="counters made of several host events",
        named=True,
    ),
    PolicyKind(
        "intersection",
        "the counters and events that every host PMU has, on every pCPU",
        "what-if: no kernel",
        attribute=INTERSECTION,
        exists=_with(INTERSECTION),
        kernel="what-if",
        needs="attribute for it",
        named=True,
    ),
    PolicyKind(
        "scaled-time",
        "PMCCNTR_EL0 is the architected timer at 1 GHz, as in an emulator",
        "what-if: no kernel",
        attribute=SCALED_TIME,
        counts_cycles=False,
        exists=_with(SCALED_TIME),
        kernel="what-if",
        needs="attribute for it",
        named=True,
    ),
)
POLICIES: Final[Mapping[str, PolicyKind]] = MappingProxyType({kind.name: kind for kind in _KINDS})


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy on a host under a kernel revision.

    ``attributes``: (attribute, value) to set in order, after VCPU_INIT; ``strict``: with the feature PMU_V3_STRICT.
    ``timed``: PMCCNTR_EL0 follows the architected timer. ``pins``: "before-init", "after-init" or "" where the threads
    are not pinned; ``pinned_cpus``: where to.
    """

    name: str
    kernel: str
    attributes: tuple[tuple[str, int | None], ...] = ()
    has_pmu: bool = True
    strict: bool = False
    timed: bool = False
    pins: str = ""
    pinned_cpus: frozenset[int] = field(default_factory=frozenset)

    @property
    def revision(self) -> Revision:
        """Return the kernel revision."""
        return KERNELS[self.kernel]


def parse(text: str, host: Host, kernel: str = "mainline") -> Policy:
    """Return the policy that a user named; a suffix ``@kernel`` wins over ``kernel``."""
    name, _, suffix = text.partition("@")
    revision = _revision(suffix if "@" in text else kernel, text)
    kind, host_pmu = _kind_and_pmu(name, host)
    if not kind.exists(revision):
        raise InputError(
            f"policy {name!r} does not exist on kernel {revision.name!r}",
            why=missing(kind, revision.name),
            valid=", ".join(f"{name}@{kernel}" for kernel in kernels_of(kind)),
        )
    return Policy(
        name=name,
        kernel=revision.name,
        attributes=_attributes(kind, host_pmu, revision),
        has_pmu=kind.has_pmu,
        strict=kind.strict,
        timed=not kind.counts_cycles,
        pins=kind.pins,
        pinned_cpus=host_pmu.cpus if kind.pins and host_pmu else frozenset(),
    )


def kind_of(name: str) -> PolicyKind | None:
    """Return the row of a policy, named with or without its host PMU."""
    return POLICIES.get(name.partition(":")[0])


def kernels_of(kind: PolicyKind) -> tuple[str, ...]:
    """Return the kernels that have a policy."""
    return tuple(name for name, revision in KERNELS.items() if kind.exists(revision))


def missing(kind: PolicyKind, kernel: str) -> str:
    """Say why a kernel does not have a policy."""
    return f"{kernel} has no {kind.needs}"


def all_that_apply(host: Host) -> tuple[str, ...]:
    """Return the policies that a host can have, once per host PMU, without suffix; none where KVM has no vPMU."""
    if not host.usable_pmus:
        return ()
    return tuple(name for kind in _KINDS if not kind.named for name in _names(kind, host))


def _revision(name: str, where: str) -> Revision:
    if name not in KERNELS:
        raise unknown_name("kernel", name, KERNELS, where=f"policy {where!r}")
    return KERNELS[name]


def _kind_and_pmu(name: str, host: Host) -> tuple[PolicyKind, HostPmu | None]:
    word, colon, pmu_name = name.partition(":")
    kind = POLICIES.get(word)
    if kind is None:
        known = [*all_that_apply(host), *(each for row in _KINDS for each in _names(row, host))]
        raise unknown_name("policy", name, dict.fromkeys(known))
    if kind.takes_pmu != bool(colon):
        why = f"{word!r} needs a host PMU" if kind.takes_pmu else f"{word!r} takes no host PMU"
        raise InputError(f"bad policy {name!r}", why=why, valid=", ".join(_names(kind, host)))
    return kind, _named_pmu(pmu_name, host, name) if kind.takes_pmu else None


def _named_pmu(name: str, host: Host, policy: str) -> HostPmu:
    host_pmu = next((host_pmu for host_pmu in host.usable_pmus if host_pmu.name == name), None)
    if host_pmu is None:
        raise unknown_name("host PMU", name, [each.name for each in host.usable_pmus], where=f"policy {policy!r}")
    return host_pmu


def _attributes(kind: PolicyKind, host_pmu: HostPmu | None, revision: Revision) -> tuple[tuple[str, int | None], ...]:
    if kind.attribute in revision.attributes:
        return ((kind.attribute, None),)
    return ((SET_PMU, host_pmu.type_id),) if kind.selects_pmu and host_pmu else ()


def _names(kind: PolicyKind, host: Host) -> tuple[str, ...]:
    return tuple(f"{kind.name}:{host_pmu.name}" for host_pmu in host.usable_pmus) if kind.takes_pmu else (kind.name,)
