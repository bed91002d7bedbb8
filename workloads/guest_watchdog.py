"""The Linux guest with the perf-based hard-lockup detector, which locks up its CPUs on purpose. See docs/guests.md."""

from dataclasses import dataclass

from simcore.scenario import GuestSpec
from simcore.units import NS_PER_S
from workloads.actions import Report, SpinUntil
from workloads.alarm import Alarm, work
from workloads.findings import Finding
from workloads.linux_guest import LinuxGuest
from workloads.linux_pmu import CpuPmu, HwEvent, reset
from workloads.phase import CPU_CYCLES
from workloads.program import GuestCpu, Steps
from workloads.steps import Part, timer

SAFE_MAX_KHZ = 5_000_000
"""What hw_nmi_get_sample_period takes where cpufreq is absent (arch/arm64/kernel/watchdog_hld.c)."""
LOCKUPS, DETECTED, FALSE_ALARMS, DELAY, WATCHED = (
    f"watchdog:{name}" for name in ("lockups", "detected", "false", "delay", "on")
)
OFF = -1


def sample_period(spec: GuestSpec) -> int:
    """Return the cycles between two looks of the detector: those of `watchdog_thresh` at the highest frequency."""
    return max(1, (spec.watchdog_max_khz or SAFE_MAX_KHZ) * spec.watchdog_thresh_ns // 1_000_000)


@dataclass(slots=True)
class Watch:
    """What the kernel's watchdog keeps of one CPU, and what really happened beside it.

    `fired`: firings of the soft-lockup timer (hrtimer_interrupts), `saved` as of the last look; `warned`: the lockup
    that goes on was told. `locked_at`: since when (ns) the CPU is locked up, None while it is not.
    """

    cpu: GuestCpu
    fired: int = 0
    saved: int = 0
    warned: bool = False
    locked_at: int | None = None
    lockups: int = 0
    detected: int = 0
    false_alarms: int = 0

    def tick(self) -> Part[None]:
        """Note that the soft-lockup timer fired (watchdog_timer_fn)."""
        self.fired += 1
        yield from ()

    def look(self, event: HwEvent) -> Part[None]:
        """Tell a hard lockup if that timer has not fired since the last look (watchdog_hardlockup_check)."""
        alarm, self.saved = self.fired == self.saved, self.fired
        if alarm and not self.warned:
            yield from self._tell()
        self.warned = alarm

    def _tell(self) -> Part[None]:
        if self.locked_at is None:
            self.false_alarms += 1
            yield Report(FALSE_ALARMS, self.false_alarms)
        else:
            self.detected += 1
            yield Report(DETECTED, self.detected)
            yield Report(DELAY, (yield from self.now_ns()) - self.locked_at)

    def now_ns(self) -> Part[int]:
        """Return the guest's time in ns."""
        return (yield from timer()) * NS_PER_S // self.cpu.cntfrq_hz


@dataclass(slots=True)
class LinuxWatchdog(LinuxGuest):
    """Linux with a hard-lockup detector on a cycles event, and one lockup of each vCPU.

    The PMU interrupt is a pseudo-NMI: it interrupts a lockup too.
    """

    name: str = "linux-watchdog"

    def after_boot(self, cpu: GuestCpu) -> Steps:
        """Yield what one vCPU does once Linux is up."""
        watch = Watch(cpu)
        yield from self._enable(cpu, watch)
        timer_ns = max(1, 2 * self.spec.watchdog_thresh_ns // 5)
        alarm = Alarm(cpu, timer_ns, watch.tick, in_idle=True)
        yield from work(cpu, self.spec, self.workload, alarm, lambda: self._lock_up(cpu, watch))

    def _enable(self, cpu: GuestCpu, watch: Watch) -> Part[None]:
        """Open the detector's event and start it (watchdog_hardlockup_enable); without a counter there is none."""
        if self.pmu is not None:
            yield from reset(self.pmu)
        if self.pmu is None or not self.pmu.supports(CPU_CYCLES):
            yield Report(WATCHED, OFF)
            return
        driver = CpuPmu(self.pmu, watch.look)
        self.cpus[cpu.vcpu] = driver
        yield from driver.masked(self._start(driver))
        yield Report(WATCHED, 1)
        yield Report(FALSE_ALARMS, 0)

    def _start(self, driver: CpuPmu) -> Part[None]:
        yield from driver.add(HwEvent(CPU_CYCLES, sample_period(self.spec)))
        yield from driver.enable()

    def _lock_up(self, cpu: GuestCpu, watch: Watch) -> Part[None]:
        """Once `lockup_at` has passed, spin with interrupts masked: only the pseudo-NMI comes through."""
        now = yield from timer()
        if watch.lockups or not self.spec.lockup_for_ns or now < cpu.ticks(self.spec.lockup_at_ns):
            return
        watch.lockups += 1
        yield Report(LOCKUPS, watch.lockups)
        yield Report(DETECTED, watch.detected)
        watch.locked_at = now * NS_PER_S // cpu.cntfrq_hz
        yield SpinUntil(len(self.workload.phases), now + cpu.ticks(self.spec.lockup_for_ns))
        watch.locked_at = None


def watchdog_findings(spec: GuestSpec) -> list[Finding]:
    """List how well the detector did."""
    return [
        Finding(
            "watched",
            WATCHED,
            ("watch-", "dogs"),
            "vCPUs on which the detector was enabled, of all runs",
            words={OFF: "none"},
        ),
        Finding("lockups", LOCKUPS, ("lock-", "ups"), "lockups of a vCPU with timer interrupts masked, of all runs"),
        Finding(
            "detected",
            DETECTED,
            ("de-", "tected"),
            "of these, those that were told while they lasted",
            per=LOCKUPS,
            unit="share",
        ),
        Finding(
            "median_delay",
            DELAY,
            ("median", "delay"),
            "median time from the beginning of a lockup until it was told",
            vcpus="median",
            runs="median",
            unit="ns",
        ),
        Finding(
            "longest_delay",
            DELAY,
            ("longest", "delay"),
            "longest time from the beginning of a lockup until it was told",
            vcpus="max",
            runs="max",
            unit="ns",
        ),
        Finding("false_alarms", FALSE_ALARMS, ("false", "alarms"), "lockups told where there was none, of all runs"),
    ]
