"""Where a waking thread runs: by energy while nothing is overutilised (EAS), else by wake affinity and an idle search.

Rules: Linux 7.1.5, kernel/sched/fair.c (find_energy_efficient_cpu, select_task_rq_fair); what is left out is in
docs/model.md, "Placement".
"""

from pmu.kernel_jit import compiled, inlined
from scheduler.kernel_capacity import actual_capacity, clamps_of, fit_of, fits, util_with
from scheduler.kernel_energy import busy_with, domain_cap, energy_with, survey
from scheduler.kernel_signal import expected_util, synchronise
from scheduler.kernel_state import (
    ASYMMETRIC,
    CACHE,
    CAPACITY_LEFT,
    CFS_LOAD,
    CPU,
    CURRENT,
    EAS_ON,
    N_MEMBERS,
    N_QUEUED,
    N_RT,
    N_RUNNABLE,
    NEVER,
    NO,
    NONE,
    OVERUTILISED,
    RECENT_CPU,
    RQ_CLAMP_IDLE,
    RQ_CLAMP_MAX,
    RQ_CLAMP_MIN,
    SE_LOAD,
    SPANS_CACHE,
    UCLAMP_USED,
    VISITED,
)

# weights of the load on either side, in percent: half of what a domain may be out of balance (117 %) is tolerated
HERE_PERCENT, THERE_PERCENT = 100, 108


# By energy


@compiled
def in_span(cpus, start, c):
    """Tell whether pCPU ``c`` is in the smallest domain around pCPU ``start`` that has all capacities."""
    return cpus[start, SPANS_CACHE] == 0 or cpus[c, CACHE] == cpus[start, CACHE]


@compiled
def candidates(s, d, p, last, waker):
    """Return ``(spare, fit)`` of pCPU ``last`` and ``(pCPU, spare, fit)`` of the best other one in perf domain ``d``.

    Fits are those of ``fits``, with spare capacity after the thread ``p`` was put there; -1 and NONE if there is none.
    The clamps of a busy run queue stay in force for the idle ones that follow it in the domain, as in the kernel.
    """
    glob = s.glob
    cpus = s.cpu
    tasks = s.task
    members = s.member
    allowed = s.allowed
    lowest, uppermost = clamps_of(glob, tasks, p)
    low = lowest
    high = uppermost
    everywhere = not in_span(cpus, waker, last)
    last_spare = -1
    last_fit = -1
    best = NONE
    best_spare = -1
    best_fit = -1
    for k in range(s.dom[d, N_MEMBERS]):
        c = members[d, k]
        if not allowed[p, c] or not (everywhere or in_span(cpus, waker, c)):
            continue
        util = util_with(cpus, c, tasks, p, c, NO)
        if glob[UCLAMP_USED] and cpus[c, RQ_CLAMP_IDLE] == 0:
            low = max(cpus[c, RQ_CLAMP_MIN], lowest)
            high = max(cpus[c, RQ_CLAMP_MAX], uppermost)
        fit = fits(glob, cpus, c, util, low, high)
        if fit == 0:
            continue
        spare = max(0, cpus[c, CAPACITY_LEFT] - util)
        if c == last:
            last_spare = spare
            last_fit = fit
        elif fit > best_fit or (fit == best_fit and spare > best_spare):
            best = c
            best_spare = spare
            best_fit = fit
    return last_spare, last_fit, best, best_spare, best_fit


@compiled
def find_efficient(s, p, last, waker):
    """Return the pCPU on which thread ``p``, which slept on pCPU ``last``, costs the least energy.

    The last pCPU may come out even if the thread may not run there any more.
    """
    synchronise(s, p)
    if expected_util(s, p) == 0 and clamps_of(s.glob, s.task, p)[0] == 0:
        return last
    added = busy_with(s, p, last)
    last_delta = NEVER
    last_fit = -1
    last_cap = 0
    best = last
    best_delta = NEVER
    best_fit = -1
    best_cap = 0
    for k in range(s.dom.shape[0]):
        d = s.dom[k, VISITED]
        spare, fit, other, other_spare, other_fit = candidates(s, d, p, last, waker)
        if other == NONE and spare < 0:
            continue
        without = survey(s, d, p)
        base = energy_with(s, d, p, NONE, without, added)
        if spare >= 0:
            last_delta = energy_with(s, d, p, last, without, added) - base
            if last_delta < 0:
                return last
            last_fit = fit
            last_cap = domain_cap(s, d)
            best_delta = min(best_delta, last_delta)
        if other == NONE or other_spare <= spare or other_fit < best_fit:
            continue
        if other_fit < 0 and domain_cap(s, d) <= best_cap:
            continue
        delta = energy_with(s, d, p, other, without, added) - base
        if delta < 0:
            return last
        if other_fit > 0 and best_fit > 0 and delta >= best_delta:
            continue
        best = other
        best_delta = delta
        best_fit = other_fit
        best_cap = domain_cap(s, d)
    is_better = (
        best_fit > last_fit or (best_fit > 0 and best_delta < last_delta) or (best_fit < 0 and best_cap > last_cap)
    )
    return best if is_better else last


# By wake affinity and an idle search


@compiled
def is_free(cpus, c):
    """Tell whether pCPU ``c`` is idle, with nothing queued."""
    return cpus[c, CURRENT] == NONE and cpus[c, N_QUEUED] == 0 and cpus[c, N_RT] == 0


