"""PELT in exact integers: load, runnable and utilisation of threads and run queues, and estimated utilisation.

A signal is eight columns of a row, from a first one on. Half-life 32 periods of 1024 * 1024 ns of PELT's clock.
Rules: Linux 7.1.5, kernel/sched/pelt.c and fair.c. All quotients are of non-negative numbers.
"""

from typing import cast

import numpy as np

from pmu.kernel_jit import compiled, inlined
from scheduler.kernel_clock import DIVIDER_BASE, LOAD_AVG_MAX, pelt_time
from scheduler.kernel_state import (
    CAPACITY,
    CFS_AT,
    CFS_EST,
    CFS_LOAD,
    CFS_POSITION,
    CFS_RUNNABLE,
    CFS_UTIL,
    CPU,
    CURRENT,
    DELAYED,
    EST_KEPT,
    FAIR_CURRENT,
    LOST,
    N_REMOVED,
    N_RUNNABLE,
    NO,
    NONE,
    NOW,
    ON_RQ,
    QUEUED_WEIGHT,
    REMOVED_LOAD,
    REMOVED_RUNNABLE,
    REMOVED_UTIL,
    RT_AT,
    SE_AT,
    SE_LOAD,
    SE_LOAD_SUM,
    SE_POSITION,
    SE_RUNNABLE,
    SE_RUNNABLE_SUM,
    SE_UTIL,
    SE_UTIL_SUM,
    UTIL_CHANGED,
    UTIL_EST,
    WEIGHT,
)

AT, LOAD_SUM, RUNNABLE_SUM, UTIL_SUM, POSITION, LOAD, RUNNABLE, UTIL = range(8)
ENTITY = cast("int", np.int64(SE_AT))
QUEUE = cast("int", np.int64(CFS_AT))
RT = cast("int", np.int64(RT_AT))
LOAD_OF_QUEUE = cast("int", np.int64(CFS_LOAD))
RUNNABLE_OF_QUEUE = cast("int", np.int64(CFS_RUNNABLE))
UTIL_OF_QUEUE = cast("int", np.int64(CFS_UTIL))
SUM_FROM_AVERAGE = LOAD_SUM - LOAD

PERIOD = 1024
FORGOTTEN = 2016
INVERSE = np.array([int((2**32 - 1) * 2.0 ** (-n / 32)) for n in range(32)], np.int64)
LOW_BITS = (1 << 31) - 1
EST_MARGIN = 10
UNIT_WEIGHT = cast("int", np.int64(1))


