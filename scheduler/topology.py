"""Perf domains, capacities and caches as the columns of ``kernel_state`` that placement and schedutil read."""

from collections.abc import Sequence

import numpy as np

from scheduler import kernel_state as ks
from simcore.platform import SCHED_CAPACITY_SCALE

DEFAULT_MARGIN_PERCENT = 80
"""A thread fits where it uses less than this share of the capacity: Linux' fits_capacity, as 1024 / 1280."""
DEFAULT_RATE_LIMIT_NS = 1_000_000
"""Linux' schedutil rate limit where the driver's transition latency is not known."""


def domain_arrays(members: Sequence[Sequence[int]], opps: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
    """Return ``(dom, opp, member)`` of perf domains with these CPUs (ascending) and OPPs, all at their highest OPP."""
    dom = np.zeros((len(members), ks.DOMAIN_COLUMNS), np.int64)
    dom[:, ks.N_MEMBERS] = [len(cpus) for cpus in members]
    dom[:, ks.N_OPPS] = [len(rows) for rows in opps]
    dom[:, ks.VISITED] = visiting_order(members)
    for row, rows in zip(dom, opps, strict=True):
        row[ks.LOW_KHZ] = rows[0, ks.OPP_KHZ]
        row[ks.KHZ] = row[ks.MAX_KHZ] = row[ks.HIGH_KHZ] = rows[-1, ks.OPP_KHZ]
    dom[:, ks.RATE_LIMIT_NS] = DEFAULT_RATE_LIMIT_NS
    return dom, _padded(opps), _padded([np.array(cpus, np.int64) for cpus in members])


def _padded(tables: Sequence[np.ndarray]) -> np.ndarray:
    """Return arrays as one, each filled up with zeros to the length of the longest."""
    array = np.zeros((len(tables), max(map(len, tables)), *tables[0].shape[1:]), np.int64)
    for number, table in enumerate(tables):
        array[number, : len(table)] = table
    return array


def visiting_order(members: Sequence[Sequence[int]]) -> list[int]:
    """Return the perf domains as EAS visits them: that of the highest first CPU before the others."""
    return sorted(range(len(members)), key=lambda domain: -members[domain][0])


def describe_cpus(array: np.ndarray, capacities: Sequence[int], caches: Sequence[int]) -> None:
    """Fill in what placement must know of each CPU; ``caches`` are ids of last-level caches."""
    array[:, ks.CAPACITY] = array[:, ks.CAPACITY_LEFT] = capacities
    array[:, ks.CACHE] = caches
    array[:, ks.SPANS_CACHE] = _span_flags(capacities, caches)
    array[:, ks.RQ_CLAMP_MAX] = SCHED_CAPACITY_SCALE
    array[:, ks.RQ_CLAMP_IDLE] = 1


def _span_flags(capacities: Sequence[int], caches: Sequence[int]) -> list[bool]:
    """Return for each CPU whether the CPUs of its last-level cache have all capacities that there are."""
    found: dict[int, set[int]] = {}
    for cache, capacity in zip(caches, capacities, strict=True):
        found.setdefault(cache, set()).add(capacity)
    return [found[cache] == set(capacities) for cache in caches]


def margin_of(percent: int) -> int:
    """Return the MARGIN at which a thread fits that uses less than this share of the capacity; 1280 for 80 %."""
    return 100 * SCHED_CAPACITY_SCALE // percent


def describe_placement(
    array: np.ndarray, capacities: Sequence[int], eas: bool, margin_percent: int = DEFAULT_MARGIN_PERCENT
) -> None:
    """Fill in the globals of placement; ``eas``: wanted, and every perf domain has an energy model."""
    array[ks.MARGIN] = margin_of(margin_percent)
    array[ks.ASYMMETRIC] = len(set(capacities)) > 1
    array[ks.EAS_ON] = eas and array[ks.ASYMMETRIC]