@compiled
def affine_by_idleness(s, last, waker, sync):
    """Return which of the last and the waker's pCPU idleness decides for, or NONE."""
    if is_free(s.cpu, waker) and s.cpu[waker, CACHE] == s.cpu[last, CACHE]:
        return last if is_free(s.cpu, last) else waker
    if sync and s.cpu[waker, N_RUNNABLE] + s.cpu[waker, N_RT] == 1:
        return waker
    return last if is_free(s.cpu, last) else NONE


@compiled
def affine_by_load(s, p, last, waker, sync):
    """Return which of the last and the waker's pCPU the loads decide for, each relative to its capacity."""
    load = s.task[p, SE_LOAD]
    here = s.cpu[waker, CFS_LOAD]
    current = s.cpu[waker, CURRENT]
    if sync and current != NONE:
        if s.task[current, SE_LOAD] > here:
            return waker
        here -= s.task[current, SE_LOAD]
    here = (here + load) * HERE_PERCENT * s.cpu[last, CAPACITY_LEFT]
    there = (s.cpu[last, CFS_LOAD] - load) * THERE_PERCENT * s.cpu[waker, CAPACITY_LEFT]
    return waker if here < there + sync else last


@compiled
def affine_target(s, p, last, waker, sync):
    """Return the pCPU around which an idle one is looked for: the last one or the waker's."""
    if waker == last or not s.allowed[p, waker]:
        return last
    target = affine_by_idleness(s, last, waker, sync)
    return target if target != NONE else affine_by_load(s, p, last, waker, sync)


@compiled
def is_free_and_fits(s, c, p):
    """Tell whether pCPU ``c`` is idle and, where capacities differ, the thread ``p`` fits it."""
    return is_free(s.cpu, c) and (s.glob[ASYMMETRIC] == 0 or fit_of(s, c, p) > 0)


@compiled
def scan_capacity(s, p, target):
    """Return the first idle allowed pCPU from ``target`` up that thread ``p`` fits, else the best idle one, or NONE.

    The best is one that only the lower clamp does not fit, then the one with the largest capacity.
    """
    best = NONE
    best_fit = 0
    best_capacity = 0
    cpus = s.cpu.shape[0]
    for k in range(cpus):
        c = (target + k) % cpus
        if not s.allowed[p, c] or not in_span(s.cpu, target, c) or not is_free(s.cpu, c):
            continue
        fit = fit_of(s, c, p)
        if fit > 0:
            return c
        capacity = actual_capacity(s.cpu, c) if fit < 0 else s.cpu[c, CAPACITY_LEFT]
        if fit < best_fit or (fit == best_fit and capacity > best_capacity):
            best = c
            best_fit = fit
            best_capacity = capacity
    return best


@compiled
def scan_cache(s, p, target):
    """Return the first idle allowed pCPU after ``target``, which is busy, that shares its cache, or NONE."""
    cpus = s.cpu.shape[0]
    for k in range(1, cpus):
        c = (target + k) % cpus
        if s.allowed[p, c] and s.cpu[c, CACHE] == s.cpu[target, CACHE] and is_free(s.cpu, c):
            return c
    return NONE


@compiled
def idle_near(s, p, last, target):
    """Return an idle pCPU for thread ``p`` near ``target``, or ``target``."""
    recent = s.task[p, RECENT_CPU]
    if is_free_and_fits(s, target, p):
        return target
    cache = s.cpu[target, CACHE]
    if last != target and s.cpu[last, CACHE] == cache and is_free_and_fits(s, last, p):
        return last
    s.task[p, RECENT_CPU] = last
    if recent not in (NONE, last, target) and s.cpu[recent, CACHE] == cache and s.allowed[p, recent]:
        if is_free_and_fits(s, recent, p):
            return recent
    found = scan_capacity(s, p, target) if s.glob[ASYMMETRIC] else scan_cache(s, p, target)
    return target if found == NONE else found


# Either


@inlined
def select_cpu(s, p, waker, sync):
    """Return the pCPU for the waking thread ``p``, maybe its last one although it may not run there.

    ``waker`` is the pCPU from which it is woken; with ``sync`` the waker is about to sleep.
    """
    last = s.task[p, CPU]
    if s.glob[EAS_ON] and s.glob[OVERUTILISED] == 0:
        return find_efficient(s, p, last, waker)
    target = affine_target(s, p, last, waker, sync)
    if s.glob[ASYMMETRIC]:
        synchronise(s, p)
    return idle_near(s, p, last, target)


@compiled
def allowed_cpu(s, p, c):
    """Return ``c`` if thread ``p`` may run there, else the first pCPU where it may."""
    if not s.allowed[p, c]:
        for other in range(s.cpu.shape[0]):
            if s.allowed[p, other]:
                return other
    return c


@inlined
def has_choice(s, p):
    """Tell whether thread ``p`` may run on more than one pCPU."""
    number = 0
    for c in range(s.cpu.shape[0]):
        if s.allowed[p, c]:
            number += 1
            if number > 1:
                return True
    return False


@inlined
def wake_cpu(s, p, waker, sync):
    """Return the allowed pCPU on which the waking thread ``p`` is to be queued."""
    c = select_cpu(s, p, waker, sync) if has_choice(s, p) else s.task[p, CPU]
    return allowed_cpu(s, p, c)
