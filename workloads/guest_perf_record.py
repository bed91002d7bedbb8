"""The Linux guest that samples: `perf record -a` over one event, by period or frequency. See docs/guests.md."""

from dataclasses import dataclass

from simcore.scenario import GuestSpec
from simcore.units import NS_PER_S
from workloads.actions import Report, Sample, StartSampling
from workloads.alarm import Alarm, never, work
from workloads.findings import Finding
from workloads.linux_guest import LinuxGuest
from workloads.linux_pmu import CpuPmu, HwEvent, reset
from workloads.linux_sampling import Sampler
from workloads.phase import CPU_CYCLES
from workloads.program import GuestCpu, Steps
from workloads.steps import Part, timer

CPU_CLOCK = -1
"""Stands for the event `cpu-clock` in a sample."""
SHORTEST_TIMER_NS = 10_000
"""The shortest period of a timer that samples (perf_swevent_start_hrtimer)."""
SAMPLES, SKID, THROTTLED, SOURCE = "record:samples", "record:skid", "record:throttled", "record:by"
BY_COUNTER, BY_TIMER, NOT_SUPPORTED, NOT_COUNTED = 0, -1, -2, -3
SOURCES = {BY_COUNTER: "counter", BY_TIMER: "cpu-clock", NOT_SUPPORTED: "<not supported>", NOT_COUNTED: "<not counted>"}
"""What `perf record` samples by, or why it does not."""


@dataclass(slots=True)
class Recording:
    """What perf record keeps of one vCPU: its samples, and the events that came late for them."""

    samples: int = 0
    skid: int = 0
    throttled: int = 0

    def take(self, event: int, period: int, skid: int) -> Part[None]:
        """Take a sample."""
        self.samples += 1
        self.skid += skid
        yield Sample(event, period, skid)

    def report(self) -> Part[None]:
        """Report the totals so far."""
        yield Report(SAMPLES, self.samples)
        yield Report(SKID, self.skid)
        yield Report(THROTTLED, self.throttled)


@dataclass(slots=True)
class LinuxPerfRecord(LinuxGuest):
    """Linux with `perf record -a` of the spec's event on every vCPU.

    One object for one VM and run: the probed PMU and the open events are the VM's memory.
    """

    name: str = "linux-perf-record"

    def after_boot(self, cpu: GuestCpu) -> Steps:
        """Yield what one vCPU does once Linux is up."""
        recording = Recording()
        yield StartSampling()
        alarm = yield from self._open(cpu, recording)
        yield from work(cpu, self.spec, self.workload, alarm, recording.report)

    def _open(self, cpu: GuestCpu, recording: Recording) -> Part[Alarm]:
        """Open the event as perf record does; return the timer that the guest then needs."""
        tick_ns = NS_PER_S // self.spec.tick_hz
        if self.pmu is not None:
            yield from reset(self.pmu)
        if self.pmu is None or not self.pmu.supports(self.spec.record_event):
            return (yield from self._open_without(cpu, recording, tick_ns))
        sampler = self._sampler(cpu, recording, CpuPmu(self.pmu), tick_ns)
        if not (yield from sampler.pmu.masked(sampler.begin())):
            yield Report(SOURCE, NOT_COUNTED)
            return Alarm(cpu, tick_ns, never)
        yield Report(SOURCE, BY_COUNTER)
        return Alarm(cpu, tick_ns, lambda: sampler.pmu.masked(sampler.tick()))

    def _sampler(self, cpu: GuestCpu, recording: Recording, driver: CpuPmu, tick_ns: int) -> Sampler:
        """Make the event; one with a frequency begins with a period of 1."""
        spec = self.spec
        event = HwEvent(spec.record_event, spec.record_period or 1)
        sampler = Sampler(driver, event, 0 if spec.record_period else spec.record_freq, tick_ns)

        def overflowed(hit: HwEvent) -> Part[None]:
            now = yield from timer()
            yield from sampler.account(now * NS_PER_S // cpu.cntfrq_hz)
            recording.throttled = sampler.throttled
            yield from recording.take(hit.event, hit.ended, hit.late)

        driver.overflowed = overflowed
        self.cpus[cpu.vcpu] = driver
        return sampler

    def _open_without(self, cpu: GuestCpu, recording: Recording, tick_ns: int) -> Part[Alarm]:
        """Fall back to cpu-clock if it was cycles that could not be opened (evsel__fallback); else give up."""
        if self.spec.record_event != CPU_CYCLES:
            yield Report(SOURCE, NOT_SUPPORTED)
            return Alarm(cpu, tick_ns, never)
        yield Report(SOURCE, BY_TIMER)
        period_ns = max(SHORTEST_TIMER_NS, self.spec.record_period or NS_PER_S // self.spec.record_freq)
        return Alarm(cpu, period_ns, lambda: recording.take(CPU_CLOCK, period_ns, 0))


def perf_record_findings(spec: GuestSpec) -> list[Finding]:
    """List what is known at the end of perf record."""
    return [
        Finding("sampled_by", SOURCE, ("sampled", "by"), "what takes the samples", words=SOURCES),
        Finding("skid", SKID, ("mean", "skid"), "events from an overflow to its handler, a sample", per=SAMPLES),
        Finding("throttled", THROTTLED, ("throt-", "tled"), "how often an event was throttled until the next HZ tick"),
    ]
