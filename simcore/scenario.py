"""Scenario: the question asked, as frozen names and numbers. Loading from TOML is in ``simcore.loader``."""

from collections.abc import Collection
from dataclasses import dataclass, field

from simcore.costs import Costs
from simcore.errors import InputError

THEN = ">"
"""Between the names of the policies that a VM has one after the other."""
RTAPP = "rt-app"
"""What comes before the colon in the name of a guest that runs a file."""
ALL_CAUSES = frozenset({"wakeup", "balance", "misfit", "affinity", "other"})


@dataclass(frozen=True, slots=True)
class GuestSpec:
    """A guest program and its parameters; every default without a source is assumed (docs/guests.md)."""

    name: str = "windows"
    workload: str = "429.mcf"
    window_ns: int = 10_000_000
    boot_ns: int = 100_000_000
    quantum_instructions: int = 2_000_000
    quanta_per_wake: int = 4
    sleep_ns: int = 2_000_000
    perf_events: tuple[int, ...] = (0x03, 0x10, 0x24)
    tick_hz: int = 250
    tick_instructions: int = 5_000
    perf_groups: tuple[tuple[int, ...], ...] = ()
    perf_interval_ns: int = 0
    rtapp_ignore: tuple[str, ...] = ()
    record_event: int = 0x11
    record_freq: int = 4_000
    record_period: int = 0
    watchdog_thresh_ns: int = 100_000_000
    watchdog_max_khz: int = 0
    lockup_at_ns: int = 500_000_000
    lockup_for_ns: int = 1_000_000_000
    rr_skid: int = 10_001
    rr_timeslice: int = 2_500_000
    rr_syscalls: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadSpec:
    """How the host schedules a thread (sched_setattr); None: the default of the policy.

    ``slice_ns`` 0 is the base slice, under `rr` Linux' default; the clamps are of utilisation, 1024 the most.
    """

    policy: str = "other"
    priority: int | None = None
    nice: int = 0
    slice_ns: int = 0
    uclamp_min: int | None = None
    uclamp_max: int | None = None


@dataclass(frozen=True, slots=True)
class CgroupSpec:
    """The cgroup of a VM; it has none of its own while all is at its default.

    ``weight`` is cpu.weight (None: Linux' 100), ``quota_ns`` (0: none) and ``period_ns`` cpu.max, ``cpus`` cpuset.cpus.
    """

    weight: int | None = None
    quota_ns: int = 0
    period_ns: int = 100_000_000
    cpus: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class VmmThreadsSpec:
    """The threads of a VMM beside those of its vCPUs, and how long they work on half of an I/O request.

    ``io_burst_ns`` is on the biggest core at its top OPP.
    """

    main: bool = False
    io: int = 0
    io_burst_ns: int = 20_000


@dataclass(frozen=True, slots=True)
class PinSpec:
    """libvirt's vcpupin, emulatorpin and iothreadpin: pCPUs of each vCPU, of the VMM's main thread, of each I/O thread.

    The lists of vCPUs and I/O threads begin anew where they are too short; empty: no pinning.
    """

    vcpu: tuple[tuple[int, ...], ...] = ()
    emulator: tuple[int, ...] | None = None
    io: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class VmSpec:
    """One VM: its guest, its PMU policy and kernel revision, its VMM and where its threads may run."""

    guest: GuestSpec = GuestSpec()
    vcpus: int = 4
    policy: str | None = "default"
    kernel: str = "mainline"
    vmm: str = "qemu"
    irqchip: str = "kernel"
    cpus: tuple[int, ...] | None = None
    init_placement: str = "uniform"
    pin_delay_ns: int = 1_000_000
    shadows: tuple[str, ...] = ()
    sched: ThreadSpec = ThreadSpec()
    cgroup: CgroupSpec = CgroupSpec()
    vmm_threads: VmmThreadsSpec = VmmThreadsSpec()
    pin: PinSpec = PinSpec()


