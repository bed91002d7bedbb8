"""The utilisation clamps of a run queue: the highest of its runnable threads', kept in buckets (uclamp).

Rules: Linux 7.1.5, kernel/sched/core.c (uclamp_rq_inc, uclamp_rq_dec). While the last thread of a bucket is there the
bucket keeps the highest value that it has seen; an idle run queue keeps its last upper clamp.
"""

from pmu.kernel_jit import compiled, inlined
from scheduler.kernel_state import (
    BUCKET_VALUE,
    BUCKETS,
    CLAMP_MAX,
    CLAMP_MIN,
    IN_BUCKET,
    RQ_CLAMP_IDLE,
    RQ_CLAMP_MIN,
    UCLAMP_USED,
)

CLAMPS = 2
UPPER = CLAMP_MAX - CLAMP_MIN  # the columns of the upper clamps follow those of the lower ones
BUCKET_WIDTH = 205


@compiled
def bucket_of(s, c, clamp, value):
    """Return the bucket of a value of the lower (0) or the upper (1) clamp on pCPU ``c``."""
    return s.bucket[c, clamp, min(value // BUCKET_WIDTH, BUCKETS - 1)]


@inlined
def highest_bucket(s, c, clamp):
    """Return the value of the highest bucket with threads, or -1."""
    for k in range(BUCKETS - 1, -1, -1):
        if s.bucket[c, clamp, k, IN_BUCKET] > 0:
            return s.bucket[c, clamp, k, BUCKET_VALUE]
    return -1


@compiled
def join_clamps(s, c, p):
    """Let the clamps of thread ``p`` count on pCPU ``c``: before it is enqueued there, or wakes while delayed."""
    if s.glob[UCLAMP_USED] == 0:
        return
    cpu = s.cpu[c]
    for clamp in range(CLAMPS):
        value = s.task[p, CLAMP_MIN + clamp]
        bucket = bucket_of(s, c, clamp, value)
        bucket[IN_BUCKET] += 1
        if bucket[IN_BUCKET] == 1 or value > bucket[BUCKET_VALUE]:
            bucket[BUCKET_VALUE] = value
        if cpu[RQ_CLAMP_IDLE] or value > cpu[RQ_CLAMP_MIN + clamp]:
            cpu[RQ_CLAMP_MIN + clamp] = value
    cpu[RQ_CLAMP_IDLE] = 0


@compiled
def leave_clamps(s, c, p):
    """Let the clamps of thread ``p`` no longer count on pCPU ``c``: before it is dequeued or becomes delayed."""
    if s.glob[UCLAMP_USED] == 0:
        return
    cpu = s.cpu[c]
    for clamp in range(CLAMPS):
        value = s.task[p, CLAMP_MIN + clamp]
        bucket = bucket_of(s, c, clamp, value)
        bucket[IN_BUCKET] -= 1
        if bucket[IN_BUCKET] > 0:
            continue
        highest = highest_bucket(s, c, clamp)
        if highest < 0:
            highest = value if clamp == UPPER else 0
            if clamp == UPPER:
                cpu[RQ_CLAMP_IDLE] = 1
        cpu[RQ_CLAMP_MIN + clamp] = highest
