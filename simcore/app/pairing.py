"""Which pairs of policy and kernel revision a comparison runs, and which it leaves out and why."""

from collections.abc import Sequence
from dataclasses import dataclass

from pmu.host import Host
from pmu.policies import all_that_apply, parse
from pmu.revisions import REVISIONS
from simcore.errors import InputError, unknown_name
from simcore.platform import Platform

FIXED, FIXED_KERNEL = "fixed-counters-only", "v8"


@dataclass(frozen=True, slots=True)
class Pair:
    """A policy without suffix, and a kernel revision."""

    policy: str
    kernel: str

    @property
    def label(self) -> str:
        """Name the pair as users write it."""
        return f"{self.policy}@{self.kernel}"


def expand(
    platform: Platform, policies: Sequence[str] = (), kernels: Sequence[str] = ()
) -> tuple[list[Pair], list[str]]:
    """Give the pairs that exist, in order and once each, and a line for each pair that was left out.

    A kernel named by a suffix wins over `kernels`; such a pair must exist. No policies: all that apply.
    """
    host = Host.from_platform(platform)
    for kernel in kernels:
        _known_kernel(kernel, "--kernel")
    names = tuple(policies) or all_that_apply(host)
    if not names:
        raise InputError(f"no PMU policy applies to {platform.id}", why=f"no vPMU there: {platform.vpmu_reason()}")
    pairs: dict[Pair, None] = {}
    left_out: dict[str, None] = {}
    for name in names:
        for pair in _pairs_of(name, kernels):
            parse(pair.policy, host, pair.kernel if _exists(pair) else FIXED_KERNEL)
            if _exists(pair):
                pairs[pair] = None
            elif "@" in name:
                raise InputError(f"{pair.label} cannot exist", why=_missing(pair), valid=", ".join(_with_fixed()))
            else:
                left_out[f"left out: {pair.label}: {_missing(pair)}"] = None
    if not pairs:
        raise InputError(
            "no pair of policy and kernel is left", why=next(iter(left_out)), valid=", ".join(_with_fixed())
        )
    return list(pairs), list(left_out)


def _pairs_of(name: str, kernels: Sequence[str]) -> list[Pair]:
    policy, suffixed, kernel = name.partition("@")
    if suffixed:
        return [Pair(policy, _known_kernel(kernel, name))]
    return [Pair(policy, kernel) for kernel in kernels or (FIXED_KERNEL if policy == FIXED else "mainline",)]


def _exists(pair: Pair) -> bool:
    return pair.policy != FIXED or REVISIONS[pair.kernel].has_fixed_counters_only


def _missing(pair: Pair) -> str:
    return f"{pair.kernel} has no KVM_ARM_VCPU_PMU_V3_FIXED_COUNTERS_ONLY"


def _with_fixed() -> list[str]:
    return [f"{FIXED}@{name}" for name, revision in REVISIONS.items() if revision.has_fixed_counters_only]


def _known_kernel(name: str, where: str) -> str:
    if name not in REVISIONS:
        raise unknown_name("kernel", name, REVISIONS, where=where)
    return name
