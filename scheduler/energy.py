"""The energy model of a perf domain as Linux builds it from voltages and dynamic-power-coefficient.

A perf domain has a model only if each of its OPPs has a voltage, its CPUs have a coefficient and all one capacity; EAS
needs one of every perf domain.
"""

from collections.abc import Sequence

import numpy as np

from scheduler import kernel_idle as ki
from scheduler import kernel_state as ks
from simcore.platform import PerfDomain, Platform
from simcore.scenario import IdleSpec

COST_SCALE = 10
FJ_PER_UJ = 1_000_000_000
UNKNOWN = -1


def microwatts(coefficient: int, khz: int, microvolt: int) -> int:
    """Return the power in uW of a CPU at an OPP: coefficient * mV * mV * MHz / 10**6, mV and MHz whole."""
    millivolt = microvolt // 1000
    return coefficient * millivolt * millivolt * (khz // 1000) // 1_000_000


def powers(platform: Platform, domain: PerfDomain) -> list[int] | None:
    """Return the power in uW of a CPU at each OPP of a perf domain; None where it has no energy model."""
    coefficient = domain.dynamic_power_coefficient
    volts = [opp.microvolt for opp in domain.opps]
    capacities = platform.capacities()
    if coefficient is None or None in volts or len({capacities[cpu] for cpu in domain.cpus}) > 1:
        return None
    pairs = zip(domain.opps, volts, strict=True)
    return [microwatts(coefficient, opp.khz, microvolt) for opp, microvolt in pairs if microvolt is not None]


def has_energy_model(platform: Platform) -> bool:
    """Tell whether every perf domain of a platform has an energy model."""
    return all(powers(platform, domain) is not None for domain in platform.perf_domains)


def opp_rows(khz: Sequence[int], power: Sequence[int] | None, capacity: int) -> np.ndarray:
    """Return the OPPs (ascending) of a perf domain whose CPUs have this capacity; see ``kernel_state``, opp.

    An OPP is inefficient if a higher one costs no more for the same work.
    """
    rows = np.zeros((len(khz), ks.OPP_COLUMNS), np.int64)
    rows[:, ks.OPP_KHZ] = khz
    rows[:, ks.PERFORMANCE] = [max(1, capacity * value // khz[-1]) for value in khz]
    if power is None:
        return rows
    rows[:, ks.MICROWATT] = power
    rows[:, ks.COST] = rows[:, ks.MICROWATT] * COST_SCALE // rows[:, ks.PERFORMANCE]
    least = ks.NEVER
    for row in rows[::-1]:
        row[ks.INEFFICIENT] = row[ks.COST] >= least
        least = min(least, row[ks.COST])
    return rows


def busy_uj(state: ks.State, domain: PerfDomain, power: Sequence[int]) -> int:
    """Return the energy in uJ of the busy time of a perf domain whose CPUs draw this power at its OPPs."""
    spent_ns = state.busy[list(domain.cpus), : len(power)].sum(axis=0)
    return sum(int(ns) * uw for ns, uw in zip(spent_ns, power, strict=True)) // FJ_PER_UJ


def idle_uj(state: ks.State, domain: PerfDomain, power: Sequence[int], spec: IdleSpec) -> int:
    """Return the energy in uJ of the idle time of a perf domain, each state at its share of the lowest OPP's power."""
    spent_ns = state.idle_state[list(domain.cpus), :, ki.TIME_NS].sum(axis=0)
    shares = [spec.wfi_power] + [spec.sleep_power] * (len(spent_ns) - 1)
    return sum(int(ns) * power[0] * share for ns, share in zip(spent_ns, shares, strict=True)) // (1000 * FJ_PER_UJ)
