"""The Linux guest that counts: the armv8_pmuv3 driver and `perf stat -a -I 100` on top of it.

Counters are not multiplexed: an event that finds no counter is `<not counted>`. See docs/guests.md.
"""

from dataclasses import dataclass, field
from itertools import count

from simcore.scenario import GuestSpec
from workloads.actions import Report
from workloads.catalog import Workload
from workloads.findings import Finding
from workloads.linux_pmu import CpuPmu, GuestPmu, HwEvent, probe, reset
from workloads.phase import CPU_CYCLES, INST_RETIRED, Phase
from workloads.program import GuestCpu, Steps
from workloads.steps import Part, boot, pause, quantum, start_others, survive, timer

NOT_SUPPORTED, NOT_COUNTED = -1, -2
"""What `perf:<event>` reports in place of a count."""
INTERVAL_NS = 100_000_000
EVENT_NAMES = {
    0x01: "l1i_cache_refill", 0x03: "l1d_cache_refill", 0x04: "l1d_cache", 0x05: "l1d_tlb_refill",
    0x08: "instructions", 0x10: "br_mis_pred", 0x11: "cycles", 0x12: "br_pred", 0x13: "mem_access",
    0x16: "l2d_cache", 0x17: "l2d_cache_refill", 0x19: "bus_access", 0x1B: "inst_spec", 0x1D: "bus_cycles",
    0x21: "br_retired", 0x22: "br_mis_pred_retired", 0x23: "stall_frontend", 0x24: "stall_backend",
    0x34: "dtlb_walk", 0x36: "ll_cache_rd", 0x37: "ll_cache_miss_rd", 0x4004: "cnt_cycles",
}  # fmt: skip


@dataclass(slots=True)
class LinuxPerfStat:
    """Linux with `perf stat` over cycles, instructions and the spec's events on every vCPU.

    One object for one VM and run: the probed PMU and the open events are the VM's memory.
    """

    spec: GuestSpec
    workload: Workload
    name: str = "linux-perf-stat"
    pmu: GuestPmu | None = field(default=None, init=False)
    cpus: dict[int, CpuPmu] = field(default_factory=dict, init=False)

    @property
    def phases(self) -> tuple[Phase, ...]:
        """List the workload's phases, then the kernel's."""
        return (*self.workload.phases, self.workload.kernel)

    def vcpu(self, cpu: GuestCpu) -> Steps:
        """Yield what one vCPU does."""
        return survive(self._life(cpu))

    def interrupt(self, cpu: GuestCpu) -> Steps | None:
        """Yield the driver's overflow handler."""
        return self.cpus[cpu.vcpu].interrupt() if cpu.vcpu in self.cpus else None

    def _life(self, cpu: GuestCpu) -> Steps:
        yield from boot(cpu, self.spec, len(self.workload.phases))
        if cpu.vcpu == 0:
            self.pmu = yield from probe()
        yield from start_others(cpu)
        if self.pmu is not None:
            yield from reset(self.pmu)
            self.cpus[cpu.vcpu] = CpuPmu(self.pmu)
        opened = yield from self._open(cpu)
        yield from self._work(cpu, opened)

    def _open(self, cpu: GuestCpu) -> Part[list[HwEvent]]:
        """Open the events; say at once which are not supported or find no counter."""
        opened = []
        for number in events_of(self.spec):
            event = HwEvent(number)
            if self.pmu is None or not self.pmu.supports(number):
                yield Report(report_key(number), NOT_SUPPORTED)
            elif (yield from self.cpus[cpu.vcpu].add(event)):
                opened.append(event)
            else:
                yield Report(report_key(number), NOT_COUNTED)
        if opened:
            yield from self.cpus[cpu.vcpu].enable()
        return opened

    def _work(self, cpu: GuestCpu, opened: list[HwEvent]) -> Steps:
        due = (yield from timer()) + cpu.ticks(INTERVAL_NS)
        for wake in count():
            for turn in range(self.spec.quanta_per_wake):
                yield quantum(cpu, self.spec, self.workload, wake * self.spec.quanta_per_wake + turn)
                now = yield from timer()
                if now >= due:
                    due = now + cpu.ticks(INTERVAL_NS)
                    for event in opened:
                        yield from self.cpus[cpu.vcpu].masked(event.update())
                        yield Report(report_key(event.event), event.total)
            yield from pause(cpu, self.spec, wake)


def report_key(event: int) -> str:
    """Name the report of an event's count."""
    return f"perf:{EVENT_NAMES.get(event, f'r{event:x}')}"


def events_of(spec: GuestSpec) -> tuple[int, ...]:
    """List what perf is asked to count."""
    return (CPU_CYCLES, INST_RETIRED, *spec.perf_events)


def perf_stat_findings(spec: GuestSpec) -> list[Finding]:
    """List what `perf stat` prints at the end: a count for each event."""
    words = {NOT_SUPPORTED: "<not supported>", NOT_COUNTED: "<not counted>"}
    return [
        Finding(
            name=report_key(event).removeprefix("perf:"),
            key=report_key(event),
            heading=("", report_key(event).removeprefix("perf:")),
            meaning="count that perf prints, all vCPUs; median over runs",
            runs="median",
            words=words,
        )
        for event in dict.fromkeys(events_of(spec))
    ]
