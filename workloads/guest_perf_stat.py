"""The Linux guest that counts: the armv8_pmuv3 driver, perf's core, and `perf stat -a` on top of them.

What is known of them and what is assumed stands in docs/guests.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, count

from simcore.scenario import GuestSpec
from simcore.units import NS_PER_S
from workloads.actions import Report, Run, RunUntil, Sleep
from workloads.findings import Finding
from workloads.linux_guest import LinuxGuest
from workloads.linux_perf import EventGroup, PerfContext
from workloads.linux_pmu import CpuPmu, GuestPmu, HwEvent, reset
from workloads.phase import CPU_CYCLES, INST_RETIRED
from workloads.program import GuestCpu, Steps
from workloads.steps import Part, pause, quantum, timer

NOT_SUPPORTED, NOT_COUNTED = -1, -2
"""What `perf:<event>` reports in place of a count."""
WORDS = {NOT_SUPPORTED: "<not supported>", NOT_COUNTED: "<not counted>"}
INTERVAL_NS = 100_000_000
EXECUTED = "perf:executed"
EVENT_NAMES = {
    0x01: "l1i_cache_refill", 0x03: "l1d_cache_refill", 0x04: "l1d_cache", 0x05: "l1d_tlb_refill",
    0x08: "instructions", 0x10: "br_mis_pred", 0x11: "cycles", 0x12: "br_pred", 0x13: "mem_access",
    0x16: "l2d_cache", 0x17: "l2d_cache_refill", 0x19: "bus_access", 0x1B: "inst_spec", 0x1D: "bus_cycles",
    0x21: "br_retired", 0x22: "br_mis_pred_retired", 0x23: "stall_frontend", 0x24: "stall_backend",
    0x34: "dtlb_walk", 0x36: "ll_cache_rd", 0x37: "ll_cache_miss_rd", 0x4004: "cnt_cycles",
}  # fmt: skip


@dataclass(slots=True)
class LinuxPerfStat(LinuxGuest):
    """Linux with `perf stat` over cycles, instructions and the spec's events on every vCPU.

    One object for one VM and run: the probed PMU and the driver's state of each CPU are the VM's memory.
    """

    name: str = "linux-perf-stat"

    def after_boot(self, cpu: GuestCpu) -> Steps:
        """Yield what one vCPU does once Linux is up."""
        groups, refused = admit(self.pmu, groups_of(self.spec))
        if self.pmu is not None:
            yield from reset(self.pmu)
        for event in refused:
            yield Report(report_key(event), NOT_SUPPORTED)
        if self.pmu is None or not groups:
            yield from self._work(cpu)
        else:
            self.cpus[cpu.vcpu] = CpuPmu(self.pmu)
            stat = Stat(PerfContext(self.cpus[cpu.vcpu], cpu.cntfrq_hz, self.spec.tick_hz))
            yield from stat.open(groups)
            yield from self._counted_work(cpu, stat)

    def _work(self, cpu: GuestCpu) -> Steps:
        for wake in count():
            for turn in range(self.spec.quanta_per_wake):
                yield quantum(cpu, self.spec, self.workload, wake * self.spec.quanta_per_wake + turn)
            yield from pause(cpu, self.spec, wake)

    def _counted_work(self, cpu: GuestCpu, stat: "Stat") -> Steps:
        due = (yield from timer()) + cpu.ticks(INTERVAL_NS)
        for wake in count():
            for turn in range(self.spec.quanta_per_wake):
                yield from stat.run(quantum(cpu, self.spec, self.workload, wake * self.spec.quanta_per_wake + turn))
                now = yield from timer()
                if now >= due:
                    due = now + cpu.ticks(INTERVAL_NS)
                    yield from stat.report(now)
            for sleep in pause(cpu, self.spec, wake):
                yield from stat.sleep(sleep)


@dataclass(slots=True)
class Stat:
    """`perf stat` on one CPU, and what goes on under it: work and sleep, interrupted where groups take turns."""

    context: PerfContext
    executed: int = 0

    def open(self, groups: Sequence[Sequence[int]]) -> Part[None]:
        """Open the events, groups in their order, and let them count."""
        now = yield from timer()
        opened = [EventGroup(tuple(map(HwEvent, events)), now) for events in groups]
        yield from self.context.cpu.masked(self.context.begin(opened, now))

    def run(self, work: Run) -> Part[None]:
        """Execute a thread quantum."""
        left = work.instructions
        while left:
            if self.context.due is None:
                yield Run(work.phase, left)
                break
            answer = yield RunUntil(work.phase, left, self.context.due)
            assert isinstance(answer, int)
            left = answer
            yield from self._rotate_if_due()
        self.executed += work.instructions

    def sleep(self, sleep: Sleep) -> Part[None]:
        """Sleep; a turn that falls due in a wait for I/O is taken when that ends."""
        left = sleep.ns
        while self.context.due is not None and not sleep.io:
            wait = self._ns_to(self.context.due, (yield from timer()))
            if wait >= left:
                break
            yield Sleep(max(1, wait))
            left -= max(1, wait)
            yield from self._rotate_if_due()
        if left > 0:
            yield Sleep(left, sleep.io)
        yield from self._rotate_if_due()

    def report(self, now: int) -> Part[None]:
        """Report what perf would print, were it to end now."""
        yield from self.context.cpu.masked(self.context.update())
        for group in self.context.groups:
            enabled, running = self._ns(group.enabled(now)), self._ns(group.running(now))
            for event in group.events:
                key = report_key(event.event)
                yield Report(key, event.total * enabled // running if running else NOT_COUNTED)
                yield Report(f"{key}:enabled", enabled)
                yield Report(f"{key}:running", running)
        yield Report(EXECUTED, self.executed)

    def _rotate_if_due(self) -> Part[None]:
        if self.context.due is not None:
            now = yield from timer()
            if now >= self.context.due:
                yield from self.context.cpu.masked(self.context.rotate(now))

    def _ns(self, ticks: int) -> int:
        return ticks * NS_PER_S // self.context.cntfrq_hz

    def _ns_to(self, due: int, now: int) -> int:
        return -(-(due - now) * NS_PER_S // self.context.cntfrq_hz)


def report_key(event: int) -> str:
    """Name the report of an event's count."""
    return f"perf:{event_name(event)}"


def event_name(event: int) -> str:
    """Name an event as perf's list does, or as a raw one."""
    return EVENT_NAMES.get(event, f"r{event:x}")


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
