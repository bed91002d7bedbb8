"""The PMU driver of a Linux guest: what arm_pmuv3.c and arm_pmu.c (drivers/perf) do with the registers of one CPU.

The functions are called after those of Linux. A guest that uses the driver keeps one `CpuPmu` a vCPU, calls it within
`CpuPmu.masked` (Linux: interrupts off), and lets `CpuPmu.interrupt` be its PMU interrupt handler.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from workloads.phase import CPU_CYCLES
from workloads.program import Steps
from workloads.steps import (
    ALL_COUNTERS,
    CYCLE_COUNTER,
    PMCR_C,
    PMCR_E,
    PMCR_LC,
    PMCR_LP,
    PMCR_P,
    Part,
    read,
    survive,
    write,
)

T = TypeVar("T")

PMUVER_IMPDEF, PMUVER_V3P4, PMUVER_V3P5 = 0xF, 5, 6
MAX_PERIOD = (1 << 32) - 1
"""arm_pmu_event_max_period of an event that is not opened as `long`."""
LONGEST_LEFT = MAX_PERIOD >> 1
HIGH_ONES = MAX_PERIOD << 32
CHAIN = 0x1E


@dataclass(frozen=True, slots=True)
class GuestPmu:
    """What the driver found at probe: the number of event counters, the two event bitmaps, PMUVer."""

    counters: int
    pmceid0: int
    pmceid1: int
    pmuver: int = 1

    def supports(self, event: int) -> bool:
        """Tell whether perf can open an event: a common one only if its PMCEID bit is set, CHAIN never."""
        if event == CHAIN:
            return False
        if event >= 0x40 and not 0x4000 <= event < 0x4040:
            return True
        word = self.pmceid1 if event & 0x20 else self.pmceid0
        return bool(word >> (event & 0x1F | (event >> 9 & 0x20)) & 1)

    @property
    def events(self) -> int:
        """Count the common events that PMCEID0_EL0 and PMCEID1_EL0 show."""
        return self.pmceid0.bit_count() + self.pmceid1.bit_count()

    @property
    def long_counters(self) -> bool:
        """Tell whether the driver makes the event counters overflow at 64 bits (armv8pmu_has_long_event)."""
        return self.pmuver >= PMUVER_V3P5


@dataclass(slots=True)
class HwEvent:
    """One perf event and its `hw_perf_event`: the period, what is left of it, and the counter while it has one.

    `period` is what lies between two overflows, in events; without one the event does not sample, and overflows are
    only there to extend the counter (armpmu_event_init). `index` is None while the event has no counter; `filter` has
    the exclusion bits of its type register. At the end of a period `ended` is that period, and `late` how many events
    came between the overflow and the handler.
    """

    event: int
    period: int = LONGEST_LEFT
    left: int | None = None
    last_period: int = 0
    filter: int = 0
    ended: int = 0
    late: int = 0
    index: int | None = None
    biased: bool = False
    previous: int = 0
    total: int = 0
    started: int = 0

    def __post_init__(self) -> None:
        """Begin with a whole period."""
        self.left = self.period if self.left is None else self.left
        self.last_period = self.period

    @property
    def register(self) -> str:
        """Name the counter's register."""
        return "PMCCNTR_EL0" if self.index == CYCLE_COUNTER else f"PMEVCNTR{self.index}_EL0"

    @property
    def type_register(self) -> str:
        """Name the register that selects and filters the event."""
        return "PMCCFILTR_EL0" if self.index == CYCLE_COUNTER else f"PMEVTYPER{self.index}_EL0"

    @property
    def bit(self) -> int:
        """Return the counter's bit in the bitmaps."""
        assert self.index is not None
        return 1 << self.index

    def set_period(self) -> Part[bool]:
        """Set the counter what is left of the period before its overflow; tell whether a period was over.

        armpmu_event_set_period: at most half of the counter's range at once.
        """
        assert self.left is not None
        over = self.left <= 0
        if over:
            self.late, self.ended = -self.left, self.last_period
            self.left = self.period if self.left <= -self.period else self.left + self.period
            self.last_period = self.period
        self.previous = -min(self.left, LONGEST_LEFT) & MAX_PERIOD
        self.started += 1
        yield from write(self.register, self.previous | (HIGH_ONES if self.biased else 0))
        return over

    def update(self) -> Part[int]:
        """Read the counter, add what it counted since the last time and return that (armpmu_event_update).

        As in Linux, a read that the handler (an NMI) overtakes is repeated.
        """
        before, value = -1, 0
        while before != self.started:
            before = self.started
            value = yield from read(self.register)
        delta = (value - self.previous) & MAX_PERIOD
        self.previous = value & MAX_PERIOD
        self.total += delta
        assert self.left is not None
        self.left -= delta
        return delta

    def start(self) -> Part[None]:
        """Set the period, program the counter and let it count (armpmu_start)."""
        yield from self.set_period()
        yield from write("PMCNTENCLR_EL0", self.bit)
        yield from write(self.type_register, self.filter | (0 if self.index == CYCLE_COUNTER else self.event))
        yield from write("PMINTENSET_EL1", self.bit)
        yield from write("PMCNTENSET_EL0", self.bit)

    def disable(self) -> Part[None]:
        """Stop the counter and forget its interrupt (armv8pmu_disable_event)."""
        yield from write("PMCNTENCLR_EL0", self.bit)
        yield from write("PMINTENCLR_EL1", self.bit)
        yield from write("PMOVSCLR_EL0", self.bit)

    def stop(self) -> Part[None]:
        """Stop the counter and take what it counted (armpmu_stop)."""
        yield from self.disable()
        yield from self.update()


