"""What a thread's attributes (sched_setattr) make of its row: policy, weight, slice and utilisation clamps."""

from typing import Final

import numpy as np

from scheduler import kernel_state as ks
from scheduler.layout import weight_of
from simcore.errors import InputError, unknown_name
from simcore.platform import SCHED_CAPACITY_SCALE
from simcore.scenario import ThreadSpec
from simcore.units import NS_PER_S

MIN_SLICE_NS: Final = 100_000
MAX_SLICE_NS: Final = 100_000_000
IDLE_WEIGHT: Final = 3
RR_SLICE_NS: Final = 100_000_000
LOWEST_PRIORITY, HIGHEST_PRIORITY = 1, 99
POLICIES: Final = {
    "other": ks.NORMAL,
    "batch": ks.BATCH,
    "idle": ks.IDLE_POLICY,
    "fifo": ks.FIFO,
    "rr": ks.FIFO,
}


def check_thread(spec: ThreadSpec, where: str) -> None:
    """Refuse attributes that sched_setattr refuses; ``where`` is the key above them."""
    if spec.policy not in POLICIES:
        raise unknown_name("scheduling policy", spec.policy, POLICIES, f"{where}.policy")
    realtime = POLICIES[spec.policy] == ks.FIFO
    if spec.priority is not None and not realtime:
        raise InputError(f"policy {spec.policy} has no priority", f"{where}.priority", valid="with fifo and rr only")
    if realtime and spec.nice:
        raise InputError(f"policy {spec.policy} has no nice value", f"{where}.nice", valid="with other and batch only")
    low, high = clamps(spec)
    if low > high:
        raise InputError(f"uclamp_min {low} is above uclamp_max {high}", where, valid="uclamp_min <= uclamp_max")


def clamps(spec: ThreadSpec) -> tuple[int, int]:
    """Return the utilisation clamps of a thread; one of SCHED_FIFO and SCHED_RR asks for the most by default."""
    high = SCHED_CAPACITY_SCALE if spec.uclamp_max is None else spec.uclamp_max
    if spec.uclamp_min is not None:
        return spec.uclamp_min, high
    return (high if POLICIES[spec.policy] == ks.FIFO else 0), high


def set_fair(row: np.ndarray, policy: int, nice: int, slice_ns: int) -> None:
    """Give the row of a thread of the fair class its policy, weight and slice; a slice of 0 is the base slice."""
    row[ks.POLICY] = policy
    row[ks.WEIGHT] = IDLE_WEIGHT if policy == ks.IDLE_POLICY else weight_of(nice)
    row[ks.CUSTOM_SLICE] = int(slice_ns > 0)
    row[ks.SLICE] = max(MIN_SLICE_NS, min(MAX_SLICE_NS, slice_ns)) if slice_ns else 0


def set_realtime(row: np.ndarray, priority: int, slice_ns: int, hz: int) -> None:
    """Give the row of a thread of SCHED_FIFO (slice 0) or SCHED_RR its priority and slice, in whole HZ ticks."""
    row[ks.POLICY] = ks.FIFO
    row[ks.DEADLINE] = HIGHEST_PRIORITY - priority
    row[ks.SLICE] = row[ks.TICKS_LEFT] = -(-slice_ns * hz // NS_PER_S)


def set_attributes(state: ks.State, task: int, spec: ThreadSpec, hz: int) -> None:
    """Give a thread of a scenario its attributes before it starts."""
    row = state.task[task]
    if POLICIES[spec.policy] == ks.FIFO:
        slice_ns = (spec.slice_ns or RR_SLICE_NS) if spec.policy == "rr" else 0
        set_realtime(row, spec.priority or LOWEST_PRIORITY, slice_ns, hz)
        state.glob[ks.REALTIME] = 1
    else:
        set_fair(row, POLICIES[spec.policy], spec.nice, spec.slice_ns)
    row[ks.CLAMP_MIN], row[ks.CLAMP_MAX] = clamps(spec)
    if spec.uclamp_min is not None or spec.uclamp_max is not None:
        state.glob[ks.UCLAMP_USED] = 1
