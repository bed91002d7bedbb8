"""What a perf domain's energy would be with a thread on one of its pCPUs: the energy model of ``scheduler.energy``.

Rules: Linux 7.1.5, include/linux/energy_model.h (em_cpu_energy) and kernel/sched/fair.c (compute_energy). Energy is a
cost (below 2**35) times a utilisation (below 2**20); it has no unit, only differences mean something.
"""

from pmu.kernel_jit import compiled, inlined
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


@compiled
def opp_for(s, d, performance):
    """Return the lowest OPP of perf domain ``d`` that is efficient and reaches a performance, else its highest."""
    opps = s.opp
    last = s.dom[d, N_OPPS] - 1
    for i in range(last):
        if opps[d, i, PERFORMANCE] >= performance and opps[d, i, INEFFICIENT] == 0:
            return i
    return last


@inlined
def energy(s, d, highest, busy):
    """Return the energy of perf domain ``d`` for a sum of utilisations, of which the highest decides on the OPP."""
    return s.opp[d, opp_for(s, d, highest), COST] * busy


@compiled
def domain_cap(s, d):
    """Return the actual capacity of a pCPU of perf domain ``d``: that of its first."""
    return actual_capacity(s.cpu, s.member[d, 0])


@compiled
def busy_with(s, p, last):
    """Return what thread ``p``, which ran on pCPU ``last``, adds to the busy time of a perf domain."""
    capacity = s.cpu[last, CAPACITY]
    irq = s.cpu[last, IRQ_UTIL]
    if irq >= capacity:
        return capacity
    return expected_util(s, p) * (capacity - irq) // capacity


@compiled
def performance_with(glob, cpus, c, tasks, p, target):
    """Return the performance that pCPU ``c`` would ask for with thread ``p`` on pCPU ``target`` (NONE: nowhere)."""
    util, low, high = effective_util(glob, cpus, c, util_with(cpus, c, tasks, p, target, YES))
    if c == target and glob[UCLAMP_USED]:
        thread_low, thread_high = clamps_of(glob, tasks, p)
        low = max(low, thread_low)
        high = thread_high if cpus[c, RQ_CLAMP_IDLE] else max(high, thread_high)
    return performance_for(util, low, high)


@compiled
def survey(s, d, p):
    """Return what perf domain ``d`` does without thread ``p``: ``(busy time, highest performance, whose, second)``."""
    glob = s.glob
    cpus = s.cpu
    tasks = s.task
    members = s.member
    number = s.dom[d, N_MEMBERS]
    busy = 0
    highest = 0
    whose = NONE
    second = 0
    for k in range(number):
        c = members[d, k]
        busy += effective_util(glob, cpus, c, util_with(cpus, c, tasks, p, NONE, NO))[0]
        asked = performance_with(glob, cpus, c, tasks, p, NONE)
        if asked > highest:
            second = highest
            highest = asked
            whose = c
        elif asked > second:
            second = asked
    return min(busy, domain_cap(s, d) * number), highest, whose, second


@compiled
def highest_with(s, d, p, target, without):
    """Return the highest performance asked for in perf domain ``d`` with thread ``p`` on ``target`` (NONE: nowhere).

    ``without`` is the domain's survey: a thread changes what its own pCPU asks for and nothing else.
    """
    _, highest, whose, second = without
    if target != NONE:
        rest = second if whose == target else highest
        highest = max(rest, performance_with(s.glob, s.cpu, target, s.task, p, target))
    return min(highest, domain_cap(s, d))


@compiled
def energy_with(s, d, p, target, without, added):
    """Return the energy of perf domain ``d`` with thread ``p`` on pCPU ``target`` (NONE: nowhere).

    ``without`` is the domain's survey, ``added`` what the thread adds to its busy time.
    """
    busy = without[0]
    if target != NONE:
        busy = min(domain_cap(s, d) * s.dom[d, N_MEMBERS], busy + added)
    return energy(s, d, highest_with(s, d, p, target, without), busy)
