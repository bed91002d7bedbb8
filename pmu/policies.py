"""PMU policies: what a VMM asks of KVM for a VM's PMU, and to which pCPUs it pins the vCPU threads, and when.

``none`` (a VM without a PMU) is there for comparison and never among those that apply.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from pmu.attributes import FIXED_COUNTERS_ONLY, SET_PMU
from pmu.host import Host, HostPmu
from pmu.revisions import REVISIONS, Revision
from simcore.errors import InputError, unknown_name

BEFORE_INIT: Final = "before-init"
AFTER_INIT: Final = "after-init"


@dataclass(frozen=True, slots=True)
class PolicyKind:
    """A row of the table of policies: its syntax, the attributes that it sets, and when it pins."""

    name: str
    meaning: str
    takes_pmu: bool = False
    selects_pmu: bool = False
    fixed_only: bool = False
    has_pmu: bool = True
    pins: str = ""


_KINDS: Final = (
    PolicyKind("default", "KVM's default PMU: the one of the pCPU that ran the first KVM_ARM_VCPU_INIT"),
    PolicyKind(
        "default-pinned",
        "default PMU; threads pinned to one host PMU's pCPUs after INIT",
        takes_pmu=True,
        pins=AFTER_INIT,
    ),
    PolicyKind(
        "set-pmu",
        "SET_PMU; threads pinned to the PMU's pCPUs before INIT",
        takes_pmu=True,
        selects_pmu=True,
        pins=BEFORE_INIT,
    ),
    PolicyKind("set-pmu-unpinned", "SET_PMU; KVM_RUN fails entry on other pCPUs", takes_pmu=True, selects_pmu=True),
    PolicyKind(FIXED_COUNTERS_ONLY.lower().replace("_", "-"), "the cycle counter only, on every pCPU", fixed_only=True),
    PolicyKind("none", "no PMU", has_pmu=False),
)
POLICIES: Final[Mapping[str, PolicyKind]] = MappingProxyType({kind.name: kind for kind in _KINDS})


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy on a host under a kernel revision.

    ``attributes``: (attribute, value) to set in order, after VCPU_INIT. ``pins``: "before-init", "after-init" or ""
    where the threads are not pinned; ``pinned_cpus``: where to.
    """

    name: str
    kernel: str
    attributes: tuple[tuple[str, int | None], ...] = ()
    has_pmu: bool = True
    pins: str = ""
    pinned_cpus: frozenset[int] = field(default_factory=frozenset)

    @property
    def revision(self) -> Revision:
        """Return the kernel revision."""
        return REVISIONS[self.kernel]


def parse(text: str, host: Host, kernel: str = "mainline") -> Policy:
    """Return the policy that a user named; a suffix ``@kernel`` wins over ``kernel``."""
    name, _, suffix = text.partition("@")
    revision = _revision(suffix if "@" in text else kernel, text)
    kind, host_pmu = _kind_and_pmu(name, host)
    if kind.fixed_only and not revision.has_fixed_counters_only:
        raise InputError(
            f"policy {name!r} does not exist on kernel {revision.name!r}",
            why=f"{revision.name} has no KVM_ARM_VCPU_PMU_V3_{FIXED_COUNTERS_ONLY}",
            valid=", ".join(f"{name}@{row.name}" for row in REVISIONS.values() if row.has_fixed_counters_only),
        )
    return Policy(
        name=name,
        kernel=revision.name,
        attributes=_attributes(kind, host_pmu),
        has_pmu=kind.has_pmu,
        pins=kind.pins,
        pinned_cpus=host_pmu.cpus if kind.pins and host_pmu else frozenset(),
    )


def all_that_apply(host: Host) -> tuple[str, ...]:
    """Return the policies that a host can have, once per host PMU, without suffix; none where KVM has no vPMU."""
    if not host.usable_pmus:
        return ()
    return tuple(name for kind in _KINDS if kind.has_pmu for name in _names(kind, host))


def _revision(name: str, where: str) -> Revision:
    if name not in REVISIONS:
        raise unknown_name("kernel", name, REVISIONS, where=f"policy {where!r}")
    return REVISIONS[name]


def _kind_and_pmu(name: str, host: Host) -> tuple[PolicyKind, HostPmu | None]:
    word, colon, pmu_name = name.partition(":")
    kind = POLICIES.get(word)
    if kind is None:
        known = [*all_that_apply(host), *(row.name for row in _KINDS if not row.takes_pmu)]
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


def _attributes(kind: PolicyKind, host_pmu: HostPmu | None) -> tuple[tuple[str, int | None], ...]:
    if kind.fixed_only:
        return ((FIXED_COUNTERS_ONLY, None),)
    return ((SET_PMU, host_pmu.type_id),) if kind.selects_pmu and host_pmu else ()


def _names(kind: PolicyKind, host: Host) -> tuple[str, ...]:
    return tuple(f"{kind.name}:{host_pmu.name}" for host_pmu in host.usable_pmus) if kind.takes_pmu else (kind.name,)
