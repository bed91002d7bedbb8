"""The Linux guest that counts: the armv8_pmuv3 driver and `perf stat -a -I 100` on top of it.

Counters are not multiplexed: an event that finds no counter is `<not counted>`. See docs/guests.md.
"""

from dataclasses import dataclass, field
from itertools import count

from simcore.scenario import GuestSpec
from workloads.actions import ReadReg, Report
from workloads.catalog import Workload
from workloads.phase import CPU_CYCLES, INST_RETIRED, Phase
from workloads.program import GuestCpu, Steps
from workloads.steps import (
    ALL_COUNTERS,
    CYCLE_COUNTER,
    PMCR_C,
    PMCR_E,
    PMCR_LC,
    PMCR_P,
    Part,
    boot,
    pause,
    quantum,
    read,
    start_others,
    survive,
    timer,
    write,
)

NOT_SUPPORTED, NOT_COUNTED = -1, -2
"""What `perf:<event>` reports in place of a count."""
INTERVAL_NS = 100_000_000
LOW_ONES, HIGH_ONES = (1 << 32) - 1, (1 << 32) - 1 << 32
HALF_RANGE = (1 << 31) + 1
EVENT_NAMES = {
    0x01: "l1i_cache_refill", 0x03: "l1d_cache_refill", 0x04: "l1d_cache", 0x05: "l1d_tlb_refill",
    0x08: "instructions", 0x10: "br_mis_pred", 0x11: "cycles", 0x12: "br_pred", 0x13: "mem_access",
    0x16: "l2d_cache", 0x17: "l2d_cache_refill", 0x19: "bus_access", 0x1B: "inst_spec", 0x1D: "bus_cycles",
    0x21: "br_retired", 0x22: "br_mis_pred_retired", 0x23: "stall_frontend", 0x24: "stall_backend",
    0x34: "dtlb_walk", 0x36: "ll_cache_rd", 0x37: "ll_cache_miss_rd", 0x4004: "cnt_cycles",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class GuestPmu:
    """What the driver found at probe: the number of event counters and the two event bitmaps."""

    counters: int
    pmceid0: int
    pmceid1: int

    def supports(self, event: int) -> bool:
        """Tell whether the driver opens an event: a common one only if its PMCEID bit is set."""
        if event >= 0x40 and not 0x4000 <= event < 0x4040:
            return True
        word = self.pmceid1 if event & 0x20 else self.pmceid0
        return bool(word >> (event & 0x1F | (event >> 9 & 0x20)) & 1)


def assign(guest_pmu: GuestPmu | None, events: tuple[int, ...]) -> tuple[int, ...]:
    """Give each event its counter index, as the driver does, or NOT_SUPPORTED or NOT_COUNTED.

    Cycles take the cycle counter while it is free; everything else the lowest free event counter.
    """
    free = [CYCLE_COUNTER, *range(guest_pmu.counters if guest_pmu else 0)]
    indices = []
    for event in events:
        index = NOT_SUPPORTED
        if guest_pmu and guest_pmu.supports(event):
            index = next((i for i in free if i != CYCLE_COUNTER or event == CPU_CYCLES), NOT_COUNTED)
        indices.append(index)
        free = [i for i in free if i != index]
    return tuple(indices)


@dataclass(slots=True)
class OpenEvent:
    """One event that perf has opened on one vCPU, with the counter that counts it."""

    event: int
    index: int
    previous: int = 0
    total: int = 0
    rearmed: int = 0

    @property
    def register(self) -> str:
        """Name the counter's register."""
        return "PMCCNTR_EL0" if self.index == CYCLE_COUNTER else f"PMEVCNTR{self.index}_EL0"

    @property
    def type_register(self) -> str:
        """Name the register that selects and filters the event."""
        return "PMCCFILTR_EL0" if self.index == CYCLE_COUNTER else f"PMEVTYPER{self.index}_EL0"

    def rearm(self) -> Part[None]:
        """Set the counter 2^31 - 1 events before its overflow, as armpmu_event_set_period does.

        The driver uses the cycle counter as one of 32 bits too: its upper half is set, so that it overflows
        with the lower.
        """
        self.previous = HALF_RANGE
        self.rearmed += 1
        yield from write(self.register, HALF_RANGE | (HIGH_ONES if self.index == CYCLE_COUNTER else 0))

    def update(self) -> Part[None]:
        """Read the counter and add what it counted since the last time.

        Linux reads with interrupts masked; here a read that the overflow handler overtakes is repeated.
        """
        before, value = -1, 0
        while before != self.rearmed:
            before = self.rearmed
            value = yield from read(self.register)
        self.total += (value - self.previous) & LOW_ONES
        self.previous = value & LOW_ONES

    def enable(self) -> Part[None]:
        """Program and start the counter."""
        yield from self.rearm()
        yield from write("PMCNTENCLR_EL0", 1 << self.index)
        yield from write(self.type_register, 0 if self.index == CYCLE_COUNTER else self.event)
        yield from write("PMINTENSET_EL1", 1 << self.index)
        yield from write("PMCNTENSET_EL0", 1 << self.index)


@dataclass(slots=True)
class LinuxPerfStat:
    """Linux with `perf stat` over cycles, instructions and the spec's events on every vCPU.

    One object for one VM and run: the probed PMU and the open events are the VM's memory.
    """

    spec: GuestSpec
    workload: Workload
    name: str = "linux-perf-stat"
    pmu: GuestPmu | None = field(default=None, init=False)
    opened: dict[int, list[OpenEvent]] = field(default_factory=dict, init=False)

    @property
    def phases(self) -> tuple[Phase, ...]:
        """List the workload's phases, then the kernel's."""
        return (*self.workload.phases, self.workload.kernel)

    @property
    def events(self) -> tuple[int, ...]:
        """List what perf is asked to count."""
        return (CPU_CYCLES, INST_RETIRED, *self.spec.perf_events)

    def vcpu(self, cpu: GuestCpu) -> Steps:
        """Yield what one vCPU does."""
        return survive(self._life(cpu))

    def interrupt(self, cpu: GuestCpu) -> Steps:
        """Yield the driver's overflow handler: acknowledge, stop, fold and re-arm what overflowed, go on."""
        return survive(self._overflow(cpu))

    def _life(self, cpu: GuestCpu) -> Steps:
        yield from boot(cpu, self.spec, len(self.workload.phases))
        if cpu.vcpu == 0:
            self.pmu = yield from _probe()
        yield from start_others(cpu)
        if self.pmu is not None:
            yield from _reset()
        yield from self._open(cpu)
        yield from self._work(cpu)

    def _open(self, cpu: GuestCpu) -> Steps:
        """Open the events; say at once which are not supported or find no counter."""
        chosen = assign(self.pmu, self.events)
        for event, index in zip(self.events, chosen, strict=True):
            if index < 0:
                yield Report(report_key(event), index)
        self.opened[cpu.vcpu] = [OpenEvent(e, i) for e, i in zip(self.events, chosen, strict=True) if i >= 0]
        for counter in self.opened[cpu.vcpu]:
            yield from counter.enable()
        if self.opened[cpu.vcpu]:
            yield from _switch(PMCR_E)

    def _work(self, cpu: GuestCpu) -> Steps:
        due = (yield from timer()) + cpu.ticks(INTERVAL_NS)
        for wake in count():
            for turn in range(self.spec.quanta_per_wake):
                yield quantum(cpu, self.spec, self.workload, wake * self.spec.quanta_per_wake + turn)
                now = yield from timer()
                if now >= due:
                    due = now + cpu.ticks(INTERVAL_NS)
                    yield from self._print(cpu)
            yield from pause(cpu, self.spec, wake)

    def _print(self, cpu: GuestCpu) -> Steps:
        for counter in self.opened[cpu.vcpu]:
            yield from counter.update()
            yield Report(report_key(counter.event), counter.total)

    def _overflow(self, cpu: GuestCpu) -> Steps:
        flags = yield from read("PMOVSCLR_EL0")
        yield from write("PMOVSCLR_EL0", flags)
        hit = [counter for counter in self.opened.get(cpu.vcpu, ()) if flags >> counter.index & 1]
        if not hit:
            return
        yield from _switch(0)
        for counter in hit:
            yield from counter.update()
            yield from counter.rearm()
        yield from _switch(PMCR_E)


def report_key(event: int) -> str:
    """Name the report of an event's count."""
    return f"perf:{EVENT_NAMES.get(event, f'r{event:x}')}"


def _probe() -> Part[GuestPmu | None]:
    """Read what the PMU offers; None where there is none."""
    pmcr = yield ReadReg("PMCR_EL0")
    if not isinstance(pmcr, int):
        return None
    pmceid0 = yield from read("PMCEID0_EL0")
    pmceid1 = yield from read("PMCEID1_EL0")
    return GuestPmu(pmcr >> 11 & 0x1F, pmceid0, pmceid1)


def _reset() -> Part[None]:
    yield from write("PMCNTENCLR_EL0", ALL_COUNTERS)
    yield from write("PMINTENCLR_EL1", ALL_COUNTERS)
    yield from write("PMOVSCLR_EL0", ALL_COUNTERS)
    yield from write("PMCR_EL0", PMCR_P | PMCR_C | PMCR_LC)


def _switch(enable: int) -> Part[None]:
    """Start (PMCR_E) or stop (0) all counters."""
    pmcr = yield from read("PMCR_EL0")
    yield from write("PMCR_EL0", pmcr & ~PMCR_E | enable)
