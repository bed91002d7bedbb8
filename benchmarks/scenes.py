"""The questions that are timed: scenarios of the product's own guests, with PMU policy, ledger and trace on."""

from dataclasses import replace

from benchmarks import socs
from simcore.loader import load_platform
from simcore.scenario import BackgroundTask, GuestSpec, Scenario, VmSpec
from workloads.catalog import load_workload

MS = 1_000_000
BOOT_NS = 100_000
WAKE_NS = MS
"""Interactive vCPUs wake up once in this time."""

CROWD_WAKE_NS = 5_700_000
"""The same for the many vCPUs of ``crowd``: 384 CPUs then have some 490,000 decisions a simulated second."""

BURST_INSTRUCTIONS = 200_000
WORK_NS = 200_000
"""About what such a burst takes, which the pause after it is shorter for."""

PCPUS = 8
PERIODS_MS = (4.0, 5.0, 8.0, 10.0, 12.0, 16.0, 20.0, 25.0)
LOAD = 0.7
PERIODIC_WORKLOAD = "dhrystone"
"""Of the periodic sets; the workload's speed does not depend on memory."""


def interactive(seconds_ns: int = 500 * MS) -> Scenario:
    """Return vCPUs that wake up 1000 times a second each, on as many copies of RK3588 as there are CPUs for."""
    guest = GuestSpec("none", boot_ns=BOOT_NS, quantum_instructions=BURST_INSTRUCTIONS, quanta_per_wake=1)
    guest = replace(guest, sleep_ns=WAKE_NS - WORK_NS)
    return scenario(socs.SOURCE, vm(guest, PCPUS), seconds_ns)


def crowd(cpus: int, seconds_ns: int = 500 * MS) -> Scenario:
    """Return two vCPUs for each of so many CPUs (RK3588 again and again), which wake up 175 times a second each."""
    guest = GuestSpec("none", boot_ns=BOOT_NS, quantum_instructions=BURST_INSTRUCTIONS, quanta_per_wake=1)
    guest = replace(guest, sleep_ns=CROWD_WAKE_NS - WORK_NS)
    return scenario(soc(cpus), vm(guest, 2 * cpus), seconds_ns)


def soc(cpus: int) -> str:
    """Return RK3588, or the platform with as many CPUs."""
    return socs.SOURCE if cpus == 8 else socs.repeated(cpus // 8)


def ticking(vcpus: int, seconds_ns: int = 2000 * MS) -> Scenario:
    """Return vCPUs that never sleep on RK3588; a timer tick interrupts each 250 times a second."""
    return scenario(socs.SOURCE, vm(GuestSpec("ticking", boot_ns=BOOT_NS), vcpus), seconds_ns)


def threads(tasks: int, seconds_ns: int = 2000 * MS) -> Scenario:
    """Return so many threads of the host on RK3588, which work half of their time if they may."""
    background = (BackgroundTask(burst_ns=10 * MS, sleep_ns=10 * MS),) * tasks
    return replace(scenario(socs.SOURCE, (), seconds_ns), background=background)


def periodic_set(tasks: int, cpus: int) -> list[tuple[float, float]]:
    """Return (period, execution time) in milliseconds of tasks that load so many CPUs by 70 % in equal parts."""
    return [
        (period, LOAD * cpus / tasks * period) for period in (PERIODS_MS[n % len(PERIODS_MS)] for n in range(tasks))
    ]


def periodic(tasks: int, cpus: int, seconds_ns: int = 1000 * MS) -> Scenario:
    """Return a periodic set as VMs with one vCPU each, on equal CPUs at one frequency: work, then sleep.

    The guest's sleep is a mean (uniform from half to one and a half times), so a period is one in the mean.
    """
    vms = tuple(vm(periodic_guest(period, work), 1) for period, work in periodic_set(tasks, cpus))
    return replace(scenario(socs.equal(cpus), vms, seconds_ns), scheduler="eevdf", governor="performance")


def periodic_guest(period_ms: float, work_ms: float) -> GuestSpec:
    """Return a guest that works so long on one of the equal CPUs, and then sleeps so long that both take a period."""
    core = load_platform(socs.equal(1)).core_types
    phase = load_workload(PERIODIC_WORKLOAD, core).phases[0]
    instructions = round(work_ms * socs.KHZ / float(phase.on(socs.CORE).cpi(socs.KHZ)))
    sleep_ns = round((period_ms - work_ms) * MS)
    return GuestSpec("none", PERIODIC_WORKLOAD, MS, BOOT_NS, instructions, 1, sleep_ns)


def vm(guest: GuestSpec, vcpus: int) -> VmSpec:
    """Return the VM of a measurement."""
    return VmSpec(guest=guest, vcpus=vcpus, policy="fixed-counters-only", kernel="v8")


def scenario(platform: str, vms: VmSpec | tuple[VmSpec, ...], seconds_ns: int) -> Scenario:
    """Return a scenario without other threads."""
    given = vms if isinstance(vms, tuple) else (vms,)
    return Scenario(platform=platform, vms=given, seconds_ns=seconds_ns, background=(), switches=True)
