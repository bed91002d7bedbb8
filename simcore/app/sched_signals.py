"""What the recorded runs of one pCPU share: how a thread starts, and PELT's state as the recordings list it."""

from typing import Final

from scheduler import kernel_state as ks
from scheduler.attributes import set_fair

CPU: Final = 0
START_NS: Final = 1_000_000_000
SIGNAL: Final = (
    ks.SE_AT,
    ks.SE_LOAD_SUM,
    ks.SE_RUNNABLE_SUM,
    ks.SE_UTIL_SUM,
    ks.SE_POSITION,
    ks.SE_LOAD,
    ks.SE_RUNNABLE,
    ks.SE_UTIL,
    ks.UTIL_EST,
    ks.EST_KEPT,
)
QUEUE: Final = (*range(ks.CFS_AT, ks.CFS_UTIL + 1), ks.CFS_EST)


def signals_of(state: ks.State, task: int | None) -> dict[str, list[int]]:
    """Return PELT's state of a thread (if any), of the fair run queue and of the clocks, named as in the recordings."""
    cpu = state.cpu[CPU]
    rows = {} if task is None else {"se": [int(state.task[task, column]) for column in SIGNAL]}
    return {
        **rows,
        "cfs": [int(cpu[column]) for column in QUEUE],
        "rq": [int(cpu[ks.CLOCK_PELT]), int(cpu[ks.LOST])],
    }


def set_policy(state: ks.State, task: int, policy: int, nice: int, slice_ns: int) -> None:
    """Give a thread of the fair class what it starts with; a slice of 0 is the base slice."""
    set_fair(state.task[task], policy, nice, slice_ns)
