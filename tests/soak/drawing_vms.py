"""The VMs of random scenarios: guest, policy, kernel, VMM, places and attributes of their threads."""

from pmu.policies import POLICIES, Policy, kernels_of, parse
from scheduler.vmm_rows import VMMS
from tests.soak.dice import Dice
from tests.soak.drawn_platforms import Site
from tests.soak.program import DRAWN, DRAWN_MASKED
from tests.soak.toml import Tables
from workloads.catalog import presets

MS = 1_000_000
GUESTS = {
    "windows": 10, "linux-boot": 6, "linux-perf-stat": 8, "linux-perf-record": 8, "linux-watchdog": 6, "rr": 6,
    "self-test": 8, "none": 5, "busy": 6, "ticking": 6, DRAWN: 25, DRAWN_MASKED: 20,
}  # fmt: skip
KINDS = {
    "default": 30, "fixed-counters-only": 30, "default-pinned": 8, "set-pmu": 8, "set-pmu-unpinned": 8, "strict": 3,
    "composite": 8, "intersection": 6, "scaled-time": 6, "none": 4,
}  # fmt: skip
"""Policies without their host PMU, and how often."""
WATCHED = ("default", "fixed-counters-only", "set-pmu-unpinned", "composite", "intersection", "scaled-time")
EVENTS = [0x01, 0x03, 0x04, 0x08, 0x10, 0x11, 0x13, 0x1B, 0x23, 0x24]


def draw_vm(dice: Dice, site: Site, length: int, scheduler: str) -> Tables:
    """Draw a VM on a site for a run of this length."""
    policy, kernel, vmm = _policy(dice, site)
    covered = sorted(policy.pinned_cpus) if policy.pins else site.cpus
    anchor = dice.choice(covered)
    vm: Tables = {
        "vcpus": dice.weighted({1: 25, 2: 30, 3: 15, 4: 15, 6: 8, 8: 5, 12: 2}),
        "policy": f"{policy.name}@{kernel}" if dice.chance(50) else policy.name,
        "kernel": kernel,
        "vmm": vmm,
        "pin_delay": dice.time(1, max(2, length // 4)),
        "guest": _guest(dice, length),
    }
    if VMMS[vmm].user_irqchip and dice.chance(25):
        vm["irqchip"] = "user"
    if dice.chance(20):
        vm["cpus"] = dice.some(site.cpus, anchor)
    if dice.chance(30):
        vm["init_placement"] = dice.choice([*site.places_of(anchor), "uniform"])
    if dice.chance(25):
        vm["sched"] = draw_thread(dice)
    if dice.chance(25):
        vm["cgroup"] = _cgroup(dice, site, anchor)
    if dice.chance(30):
        vm["vmm_threads"] = {"main": dice.chance(50), "io": dice.below(4), "io_burst": dice.time(1000, 200_000)}
    if scheduler != "pinned" and dice.chance(15):
        vm["pin"] = _pin(dice, site, anchor)
    if dice.chance(60):
        vm["shadows"] = _shadows(dice, site, vmm)
    return vm


def _policy(dice: Dice, site: Site) -> tuple[Policy, str, str]:
    """Draw a policy, a kernel that has it and a VMM that can be asked for it."""
    vmm = dice.weighted({"qemu": 55, "libvirt": 15, "qemu-rfc": 10, "crosvm": 10, "kvmtool": 10})
    kind = POLICIES[dice.weighted(KINDS) if site.host.usable_pmus else "none"]
    kernel = dice.choice(kernels_of(kind))
    name = f"{kind.name}:{dice.choice(site.host.usable_pmus).name}" if kind.takes_pmu else kind.name
    policy = parse(name, site.host, kernel)
    return policy, kernel, "qemu" if VMMS[vmm].refusal(policy) else vmm


def _shadows(dice: Dice, site: Site, vmm: str) -> list[str]:
    if not site.host.usable_pmus:
        return []
    found = []
    for _ in range(dice.between(1, 3)):
        kind = POLICIES[dice.choice(WATCHED)]
        kernel = dice.choice(kernels_of(kind))
        name = f"{kind.name}:{dice.choice(site.host.usable_pmus).name}" if kind.takes_pmu else kind.name
        if not VMMS[vmm].refusal(parse(name, site.host, kernel)):
            found.append(f"{name}@{kernel}")
    return found


def _guest(dice: Dice, length: int) -> Tables:
    """Draw a guest whose times suit a run of this length."""
    guest: Tables = {
        "name": dice.weighted(GUESTS),
        "workload": dice.choice(list(presets())),
        "boot": dice.choice(["0s", dice.time(1, max(2, length // 4))]),
        "window": dice.time(1000, max(2000, length // 6)),
        "quantum_instructions": dice.span(20_000, 4_000_000),
        "quanta_per_wake": dice.between(1, 5),
        "sleep": dice.choice(["0s", dice.time(10_000, 3 * MS), dice.time(10_000, 3 * MS)]),
        "tick_hz": dice.span(100, 20_000),
        "tick_instructions": dice.span(10, 50_000),
        "record_event": dice.choice(EVENTS),
        "record_freq": dice.span(100, 50_000),
        "record_period": dice.choice([0, dice.span(5000, 1_000_000)]),
        "watchdog_thresh": dice.time(100_000, max(200_000, length // 2)),
        "watchdog_max_khz": dice.choice([0, 2_000_000]),
        "lockup_at": dice.time_of(length),
        "lockup_for": dice.choice(["0s", dice.time_of(length)]),
        "rr_skid": dice.below(20_000),
        "rr_timeslice": dice.span(20_000, 3_000_000),
        "rr_syscalls": dice.between(1, 20),
        "perf_events": sorted({dice.choice(EVENTS) for _ in range(dice.below(8))}),
    }
    if dice.chance(30):
        guest["perf_groups"] = [[0x08, 0x11], [0x10]][: dice.between(1, 2)]
    return guest


def draw_thread(dice: Dice) -> Tables:
    """Draw attributes of a thread."""
    policy = dice.weighted({"other": 60, "batch": 10, "idle": 10, "fifo": 10, "rr": 10})
    thread: Tables = {"policy": policy}
    if policy in ("fifo", "rr"):
        thread["priority"] = dice.between(1, 99)
    elif dice.chance(50):
        thread["nice"] = dice.between(-20, 19)
    if dice.chance(30):
        thread["slice"] = dice.time(1, 150 * MS)
    if dice.chance(20):
        low = dice.below(1025)
        thread |= {"uclamp_min": low, "uclamp_max": dice.between(low, 1024)}
    return thread


def _cgroup(dice: Dice, site: Site, anchor: int) -> Tables:
    group: Tables = {}
    if dice.chance(60):
        group["weight"] = dice.span(1, 10_000)
    if dice.chance(60):
        period = dice.span(1 * MS, 20 * MS)
        group |= {"period": f"{period}ns", "quota": f"{dice.span(1 * MS, 2 * period)}ns"}
    if dice.chance(30):
        group["cpus"] = dice.some(site.cpus, anchor)
    return group


def _pin(dice: Dice, site: Site, anchor: int) -> Tables:
    """Draw pinning that leaves each thread the pCPU ``anchor`` at least."""
    return {
        "vcpu": [dice.some(site.cpus, anchor) for _ in range(dice.between(1, 3))],
        "emulator": dice.some(site.cpus, anchor),
        "io": [dice.some(site.cpus, anchor)],
    }
