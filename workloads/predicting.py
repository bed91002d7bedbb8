"""What the model says of one program on one measured silicon at any frequency of its range.

The rates are those of the engine before they are quantised: see `workloads.phase` and `workloads.catalog`.
"""

from dataclasses import dataclass
from fractions import Fraction

from workloads.fitting import fit_profiles
from workloads.phase import CPU_CYCLES, INST_RETIRED, PhaseRates
from workloads.profiles import check_frequency, event_names, find_profiles


@dataclass(frozen=True, slots=True)
class Prediction:
    """A program alone on a silicon at a frequency.

    seconds: time on the CPU for the given number of instructions; None without one.
    per_kinst: (event, count per 1000 instructions) of every event that was counted for it there, ascending.
    rows_khz: the frequencies of the rows behind it.
    """

    silicon: str
    suite: str
    workload: str
    khz: int
    ipc: float
    seconds: float | None
    per_kinst: tuple[tuple[int, float], ...]
    rows_khz: tuple[int, ...]

    def named(self) -> tuple[tuple[str, int, float], ...]:
        """Return (name, code, count per 1000 instructions) of every event."""
        names = event_names()
        return tuple((names[event], event, count) for event, count in self.per_kinst)


def predict(silicon: str, suite: str, workload: str, khz: int, instructions: int | None = None) -> Prediction:
    """Predict IPC, events and time of a program on a silicon; suite and workload as the profiles name them."""
    profiles = find_profiles(silicon, suite, workload)
    check_frequency(silicon, khz)
    rates = fit_profiles(profiles)
    cpi = rates.cpi(khz)
    return Prediction(
        silicon=silicon,
        suite=suite,
        workload=workload,
        khz=khz,
        ipc=float(1 / cpi),
        seconds=None if instructions is None else float(instructions * cpi / (1000 * khz)),
        per_kinst=tuple((event, float(count_of(rates, event, khz))) for event, _ in rates.per_kinst),
        rows_khz=tuple(row.khz for row in profiles),
    )


def count_of(rates: PhaseRates, event: int, khz: int) -> Fraction:
    """Return the exact count of an event per 1000 instructions, cycles and instructions included."""
    if event == INST_RETIRED:
        return Fraction(1000)
    return 1000 * rates.cpi(khz) if event == CPU_CYCLES else rates.events_per_kinst(event, khz)
