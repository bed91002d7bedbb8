"""Load balance: pCPUs pull waiting threads, at once when they run out of any; misfit threads go to bigger ones.

Under EAS nothing is pulled while no pCPU is overutilised, as in Linux. Which thread comes from where is simpler than
there: docs/model.md, "Balance".
"""

from typing import cast

import numpy as np

from pmu.kernel_jit import compiled, inlined
from scheduler.kernel_capacity import renew_capacity, renew_overutilised
from scheduler.kernel_clock import update_clock
from scheduler.kernel_crowd import FAILED, LISTED, has_misfit, number_on, prune_crowd
from scheduler.kernel_dvfs import follow
from scheduler.kernel_group import is_spent
from scheduler.kernel_rt import better_cpu, first_waiting_rt, most_urgent, next_waiting
from scheduler.kernel_signal import age_queue, expected_util
from scheduler.kernel_state import (
    BALANCE,
    CAPACITY,
    CAPACITY_LEFT,
    CFS_LOAD,
    CPU,
    CURRENT,
    DELAYED,
    EAS_ON,
    MISFIT,
    MODE,
    N_BALANCES,
    N_CROWDED,
    N_RT,
    NONE,
    OVERUTILISED,
    REALTIME,
    ROOT,
    ROUND_ROBIN,
    SE_LOAD,
    WAKING,
)
from scheduler.kernel_thread import has_cause, move
from scheduler.kernel_tree import after, first

TREE = cast("int", np.int64(ROOT))
CAPACITY_SCALE = 1024
BUSY_FACTOR = 16
IMBALANCE_PERCENT = 117
MOST_FAILURES = 10


@compiled
def may_go(s, p, c):
    """Tell whether the waiting fair thread ``p`` may be taken to pCPU ``c``."""
    return s.task[p, DELAYED] == 0 and s.allowed[p, c] and not is_spent(s, p)


@compiled
def first_waiting(s, source, c):
    """Return the first thread that waits on pCPU ``source`` and may run on pCPU ``c``, or NONE.

    Fair threads only, but under round-robin, which has no others.
    """
    if s.glob[ROUND_ROBIN]:
        return first_waiting_rt(s, source, c)
    p = first(s, source, TREE)
    while p != NONE and not may_go(s, p, c):
        p = after(s, p)
    return p


@inlined
def is_about_to_run(s, c):
    """Tell whether pCPU ``c`` picks its next thread at this very nanosecond; one that wakes up takes longer."""
    return s.cpu[c, CURRENT] == NONE and s.cpu[c, MODE] != WAKING


@compiled
def pull_waiting(s, c):
    """Return a thread for pCPU ``c`` from the pCPU with most threads, two more than ``c`` has at least, or NONE."""
    best = NONE
    most = number_on(s, c) + 1
    origin = NONE
    for k in range(s.glob[N_CROWDED]):
        source = s.crowd[k, LISTED]
        number = number_on(s, source)
        if source == c or is_about_to_run(s, source) or not (number > most or (number == most and source < origin)):
            continue
        p = first_waiting(s, source, c)
        if p != NONE:
            best = p
            most = number
            origin = source
    return best


@inlined
def pull_misfit(s, c):
    """Return the running thread with the highest utilisation that misfits its pCPU and gains on ``c``, or NONE."""
    best = NONE
    most = NONE
    for k in range(s.glob[N_CROWDED]):
        source = s.crowd[k, LISTED]
        p = s.cpu[source, CURRENT]
        if not has_misfit(s, source) or not s.allowed[p, c] or s.cpu[c, CAPACITY] <= s.cpu[source, CAPACITY]:
            continue
        util = expected_util(s, p)
        if util > most or (util == most and source < s.task[best, CPU]):
            best = p
            most = util
    return best


@compiled
def pull_rt(s, c):
    """Let pCPU ``c`` pull a real-time thread that waits elsewhere, more urgent than its own; return if it did."""
    if s.glob[REALTIME] == 0 or not has_cause(s, BALANCE):
        return False
    p = most_urgent(s, c)
    if p != NONE:
        move(s, p, c, BALANCE)
    return p != NONE


