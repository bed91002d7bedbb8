"""The Linux guest that counts: the armv8_pmuv3 driver, perf's core, and `perf stat -a` on top of them.

What is known of them and what is assumed stands in docs/guests.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain, count

from simcore.scenario import GuestSpec
from workloads.actions import Report
from workloads.findings import Finding
from workloads.linux_guest import LinuxGuest
from workloads.linux_perf import PerfContext
from workloads.linux_pmu import CpuPmu, GuestPmu, HwEvent, reset
from workloads.perf_tool import EXECUTED, NOT_SUPPORTED, WORDS, Interval, Stat, event_name, report_key
from workloads.phase import CPU_CYCLES, INST_RETIRED
from workloads.program import GuestCpu, Steps
from workloads.steps import Part, pause, quantum, timer


@dataclass(slots=True)
class LinuxPerfStat(LinuxGuest):
    """Linux with `perf stat` over cycles, instructions and the spec's events on every vCPU.

    One object for one VM and run: the probed PMU and the driver's state of each CPU are the VM's memory, and so is when
    perf began, in ticks of the timer.
    """

    name: str = "linux-perf-stat"
    began: int | None = field(default=None, init=False)

    def after_boot(self, cpu: GuestCpu) -> Steps:
        """Yield what one vCPU does once Linux is up."""
        groups, refused = admit(self.pmu, groups_of(self.spec))
        if self.pmu is not None:
            yield from reset(self.pmu)
        for event in refused:
            yield Report(report_key(event), NOT_SUPPORTED)
        if self.pmu is not None and groups:
            self.cpus[cpu.vcpu] = CpuPmu(self.pmu)
            context = PerfContext(self.cpus[cpu.vcpu], cpu.cntfrq_hz, self.spec.tick_hz)
            stat = Stat(cpu, context, refused)
            yield from stat.open(groups)
        else:
            stat = Stat(cpu, None, refused)
        if self.spec.perf_interval_ns:
            stat.interval = yield from self._interval(cpu)
        yield from self._counted_work(cpu, stat)

    def _interval(self, cpu: GuestCpu) -> Part[Interval]:
        """Start perf's timer on a vCPU; perf began as the first one had opened its events."""
        now = yield from timer()
        self.began = now if self.began is None else self.began
        interval = Interval(cpu, self.began, self.spec.perf_interval_ns)
        interval.end(now)
        return interval

    def _counted_work(self, cpu: GuestCpu, stat: Stat) -> Steps:
        yield from stat.begin()
        for wake in count():
            for turn in range(self.spec.quanta_per_wake):
                yield from stat.run(quantum(cpu, self.spec, self.workload, wake * self.spec.quanta_per_wake + turn))
                yield from stat.report_if_due()
            for sleep in pause(cpu, self.spec, wake):
                yield from stat.sleep(sleep)


def groups_of(spec: GuestSpec) -> tuple[tuple[int, ...], ...]:
    """List the groups that perf is asked for, then the single events: cycles, instructions and the spec's."""
    grouped = set(chain.from_iterable(spec.perf_groups))
    single = dict.fromkeys(event for event in (CPU_CYCLES, INST_RETIRED, *spec.perf_events) if event not in grouped)
    return (*spec.perf_groups, *((event,) for event in single))


def admit(probed: GuestPmu | None, groups: Sequence[Sequence[int]]) -> tuple[list[tuple[int, ...]], list[int]]:
    """Split what is asked for into what perf_event_open takes and what it refuses.

    Refused: an event that the driver does not map, and one for which its group leaves no counter even on an empty PMU
    (validate_group); with a leader its group.
    """
    taken, refused = [], []
    for events in groups:
        group = admitted(probed, events) if probed else []
        taken += [tuple(group)] if group else []
        refused += [event for event in events if event not in group]
    return taken, refused


def admitted(probed: GuestPmu, events: Sequence[int]) -> list[int]:
    """Return those events of a group that perf_event_open takes."""
    leader, *siblings = events
    if not probed.supports(leader):
        return []
    fake = CpuPmu(probed)
    group = [leader]
    fake.reserve(HwEvent(leader))
    for event in siblings:
        if probed.supports(event) and fake.reserve(HwEvent(event)):
            group.append(event)
    return group


def perf_stat_findings(spec: GuestSpec) -> list[Finding]:
    """List what `perf stat` prints at the end, and how that compares with the instructions that were executed."""
    events = list(chain.from_iterable(groups_of(spec)))
    return [
        *(_count(event) for event in events),
        Finding(
            name="instructions/executed",
            key=report_key(INST_RETIRED),
            per=EXECUTED,
            heading=("instr. of", "executed"),
            meaning="instructions that perf prints, of those that the program executed since perf began",
            unit="share",
            words=WORDS,
        ),
        *(_running(event) for event in events),
    ]


def _count(event: int) -> Finding:
    return Finding(
        name=event_name(event),
        key=report_key(event),
        heading=("", event_name(event)),
        meaning="count that perf prints, scaled by enabled over running, all vCPUs; median over runs",
        runs="median",
        words=WORDS,
        aside=f"{event_name(event)} running",
    )


def _running(event: int) -> Finding:
    return Finding(
        name=f"{event_name(event)} running",
        key=f"{report_key(event)}:running",
        per=f"{report_key(event)}:enabled",
        heading=(event_name(event), "running"),
        meaning="share of the enabled time for which the event had a counter, unless it is all",
        unit="share",
    )
