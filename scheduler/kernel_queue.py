"""The weighted fair run queue with virtual deadlines: EEVDF on the columns of ``kernel_state``.

Rules: Linux' kernel/sched/fair.c in the words of docs/model.md, "Run queue". The threads of a pCPU are
found by scanning the task table.
"""

from numba import njit

from scheduler.kernel_state import (
    AVERAGE_V,
    BASE_SLICE,
    CPU,
    CURRENT,
    DEADLINE,
    EXEC_START,
    FRESH,
    HZ_NS,
    LAG,
    NONE,
    NOW,
    PROTECT,
    QUEUED,
    RELATIVE,
    RESCHED,
    RUNNING,
    STATE,
    VRUNTIME,
    WEIGHT,
)

NICE_0_WEIGHT = 1024


@njit(cache=True)
def virtual(task, ns):
    """Return ``ns`` in the virtual time of a thread."""
    return ns * NICE_0_WEIGHT // task[WEIGHT]


@njit(cache=True)
def is_on(task, c):
    """Tell whether a thread is queued or running on pCPU ``c``."""
    return task[CPU] == c and (task[STATE] == QUEUED or task[STATE] == RUNNING)


@njit(cache=True)
def load_of(s, c):
    """Return ``(number, weight)`` of the threads on pCPU ``c``."""
    number = 0
    weight = 0
    for i in range(s.task.shape[0]):
        if is_on(s.task[i], c):
            number += 1
            weight += s.task[i, WEIGHT]
    return number, weight


@njit(cache=True)
def average(s, c):
    """Return the weighted average vruntime of pCPU ``c``; its last value while nothing is queued."""
    base = s.cpu[c, AVERAGE_V]
    total = 0
    weight = 0
    for i in range(s.task.shape[0]):
        if is_on(s.task[i], c):
            total += s.task[i, WEIGHT] * (s.task[i, VRUNTIME] - base)
            weight += s.task[i, WEIGHT]
    if weight > 0:
        s.cpu[c, AVERAGE_V] = base + total // weight
    return s.cpu[c, AVERAGE_V]


@njit(cache=True)
def is_eligible(s, c, p):
    """Tell whether thread ``p`` has not had more than its share: its vruntime is at most the average."""
    base = s.task[p, VRUNTIME]
    total = 0
    for i in range(s.task.shape[0]):
        if is_on(s.task[i], c):
            total += s.task[i, WEIGHT] * (s.task[i, VRUNTIME] - base)
    return total >= 0


@njit(cache=True)
def update_current(s, c):
    """Charge the running thread of pCPU ``c`` up to now; ask for a reschedule when its slice is over."""
    p = s.cpu[c, CURRENT]
    if p == NONE:
        return
    task = s.task[p]
    delta = s.glob[NOW] - task[EXEC_START]
    if delta <= 0:
        return
    task[EXEC_START] = s.glob[NOW]
    task[VRUNTIME] += virtual(task, delta)
    renewed = task[VRUNTIME] >= task[DEADLINE]
    if renewed:
        task[DEADLINE] = task[VRUNTIME] + virtual(task, s.glob[BASE_SLICE])
    if (renewed or task[VRUNTIME] >= task[PROTECT]) and load_of(s, c)[0] > 1:
        s.cpu[c, RESCHED] = 1


@njit(cache=True)
def save_lag(s, c, p):
    """Store the lag of thread ``p``, bounded by a slice and a tick of its virtual time."""
    limit = virtual(s.task[p], s.glob[BASE_SLICE] + s.glob[HZ_NS])
    lag = average(s, c) - s.task[p, VRUNTIME]
    s.task[p, LAG] = max(-limit, min(limit, lag))


@njit(cache=True)
def place(s, c, p):
    """Give thread ``p`` its vruntime and deadline on pCPU ``c``, whose queue it is about to join."""
    task = s.task[p]
    number, weight = load_of(s, c)
    offset = 0
    if number > 0 and task[LAG] != 0:
        scaled = task[LAG] * (weight + task[WEIGHT])
        offset = scaled // weight if scaled >= 0 else -(-scaled // weight)
    task[VRUNTIME] = average(s, c) - offset
    if task[RELATIVE]:
        task[DEADLINE] += task[VRUNTIME]
        task[RELATIVE] = 0
        return
    length = virtual(task, s.glob[BASE_SLICE])
    task[DEADLINE] = task[VRUNTIME] + (length // 2 if task[FRESH] else length)
    task[FRESH] = 0


@njit(cache=True)
def pick(s, c):
    """Return the thread that should run on pCPU ``c`` now, or NONE.

    A running thread keeps the pCPU while it is eligible and inside its protected slice; otherwise the
    eligible thread with the earliest virtual deadline wins, the running one only if strictly earlier.
    """
    current = s.cpu[c, CURRENT]
    best = NONE
    lone = NONE
    number = 0
    for i in range(s.task.shape[0]):
        if is_on(s.task[i], c):
            number += 1
            if i != current:
                lone = i
                if is_eligible(s, c, i) and (best == NONE or s.task[i, DEADLINE] < s.task[best, DEADLINE]):
                    best = i
    runs = current != NONE and s.task[current, STATE] == RUNNING
    if number <= 1:
        return current if runs else lone
    if not runs or not is_eligible(s, c, current):
        return best
    if s.task[current, VRUNTIME] < s.task[current, PROTECT]:
        return current
    if best == NONE or s.task[current, DEADLINE] < s.task[best, DEADLINE]:
        return current
    return best
