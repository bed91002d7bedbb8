"""The fair class: threads join and leave the queue of a pCPU, the running one is charged, the next one is picked.

EEVDF with delayed dequeue: a thread that goes to sleep with less than no lag stays queued until it would be picked.
Rules: Linux 7.1.5, kernel/sched/fair.c, with exact least and greatest slices of a queue.
"""

from typing import cast

import numpy as np

from pmu.kernel_jit import compiled, inlined
from scheduler.kernel_average import (
    advance,
    average,
    count_in,
    count_out,
    is_eligible,
    least_slice,
    place,
    queued_current,
    quotient,
    renew_slice,
    save_lag,
    virtual,
)
from scheduler.kernel_clock import ask_to_reschedule
from scheduler.kernel_group import charge
from scheduler.kernel_signal import add_estimate, age, attach, drop_estimate, renew_estimate, reweigh
from scheduler.kernel_state import (
    CLOCK,
    CPU,
    DEADLINE,
    DELAYED,
    EXEC_START,
    FAIR_CURRENT,
    LAG,
    MIN_SLICE,
    MOVE,
    N_QUEUED,
    N_RUNNABLE,
    NO,
    NONE,
    ON_RQ,
    PROTECT,
    RELATIVE,
    ROOT,
    SE_AT,
    SLEEP,
    SLICE,
    VRUNTIME,
    WEIGHT,
)
from scheduler.kernel_tree import erase, first, first_due, insert

TREE = cast("int", np.int64(ROOT))


@compiled
def update_current(s, c):
    """Charge the current fair thread of pCPU ``c`` up to the clock; ask for a reschedule when its time is over."""
    p = s.cpu[c, FAIR_CURRENT]
    if p == NONE:
        return
    task = s.task[p]
    delta = s.cpu[c, CLOCK] - task[EXEC_START]
    if delta <= 0:
        return
    task[EXEC_START] = s.cpu[c, CLOCK]
    charge(s, c, p, delta)
    advance(s, c, p, virtual(task[WEIGHT], delta))
    renewed = task[VRUNTIME] >= task[DEADLINE]
    if renewed:
        task[DEADLINE] = task[VRUNTIME] + renew_slice(s, p)
    if s.cpu[c, N_QUEUED] > 1 and (renewed or task[VRUNTIME] >= task[PROTECT]):
        ask_to_reschedule(s, c)


# Joining and leaving


@compiled
def enqueue(s, c, p, initial):
    """Let thread ``p`` join the queue of pCPU ``c``; ``initial``: for the first time."""
    cpu = s.cpu[c]
    task = s.task[p]
    if task[DELAYED] == 0:
        add_estimate(s, c, p)
    update_current(s, c)
    age(s, c, p)
    if task[SE_AT] == NONE:
        attach(s, c, p)
    place(s, c, p, initial)
    task[CPU] = c
    task[ON_RQ] = 1
    count_in(s, c, p)
    insert(s, c, TREE, p)
    cpu[N_QUEUED] += 1
    cpu[N_RUNNABLE] += 1 - task[DELAYED]


@compiled
def leave_queue(s, c, p, reason):
    """Take thread ``p``, whose signals are up to date, out of the queue of pCPU ``c``."""
    cpu = s.cpu[c]
    task = s.task[p]
    save_lag(s, c, p)
    count_out(s, c, p)
    if reason == MOVE:
        task[DEADLINE] -= task[VRUNTIME]
        task[RELATIVE] = 1
    if cpu[FAIR_CURRENT] != p:
        erase(s, c, TREE, p)
    task[ON_RQ] = 0
    cpu[N_QUEUED] -= 1
    cpu[N_RUNNABLE] -= 1 - task[DELAYED]


@compiled
def dequeue(s, c, p, reason):
    """Let thread ``p`` leave the queue of pCPU ``c``; one that falls asleep and is not eligible stays, as delayed."""
    cpu = s.cpu[c]
    task = s.task[p]
    if task[DELAYED] == 0:
        drop_estimate(s, c, p)
    update_current(s, c)
    delays = reason == SLEEP and task[DELAYED] == 0 and not is_eligible(s, c, p)
    age(s, c, p)
    if reason != MOVE and task[DELAYED] == 0:
        renew_estimate(s, p)
    if delays:
        save_lag(s, c, p)
        task[DELAYED] = 1
        cpu[N_RUNNABLE] -= 1
        return
    leave_queue(s, c, p, reason)
    if reason != MOVE:
        task[DELAYED] = 0


