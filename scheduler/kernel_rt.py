"""Where SCHED_FIFO and SCHED_RR threads run: wakeup placement, and threads that wait are pushed and pulled.

A thread goes where the least urgent thing runs; that a pCPU is idle does not count. Rules: Linux 7.1.5,
kernel/sched/rt.c and cpupri.c; where the kernel takes any pCPU of several, the lowest number is taken here.
"""

from pmu.kernel_jit import compiled
from scheduler.kernel_state import (
    ASYMMETRIC,
    CAPACITY,
    CLAMP_MAX,
    CLAMP_MIN,
    CPU,
    CURRENT,
    DEADLINE,
    FIFO,
    N_RT,
    NEVER,
    NO,
    NONE,
    POLICY,
    YES,
)
from scheduler.kernel_switch import RT_TREE
from scheduler.kernel_tree import after, first


@compiled
def urgency(s, c):
    """Return the DEADLINE of the first real-time thread of pCPU ``c``, the lower the more urgent; NEVER without any."""
    return NEVER if s.cpu[c, N_RT] == 0 else s.task[first(s, c, RT_TREE), DEADLINE]


@compiled
def has_capacity(s, p, c):
    """Tell whether pCPU ``c`` has the capacity that the real-time thread ``p`` asks for by its clamps."""
    return s.glob[ASYMMETRIC] == 0 or s.cpu[c, CAPACITY] >= min(s.task[p, CLAMP_MIN], s.task[p, CLAMP_MAX])


@compiled
def least_urgent(s, p, waker, fitting):
    """Return the allowed pCPU that runs the least urgent thing, less urgent than thread ``p``, or NONE.

    Its last pCPU and the waker's win among equals; ``fitting``: only pCPUs with the capacity that it asks for.
    """
    best = NONE
    least = s.task[p, DEADLINE]
    for c in range(s.cpu.shape[0]):
        if not s.allowed[p, c] or (fitting and not has_capacity(s, p, c)):
            continue
        level = urgency(s, c)
        wins = level == least and best not in (NONE, s.task[p, CPU]) and c in (s.task[p, CPU], waker)
        if level > least or wins:
            best = c
            least = level
    return best


@compiled
def better_cpu(s, p, waker):
    """Return the least urgent pCPU for thread ``p``, if possible one with the capacity it asks for, or NONE."""
    c = least_urgent(s, p, waker, YES)
    return c if c != NONE else least_urgent(s, p, waker, NO)


@compiled
def select_rt(s, p, waker):
    """Return the pCPU for the waking real-time thread ``p``, maybe its last one although it may not run there."""
    last = s.task[p, CPU]
    current = s.cpu[last, CURRENT]
    waits = current != NONE and s.task[current, POLICY] == FIFO and s.task[current, DEADLINE] <= s.task[p, DEADLINE]
    if not waits and has_capacity(s, p, last):
        return last
    c = better_cpu(s, p, waker)
    if c == NONE or not (waits or has_capacity(s, p, c)):
        return last
    return c


@compiled
def next_waiting(s, c):
    """Return the first real-time thread of pCPU ``c`` that does not run, or NONE."""
    p = first(s, c, RT_TREE)
    return after(s, p) if p != NONE and p == s.cpu[c, CURRENT] else p


@compiled
def first_waiting_rt(s, source, c):
    """Return the first real-time thread that waits on pCPU ``source`` and may run on pCPU ``c``, or NONE."""
    p = first(s, source, RT_TREE)
    while p != NONE and (p == s.cpu[source, CURRENT] or not s.allowed[p, c]):
        p = after(s, p)
    return p


@compiled
def most_urgent(s, c):
    """Return the most urgent real-time thread that waits elsewhere and would run at once on pCPU ``c``, or NONE."""
    best = NONE
    least = urgency(s, c)
    for source in range(s.cpu.shape[0]):
        if source == c or s.cpu[source, N_RT] < 2:
            continue
        p = first_waiting_rt(s, source, c)
        if p != NONE and s.task[p, DEADLINE] < least:
            best = p
            least = s.task[p, DEADLINE]
    return best
