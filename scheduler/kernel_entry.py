"""What Python asks of the host from outside the run loop: start, wake, move, end and settle."""

from pmu.kernel_jit import compiled
from scheduler.kernel_crowd import number_on
from scheduler.kernel_dvfs import change_frequency
from scheduler.kernel_event import balance_at, wake_at
from scheduler.kernel_history import note_frequency
from scheduler.kernel_idle import close, enter
from scheduler.kernel_run import fill_samples, settle
from scheduler.kernel_shadow import end_stall, settle_shadows
from scheduler.kernel_state import (
    CPU,
    CURRENT,
    GOVERNED,
    NO,
    NOW,
    QUEUED,
    ROWS_PER_VCPU,
    RUN_DELAY,
    RUNNING,
    SLEEPING,
    STATE,
    THROTTLED,
    WAIT_FROM,
)
from scheduler.kernel_thread import kill, move, obey_affinity, place_asleep, start, wake
from scheduler.kernel_throttle import refill

__all__ = [
    "balance_at",
    "begin",
    "finish",
    "force_move",
    "kill",
    "obey_affinity",
    "refill",
    "set_opp",
    "settle_shadows",
    "start",
    "wake",
    "wake_at",
]


@compiled
def force_move(s, p, c, cause):
    """Move thread ``p`` to pCPU ``c``; a sleeping one wakes up there."""
    if s.task[p, CPU] == c:
        return
    if s.task[p, STATE] == QUEUED or s.task[p, STATE] == RUNNING:
        move(s, p, c, cause)
    elif s.task[p, STATE] == SLEEPING and s.cpu[s.task[p, CPU], CURRENT] != p:
        place_asleep(s, p, c)


@compiled
def set_opp(s, d, khz):
    """Let perf domain ``d`` run at ``khz`` from now on, whatever its governor would choose."""
    s.dom[d, GOVERNED] = NO
    change_frequency(s, d, khz)


@compiled
def begin(s):
    """Let every pCPU on which no thread has started enter an idle state; a trace begins with all frequencies."""
    for d in range(s.dom.shape[0]):
        note_frequency(s, d)
    for c in range(s.cpu.shape[0]):
        if number_on(s, c) == 0:
            enter(s, c)


@compiled
def finish(s):
    """Settle everything at the end of a run, close open stalls and waits, and write the last samples."""
    for c in range(s.cpu.shape[0]):
        settle(s, c)
        close(s, c)
    for p in range(s.task.shape[0]):
        if s.task[p, STATE] == QUEUED or s.task[p, STATE] == THROTTLED:
            s.task[p, RUN_DELAY] += s.glob[NOW] - s.task[p, WAIT_FROM]
            s.task[p, WAIT_FROM] = s.glob[NOW]
    shadows = s.glob[ROWS_PER_VCPU]
    for v in range(s.vcpu.shape[0]):
        fill_samples(s, v, s.glob[NOW])
        settle_shadows(s, v)
        for r in range(v * shadows, (v + 1) * shadows):
            end_stall(s, r, s.glob[NOW])


@compiled
def fill_until_now(s, v):
    """Write the samples that vCPU ``v`` passed up to now, before something about its counters changes."""
    fill_samples(s, v, s.glob[NOW])
