"""The weighted average vruntime of a pCPU's queued threads, kept as sums, and lag and placement against it.

AVERAGE_V is a moving base, MOMENT the sum of weight * (vruntime - AVERAGE_V) over all queued threads, the running
one included. A thread is eligible, has had no more than its share, exactly if its vruntime is at most the average
rounded down: of integers, sum >= key * weight and key <= sum // weight say the same, and the latter cannot overflow.
"""

from pmu.kernel_jit import compiled, inlined
from scheduler.kernel_state import (
    AVERAGE_V,
    BASE_SLICE,
    CUSTOM_SLICE,
    DEADLINE,
    DELAYED,
    FAIR_CURRENT,
    HZ_NS,
    LAG,
    MAX_SLICE,
    MIN_SLICE,
    MOMENT,
    N_QUEUED,
    NEVER,
    NONE,
    ON_RQ,
    QUEUED_WEIGHT,
    RELATIVE,
    ROOT,
    SLICE,
    VRUNTIME,
    WEIGHT,
)

NICE_0_WEIGHT = 1024


@compiled
def virtual(weight, ns):
    """Return ``ns`` (not negative) in the virtual time of a thread of some weight."""
    return ns if weight == NICE_0_WEIGHT else ns * NICE_0_WEIGHT // weight


@compiled
def quotient(value, divisor):
    """Return ``value`` over a positive divisor, rounded towards zero."""
    return value // divisor if value >= 0 else -(-value // divisor)


@compiled
def average(s, c):
    """Return the average vruntime of pCPU ``c``, rounded down; its last value while nothing is queued."""
    cpu = s.cpu[c]
    weight = cpu[QUEUED_WEIGHT]
    if cpu[MOMENT] < 0 or cpu[MOMENT] >= weight > 0:
        whole = cpu[MOMENT] // weight
        cpu[AVERAGE_V] += whole
        cpu[MOMENT] -= whole * weight
    return cpu[AVERAGE_V]


@compiled
def count_in(s, c, p):
    """Count thread ``p`` into the average of pCPU ``c``."""
    cpu = s.cpu[c]
    cpu[QUEUED_WEIGHT] += s.task[p, WEIGHT]
    cpu[MOMENT] += s.task[p, WEIGHT] * (s.task[p, VRUNTIME] - cpu[AVERAGE_V])


@compiled
def count_out(s, c, p):
    """Count thread ``p`` out of the average of pCPU ``c``."""
    cpu = s.cpu[c]
    cpu[QUEUED_WEIGHT] -= s.task[p, WEIGHT]
    cpu[MOMENT] -= s.task[p, WEIGHT] * (s.task[p, VRUNTIME] - cpu[AVERAGE_V])


@compiled
def advance(s, c, p, delta):
    """Add ``delta`` to the vruntime of thread ``p``, which counts in the average of pCPU ``c``."""
    s.task[p, VRUNTIME] += delta
    s.cpu[c, MOMENT] += s.task[p, WEIGHT] * delta


@compiled
def is_eligible(s, c, p):
    """Tell whether thread ``p`` has had no more than its share of pCPU ``c``."""
    return s.task[p, VRUNTIME] <= average(s, c)


@compiled
def queued_current(s, c):
    """Return the fair thread that is current on pCPU ``c`` and still queued, or NONE."""
    p = s.cpu[c, FAIR_CURRENT]
    return p if p != NONE and s.task[p, ON_RQ] == 1 else NONE


@inlined
def least_slice(s, c):
    """Return the least slice of all queued threads of pCPU ``c``, NEVER without any."""
    root = s.cpu[c, ROOT]
    least = NEVER if root == NONE else s.task[root, MIN_SLICE]
    p = queued_current(s, c)
    return least if p == NONE else min(least, s.task[p, SLICE])


@inlined
def greatest_slice(s, c):
    """Return the greatest slice of all queued threads of pCPU ``c``, 0 without any."""
    root = s.cpu[c, ROOT]
    greatest = 0 if root == NONE else s.task[root, MAX_SLICE]
    p = queued_current(s, c)
    return greatest if p == NONE else max(greatest, s.task[p, SLICE])


@compiled
def save_lag(s, c, p):
    """Keep the lag of the queued thread ``p``, bounded by the greatest slice and a tick; return whether it was bounded.

    A thread that stayed queued as it went to sleep gains by waiting, but never beyond zero.
    """
    task = s.task[p]
    mean = average(s, c)
    limit = virtual(task[WEIGHT], greatest_slice(s, c) + s.glob[HZ_NS])
    lag = max(-limit, min(limit, mean - task[VRUNTIME]))
    if task[DELAYED] == 1:
        lag = min(max(lag, task[LAG]), 0)
    task[LAG] = lag
    return mean - lag != task[VRUNTIME]


@compiled
def renew_slice(s, p):
    """Return the slice of thread ``p`` in its virtual time, read anew unless it has one of its own."""
    task = s.task[p]
    if task[CUSTOM_SLICE] == 0:
        task[SLICE] = s.glob[BASE_SLICE]
    return virtual(task[WEIGHT], task[SLICE])


@compiled
def place(s, c, p, initial):
    """Give thread ``p`` vruntime and deadline for the queue of pCPU ``c`` that it is about to join.

    It joins with its lag, which its own weight would shrink; ``initial``: a new thread's first slice is half.
    """
    task = s.task[p]
    weight = s.cpu[c, QUEUED_WEIGHT]
    length = renew_slice(s, p)
    offset = 0
    if s.cpu[c, N_QUEUED] > 0 and task[LAG] != 0:
        # LAG * (weight + WEIGHT) / weight, in two parts because the product may overflow
        offset = task[LAG] + quotient(task[LAG] * task[WEIGHT], weight)
    task[VRUNTIME] = average(s, c) - offset
    if task[RELATIVE] == 1:
        task[DEADLINE] += task[VRUNTIME]
        task[RELATIVE] = 0
    else:
        task[DEADLINE] = task[VRUNTIME] + (length // 2 if initial else length)
