"""What happens to the threads of a pCPU: wakeup, fork, block, exit, yield, another nice value, a move, the HZ tick.

Where RESCHED is set afterwards, or where a function says so, the pCPU must ``schedule`` at once.
Rules: Linux 7.1.5, kernel/sched/core.c and fair.c.
"""

from pmu.kernel_jit import compiled, inlined
from scheduler.kernel_clamp import join_clamps, leave_clamps
from scheduler.kernel_clock import ask_to_reschedule, stop_asking, update_clock
from scheduler.kernel_fair import (
    dequeue,
    enqueue,
    give_up_slice,
    pick_entity,
    requeue,
    reweight,
    shorten_protection,
    update_current,
)
from scheduler.kernel_signal import age, age_rt, begin, depart, detach, remove
from scheduler.kernel_state import (
    BATCH,
    CPU,
    CURRENT,
    DEADLINE,
    DELAYED,
    FIFO,
    IDLE_POLICY,
    LAG,
    MOVE,
    N_QUEUED,
    N_RT,
    NO,
    NONE,
    ON_RQ,
    POLICY,
    PROTECT,
    RELATIVE,
    RESCHED,
    SLICE,
    TICKS_LEFT,
    VRUNTIME,
    YES,
)
from scheduler.kernel_switch import RT_TREE, dequeue_rt, enqueue_rt, pick_next, put_current, set_current
from scheduler.kernel_tree import after, erase, insert

# Preemption


@inlined
def loses_to(s, c, p, forked):
    """Tell whether the running fair thread of pCPU ``c`` should give way to the fair thread ``p``, just enqueued."""
    current = s.task[s.cpu[c, CURRENT]]
    task = s.task[p]
    shorter = current[POLICY] == IDLE_POLICY and task[POLICY] != IDLE_POLICY
    if not shorter:
        if task[POLICY] == IDLE_POLICY or task[POLICY] == BATCH:
            return False
        update_current(s, c)
        shorter = task[SLICE] < current[SLICE]
        if forked and not shorter:
            return False
        protect = NO if shorter else YES
        best = pick_entity(s, c, protect)
        while best == NONE and s.cpu[c, N_QUEUED] > 0:
            best = pick_entity(s, c, protect)
        if best != p:
            shorten_protection(s, c, s.cpu[c, CURRENT])
            return False
    if shorter:
        current[PROTECT] = min(current[PROTECT], current[VRUNTIME])
    return True


@compiled
def check_preemption(s, c, p, forked):
    """Ask pCPU ``c`` to reschedule if thread ``p``, just enqueued there, should run at once."""
    cpu = s.cpu[c]
    current = cpu[CURRENT]
    if current == p or cpu[RESCHED] == 1:
        return
    if current == NONE:
        ask_to_reschedule(s, c)
    elif s.task[p, POLICY] == FIFO:
        if s.task[current, POLICY] != FIFO or s.task[p, DEADLINE] < s.task[current, DEADLINE]:
            ask_to_reschedule(s, c)
    elif s.task[current, POLICY] != FIFO:
        if loses_to(s, c, p, forked):
            ask_to_reschedule(s, c)


# Threads come and go


@inlined
def wake(s, c, p):
    """Wake thread ``p`` on pCPU ``c``; one that is still queued wakes where it is."""
    task = s.task[p]
    if task[ON_RQ] == 1:
        c = task[CPU]
    update_clock(s, c)
    if task[ON_RQ] == 0 or task[DELAYED] == 1:
        join_clamps(s, c, p)
    if task[POLICY] == FIFO:
        if task[ON_RQ] == 0:
            enqueue_rt(s, c, p)
    elif task[ON_RQ] == 0:
        if task[CPU] != c:
            depart(s, p)
        enqueue(s, c, p, NO)
    elif task[DELAYED] == 1:
        requeue(s, c, p)
    check_preemption(s, c, p, NO)


@inlined
def start(s, c, p):
    """Let the new thread ``p`` join pCPU ``c``; its policy, weight and slice must be set."""
    update_clock(s, c)
    task = s.task[p]
    task[DELAYED] = task[RELATIVE] = task[LAG] = 0
    join_clamps(s, c, p)
    if task[POLICY] == FIFO:
        enqueue_rt(s, c, p)
    else:
        begin(s, c, p)
        enqueue(s, c, p, YES)
    check_preemption(s, c, p, YES)


