"""Where threads run: capacity-aware placement on wakeup, periodic and newidle balance, misfit migration.

Rules: Linux' kernel/sched/fair.c without EAS in the words of docs/model.md, "Placement".
"""

from numba import njit

from scheduler.kernel_pelt import accrue
from scheduler.kernel_queue import NICE_0_WEIGHT, is_on, load_of, place, save_lag, update_current
from scheduler.kernel_run import settle
from scheduler.kernel_state import (
    AFFINITY,
    BALANCE,
    CACHE,
    CAPACITY,
    CAUSES,
    CPU,
    CURRENT,
    DEADLINE,
    DOMAIN,
    FIRST_PMU,
    IDLE,
    IS_MISFIT,
    KHZ,
    MAX_KHZ,
    MISFIT,
    MODE,
    N_MOVES,
    NEVER,
    NONE,
    NOW,
    QUEUED,
    RELATIVE,
    RESCHED,
    RUNNING,
    SLEEPING,
    STATE,
    UNTIL,
    UTIL,
    UTIL_EST,
    VCPU,
    VRUNTIME,
    WAKEUP,
    WEIGHT,
)

CAPACITY_MARGIN = 1280
CAPACITY_SCALE = 1024


@njit(cache=True)
def running_scale(s, c):
    """Return the scale (of 1024) at which time on pCPU ``c`` counts: capacity times frequency."""
    dom = s.dom[s.cpu[c, DOMAIN]]
    return (s.cpu[c, CAPACITY] * ((dom[KHZ] << 10) // dom[MAX_KHZ])) >> 10


@njit(cache=True)
def refresh(s, p):
    """Bring the utilisation of thread ``p`` up to now."""
    task = s.task[p]
    accrue(task, s.glob[NOW], running_scale(s, task[CPU]) if task[STATE] == RUNNING else 0)


@njit(cache=True)
def initial_util(s, c):
    """Return the utilisation that a new thread on pCPU ``c`` starts with: at most half of what is free there."""
    used = 0
    weight = 0
    for p in range(s.task.shape[0]):
        if is_on(s.task[p], c):
            used += s.task[p, UTIL]
            weight += s.task[p, WEIGHT]
    free = max(0, s.cpu[c, CAPACITY] - used) // 2
    return free if used == 0 else min(free, used * NICE_0_WEIGHT // (weight + 1))


@njit(cache=True)
def demand(s, p):
    """Return the utilisation to expect of thread ``p``: the larger of its present and its estimated one."""
    return max(s.task[p, UTIL], s.task[p, UTIL_EST])


@njit(cache=True)
def fits(s, p, c):
    """Tell whether thread ``p`` leaves the margin free on pCPU ``c``."""
    return demand(s, p) * CAPACITY_MARGIN < s.cpu[c, CAPACITY] * CAPACITY_SCALE


@njit(cache=True)
def has_cause(s, cause):
    """Tell whether migrations for ``cause`` are switched on."""
    return (s.glob[CAUSES] >> cause) & 1 == 1


@njit(cache=True)
def is_idle(s, c):
    """Tell whether pCPU ``c`` runs nothing and has nothing queued."""
    return s.cpu[c, CURRENT] == NONE and load_of(s, c)[0] == 0


@njit(cache=True)
def first_allowed(s, p):
    """Return the allowed pCPU with the fewest threads for thread ``p``, the lowest number first."""
    best = NONE
    least = NEVER
    for c in range(s.cpu.shape[0]):
        if s.allowed[p, c]:
            number = load_of(s, c)[0]
            if number < least:
                best = c
                least = number
    return best


@njit(cache=True)
def scan_idle(s, p, target):
    """Return the first idle allowed pCPU from ``target`` up on which ``p`` fits, else the largest idle, else NONE."""
    best = NONE
    cpus = s.cpu.shape[0]
    for k in range(cpus):
        c = (target + k) % cpus
        if s.allowed[p, c] and is_idle(s, c):
            if fits(s, p, c):
                return c
            if best == NONE or s.cpu[c, CAPACITY] > s.cpu[best, CAPACITY]:
                best = c
    return best


@njit(cache=True)
def wake_target(s, p, waker):
    """Return the pCPU at which the search of a waking thread starts: its last one, or the waker's."""
    last = s.task[p, CPU]
    same_cache = s.cpu[waker, CACHE] == s.cpu[last, CACHE]
    if s.allowed[p, waker] and same_cache and is_idle(s, waker) and not is_idle(s, last):
        return waker
    return last


@njit(cache=True)
def select_cpu(s, p, waker):
    """Return the pCPU for the waking thread ``p``."""
    last = s.task[p, CPU]
    if not s.allowed[p, last]:
        return first_allowed(s, p)
    if not has_cause(s, WAKEUP):
        return last
    target = wake_target(s, p, waker)
    if is_idle(s, target) and fits(s, p, target):
        return target
    if is_idle(s, last) and s.cpu[target, CACHE] == s.cpu[last, CACHE] and fits(s, p, last):
        return last
    found = scan_idle(s, p, target)
    return found if found != NONE else target


@njit(cache=True)
def log_move(s, p, c, cause):
    """Record that the vCPU thread ``p`` leaves its pCPU for ``c``."""
    task = s.task[p]
    if task[VCPU] == NONE:
        return
    n = s.glob[N_MOVES]
    s.moves[n, 0] = s.glob[NOW]
    s.moves[n, 1] = task[VCPU]
    s.moves[n, 2] = task[CPU]
    s.moves[n, 3] = c
    s.moves[n, 4] = cause
    s.moves[n, 5] = s.cpu[task[CPU], FIRST_PMU] != s.cpu[c, FIRST_PMU]
    s.glob[N_MOVES] += 1


@njit(cache=True)
def stop_current(s, c):
    """Take the running thread off pCPU ``c`` and leave it queued there; the pCPU will pick again."""
    p = s.cpu[c, CURRENT]
    settle(s, c)
    update_current(s, c)
    refresh(s, p)
    s.task[p, STATE] = QUEUED
    s.cpu[c, CURRENT] = NONE
    s.cpu[c, MODE] = IDLE
    s.cpu[c, UNTIL] = NEVER
    s.cpu[c, RESCHED] = 1


@njit(cache=True)
def detach(s, p):
    """Take the queued or running thread ``p`` off its pCPU and keep its lag."""
    c = s.task[p, CPU]
    if s.cpu[c, CURRENT] == p:
        stop_current(s, c)
    update_current(s, c)
    refresh(s, p)
    save_lag(s, c, p)
    s.task[p, STATE] = SLEEPING


@njit(cache=True)
def attach(s, p, c):
    """Queue the detached or sleeping thread ``p`` on pCPU ``c``."""
    update_current(s, c)
    refresh(s, p)
    place(s, c, p)
    s.task[p, CPU] = c
    s.task[p, STATE] = QUEUED
    if s.cpu[c, CURRENT] == NONE:
        s.cpu[c, RESCHED] = 1


@njit(cache=True)
def move(s, p, c, cause):
    """Migrate the queued or running thread ``p`` to pCPU ``c``."""
    detach(s, p)
    s.task[p, DEADLINE] -= s.task[p, VRUNTIME]
    s.task[p, RELATIVE] = 1
    log_move(s, p, c, cause)
    attach(s, p, c)


@njit(cache=True)
def pull_waiting(s, c):
    """Return a thread that waits on the pCPU with the most threads and may run on ``c``, or NONE."""
    best = NONE
    most = 1
    for p in range(s.task.shape[0]):
        task = s.task[p]
        if task[STATE] == QUEUED and task[CPU] != c and s.allowed[p, c]:
            number = load_of(s, task[CPU])[0]
            if s.cpu[task[CPU], CURRENT] != NONE and number > most:
                best = p
                most = number
    return best


@njit(cache=True)
def pull_misfit(s, c):
    """Return the running thread with the highest demand that misfits its pCPU and gains on ``c``, or NONE."""
    best = NONE
    for p in range(s.task.shape[0]):
        task = s.task[p]
        if task[STATE] == RUNNING and task[IS_MISFIT] and s.allowed[p, c]:
            if s.cpu[c, CAPACITY] > s.cpu[task[CPU], CAPACITY]:
                if best == NONE or demand(s, p) > demand(s, best):
                    best = p
    return best


@njit(cache=True)
def pull(s, c):
    """Let the idle pCPU ``c`` pull a waiting thread, else a misfit one; return whether it did."""
    if has_cause(s, BALANCE):
        p = pull_waiting(s, c)
        if p != NONE:
            move(s, p, c, BALANCE)
            return True
    if has_cause(s, MISFIT):
        p = pull_misfit(s, c)
        if p != NONE:
            move(s, p, c, MISFIT)
            return True
    return False


@njit(cache=True)
def balance(s):
    """Run the periodic balance: idle pCPUs pull; busy ones pull where the numbers differ by two or more."""
    for c in range(s.cpu.shape[0]):
        number = load_of(s, c)[0]
        if number == 0:
            pull(s, c)
        elif has_cause(s, BALANCE):
            p = pull_waiting(s, c)
            if p != NONE and load_of(s, s.task[p, CPU])[0] >= number + 2:
                move(s, p, c, BALANCE)


@njit(cache=True)
def mark_misfit(s, p):
    """Renew the mark of the running thread ``p`` that its pCPU is too small and a larger one is allowed."""
    c = s.task[p, CPU]
    s.task[p, IS_MISFIT] = 0
    if not fits(s, p, c):
        for other in range(s.cpu.shape[0]):
            if s.allowed[p, other] and s.cpu[other, CAPACITY] > s.cpu[c, CAPACITY]:
                s.task[p, IS_MISFIT] = 1


@njit(cache=True)
def obey_affinity(s, p):
    """Move thread ``p`` off a pCPU that its affinity no longer allows."""
    if not s.allowed[p, s.task[p, CPU]] and is_on(s.task[p], s.task[p, CPU]):
        move(s, p, first_allowed(s, p), AFFINITY)
