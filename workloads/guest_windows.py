"""The Windows guest: calibration of the cycle counter at boot, and thread cycle accounting afterwards.

What is known of Windows and what is assumed stands in docs/guests.md.
"""

from dataclasses import dataclass, field
from itertools import count

from workloads.actions import Die, Report, SpinUntil
from workloads.guest_base import Guest
from workloads.program import GuestCpu, Steps
from workloads.steps import (
    ALL_COUNTERS,
    CYCLE_COUNTER,
    PMCR_E,
    PMCR_LC,
    U64,
    Part,
    boot,
    pause,
    quantum,
    read,
    start_others,
    timer,
    write,
)

LOWEST_HZ = 1000
"""The boot loader divides by FrequencyInMilliseconds = frequency / 1000."""
REPORT_EVERY_NS = 10_000_000


@dataclass(slots=True)
class Windows(Guest):
    """A guest that computes a frequency from two reads of PMCCNTR_EL0 and dies if that is below 1000 Hz.

    One object for one VM and run: `calibrated_hz` is the VM's memory, written by vCPU 0 before it starts
    the others.
    """

    name: str = "windows"
    calibrated_hz: int = field(default=0, init=False)

    def interrupt(self, cpu: GuestCpu) -> None:
        """Keep the PMU interrupt masked (assumed)."""

    def life(self, cpu: GuestCpu) -> Steps:
        """Yield what one vCPU does."""
        yield from boot(cpu, self.spec, len(self.workload.phases))
        yield from _enable_cycle_counter()
        if cpu.vcpu == 0:
            self.calibrated_hz = yield from self._calibrate(cpu)
            yield Report("calibrated_hz", self.calibrated_hz)
            if self.calibrated_hz < LOWEST_HZ:
                yield Die(f"division by zero: calibrated frequency is {self.calibrated_hz} Hz")
                return
        yield from start_others(cpu)
        yield from self._threads(cpu)

    def _calibrate(self, cpu: GuestCpu) -> Part[int]:
        """Spin for the window between two pairs of reads; returns the frequency in Hz."""
        cycles, ticks = yield from _stamp()
        window = max(1, cpu.ticks(self.spec.window_ns))
        yield SpinUntil(len(self.workload.phases), ticks + window)
        cycles_after, ticks_after = yield from _stamp()
        return ((cycles_after - cycles) & U64) * cpu.cntfrq_hz // (ticks_after - ticks)

    def _threads(self, cpu: GuestCpu) -> Steps:
        clock = CycleClock(self.calibrated_hz, cpu.cntfrq_hz, cpu.ticks(REPORT_EVERY_NS))
        for wake in count():
            clock.start(*(yield from _stamp()))
            for turn in range(self.spec.quanta_per_wake):
                yield quantum(cpu, self.spec, self.workload, wake * self.spec.quanta_per_wake + turn)
                clock.advance(*(yield from _stamp()))
                if clock.due():
                    yield Report("clock_ns", clock.clock_ns)
                    yield Report("timer_ns", clock.timer_ns)
            yield from pause(cpu, self.spec, wake)


@dataclass(slots=True)
class CycleClock:
    """A clock kept by counted cycles at the calibrated rate, beside the timer over the same busy stretches.

    A stretch lies between two thread switches with no sleep in between. Sums are kept in cycles and ticks,
    so that rounding does not add up.
    """

    hz: int
    cntfrq_hz: int
    report_every: int
    cycles: int = 0
    ticks: int = 0
    last: tuple[int, int] = (0, 0)
    reported: int | None = None

    def start(self, cycles: int, ticks: int) -> None:
        """Begin a busy stretch at this pair of reads."""
        self.last = (cycles, ticks)

    def advance(self, cycles: int, ticks: int) -> None:
        """Add the stretch from the pair of reads before."""
        self.cycles += (cycles - self.last[0]) & U64
        self.ticks += ticks - self.last[1]
        self.last = (cycles, ticks)

    def due(self) -> bool:
        """Tell whether a report is due (the first at once, then each `report_every` ticks), and note it."""
        now = self.last[1]
        due = self.reported is None or now - self.reported >= self.report_every
        self.reported = now if due else self.reported
        return due

    @property
    def clock_ns(self) -> int:
        """Convert the counted cycles to ns at the calibrated rate."""
        return self.cycles * 1_000_000_000 // self.hz

    @property
    def timer_ns(self) -> int:
        """Convert the timer's ticks over the same stretches to ns."""
        return self.ticks * 1_000_000_000 // self.cntfrq_hz


def _enable_cycle_counter() -> Part[None]:
    """Disable whatever the unknown reset values enable, then enable the cycle counter alone."""
    yield from write("PMCNTENCLR_EL0", ALL_COUNTERS)
    yield from write("PMINTENCLR_EL1", ALL_COUNTERS)
    yield from write("PMOVSCLR_EL0", ALL_COUNTERS)
    yield from write("PMCCFILTR_EL0", 0)
    yield from write("PMCNTENSET_EL0", 1 << CYCLE_COUNTER)
    yield from write("PMCR_EL0", PMCR_E | PMCR_LC)


def _stamp() -> Part[tuple[int, int]]:
    """Read the cycle counter, then the timer."""
    cycles = yield from read("PMCCNTR_EL0")
    return cycles, (yield from timer())