@compiled
def block(s, c, reason):
    """Let the running thread of pCPU ``c`` sleep, die or wait for quota; it must reschedule at once."""
    drop(s, s.cpu[c, CURRENT], reason)


@compiled
def drop(s, p, reason):
    """Let thread ``p`` leave the queue of its pCPU (SLEEP, DEATH, THROTTLE)."""
    c = s.task[p, CPU]
    update_clock(s, c)
    leave_clamps(s, c, p)
    if s.task[p, POLICY] == FIFO:
        dequeue_rt(s, c, p)
    else:
        dequeue(s, c, p, reason)


@compiled
def bury(s, p):
    """Forget the signals of thread ``p``, which died and no longer runs."""
    if s.task[p, POLICY] != FIFO:
        remove(s, p)


@compiled
def leave(s, p):
    """Let thread ``p``, which waits in the queue of its pCPU, leave it for that of another one."""
    c = s.task[p, CPU]
    update_clock(s, c)
    if s.task[p, DELAYED] == 0:
        leave_clamps(s, c, p)
    if s.task[p, POLICY] == FIFO:
        dequeue_rt(s, c, p)
    else:
        dequeue(s, c, p, MOVE)
        detach(s, c, p)


@compiled
def join(s, c, p):
    """Let thread ``p``, which has left the queue of another pCPU, join that of pCPU ``c``."""
    update_clock(s, c)
    if s.task[p, DELAYED] == 0:
        join_clamps(s, c, p)
    if s.task[p, POLICY] == FIFO:
        enqueue_rt(s, c, p)
    else:
        enqueue(s, c, p, NO)
    check_preemption(s, c, p, NO)


@inlined
def migrate(s, c, p):
    """Move thread ``p``, which waits in the queue of a pCPU, to pCPU ``c``."""
    leave(s, p)
    join(s, c, p)


@inlined
def expel(s, c, target):
    """Move the thread that pCPU ``c`` runs to the queue of pCPU ``target``, and let ``c`` run another one."""
    update_clock(s, c)
    p = s.cpu[c, CURRENT]
    was_rt = put_current(s, c)
    leave(s, p)
    set_current(s, c, pick_next(s, c), was_rt)
    stop_asking(s, c)
    join(s, target, p)


# What a running thread asks for, and the tick


@compiled
def give_way(s, c):
    """Do sched_yield of the running thread of pCPU ``c``, which must reschedule at once."""
    p = s.cpu[c, CURRENT]
    if s.cpu[c, N_QUEUED] + s.cpu[c, N_RT] == 1:
        return
    update_clock(s, c)
    if s.task[p, POLICY] == FIFO:
        erase(s, c, RT_TREE, p)
        insert(s, c, RT_TREE, p)
    else:
        update_current(s, c)
        give_up_slice(s, c, p)


@compiled
def renice(s, p, weight, lower):
    """Give the fair thread ``p`` another nice value: its weight, and whether its priority becomes lower."""
    task = s.task[p]
    c = task[CPU]
    update_clock(s, c)
    reweight(s, c, p, weight)
    if task[ON_RQ] == 0 or s.cpu[c, N_QUEUED] == 1:
        return
    if s.cpu[c, CURRENT] != p:
        check_preemption(s, c, p, NO)
    elif lower:
        ask_to_reschedule(s, c)


@compiled
def rotate(s, c, p):
    """Count the HZ ticks of the running SCHED_RR thread ``p``; after its slice those of its priority run before it."""
    task = s.task[p]
    if task[SLICE] == 0:
        return
    task[TICKS_LEFT] -= 1
    if task[TICKS_LEFT] > 0:
        return
    task[TICKS_LEFT] = task[SLICE]
    following = after(s, p)
    if following != NONE and s.task[following, DEADLINE] == task[DEADLINE]:
        erase(s, c, RT_TREE, p)
        insert(s, c, RT_TREE, p)
        ask_to_reschedule(s, c)


@inlined
def tick(s, c):
    """Do the scheduler's part of the HZ tick of the busy pCPU ``c``."""
    update_clock(s, c)
    p = s.cpu[c, CURRENT]
    if s.task[p, POLICY] == FIFO:
        age_rt(s, c, YES)
        rotate(s, c, p)
    else:
        update_current(s, c)
        age(s, c, p)
