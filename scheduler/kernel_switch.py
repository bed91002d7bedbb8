"""Which thread a pCPU runs: SCHED_FIFO threads before the fair class, and the switch from one thread to the next.

SCHED_FIFO threads stay in a tree of their own while they run; the DEADLINE of one is 99 less its priority.
Rules: Linux 7.1.5, kernel/sched/core.c and rt.c.
"""

from typing import cast

import numpy as np

from pmu.kernel_jit import compiled
from scheduler.kernel_clock import enter_idle, stop_asking, update_clock
from scheduler.kernel_fair import pick_entity, put, set_next, update_current
from scheduler.kernel_signal import age_rt
from scheduler.kernel_state import (
    AVERAGE_V,
    CPU,
    CURRENT,
    FAIR_CURRENT,
    FIFO,
    N_QUEUED,
    N_RT,
    NO,
    NONE,
    ON_RQ,
    POLICY,
    ROOT,
    RT_ROOT,
    UTIL_CHANGED,
    YES,
)
from scheduler.kernel_tree import erase, first, insert

RT_TREE = cast("int", np.int64(RT_ROOT))
FIRST_AVERAGE_V = -(1 << 20)


@compiled
def open_queues(s, c):
    """Prepare the empty run queues of pCPU ``c``."""
    cpu = s.cpu[c]
    cpu[CURRENT] = cpu[FAIR_CURRENT] = cpu[ROOT] = cpu[RT_ROOT] = NONE
    cpu[AVERAGE_V] = FIRST_AVERAGE_V


# SCHED_FIFO


@compiled
def enqueue_rt(s, c, p):
    """Let the SCHED_FIFO thread ``p`` join the queue of pCPU ``c``, behind those of its priority."""
    s.task[p, CPU] = c
    s.task[p, ON_RQ] = 1
    s.cpu[c, N_RT] += 1
    s.cpu[c, UTIL_CHANGED] = 1
    insert(s, c, RT_TREE, p)


@compiled
def dequeue_rt(s, c, p):
    """Let the SCHED_FIFO thread ``p`` leave the queue of pCPU ``c``."""
    s.task[p, ON_RQ] = 0
    s.cpu[c, N_RT] -= 1
    s.cpu[c, UTIL_CHANGED] = 1
    erase(s, c, RT_TREE, p)


# Switching


@compiled
def pick_next(s, c):
    """Return the thread that pCPU ``c`` should run, or NONE; delayed threads that come up leave their queue."""
    if s.cpu[c, N_RT] > 0:
        return first(s, c, RT_TREE)
    while s.cpu[c, N_QUEUED] > 0:
        current = s.cpu[c, FAIR_CURRENT]
        if current != NONE and s.task[current, ON_RQ] == 1:
            update_current(s, c)
        p = pick_entity(s, c, YES)
        if p != NONE:
            return p
    return NONE


@compiled
def put_current(s, c):
    """Let the thread that pCPU ``c`` runs, if any, wait in its queue; return whether it is a SCHED_FIFO one."""
    p = s.cpu[c, CURRENT]
    if p == NONE:
        return False
    if s.task[p, POLICY] == FIFO:
        age_rt(s, c, YES)
        return True
    put(s, c, p)
    return False


@compiled
def set_current(s, c, p, was_rt):
    """Let pCPU ``c`` run thread ``p`` (NONE: the idle task); ``was_rt``: after a SCHED_FIFO thread."""
    if p == NONE:
        enter_idle(s, c)
    elif s.task[p, POLICY] != FIFO:
        set_next(s, c, p)
    elif not was_rt:
        age_rt(s, c, NO)
    s.cpu[c, CURRENT] = p


@compiled
def switch_to(s, c, p):
    """Let pCPU ``c`` run thread ``p`` (NONE: the idle task) in place of its current one."""
    set_current(s, c, p, put_current(s, c))


@compiled
def schedule(s, c):
    """Let pCPU ``c`` run the thread that it should; return whether that is another one than before."""
    update_clock(s, c)
    p = pick_next(s, c)
    switches = p != s.cpu[c, CURRENT]
    if switches:
        switch_to(s, c, p)
    stop_asking(s, c)
    return switches