@inlined
def push_rt(s, c):
    """Let pCPU ``c`` push its waiting real-time threads to pCPUs that run something less urgent, as long as it can."""
    while s.cpu[c, N_RT] > 1 and has_cause(s, BALANCE):
        p = next_waiting(s, c)
        target = better_cpu(s, p, c)
        if target == NONE:
            return
        move(s, p, target, BALANCE)


@compiled
def may_pull(s):
    """Tell whether threads are pulled at all: with EAS only while some pCPU is overutilised."""
    return s.glob[EAS_ON] == 0 or s.glob[OVERUTILISED] == 1


@compiled
def pull(s, c):
    """Let pCPU ``c``, which has nothing to run, pull a waiting thread, else a misfit one; return whether it did."""
    if pull_rt(s, c):
        return True
    if not may_pull(s) or not prune_crowd(s):
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


@inlined
def age_idle(s, c):
    """Let the signals of pCPU ``c``, if it is idle, decay up to now, and the frequency follow them."""
    if s.cpu[c, CURRENT] == NONE:
        update_clock(s, c)
        age_queue(s, c)
        follow(s, c)


# Busy pCPUs


@compiled
def scaled_load(cpus, c):
    """Return the load of pCPU ``c`` for each unit of the capacity that fair threads have there."""
    return cpus[c, CFS_LOAD] * CAPACITY_SCALE // max(1, cpus[c, CAPACITY_LEFT])


@inlined
def most_loaded(s, c):
    """Return the crowded pCPU with the highest scaled load, if that is out of balance with pCPU ``c``'s, or NONE."""
    best = NONE
    highest = scaled_load(s.cpu, c) * IMBALANCE_PERCENT // 100
    for k in range(s.glob[N_CROWDED]):
        source = s.crowd[k, LISTED]
        load = scaled_load(s.cpu, source)
        if source != c and number_on(s, source) > 1 and (load > highest or (load == highest and source < best)):
            best = source
            highest = load
    return best


@inlined
def excess(cpus, source, c):
    """Return the load that pCPU ``source`` has to give pCPU ``c`` for both to have the same scaled load."""
    left = cpus[source, CAPACITY_LEFT] + cpus[c, CAPACITY_LEFT]
    return cpus[source, CFS_LOAD] - (cpus[source, CFS_LOAD] + cpus[c, CFS_LOAD]) * cpus[source, CAPACITY_LEFT] // left


@inlined
def relieve(s, c):
    """Let the busy pCPU ``c`` pull a waiting thread that is no more than what it lacks; the bar falls with failures."""
    source = most_loaded(s, c)
    if source == NONE:
        s.crowd[c, FAILED] = 0
        return
    room = excess(s.cpu, source, c) << s.crowd[c, FAILED]
    p = first_waiting(s, source, c)
    while p != NONE and not (may_go(s, p, c) and s.task[p, SE_LOAD] <= room):
        p = after(s, p)
    if p == NONE:
        s.crowd[c, FAILED] = min(s.crowd[c, FAILED] + 1, MOST_FAILURES)
    else:
        s.crowd[c, FAILED] = 0
        move(s, p, c, BALANCE)


@compiled
def balance(s):
    """Run the periodic balance: idle pCPUs pull each time, busy ones, which are out of balance, less often."""
    s.glob[N_BALANCES] += 1
    for c in range(s.cpu.shape[0]):
        renew_capacity(s, c)
        age_idle(s, c)
    renew_overutilised(s)
    for c in range(s.cpu.shape[0]):
        pull_rt(s, c)
    if not may_pull(s) or not prune_crowd(s):
        return
    for c in range(s.cpu.shape[0]):
        if number_on(s, c) == 0:
            pull(s, c)
        elif s.glob[ROUND_ROBIN] and has_cause(s, BALANCE):
            p = pull_waiting(s, c)
            if p != NONE:
                move(s, p, c, BALANCE)
        elif s.glob[N_BALANCES] % BUSY_FACTOR == 0 and has_cause(s, BALANCE):
            relieve(s, c)