@dataclass(frozen=True, slots=True)
class BackgroundTask(ThreadSpec):
    """A host thread that runs a burst, sleeps, and repeats.

    ``burst_ns`` is the length of a burst on the biggest core at its top OPP; ``sleep_ns`` the mean sleep.
    """

    burst_ns: int = 1_000_000
    sleep_ns: int = 4_000_000
    cpus: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class RtappSpec:
    """A file of rt-app whose threads are threads of the host; ``ignore`` names what is left out of it."""

    file: str | None = None
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OppChange:
    """A perf domain takes another frequency at a given time (``khz`` must be an OPP of the domain)."""

    time_ns: int
    domain: int
    khz: int


@dataclass(frozen=True, slots=True)
class IdleSpec:
    """Idle pCPUs of the host: the latency that they may have, and what they draw, which is assumed.

    Powers are in thousandths of what a busy pCPU draws at its lowest OPP: in WFI, and in any deeper state.
    """

    latency_limit_ns: int | None = None
    wfi_power: int = 100
    sleep_power: int = 10


@dataclass(frozen=True, slots=True)
class AffinityChange:
    """A vCPU thread gets another affinity at a given time."""

    time_ns: int
    vm: int
    vcpu: int
    cpus: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CpusetChange:
    """The cgroup of a VM gets another cpuset at a given time."""

    time_ns: int
    vm: int
    cpus: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LiveMigration:
    """A VM goes to another host of the same platform, where it has another policy or kernel, and goes on there.

    ``downtime_ns`` is how long no vCPU executes; ``order`` that in which ONE_REG registers are restored.
    ``kernel`` and ``init_placement`` None: those of the VM (v8 for a policy that mainline lacks).
    """

    time_ns: int
    policy: str
    vm: int = 0
    kernel: str | None = None
    downtime_ns: int = 100_000_000
    init_placement: str | None = None
    order: str = "ascending"


DEFAULT_COSTS = Costs()
DEFAULT_BACKGROUND = (BackgroundTask(),) * 4


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything that decides a run, and nothing else; two equal scenarios give equal results.

    ``tick_ns`` 0 means the longest tick that is allowed; ``sample_ns`` 0 means no samples.
    ``causes`` lists the causes of migration that are switched on. ``busy_counters`` maps a host PMU's
    name to the number of its counters that host users have pinned. ``icntr``: the kernel virtualises the instruction
    counter of FEAT_PMUv3_ICNTR, which no kernel does yet. ``margin`` is in percent of a pCPU's capacity.
    """

    platform: str = "rk3588"
    vms: tuple[VmSpec, ...] = (VmSpec(),)
    seconds_ns: int = 2_000_000_000
    seed: int = 1
    scheduler: str = "eas"
    governor: str = "schedutil"
    rate_limit_ns: int = 1_000_000
    margin: int = 80
    hz: int = 250
    halt_poll_ns: int = 500_000
    tick_ns: int = 0
    sample_ns: int = 10_000_000
    quirks: bool = True
    icntr: bool = False
    background: tuple[BackgroundTask, ...] = DEFAULT_BACKGROUND
    rtapp: RtappSpec = RtappSpec()
    opp_changes: tuple[OppChange, ...] = ()
    affinity_changes: tuple[AffinityChange, ...] = ()
    cpuset_changes: tuple[CpusetChange, ...] = ()
    live_migrations: tuple[LiveMigration, ...] = ()
    causes: frozenset[str] = ALL_CAUSES
    idle: IdleSpec = IdleSpec()
    costs: Costs = DEFAULT_COSTS
    busy_counters: tuple[tuple[str, int], ...] = field(default=())
    switches: bool = False
    schedule: bool = False
    trace: bool = False


def check_cpus(cpus: Collection[int], number: int, where: str, what: str) -> None:
    """Refuse no pCPUs at all, and those that a host of this number of pCPUs does not have."""
    if not cpus or not set(cpus) <= set(range(number)):
        raise InputError(f"impossible {what} {list(cpus)}", where, valid=f"0 to {number - 1}")


def check_vcpu(scenario: Scenario, vcpu: int) -> None:
    """Refuse a vCPU that the first VM does not have."""
    vcpus = scenario.vms[0].vcpus
    if not 0 <= vcpu < vcpus:
        raise InputError(f"no vCPU {vcpu} in this run", valid=f"0 to {vcpus - 1}")
