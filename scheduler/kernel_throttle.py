"""Threads of a cgroup whose quota is used up leave their run queues, and come back when its period timer refills it.

As in Linux since 6.18 it is single threads that are throttled, where they run or would run next.
"""

from pmu.kernel_jit import compiled, inlined
from scheduler import kernel_core
from scheduler.kernel_capacity import note_overutilised
from scheduler.kernel_clock import update_clock
from scheduler.kernel_dvfs import follow
from scheduler.kernel_fair import update_current
from scheduler.kernel_group import (
    ACTIVE,
    GROUP_COLUMNS,
    N_PERIODS,
    N_THROTTLED,
    POOL,
    QUOTA,
    THROTTLED_NS,
    UNUSED,
    member_out,
)
from scheduler.kernel_signal import depart
from scheduler.kernel_state import (
    AFFINITY,
    CPU,
    CURRENT,
    FIFO,
    GROUP,
    NONE,
    NOW,
    POLICY,
    QUEUED,
    QUOTAS,
    RUNNING,
    STATE,
    THROTTLE,
    THROTTLED,
    WAIT_FROM,
)
from scheduler.kernel_thread import arrived, least_loaded, log_move, take_share


@inlined
def throttle(s, c):
    """Take the threads of cgroups whose quota is used up off pCPU ``c``, which is about to pick its next thread."""
    if s.glob[QUOTAS] == 0:
        return
    update_clock(s, c)
    update_current(s, c)
    for g in range(s.group.shape[0]):
        if s.group[g, QUOTA] > 0 and s.group[g, POOL] <= 0:
            throttle_members(s, g, c)


@inlined
def throttle_members(s, g, c):
    """Take the fair threads of cgroup ``g`` off pCPU ``c``."""
    for p in range(s.task.shape[0]):
        task = s.task[p]
        if task[GROUP] != g or task[CPU] != c or task[POLICY] == FIFO:
            continue
        if task[STATE] == QUEUED or task[STATE] == RUNNING:
            if s.cpu[c, CURRENT] == p:
                kernel_core.block(s, c, THROTTLE)
            else:
                kernel_core.drop(s, p, THROTTLE)
            member_out(s, p)
            if task[STATE] == RUNNING:
                task[WAIT_FROM] = s.glob[NOW]
            task[STATE] = THROTTLED
            if s.group[g, GROUP_COLUMNS + c] == NONE:
                s.group[g, GROUP_COLUMNS + c] = s.glob[NOW]


@compiled
def refill(s, g):
    """Do what the period timer of cgroup ``g`` does: a new quota, and its throttled threads come back."""
    group = s.group[g]
    if group[ACTIVE] == 0:
        return
    group[N_PERIODS] += 1
    group[POOL] = min(group[POOL] + group[QUOTA], group[QUOTA])
    throttled = 0
    for c in range(s.cpu.shape[0]):
        throttled += group[GROUP_COLUMNS + c] != NONE
    if throttled == 0:
        group[ACTIVE] = 1 - group[UNUSED]
        group[UNUSED] = 1
        return
    group[N_THROTTLED] += 1
    if group[POOL] > 0:
        release(s, g)


@inlined
def release(s, g):
    """Let all throttled threads of cgroup ``g`` join run queues again."""
    group = s.group[g]
    for c in range(s.cpu.shape[0]):
        if group[GROUP_COLUMNS + c] != NONE:
            group[THROTTLED_NS] += s.glob[NOW] - group[GROUP_COLUMNS + c]
            group[GROUP_COLUMNS + c] = NONE
    for p in range(s.task.shape[0]):
        if s.task[p, GROUP] == g and s.task[p, STATE] == THROTTLED:
            come_back(s, p)


@inlined
def come_back(s, p):
    """Let the throttled thread ``p`` join the run queue of its pCPU, or of one that is allowed."""
    task = s.task[p]
    c = task[CPU]
    if not s.allowed[p, c]:
        c = least_loaded(s, p)
        log_move(s, p, task[CPU], c, AFFINITY)
        depart(s, p)
    task[STATE] = QUEUED
    take_share(s, p)
    kernel_core.join(s, c, p)
    arrived(s, c)
    note_overutilised(s, c)
    follow(s, c)
