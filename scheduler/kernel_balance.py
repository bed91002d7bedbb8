"""Load balance: pCPUs pull waiting threads, at once when they run out of any; misfit threads go to bigger ones.

Under EAS nothing is pulled while no pCPU is overutilised, as in Linux. Which thread comes from where is simpler than
there: docs/model.md, "Balance".
"""

from typing import cast

import numpy as np
from numba import njit

from scheduler.kernel_capacity import renew_capacity, renew_overutilised
from scheduler.kernel_clock import update_clock
from scheduler.kernel_dvfs import follow
from scheduler.kernel_group import is_spent
from scheduler.kernel_rt import better_cpu, first_waiting_rt, most_urgent, next_waiting
from scheduler.kernel_signal import age_queue, expected_util
from scheduler.kernel_state import (
    BALANCE,
    CAPACITY,
    CURRENT,
    DELAYED,
    EAS_ON,
    IS_MISFIT,
    MISFIT,
    N_RT,
    NONE,
    OVERUTILISED,
    REALTIME,
    ROOT,
    ROUND_ROBIN,
    RUNNING,
    STATE,
)
from scheduler.kernel_thread import has_cause, move, number_on
from scheduler.kernel_tree import after, first

TREE = cast("int", np.int64(ROOT))


@njit(cache=True)
def first_waiting(s, source, c):
    """Return the first thread that waits on pCPU ``source`` and may run on pCPU ``c``, or NONE.

    Fair threads only, but under round-robin, which has no others.
    """
    if s.glob[ROUND_ROBIN]:
        return first_waiting_rt(s, source, c)
    p = first(s, source, TREE)
    while p != NONE and (s.task[p, DELAYED] == 1 or not s.allowed[p, c] or is_spent(s, p)):
        p = after(s, p)
    return p


@njit(cache=True)
def pull_waiting(s, c):
    """Return a thread for pCPU ``c`` from the pCPU with most threads, two more than ``c`` has at least, or NONE."""
    best = NONE
    most = number_on(s, c) + 1
    for source in range(s.cpu.shape[0]):
        if source != c and s.cpu[source, CURRENT] != NONE and number_on(s, source) > most:
            p = first_waiting(s, source, c)
            if p != NONE:
                best = p
                most = number_on(s, source)
    return best


@njit(cache=True)
def pull_misfit(s, c):
    """Return the running thread with the highest utilisation that misfits its pCPU and gains on ``c``, or NONE."""
    best = NONE
    for source in range(s.cpu.shape[0]):
        p = s.cpu[source, CURRENT]
        if p == NONE or s.task[p, STATE] != RUNNING or not s.task[p, IS_MISFIT] or not s.allowed[p, c]:
            continue
        if s.cpu[c, CAPACITY] > s.cpu[source, CAPACITY]:
            if best == NONE or expected_util(s, p) > expected_util(s, best):
                best = p
    return best


@njit(cache=True)
def pull_rt(s, c):
    """Let pCPU ``c`` pull a real-time thread that waits elsewhere, more urgent than its own; return if it did."""
    if s.glob[REALTIME] == 0 or not has_cause(s, BALANCE):
        return False
    p = most_urgent(s, c)
    if p != NONE:
        move(s, p, c, BALANCE)
    return p != NONE


@njit(cache=True)
def push_rt(s, c):
    """Let pCPU ``c`` push its waiting real-time threads to pCPUs that run something less urgent, as long as it can."""
    while s.cpu[c, N_RT] > 1 and has_cause(s, BALANCE):
        p = next_waiting(s, c)
        target = better_cpu(s, p, c)
        if target == NONE:
            return
        move(s, p, target, BALANCE)


@njit(cache=True)
def may_pull(s):
    """Tell whether threads are pulled at all: with EAS only while some pCPU is overutilised."""
    return s.glob[EAS_ON] == 0 or s.glob[OVERUTILISED] == 1


@njit(cache=True)
def pull(s, c):
    """Let pCPU ``c``, which has nothing to run, pull a waiting thread, else a misfit one; return whether it did."""
    if pull_rt(s, c):
        return True
    if not may_pull(s):
        return False
    p = pull_waiting(s, c) if has_cause(s, BALANCE) else NONE
    if p != NONE:
        move(s, p, c, BALANCE)
        return True
    p = pull_misfit(s, c) if has_cause(s, MISFIT) else NONE
    if p != NONE:
        move(s, p, c, MISFIT)
        return True
    return False


@njit(cache=True)
def age_idle(s, c):
    """Let the signals of pCPU ``c``, if it is idle, decay up to now, and the frequency follow them."""
    if s.cpu[c, CURRENT] == NONE:
        update_clock(s, c)
        age_queue(s, c)
        follow(s, c)


@njit(cache=True)
def balance(s):
    """Run the periodic balance: idle pCPUs pull; busy ones pull where the numbers differ by two or more."""
    for c in range(s.cpu.shape[0]):
        renew_capacity(s, c)
        age_idle(s, c)
    renew_overutilised(s)
    for c in range(s.cpu.shape[0]):
        pull_rt(s, c)
    if not may_pull(s):
        return
    for c in range(s.cpu.shape[0]):
        if number_on(s, c) == 0:
            pull(s, c)
        elif has_cause(s, BALANCE):
            p = pull_waiting(s, c)
            if p != NONE:
                move(s, p, c, BALANCE)