@inlined
def requeue(s, c, p):
    """Wake the delayed thread ``p`` of pCPU ``c``; the running thread is not charged before."""
    cpu = s.cpu[c]
    task = s.task[p]
    add_estimate(s, c, p)
    if save_lag(s, c, p):
        cpu[N_QUEUED] -= 1
        count_out(s, c, p)
        erase(s, c, TREE, p)
        place(s, c, p, NO)
        insert(s, c, TREE, p)
        count_in(s, c, p)
        cpu[N_QUEUED] += 1
    age(s, c, p)
    task[DELAYED] = 0
    cpu[N_RUNNABLE] += 1


# Picking


@compiled
def pick(s, c, protect):
    """Return the queued thread of pCPU ``c`` that should run, or NONE; with ``protect`` the current one keeps its time.

    It is the eligible one with the earliest deadline, the current one only if its deadline is strictly earlier.
    """
    current = queued_current(s, c)
    if s.cpu[c, N_QUEUED] == 1:
        return current if current != NONE else first(s, c, TREE)
    mean = average(s, c)
    if current != NONE and s.task[current, VRUNTIME] > mean:
        current = NONE
    if current != NONE and protect and s.task[current, VRUNTIME] < s.task[current, PROTECT]:
        return current
    best = first_due(s, c, TREE, mean)
    if best == NONE or (current != NONE and s.task[current, DEADLINE] < s.task[best, DEADLINE]):
        return current
    return best


@compiled
def pick_entity(s, c, protect):
    """Pick as ``pick`` does; a delayed thread leaves the queue instead, and the answer is NONE."""
    p = pick(s, c, protect)
    if p != NONE and s.task[p, DELAYED] == 1:
        dequeue(s, c, p, SLEEP)
        return NONE
    return p


@inlined
def put(s, c, p):
    """Let thread ``p`` no longer be current on pCPU ``c``; it waits in the tree if it is queued."""
    if s.task[p, ON_RQ] == 1:
        update_current(s, c)
        insert(s, c, TREE, p)
        age(s, c, p)
    s.cpu[c, FAIR_CURRENT] = NONE


@compiled
def make_current(s, c, p):
    """Let the queued thread ``p`` be current on pCPU ``c``."""
    erase(s, c, TREE, p)
    age(s, c, p)
    s.cpu[c, FAIR_CURRENT] = p
    s.task[p, EXEC_START] = s.cpu[c, CLOCK]


@inlined
def protect_slice(s, c, p):
    """Protect thread ``p``, about to be current on pCPU ``c``, from others for the least slice of the queue."""
    task = s.task[p]
    root = s.cpu[c, ROOT]
    least = task[SLICE] if root == NONE else min(task[SLICE], s.task[root, MIN_SLICE])
    task[PROTECT] = task[DEADLINE]
    if least != task[SLICE]:
        task[PROTECT] = min(task[DEADLINE], task[VRUNTIME] + virtual(task[WEIGHT], least))


@inlined
def set_next(s, c, p):
    """Let the queued thread ``p`` run on pCPU ``c`` with a protected slice."""
    make_current(s, c, p)
    protect_slice(s, c, p)


@inlined
def shorten_protection(s, c, p):
    """Protect the running thread ``p`` of pCPU ``c`` for no longer than the least slice of the queue from now on."""
    task = s.task[p]
    end = task[VRUNTIME] + virtual(task[WEIGHT], least_slice(s, c))
    task[PROTECT] = min(task[PROTECT], end)


# What a thread does to itself


@inlined
def give_up_slice(s, c, p):
    """Let the eligible running thread ``p`` of pCPU ``c`` go to its deadline in virtual time."""
    task = s.task[p]
    if is_eligible(s, c, p):
        advance(s, c, p, task[DEADLINE] - task[VRUNTIME])
        task[DEADLINE] = task[VRUNTIME] + renew_slice(s, p)


@compiled
def reweight(s, c, p, weight):
    """Give thread ``p`` of pCPU ``c`` another weight; it keeps its lag and deadline in real time."""
    task = s.task[p]
    queued = task[ON_RQ] == 1
    running = s.cpu[c, FAIR_CURRENT] == p
    if queued:
        dequeue(s, c, p, MOVE)
    if running:
        s.cpu[c, FAIR_CURRENT] = NONE
    task[LAG] = quotient(task[LAG] * task[WEIGHT], weight)
    if task[RELATIVE] == 1:
        task[DEADLINE] = quotient(task[DEADLINE] * task[WEIGHT], weight)
    reweigh(s, c, p, weight)
    if queued:
        enqueue(s, c, p, NO)
    if running and queued:
        make_current(s, c, p)
