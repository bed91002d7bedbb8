"""The VMMs: which calls each makes before KVM_RUN, by which threads, what it can be asked for, and where from.

docs/model.md, "VMMs", has the same table in words.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from pmu.attributes import COMPOSITION, FIXED_COUNTERS_ONLY, INIT, INTERSECTION, IRQ, SCALED_TIME, SET_PMU
from pmu.policies import BEFORE_INIT, Policy
from scheduler import vmm_choosing
from scheduler.vmm_call import (
    CHOICE,
    EACH,
    FIRST,
    HAS,
    MAIN,
    OWN,
    SET,
    VCPU_INIT,
    VGIC,
    WISHED,
    Call,
    Choosing,
    Situation,
    Stage,
)
from simcore.errors import unknown_name

STRICT: Final = "PMU_V3_STRICT"
ANY: Final = frozenset({SET_PMU, FIXED_COUNTERS_ONLY, STRICT, COMPOSITION, INTERSECTION, SCALED_TIME})


@dataclass(frozen=True, slots=True)
class Vmm:
    """A VMM. ``calls``: those before the first KVM_RUN, in order; ``source``: where they are known from.

    ``asks``: the attributes and vCPU features that a user can have it set; ``by_place``: only by pinning it before it
    starts.
    ``chooses``: how it chooses a PMU by itself; ``default_means``: what that makes of the policy ``default``.
    ``retries_fail_entry``: whether it calls KVM_RUN again at once after KVM_EXIT_FAIL_ENTRY.
    ``pins_first``: the pinning is done before the first KVM_RUN, else ``pin_delay`` after the threads have started.
    ``starts_anywhere``: until then `vms.N.cpus` does not bind it, only `pin.emulator`.
    ``user_irqchip``: it can do without the kernel's irqchip. ``chooses_fixed``: its own choice may be
    FIXED_COUNTERS_ONLY.
    """

    name: str
    calls: tuple[Stage, ...]
    retries_fail_entry: bool
    source: str
    asks: frozenset[str] = ANY
    by_place: bool = False
    chooses: Callable[[Situation], Choosing] | None = None
    default_means: str = ""
    pins_first: bool = False
    starts_anywhere: bool = False
    user_irqchip: bool = False
    chooses_fixed: bool = False

    def refusal(self, policy: Policy) -> str:
        """Return why a policy cannot be had from this VMM, or nothing."""
        wanted = [name for name, _ in policy.attributes] + [STRICT] * policy.strict
        missing = [name for name in wanted if name not in self.asks]
        if missing:
            return f"{self.name} cannot be asked for {missing[0]}"
        if policy.attributes and self.by_place and policy.pins != BEFORE_INIT:
            return f"{self.name} takes the PMU of the pCPU that it is started on"
        return ""


def _init(thread: str) -> Call:
    return Call(thread, VCPU_INIT)


_VGIC: Final = Stage(FIRST, (Call(MAIN, VGIC, irqchip=True),))
_QEMU_PMU: Final = Stage(
    EACH,
    (
        Call(MAIN, HAS, IRQ, irqchip=True),
        Call(MAIN, SET, IRQ, irqchip=True),
        Call(MAIN, HAS, INIT),
        Call(MAIN, SET, INIT),
    ),
    pmu=True,
)
_QEMU_RESET: Final = Stage(EACH, (_init(MAIN),))

QEMU: Final = Vmm(
    "qemu",
    (
        Stage(EACH, (_init(OWN),)),
        Stage(FIRST, (Call(OWN, SET, WISHED),), pmu=True),
        _VGIC,
        _QEMU_PMU,
        _QEMU_RESET,
    ),
    True,
    "accel/kvm/kvm-accel-ops.c, hw/arm/virt.c (virt_cpu_post_init), target/arm/kvm.c (kvm_arm_set_device_attr, "
    "kvm_arm_reset_vcpu; an exit reason that kvm_arch_handle_exit does not know returns to the KVM_RUN loop)",
    user_irqchip=True,
)

LIBVIRT: Final = replace(
    QEMU,
    name="libvirt",
    source="QEMU's, started with -S; src/qemu/qemu_process.c (qemuProcessInitCpuAffinity, qemuProcessSetupVcpus, "
    "then qemuProcessFinishStartup)",
    pins_first=True,
    starts_anywhere=True,
)

QEMU_RFC: Final = replace(
    QEMU,
    name="qemu-rfc",
    calls=(
        Stage(FIRST, (Call(MAIN, CHOICE),), pmu=True),
        Stage(EACH, (_init(OWN), Call(OWN, SET, WISHED))),
        _VGIC,
        _QEMU_PMU,
        _QEMU_RESET,
    ),
    source='QEMU patch "target/arm/kvm: Choose PMU backend" (RFC v2, 2026-02-25), on QEMU\'s',
    asks=frozenset({SET_PMU}),
    chooses=vmm_choosing.backend,
    default_means="SET_PMU of a PMU that covers every pCPU, else FIXED_COUNTERS_ONLY where the kernel has it, "
    "else no PMU",
    chooses_fixed=True,
)

CROSVM: Final = Vmm(
    "crosvm",
    (
        Stage(EACH, (_init(MAIN),)),
        _VGIC,
        Stage(EACH, (Call(MAIN, HAS, IRQ), Call(MAIN, SET, IRQ), Call(MAIN, SET, INIT)), tolerant=True),
    ),
    False,
    "aarch64/src/lib.rs (build_vm, configure_vcpu_early), hypervisor/src/kvm/aarch64.rs (init_pmu), "
    "src/crosvm/sys/linux/vcpu.rs (set_vcpu_thread_scheduling; FailEntry is ExitState::Crash)",
    asks=frozenset(),
    pins_first=True,
)

KVMTOOL: Final = Vmm(
    "kvmtool",
    (
        Stage(EACH, (_init(MAIN),)),
        _VGIC,
        Stage(FIRST, (Call(MAIN, CHOICE),), pmu=True),
        Stage(
            EACH,
            (
                Call(MAIN, HAS, IRQ),
                Call(MAIN, SET, IRQ),
                Call(MAIN, HAS, WISHED),
                Call(MAIN, SET, WISHED),
                Call(MAIN, HAS, INIT),
                Call(MAIN, SET, INIT),
            ),
            pmu=True,
        ),
    ),
    False,
    "kvm-cpu.c (kvm_cpu__init; kvm_cpu__start ends at an exit reason that it does not know), arm64/gic.c, arm64/pmu.c",
    asks=frozenset({SET_PMU}),
    by_place=True,
    chooses=vmm_choosing.pmu_of_this_cpu,
    default_means="SET_PMU of the PMU of the pCPU on which kvmtool's main thread runs; KVM_RUN fails entry elsewhere",
)

VMMS: Final[Mapping[str, Vmm]] = MappingProxyType({row.name: row for row in (QEMU, LIBVIRT, QEMU_RFC, CROSVM, KVMTOOL)})


def vmm_named(name: str) -> Vmm:
    """Return the VMM of this name, or raise InputError with near matches."""
    if name not in VMMS:
        raise unknown_name("VMM", name, VMMS)
    return VMMS[name]
