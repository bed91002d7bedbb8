"""What a perf domain's energy would be with a thread on one of its pCPUs: the energy model of ``scheduler.energy``.

Rules: Linux 7.1.5, include/linux/energy_model.h (em_cpu_energy) and kernel/sched/fair.c (compute_energy). Energy is a
cost (below 2**35) times a utilisation (below 2**20); it has no unit, only differences mean something.
"""

from numba import njit

from scheduler.kernel_capacity import actual_capacity, clamps_of, effective_util, performance_for, util_with
from scheduler.kernel_signal import expected_util
from scheduler.kernel_state import (
    CAPACITY,
    COST,
    INEFFICIENT,
    IRQ_UTIL,
    N_MEMBERS,
    N_OPPS,
    NO,
    NONE,
    PERFORMANCE,
    RQ_CLAMP_IDLE,
    UCLAMP_USED,
    YES,
)


@njit(cache=True)
def opp_for(s, d, performance):
    """Return the lowest OPP of perf domain ``d`` that is efficient and reaches a performance, else its highest."""
    last = s.dom[d, N_OPPS] - 1
    for i in range(last):
        if s.opp[d, i, PERFORMANCE] >= performance and s.opp[d, i, INEFFICIENT] == 0:
            return i
    return last


@njit(cache=True)
def energy(s, d, highest, busy, cap):
    """Return the energy of perf domain ``d`` for a sum of utilisations, of which the highest decides on the OPP."""
    if busy == 0:
        return 0
    return s.opp[d, opp_for(s, d, min(highest, cap)), COST] * busy


@njit(cache=True)
def domain_cap(s, d):
    """Return the actual capacity of a pCPU of perf domain ``d``: that of its first."""
    return actual_capacity(s, s.member[d, 0])


@njit(cache=True)
def busy_with(s, p, last):
    """Return what thread ``p``, which ran on pCPU ``last``, adds to the busy time of a perf domain."""
    capacity = s.cpu[last, CAPACITY]
    irq = s.cpu[last, IRQ_UTIL]
    if irq >= capacity:
        return capacity
    return expected_util(s, p) * (capacity - irq) // capacity


@njit(cache=True)
def busy_without(s, d, p):
    """Return the busy time of perf domain ``d`` without thread ``p``."""
    busy = 0
    for k in range(s.dom[d, N_MEMBERS]):
        c = s.member[d, k]
        busy += effective_util(s, c, util_with(s, c, p, NONE, NO))[0]
    return min(busy, domain_cap(s, d) * s.dom[d, N_MEMBERS])


@njit(cache=True)
def performance_with(s, c, p, target):
    """Return the performance that pCPU ``c`` would ask for with thread ``p`` on pCPU ``target`` (NONE: nowhere)."""
    util, low, high = effective_util(s, c, util_with(s, c, p, target, YES))
    if c == target and s.glob[UCLAMP_USED]:
        thread_low, thread_high = clamps_of(s, p)
        low = max(low, thread_low)
        high = thread_high if s.cpu[c, RQ_CLAMP_IDLE] else max(high, thread_high)
    return performance_for(util, low, high)


@njit(cache=True)
def highest_with(s, d, p, target):
    """Return the highest performance asked for in perf domain ``d`` with thread ``p`` on ``target`` (NONE: nowhere)."""
    highest = 0
    for k in range(s.dom[d, N_MEMBERS]):
        highest = max(highest, performance_with(s, s.member[d, k], p, target))
    return min(highest, domain_cap(s, d))


@njit(cache=True)
def energy_with(s, d, p, target, busy, added):
    """Return the energy of perf domain ``d`` with thread ``p`` on pCPU ``target`` (NONE: nowhere).

    ``busy`` is the domain's busy time without the thread, ``added`` what the thread adds to it.
    """
    cap = domain_cap(s, d)
    if target != NONE:
        busy = min(cap * s.dom[d, N_MEMBERS], busy + added)
    return energy(s, d, highest_with(s, d, p, target), busy, cap)
