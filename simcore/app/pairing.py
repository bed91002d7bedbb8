"""Which pairs of policy and kernel revision a comparison runs, and which it leaves out and why."""

from collections.abc import Sequence
from dataclasses import dataclass

from pmu.host import Host
from pmu.policies import POLICIES, PolicyKind, all_that_apply, kernels_of, kind_of, missing, parse
from pmu.versions import KERNELS
from scheduler.vmm_rows import QEMU, Vmm
from simcore.errors import InputError, unknown_name
from simcore.platform import Platform

NO_KIND = POLICIES["default"]
"""Stands in for a name that is no policy's, which ``parse`` refuses."""
FIXED_KERNEL = POLICIES["fixed-counters-only"].kernel


@dataclass(frozen=True, slots=True)
class Pair:
    """A policy without suffix, and a kernel revision."""

    policy: str
    kernel: str

    @property
    def label(self) -> str:
        """Name the pair as users write it."""
        return f"{self.policy}@{self.kernel}"


def no_policy(platform: Platform) -> InputError:
    """Return what is to be raised for a platform on which no guest has a PMU."""
    return InputError(f"no PMU policy applies to {platform.id}", why=f"no vPMU there: {platform.vpmu_reason()}")


def expand(
    platform: Platform, policies: Sequence[str] = (), kernels: Sequence[str] = (), vmm: Vmm = QEMU
) -> tuple[list[Pair], list[str]]:
    """Give the pairs that exist, in order and once each, and a line for each pair that was left out.

    A kernel named by a suffix wins over `kernels`; such a pair must exist, and the VMM must be able to ask for it. No
    policies: all that apply.
    """
    host = Host.from_platform(platform)
    for kernel in kernels:
        _known_kernel(kernel, "--kernel")
    names = tuple(policies) or all_that_apply(host)
    if not names:
        raise no_policy(platform)
    pairs: dict[Pair, None] = {}
    left_out: dict[str, str] = {}
    for name in names:
        for pair in _pairs_of(name, kernels, vmm):
            kind = _kind(pair.policy)
            exists = kind.exists(KERNELS[pair.kernel])
            policy = parse(pair.policy, host, pair.kernel if exists else kind.kernel)
            why = vmm.refusal(policy) if exists else missing(kind, pair.kernel)
            valid = f"another policy, or another VMM than {vmm.name}" if exists else _possible([pair.policy])
            if not why:
                pairs[pair] = None
            elif "@" in name:
                raise InputError(f"{pair.label} cannot exist", why=why, valid=valid)
            else:
                left_out[f"left out: {pair.label}: {why}"] = valid
    if not pairs:
        why, valid = next(iter(left_out.items()))
        raise InputError("no pair of policy and kernel is left", why=why, valid=valid)
    return list(pairs), list(left_out)


def _pairs_of(name: str, kernels: Sequence[str], vmm: Vmm) -> list[Pair]:
    policy, suffixed, kernel = name.partition("@")
    if suffixed:
        return [Pair(policy, _known_kernel(kernel, name))]
    return [Pair(policy, kernel) for kernel in kernels or _default_kernels(policy, vmm)]


def _default_kernels(policy: str, vmm: Vmm) -> tuple[str, ...]:
    """A VMM that may choose fixed-counters-only by itself is looked at with and without it."""
    kernel = _kind(policy).kernel
    return (kernel, FIXED_KERNEL) if policy == "default" and vmm.chooses_fixed else (kernel,)


def _kind(policy: str) -> PolicyKind:
    return kind_of(policy) or NO_KIND


def _possible(policies: Sequence[str]) -> str:
    return ", ".join(f"{policy}@{kernel}" for policy in policies for kernel in kernels_of(_kind(policy)))


def _known_kernel(name: str, where: str) -> str:
    if name not in KERNELS:
        raise unknown_name("kernel", name, KERNELS, where=where)
    return name