def ignore(event: HwEvent) -> Part[None]:
    """Do nothing at the end of a period."""
    yield from ()


@dataclass(slots=True)
class CpuPmu:
    """What the driver keeps of one CPU: the events on its counters, and the interrupt while it is masked.

    `overflowed` is called, as perf_event_overflow is, at the end of each period of an event, counter running and PMU
    stopped.
    """

    probed: GuestPmu
    overflowed: Callable[[HwEvent], Part[None]] = ignore
    events: dict[int, HwEvent] = field(default_factory=dict)
    _masked: bool = False
    _pending: bool = False

    def index_for(self, event: int) -> int | None:
        """Choose a free counter, None if there is none: cycles prefer theirs (armv8pmu_get_event_idx)."""
        if event == CPU_CYCLES and CYCLE_COUNTER not in self.events:
            return CYCLE_COUNTER
        return next((index for index in range(self.probed.counters) if index not in self.events), None)

    def reserve(self, event: HwEvent) -> bool:
        """Give an event a counter, without touching it; tell whether there was one."""
        index = self.index_for(event.event)
        if index is None:
            return False
        event.index = index
        event.biased = index == CYCLE_COUNTER or self.probed.long_counters
        self.events[index] = event
        return True

    def add(self, event: HwEvent) -> Part[bool]:
        """Give an event a counter and start it; tell whether there was one (armpmu_add)."""
        if not self.reserve(event):
            return False
        yield from event.start()
        return True

    def remove(self, event: HwEvent) -> Part[None]:
        """Stop an event and free its counter (armpmu_del)."""
        yield from event.stop()
        assert event.index is not None
        del self.events[event.index]
        event.index = None

    def enable(self) -> Part[None]:
        """Let the PMU go on, if an event is on it (armpmu_enable)."""
        if self.events:
            yield from switch(PMCR_E)

    def disable(self) -> Part[None]:
        """Stop the PMU (armpmu_disable)."""
        yield from switch(0)

    def masked(self, part: Part[T]) -> Part[T]:
        """Do a part with the PMU interrupt masked; one that came meanwhile is handled at its end."""
        self._masked = True
        result = yield from part
        while self._pending:
            self._pending = False
            yield from self.handle_irq()
        self._masked = False
        return result

    def interrupt(self) -> Steps | None:
        """Take the PMU interrupt: the handler, or None while it is masked."""
        self._pending = self._masked
        return None if self._masked else survive(self.handle_irq())

    def handle_irq(self) -> Part[None]:
        """Acknowledge, stop the PMU, fold and start again what overflowed, go on (armv8pmu_handle_irq)."""
        flags = yield from read("PMOVSCLR_EL0")
        yield from write("PMOVSCLR_EL0", flags)
        if not flags:
            return
        yield from switch(0)
        for index in sorted(self.events):
            event = self.events.get(index)
            if event is None or not flags >> index & 1:
                continue
            yield from event.update()
            if (yield from event.set_period()):
                yield from self.overflowed(event)
        yield from switch(PMCR_E)


def read_pmuver() -> Part[int]:
    """Read which PMUv3 the CPU has, 0 where it has none (read_pmuver, pmuv3_implemented)."""
    pmuver = (yield from read("ID_AA64DFR0_EL1")) >> 8 & 0xF
    return 0 if pmuver == PMUVER_IMPDEF else pmuver


def probe() -> Part[GuestPmu | None]:
    """Read what the PMU offers (__armv8pmu_probe_pmu); None where there is none."""
    pmuver = yield from read_pmuver()
    if not pmuver:
        return None
    pmcr = yield from read("PMCR_EL0")
    pmceid0 = yield from read("PMCEID0_EL0")
    pmceid1 = yield from read("PMCEID1_EL0")
    if pmuver >= PMUVER_V3P4 and pmceid1 >> 31 & 1:
        yield from read("PMMIR_EL1")
    return GuestPmu(pmcr >> 11 & 0x1F, pmceid0, pmceid1, pmuver)


def reset(probed: GuestPmu) -> Part[None]:
    """Bring one CPU's PMU to a known state (armv8pmu_reset, called as a CPU comes up)."""
    yield from write("PMCNTENCLR_EL0", ALL_COUNTERS)
    yield from write("PMINTENCLR_EL1", ALL_COUNTERS)
    yield from write("PMOVSCLR_EL0", ALL_COUNTERS)
    yield from write("PMCR_EL0", PMCR_P | PMCR_C | PMCR_LC | (PMCR_LP if probed.long_counters else 0))


def switch(enable: int) -> Part[None]:
    """Start (PMCR_E) or stop (0) all counters (armv8pmu_start, armv8pmu_stop)."""
    pmcr = yield from read("PMCR_EL0")
    yield from write("PMCR_EL0", pmcr & ~PMCR_E | enable)
