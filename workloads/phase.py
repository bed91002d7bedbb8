"""A phase of work: how fast each core type executes it and which PMU events it causes.

Work is instructions. CPI = core CPI + stall time per instruction * frequency; both become
fixed-point integers once, when a phase meets a core type and an operating point. No state here.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from pmu.events import NOMINAL_CYCLES, NOMINAL_HZ
from simcore.errors import InputError
from workloads.curve import Curve

Q32 = 1 << 32
MAX_RATE = 16 << 32
INST_RETIRED = 0x08
CPU_CYCLES = 0x11
CNT_CYCLES = 0x4004
SOFTWARE_EVENTS = frozenset({0x00, 0x1E})
TIME_EVENTS = frozenset({CNT_CYCLES})
TIME_TIED = TIME_EVENTS | {NOMINAL_CYCLES}
"""What has a rate per nanosecond."""
CYCLE_EVENTS = frozenset({0x1D, 0x23, 0x24})
"""BUS_CYCLES and the stall events: at most one a cycle, and dependent on the frequency."""
NOMINAL_CNTFRQ_HZ = 1_000_000_000


@dataclass(frozen=True, slots=True)
class PhaseRates:
    """Rates of one phase on one core type.

    core_cpi: cycles per instruction without stalls on memory beyond the core's clock domain.
    stall_ns_per_inst: stall time per instruction, ns.
    per_kinst: (event, count per 1000 instructions), ascending by event.
    per_kinst_per_ghz: (event, what is added to that count for each GHz of core clock).
    estimate: whose rates stand for this core type, and how they were scaled; empty where measured.
    curve: what the line misses, and the events, at the measured frequencies; None where the line is all there is.
    """

    core: str
    core_cpi: float
    stall_ns_per_inst: float
    per_kinst: tuple[tuple[int, float], ...] = ()
    per_kinst_per_ghz: tuple[tuple[int, float], ...] = ()
    estimate: str = ""
    curve: Curve | None = None

    def cpi(self, khz: int) -> Fraction:
        """Compute the exact cycles per instruction at a frequency in kHz."""
        line = Fraction(self.core_cpi) + Fraction(self.stall_ns_per_inst) * Fraction(khz, 1_000_000)
        return line if self.curve is None else line * Fraction(self.curve.factor(khz))

    def events_per_kinst(self, event: int, khz: int) -> Fraction:
        """Compute the exact count of an event per 1000 instructions at a frequency in kHz, not below 0.

        Of the events that are parts of the cycles there is at most one a cycle.
        """
        count = self.uncapped_per_kinst(event, khz)
        return min(count, 1000 * self.cpi(khz)) if event in CYCLE_EVENTS else count

    def uncapped_per_kinst(self, event: int, khz: int) -> Fraction:
        """Compute the count of an event per 1000 instructions without regard to the cycles there are."""
        if self.curve is not None and (measured := self.curve.per_kinst(event, khz)) is not None:
            return Fraction(measured)
        base = Fraction(dict(self.per_kinst).get(event, 0))
        slope = Fraction(dict(self.per_kinst_per_ghz).get(event, 0))
        return max(base + slope * Fraction(khz, 1_000_000), Fraction(0))


@dataclass(frozen=True, slots=True)
class Phase:
    """A phase of work that runs at one exception level (0 or 1)."""

    name: str
    level: int
    rates: tuple[PhaseRates, ...]

    def on(self, core: str) -> PhaseRates:
        """Look up the rates on a core type."""
        for rates in self.rates:
            if rates.core == core:
                return rates
        known = ", ".join(rates.core for rates in self.rates)
        raise InputError(f"phase {self.name!r} has no rates for core type {core!r}", valid=known)

    def cpi_q32(self, core: str, khz: int) -> int:
        """Quantise cycles per instruction to Q32 (round half to even)."""
        cpi = round(self.on(core).cpi(khz) * Q32)
        if cpi <= Q32 // 16:
            raise InputError(f"phase {self.name!r} on {core}: CPI {cpi / Q32} at {khz} kHz is below 1/16")
        return cpi

    def ipc_q32(self, core: str, khz: int) -> int:
        """Quantise instructions per cycle to Q32.32, from the quantised CPI."""
        return (1 << 64) // self.cpi_q32(core, khz)

    def quantise(
        self, core: str, khz: int, events: tuple[int, ...], cntfrq_hz: int = NOMINAL_CNTFRQ_HZ
    ) -> tuple[int, ...]:
        """Quantise the rates of `events` to Q32.32, each per cycle; for TIME_TIED ones per nanosecond.

        CNT_CYCLES counts at the rate of the system counter: pass the platform's `cntfrq_hz`. The default
        is the 1 GHz that Armv8.6 prescribes.
        """
        return _quantised(self, core, khz, events, cntfrq_hz)

    def rate_q32(self, rates: PhaseRates, khz: int, ipc: int, event: int, cntfrq_hz: int) -> int:
        """Quantise the rate of one event, with ``ipc`` instructions per cycle in Q32.32."""
        if event == CPU_CYCLES:
            return Q32
        if event == INST_RETIRED:
            return ipc
        if event in TIME_EVENTS:
            return time_rate_q32(cntfrq_hz)
        if event == NOMINAL_CYCLES:
            return time_rate_q32(NOMINAL_HZ)
        if event in SOFTWARE_EVENTS:
            return 0
        rate = round(rates.uncapped_per_kinst(event, khz) * ipc / 1000)
        return self._checked(min(rate, Q32) if event in CYCLE_EVENTS else rate, event)

    def _checked(self, rate: int, event: int) -> int:
        if rate >= MAX_RATE:
            raise InputError(
                f"phase {self.name!r}: event {event:#x} occurs {rate / Q32:.1f} times a cycle",
                valid="below 16",
            )
        return rate


@lru_cache(maxsize=1 << 12)
def _quantised(phase: Phase, core: str, khz: int, events: tuple[int, ...], cntfrq_hz: int) -> tuple[int, ...]:
    """Do what ``Phase.quantise`` does once for all machines of a process: 2 ms for a hundred events."""
    rates, ipc = phase.on(core), phase.ipc_q32(core, khz)
    return tuple(phase.rate_q32(rates, khz, ipc, event, cntfrq_hz) for event in events)


def time_rate_q32(cntfrq_hz: int) -> int:
    """Quantise a counter of `cntfrq_hz` to Q32.32 increments per nanosecond."""
    return (cntfrq_hz << 32) // 1_000_000_000
