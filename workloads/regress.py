"""What is fitted over many programs at once: how CPI bends between two rows, and what a miss costs.

Least absolute error, so that a program that fits nothing does not decide. Everything here is one number for all
programs of a class of cores (in order or out of order); each program's own fit is in `workloads.fitting`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from workloads.fitting import Row, fit_line, rows_of, sag
from workloads.profiles import Program, Silicon, profiles_of, silicon_table

ROUNDS = 30
SMALL = 0.004
L2D_CACHE_REFILL, L3D_CACHE_REFILL = 0x17, 0x2A
MISSES = (L2D_CACHE_REFILL, L3D_CACHE_REFILL)
LEAST_CORE_SHARE = 0.1
"""Of the CPI of a single row at least this much is core part."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One program on one silicon, as rows."""

    silicon: Silicon
    program: Program
    rows: tuple[Row, ...]


def everything() -> tuple[Measured, ...]:
    """Return every program on every silicon."""
    return tuple(
        Measured(silicon, program, rows_of(profiles))
        for silicon in silicon_table()
        for program, profiles in profiles_of(silicon.name).items()
    )


def without(all_of_them: Iterable[Measured], program: Program) -> tuple[Measured, ...]:
    """Leave out one program, on every silicon."""
    return tuple(one for one in all_of_them if one.program != program)


def fit_bend(measured: Iterable[Measured]) -> float:
    """Fit how CPI bends on the out-of-order programs with three rows."""
    units, bends = [], []
    for one in measured:
        if len(one.rows) == 3 and not one.silicon.in_order:
            low, mid, high = one.rows
            share = (mid.ghz - low.ghz) / (high.ghz - low.ghz)
            units.append(sag(low, high, mid.ghz, 1.0))
            bends.append(mid.cpi / (low.cpi + share * (high.cpi - low.cpi)) - 1)
    return float(least_absolute(np.array(units)[:, None], np.array(bends))[0])


def fit_latency(measured: Iterable[Measured], in_order: bool) -> tuple[float, ...]:
    """Fit the stall time in ns of each of MISSES, not below 0, on the lines of a class of cores."""
    chosen = [one for one in measured if one.silicon.in_order == in_order]
    cpi = np.array([one.rows[0].cpi for one in chosen])
    misses = np.array([[one.rows[0].per_kinst.get(event, 0.0) / 1000 for event in MISSES] for one in chosen])
    stalls = np.array([fit_line(one.rows)[1] for one in chosen])
    return tuple(max(0.0, float(ns)) for ns in least_absolute(misses / cpi[:, None], stalls / cpi))


def single_line(row: Row, latency: Sequence[float]) -> tuple[float, float]:
    """Return (core part, stall time in ns) of a program with one row only: its misses, each at its latency."""
    stall = sum(ns * row.per_kinst.get(event, 0.0) / 1000 for event, ns in zip(MISSES, latency, strict=True))
    core = max(row.cpi - stall * row.ghz, LEAST_CORE_SHARE * row.cpi)
    return core, (row.cpi - core) / row.ghz


def least_absolute(columns: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the coefficients of the least absolute error (iterated weights; errors below SMALL count alike)."""
    weights = np.ones(len(values))
    for _ in range(ROUNDS):
        root = np.sqrt(weights)
        found: np.ndarray = np.linalg.lstsq(columns * root[:, None], values * root, rcond=None)[0]
        weights = 1 / np.maximum(np.abs(values - columns @ found), SMALL)
    return found
