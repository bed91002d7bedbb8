"""PELT of a thread in exact integers: utilisation with a half-life of 32 periods of 1024 us.

Rules: Linux' kernel/sched/pelt.c in the words of docs/model.md, "PELT". Time that a thread runs is scaled
by the capacity and the frequency of its pCPU.
"""

import numpy as np
from numba import njit

from scheduler.kernel_state import EST_KEPT, PELT_AT, PELT_POSITION, PELT_SUM, UTIL, UTIL_EST

PERIOD = 1024
LOAD_AVG_MAX = 47742
DIVIDER_BASE = LOAD_AVG_MAX - PERIOD
INVERSE = np.array([int((2**32 - 1) * 2.0 ** (-n / 32)) for n in range(32)], np.int64)
FORGOTTEN = 2016
EST_MARGIN = 10


@njit(cache=True)
def decay(value, periods):
    """Return ``value`` (< 2**31) after ``periods`` periods of decay."""
    if periods > FORGOTTEN:
        return 0
    return ((value >> (periods // 32)) * INVERSE[periods % 32]) >> 32


@njit(cache=True)
def accrue(task, t, scale):
    """Bring a thread's utilisation up to ``t``; ``scale`` (of 1024) is 0 while it does not run."""
    delta = (t - task[PELT_AT]) >> 10
    if delta <= 0:
        return
    task[PELT_AT] += delta << 10
    position = task[PELT_POSITION]
    periods = (delta + position) // PERIOD
    rest = (delta + position) % PERIOD
    contribution = delta
    if periods > 0:
        task[PELT_SUM] = decay(task[PELT_SUM], periods)
        contribution = decay(PERIOD - position, periods) + (LOAD_AVG_MAX - decay(LOAD_AVG_MAX, periods) - PERIOD) + rest
    task[PELT_POSITION] = rest
    task[PELT_SUM] += contribution * scale
    if periods > 0:
        task[UTIL] = task[PELT_SUM] // (DIVIDER_BASE + rest)
        task[EST_KEPT] = 0


@njit(cache=True)
def begin(task, t, util):
    """Start the utilisation of a new thread at ``util``."""
    task[PELT_AT] = t
    task[PELT_POSITION] = 0
    task[UTIL] = util
    task[PELT_SUM] = util * DIVIDER_BASE


@njit(cache=True)
def estimate(task):
    """Renew the estimated utilisation of a thread that goes to sleep, once for each ended PELT period."""
    if task[EST_KEPT]:
        return
    task[EST_KEPT] = 1
    util = task[UTIL]
    est = task[UTIL_EST]
    if est <= util:
        task[UTIL_EST] = util
    elif est - util >= EST_MARGIN:
        task[UTIL_EST] = (4 * est - (est - util)) >> 2