@compiled
def decay(value, periods):
    """Return ``value`` (< 2**60) after ``periods`` periods of decay."""
    if periods > FORGOTTEN:
        return 0
    value = value >> (periods // 32)
    inverse = INVERSE[periods % 32]
    # value * inverse >> 32, in two parts because the product may have 92 bits
    return ((value >> 31) * inverse + (((value & LOW_BITS) * inverse) >> 31)) >> 1


@compiled
def step(row, first, now, load, runnable, running, weight):
    """Bring the signal at column ``first`` of ``row`` up to ``now``; return whether its averages are new.

    ``load`` and ``runnable`` are what has counted since its last step, ``running`` whether it ran.
    """
    delta = now - row[first + AT]
    if delta < 0:
        row[first + AT] = now
        return False
    delta >>= 10
    if delta == 0:
        return False
    row[first + AT] += delta << 10
    if load == 0:
        runnable = 0
        running = 0
    position = row[first + POSITION]
    periods = (delta + position) >> 10
    rest = (delta + position) & (PERIOD - 1)
    grown = delta
    if periods > 0:
        for column in range(first + LOAD_SUM, first + UTIL_SUM + 1):
            row[column] = decay(row[column], periods)
        grown = decay(PERIOD - position, periods) + (LOAD_AVG_MAX - decay(LOAD_AVG_MAX, periods) - PERIOD) + rest
    row[first + POSITION] = rest
    row[first + LOAD_SUM] += load * grown
    row[first + RUNNABLE_SUM] += (runnable * grown) << 10
    if running:
        row[first + UTIL_SUM] += grown << 10
    if periods == 0:
        return False
    divider = DIVIDER_BASE + rest
    row[first + LOAD] = weight * row[first + LOAD_SUM] // divider
    row[first + RUNNABLE] = row[first + RUNNABLE_SUM] // divider
    row[first + UTIL] = row[first + UTIL_SUM] // divider
    return True


@compiled
def add(cpu, average, value, summand):
    """Add to an average of the fair run queue, and to its sum, keeping both consistent and not negative."""
    total = average + SUM_FROM_AVERAGE
    cpu[average] = max(0, cpu[average] + value)
    cpu[total] = max(0, cpu[total] + summand, cpu[average] * DIVIDER_BASE)


@inlined
def take_off_removed(cpu):
    """Take what exited and departed threads have left off the signals of a fair run queue."""
    divider = DIVIDER_BASE + cpu[CFS_POSITION]
    add(cpu, LOAD_OF_QUEUE, -cpu[REMOVED_LOAD], -cpu[REMOVED_LOAD] * divider)
    add(cpu, UTIL_OF_QUEUE, -cpu[REMOVED_UTIL], -cpu[REMOVED_UTIL] * divider)
    add(cpu, RUNNABLE_OF_QUEUE, -cpu[REMOVED_RUNNABLE], -cpu[REMOVED_RUNNABLE] * divider)
    cpu[N_REMOVED] = cpu[REMOVED_LOAD] = cpu[REMOVED_UTIL] = cpu[REMOVED_RUNNABLE] = 0


@compiled
def age_queue(s, c):
    """Bring the signals of the fair run queue of pCPU ``c`` up to its clock."""
    cpu = s.cpu[c]
    if cpu[N_REMOVED] > 0:
        take_off_removed(cpu)
        cpu[UTIL_CHANGED] = 1
    running = 0 if cpu[FAIR_CURRENT] == NONE else 1
    if step(cpu, QUEUE, pelt_time(s, c), cpu[QUEUED_WEIGHT], cpu[N_RUNNABLE], running, UNIT_WEIGHT):
        cpu[UTIL_CHANGED] = 1


@compiled
def age(s, c, p):
    """Bring the signals of thread ``p`` and of the fair run queue of pCPU ``c`` up to the clock.

    Their state must still be the one that has held since their last update.
    """
    task = s.task[p]
    if task[SE_AT] != NONE:
        runnable = task[ON_RQ] if task[DELAYED] == 0 else 0
        running = 1 if s.cpu[c, FAIR_CURRENT] == p else 0
        if step(task, ENTITY, pelt_time(s, c), task[ON_RQ], runnable, running, task[WEIGHT]):
            task[EST_KEPT] = 0
    age_queue(s, c)


@compiled
def attach(s, c, p):
    """Add the signals of thread ``p``, which belong to no run queue, to the fair one of pCPU ``c``."""
    cpu = s.cpu[c]
    task = s.task[p]
    divider = DIVIDER_BASE + cpu[CFS_POSITION]
    task[SE_AT] = cpu[CFS_AT]
    task[SE_POSITION] = cpu[CFS_POSITION]
    task[SE_UTIL_SUM] = task[SE_UTIL] * divider
    task[SE_RUNNABLE_SUM] = task[SE_RUNNABLE] * divider
    load_sum = task[SE_LOAD] * divider
    task[SE_LOAD_SUM] = load_sum // task[WEIGHT] if load_sum > task[WEIGHT] else 1
    add(cpu, LOAD_OF_QUEUE, task[SE_LOAD], task[WEIGHT] * task[SE_LOAD_SUM])
    add(cpu, UTIL_OF_QUEUE, task[SE_UTIL], task[SE_UTIL_SUM])
    add(cpu, RUNNABLE_OF_QUEUE, task[SE_RUNNABLE], task[SE_RUNNABLE_SUM])
    cpu[UTIL_CHANGED] = 1


@inlined
def detach(s, c, p):
    """Take the signals of thread ``p``, just dequeued to join another pCPU, off the run queue of ``c``."""
    cpu = s.cpu[c]
    task = s.task[p]
    add(cpu, LOAD_OF_QUEUE, -task[SE_LOAD], -task[WEIGHT] * task[SE_LOAD_SUM])
    add(cpu, UTIL_OF_QUEUE, -task[SE_UTIL], -task[SE_UTIL_SUM])
    add(cpu, RUNNABLE_OF_QUEUE, -task[SE_RUNNABLE], -task[SE_RUNNABLE_SUM])
    cpu[UTIL_CHANGED] = 1
    task[SE_AT] = NONE


@compiled
def decay_blocked(task, now):
    """Decay the signals of a thread that is not queued up to ``now``, a time of its run queue's PELT clock."""
    if task[SE_AT] != NONE:
        step(task, ENTITY, now, NO, NO, NO, task[WEIGHT])


@compiled
def synchronise(s, p):
    """Decay the signals of thread ``p``, which sleeps, up to the last update of its run queue."""
    decay_blocked(s.task[p], s.cpu[s.task[p, CPU], CFS_AT])


@compiled
def remove(s, p):
    """Leave the signals of thread ``p``, which is not queued, for the next update of its run queue to take off."""
    task = s.task[p]
    cpu = s.cpu[task[CPU]]
    synchronise(s, p)
    cpu[N_REMOVED] += 1
    cpu[REMOVED_LOAD] += task[SE_LOAD]
    cpu[REMOVED_RUNNABLE] += task[SE_RUNNABLE]
    cpu[REMOVED_UTIL] += task[SE_UTIL]


@compiled
def depart(s, p):
    """Remove the signals of thread ``p``, which wakes up on another pCPU, from the one where it slept.

    An idle pCPU does not update its signals, so the time since then is made up for first.
    """
    task = s.task[p]
    cpu = s.cpu[task[CPU]]
    remove(s, p)
    if cpu[CURRENT] == NONE:
        decay_blocked(task, max(cpu[CFS_AT], s.glob[NOW] - cpu[LOST]))
    task[SE_AT] = NONE


@compiled
def begin(s, c, p):
    """Give thread ``p``, new on pCPU ``c``, the signals that it starts with: at most half of the free capacity."""
    cpu = s.cpu[c]
    task = s.task[p]
    free = max(0, cpu[CAPACITY] - cpu[CFS_UTIL]) // 2
    util = free
    if cpu[CFS_UTIL] > 0:
        util = min(free, cpu[CFS_UTIL] * task[WEIGHT] // (cpu[CFS_LOAD] + 1))
    for column in range(SE_AT, SE_UTIL + 1):
        task[column] = 0
    task[SE_AT] = NONE
    task[SE_LOAD] = task[WEIGHT]
    task[SE_RUNNABLE] = util
    task[SE_UTIL] = util
    task[UTIL_EST] = 0
    task[EST_KEPT] = 0


@compiled
def reweigh(s, c, p, weight):
    """Give thread ``p`` another weight, also in the load of the run queue of pCPU ``c`` if it is attached there."""
    task = s.task[p]
    cpu = s.cpu[c]
    old = task[WEIGHT]
    task[WEIGHT] = weight
    if task[SE_AT] == NONE:
        return
    add(cpu, LOAD_OF_QUEUE, -task[SE_LOAD], -old * task[SE_LOAD_SUM])
    task[SE_LOAD] = weight * task[SE_LOAD_SUM] // (DIVIDER_BASE + task[SE_POSITION])
    add(cpu, LOAD_OF_QUEUE, task[SE_LOAD], weight * task[SE_LOAD_SUM])


@compiled
def age_rt(s, c, ran):
    """Bring the signal of the SCHED_FIFO threads of pCPU ``c`` up to its clock; ``ran``: one of them ran (1) or not."""
    if step(s.cpu[c], RT, pelt_time(s, c), ran, ran, ran, UNIT_WEIGHT):
        s.cpu[c, UTIL_CHANGED] = 1


# Estimated utilisation


@compiled
def add_estimate(s, c, p):
    """Add the estimated utilisation of thread ``p`` to that of the run queue of pCPU ``c``, which it joins."""
    s.cpu[c, CFS_EST] += s.task[p, UTIL_EST]


@inlined
def drop_estimate(s, c, p):
    """Take the estimated utilisation of thread ``p`` off that of the run queue of pCPU ``c``, which it leaves."""
    s.cpu[c, CFS_EST] -= min(s.cpu[c, CFS_EST], s.task[p, UTIL_EST])


@compiled
def renew_estimate(s, p):
    """Renew the estimated utilisation of thread ``p`` as it goes to sleep, once for each ended PELT period."""
    task = s.task[p]
    if task[EST_KEPT]:
        return
    util = task[SE_UTIL]
    est = task[UTIL_EST]
    if est <= util:
        task[UTIL_EST] = util
    elif est - util >= EST_MARGIN and util + EST_MARGIN >= task[SE_RUNNABLE]:
        task[UTIL_EST] = (4 * est - (est - util)) >> 2
    task[EST_KEPT] = 1


@compiled
def expected_util(s, p):
    """Return the utilisation to expect of thread ``p``: the larger of its present and its estimated one."""
    return max(s.task[p, SE_UTIL], s.task[p, UTIL_EST])
