"""What a pCPU can do, how much of it is used, and whether a utilisation fits.

Rules: Linux 7.1.5, kernel/sched/fair.c (cpu_util, scale_rt_capacity, util_fits_cpu, cpu_overutilized) and syscalls.c
(effective_cpu_util). Capacities and utilisations are on Linux' scale of 1024. What is called for each pCPU at each
wakeup takes the arrays that it reads: the whole state costs more than the arithmetic.
"""

from pmu.kernel_jit import compiled, inlined
from scheduler.kernel_signal import expected_util
from scheduler.kernel_state import (
    CAPACITY,
    CAPACITY_LEFT,
    CFS_EST,
    CFS_RUNNABLE,
    CFS_UTIL,
    CLAMP_MAX,
    CLAMP_MIN,
    CPU,
    DL_BANDWIDTH,
    DL_UTIL,
    EAS_ON,
    IRQ_UTIL,
    MARGIN,
    N_RT,
    NO,
    OVERUTILISED,
    PRESSURE,
    RQ_CLAMP_MAX,
    RQ_CLAMP_MIN,
    RT_UTIL,
    SE_RUNNABLE,
    SE_UTIL,
    UCLAMP_USED,
    UTIL_EST,
)

CAPACITY_SCALE = 1024
BANDWIDTH_SHIFT = 10


# Capacity


@compiled
def actual_capacity(cpus, c):
    """Return the capacity of pCPU ``c`` less thermal and frequency pressure."""
    return cpus[c, CAPACITY] - cpus[c, PRESSURE]


@compiled
def renew_capacity(s, c):
    """Renew CAPACITY_LEFT: what interrupts and the other classes leave of pCPU ``c``; for the balance, as in Linux."""
    cpu = s.cpu[c]
    actual = actual_capacity(s.cpu, c)
    used = cpu[RT_UTIL] + cpu[DL_UTIL]
    cpu[CAPACITY_LEFT] = 1
    if used < actual:
        cpu[CAPACITY_LEFT] = max(1, (actual - used) * (actual - cpu[IRQ_UTIL]) // actual)


# Utilisation


@compiled
def with_share(total, share, is_last, is_target):
    """Return the sum of a pCPU if a sleeping thread, whose share it is, were there (``is_target``) or not.

    ``is_last``: the thread slept there, and its share is part of the sum. The result may be negative.
    """
    if is_last:
        return total if is_target else total - share
    return total + share if is_target else total


@compiled
def util_with(cpus, c, tasks, p, target, boost):
    """Return the utilisation of pCPU ``c`` by fair threads if thread ``p`` were on pCPU ``target`` (NONE: nowhere).

    The thread is not queued. ``boost`` takes the time that threads wait into account, as frequencies do.
    """
    is_last = tasks[p, CPU] == c
    is_target = target == c
    util = with_share(cpus[c, CFS_UTIL], tasks[p, SE_UTIL], is_last, is_target)
    if boost:
        util = max(util, with_share(cpus[c, CFS_RUNNABLE], tasks[p, SE_RUNNABLE], is_last, is_target))
    estimated = cpus[c, CFS_EST]
    if is_target:
        estimated += tasks[p, UTIL_EST]
    return min(max(util, estimated), cpus[c, CAPACITY])


@compiled
def fair_util(cpus, c, boost):
    """Return the utilisation of pCPU ``c`` by fair threads as it is."""
    util = max(cpus[c, CFS_UTIL], cpus[c, CFS_EST])
    if boost:
        util = max(util, cpus[c, CFS_RUNNABLE])
    return min(util, cpus[c, CAPACITY])


@compiled
def deadline_bandwidth(cpus, c):
    """Return the bandwidth of the deadline threads of pCPU ``c``."""
    return cpus[c, DL_BANDWIDTH] >> BANDWIDTH_SHIFT


@compiled
def effective_util(glob, cpus, c, fair):
    """Return ``(utilisation, lowest, highest)`` that pCPU ``c`` must serve, given its utilisation by fair threads.

    The first has no headroom yet, and is not yet held within the other two.
    """
    capacity = cpus[c, CAPACITY]
    irq = cpus[c, IRQ_UTIL]
    if irq >= capacity:
        return capacity, capacity, capacity
    low = max(irq + deadline_bandwidth(cpus, c), cpus[c, RQ_CLAMP_MIN])
    if glob[UCLAMP_USED] == 0 and cpus[c, N_RT] > 0:
        low = max(low, capacity)
    high = min(capacity, cpus[c, RQ_CLAMP_MAX])
    util = fair + cpus[c, RT_UTIL] + cpus[c, DL_UTIL]
    if irq > 0:
        util = util * (capacity - irq) // capacity + irq
    return min(capacity, util), low, high


@compiled
def performance_for(util, low, high):
    """Return the performance to ask for: a quarter more than the utilisation, within limits of which the lower wins."""
    return max(low, min(util + (util >> 2), high))


# Fitting


@compiled
def clamps_of(glob, tasks, p):
    """Return the utilisation clamps of thread ``p``; the whole range while nobody uses any."""
    if glob[UCLAMP_USED] == 0:
        return 0, CAPACITY_SCALE
    return tasks[p, CLAMP_MIN], tasks[p, CLAMP_MAX]


@compiled
def fits(glob, cpus, c, util, low, high):
    """Tell whether a utilisation with clamps fits pCPU ``c``: 1 yes, 0 no, -1 all but its lower clamp."""
    within = util * glob[MARGIN] < cpus[c, CAPACITY_LEFT] * CAPACITY_SCALE
    if glob[UCLAMP_USED] == 0:
        return 1 if within else 0
    capacity = cpus[c, CAPACITY]
    if high <= capacity and not (capacity == CAPACITY_SCALE and high == CAPACITY_SCALE):
        within = True
    low = min(low, high)
    if within and util < low and low > actual_capacity(cpus, c):
        return -1
    return 1 if within else 0


@compiled
def fit_of(s, c, p):
    """Tell whether the expected utilisation of thread ``p`` fits pCPU ``c``, as ``fits`` does."""
    low, high = clamps_of(s.glob, s.task, p)
    return fits(s.glob, s.cpu, c, expected_util(s, p), low, high)


@inlined
def is_overutilised(s, c):
    """Tell whether the utilisation of pCPU ``c`` by fair threads does not fit it."""
    return fits(s.glob, s.cpu, c, fair_util(s.cpu, c, NO), NO, s.cpu[c, RQ_CLAMP_MAX]) == 0


@compiled
def note_overutilised(s, c):
    """Raise the flag of the root domain if pCPU ``c`` is overutilised: after a wakeup's enqueue and at ticks."""
    if s.glob[EAS_ON] and s.glob[OVERUTILISED] == 0 and is_overutilised(s, c):
        s.glob[OVERUTILISED] = 1


@inlined
def renew_overutilised(s):
    """Renew the flag of the root domain from all pCPUs: at each balance, which alone can lower it."""
    s.glob[OVERUTILISED] = 0
    for c in range(s.cpu.shape[0]):
        note_overutilised(s, c)


@inlined
def is_misfit(s, c, p):
    """Tell whether thread ``p`` does not fit pCPU ``c``, where it runs, and may run on a bigger one."""
    if fit_of(s, c, p) > 0:
        return False
    for other in range(s.cpu.shape[0]):
        if s.allowed[p, other] and s.cpu[other, CAPACITY] > s.cpu[c, CAPACITY]:
            return True
    return False
