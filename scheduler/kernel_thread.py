"""Threads of the host: started, woken, put to sleep, moved and ended, with what that means for pCPUs and logs.

What the scheduler computes on the way is in ``kernel_core``; when these happen is in ``kernel_host``.
"""

from pmu.kernel_jit import compiled, inlined
from scheduler import kernel_core
from scheduler.kernel_capacity import is_misfit, note_overutilised
from scheduler.kernel_clock import ask_to_reschedule, update_clock
from scheduler.kernel_crowd import note_crowd, number_on
from scheduler.kernel_dvfs import follow
from scheduler.kernel_event import end_segment_at, wake_at
from scheduler.kernel_fair import dequeue, reweight
from scheduler.kernel_group import member_in, member_out, share_of
from scheduler.kernel_history import STARTED, WOKEN, note_border, note_move, note_waking
from scheduler.kernel_idle import arm, disarm
from scheduler.kernel_poll import notice
from scheduler.kernel_rt import select_rt
from scheduler.kernel_run import settle
from scheduler.kernel_signal import depart
from scheduler.kernel_state import (
    AFFINITY,
    CAUSES,
    COST_WFI,
    CPU,
    CURRENT,
    DEAD,
    DEATH,
    DELAYED,
    FIFO,
    FIRST_PMU,
    GROUP,
    IDLE,
    IS_MISFIT,
    MODE,
    N_MOVES,
    NEVER,
    NO,
    NONE,
    NOW,
    ON_RQ,
    OTHER_CAUSE,
    OWED,
    PENDING_WAKE,
    POLICY,
    QUEUED,
    ROUND_ROBIN,
    RUN_DELAY,
    RUNNING,
    SE_AT,
    SLEEP,
    SLEEPING,
    SLEPT_ON,
    STATE,
    THROTTLED,
    VCPU,
    WAIT_FROM,
    WAKE_AT,
    WAKER,
    WAKEUP,
    WEIGHT,
)
from scheduler.kernel_wake import allowed_cpu, wake_cpu


@compiled
def has_cause(s, cause):
    """Tell whether migrations for ``cause`` are switched on."""
    return (s.glob[CAUSES] >> cause) & 1 == 1


@compiled
def log_move(s, p, source, c, cause):
    """Record that thread ``p`` leaves pCPU ``source`` for ``c``."""
    note_move(s, p, source, c, cause)
    task = s.task[p]
    if task[VCPU] == NONE:
        return
    n = s.glob[N_MOVES]
    s.moves[n, 0] = s.glob[NOW]
    s.moves[n, 1] = task[VCPU]
    s.moves[n, 2] = source
    s.moves[n, 3] = c
    s.moves[n, 4] = cause
    s.moves[n, 5] = s.cpu[source, FIRST_PMU] != s.cpu[c, FIRST_PMU]
    s.glob[N_MOVES] += 1


@compiled
def stand_still(s, c):
    """Let pCPU ``c``, which is settled, execute nothing until it reschedules."""
    before = s.cpu[c, MODE]
    s.cpu[c, MODE] = IDLE
    note_border(s, c, before)
    end_segment_at(s, c, NEVER)
    ask_to_reschedule(s, c)


@compiled
def mark_misfit(s, p):
    """Renew the mark of the running thread ``p`` that its pCPU is too small and a bigger one is allowed."""
    s.task[p, IS_MISFIT] = s.task[p, POLICY] != FIFO and is_misfit(s, s.task[p, CPU], p)
    if s.task[p, IS_MISFIT]:
        note_crowd(s, s.task[p, CPU])


@compiled
def renew_share(s, p):
    """Give the runnable fair thread ``p`` the share of its cgroup's weight that it has now."""
    task = s.task[p]
    if task[GROUP] == NONE or task[POLICY] == FIFO:
        return
    weight = share_of(s, p)
    if weight != task[WEIGHT]:
        update_clock(s, task[CPU])
        reweight(s, task[CPU], p, weight)


@compiled
def take_share(s, p):
    """Let thread ``p``, about to be queued, count in its cgroup and take its share of that one's weight."""
    member_in(s, p)
    renew_share(s, p)


@compiled
def arrived(s, c):
    """See to pCPU ``c``, to which a thread has come: it may have one to give away, and who polls there stops."""
    note_crowd(s, c)
    notice(s, c)


@compiled
def start(s, p, c):
    """Queue the new thread ``p`` on pCPU ``c``."""
    s.task[p, CPU] = c
    s.task[p, STATE] = QUEUED
    s.task[p, WAIT_FROM] = s.glob[NOW]
    note_waking(s, STARTED, p, c, c, NONE)
    take_share(s, p)
    kernel_core.start(s, c, p)
    arrived(s, c)
    follow(s, c)


@compiled
def least_loaded(s, p):
    """Return the allowed pCPU with the fewest threads for thread ``p``, the lowest number first."""
    best = NONE
    least = NEVER
    for c in range(s.cpu.shape[0]):
        if s.allowed[p, c] and number_on(s, c) < least:
            best = c
            least = number_on(s, c)
    return best


@inlined
def chosen_cpu(s, p, waker):
    """Return the pCPU for the waking thread ``p``, which is not queued."""
    last = s.task[p, CPU]
    if not has_cause(s, WAKEUP):
        return allowed_cpu(s, p, last)
    if s.glob[ROUND_ROBIN]:
        c = least_loaded(s, p)
        return last if s.allowed[p, last] and number_on(s, last) == number_on(s, c) else c
    if s.task[p, POLICY] == FIFO:
        return allowed_cpu(s, p, select_rt(s, p, waker))
    return wake_cpu(s, p, waker, NO)


@inlined
def log_wake(s, p, c):
    """Record where thread ``p``, which wakes up on pCPU ``c``, comes from: where it fell asleep, if elsewhere."""
    task = s.task[p]
    source, cause = task[CPU], WAKEUP if s.allowed[p, task[CPU]] else AFFINITY
    if task[SLEPT_ON] != NONE:
        source, cause = task[SLEPT_ON], OTHER_CAUSE
        task[SLEPT_ON] = NONE
    if source != c:
        log_move(s, p, source, c, cause)


@compiled
def wake(s, p, waker, by):
    """Wake thread ``p``; one that does not sleep, or has not left its pCPU yet, keeps the wakeup for later.

    ``waker`` is the pCPU on which that happens, ``by`` the thread that does it (NONE: an interrupt).
    """
    task = s.task[p]
    wake_at(s, p, NEVER)
    disarm(s, p)
    if task[STATE] != SLEEPING or s.cpu[task[CPU], CURRENT] == p:
        task[PENDING_WAKE] = 1
        if s.cpu[task[CPU], CURRENT] == p:
            notice(s, task[CPU])
        return
    c = task[CPU]
    if task[ON_RQ] == 0:
        c = chosen_cpu(s, p, waker)
    note_waking(s, WOKEN, p, c, waker, by)
    log_wake(s, p, c)
    if task[VCPU] != NONE:
        task[OWED] += s.glob[COST_WFI]
    task[STATE] = QUEUED
    task[WAIT_FROM] = s.glob[NOW]
    take_share(s, p)
    kernel_core.wake(s, c, p)
    arrived(s, c)
    note_overutilised(s, c)
    follow(s, c)


@compiled
def block(s, c):
    """Put the running thread of pCPU ``c``, which is settled, to sleep until its WAKE_AT."""
    p = s.cpu[c, CURRENT]
    s.task[p, STATE] = SLEEPING
    member_out(s, p)
    if s.task[p, WAKE_AT] != NEVER and s.task[p, WAKER] == NONE:
        arm(s, p, c)
    kernel_core.block(s, c, SLEEP)
    stand_still(s, c)
    follow(s, c)


@compiled
def complete(s, p):
    """Let thread ``p``, which sleeps, leave the run queue if it stayed there to work off its lag."""
    if s.task[p, DELAYED] == 1:
        c = s.task[p, CPU]
        update_clock(s, c)
        dequeue(s, c, p, SLEEP)


@compiled
def kill(s, p):
    """End thread ``p`` for good."""
    task = s.task[p]
    c = task[CPU]
    state = task[STATE]
    task[STATE] = DEAD
    wake_at(s, p, NEVER)
    disarm(s, p)
    if state == DEAD:
        return
    if state in (QUEUED, RUNNING):
        member_out(s, p)
    if state in (QUEUED, THROTTLED):
        task[RUN_DELAY] += s.glob[NOW] - task[WAIT_FROM]
    if s.cpu[c, CURRENT] == p:
        settle(s, c)
        if state != SLEEPING:
            kernel_core.block(s, c, DEATH)
        stand_still(s, c)
        return
    if state == QUEUED:
        kernel_core.drop(s, p, DEATH)
    elif task[ON_RQ] == 1:
        complete(s, p)
    if task[SE_AT] != NONE:
        kernel_core.bury(s, p)


@inlined
def see_off(s, p):
    """See to thread ``p``, which has just left its pCPU: bury one that died, wake one that was woken meanwhile.

    One that sleeps and may not come back, since its affinity changed as it went to sleep, leaves the run queue as well.
    """
    task = s.task[p]
    if task[STATE] == DEAD:
        kernel_core.bury(s, p)
        return
    if task[STATE] == SLEEPING and not s.allowed[p, task[CPU]]:
        complete(s, p)
    if task[STATE] == SLEEPING and task[PENDING_WAKE]:
        task[PENDING_WAKE] = 0
        wake(s, p, task[CPU] if task[WAKER] == NONE else task[WAKER], NONE)


@compiled
def move(s, p, c, cause):
    """Migrate the queued or running thread ``p`` to pCPU ``c``."""
    source = s.task[p, CPU]
    log_move(s, p, source, c, cause)
    if s.cpu[source, CURRENT] == p:
        settle(s, source)
        if s.task[p, STATE] == RUNNING:
            s.task[p, WAIT_FROM] = s.glob[NOW]
        s.task[p, STATE] = QUEUED
        kernel_core.expel(s, source, c)
        stand_still(s, source)
    else:
        kernel_core.migrate(s, c, p)
    arrived(s, c)
    follow(s, source)
    follow(s, c)


@compiled
def place_asleep(s, p, c):
    """Let thread ``p``, which sleeps, wake up from pCPU ``c``; it migrates then, once, wherever it was put."""
    complete(s, p)
    depart(s, p)
    if s.task[p, SLEPT_ON] == NONE:
        s.task[p, SLEPT_ON] = s.task[p, CPU]
    s.task[p, CPU] = c


@compiled
def obey_affinity(s, p):
    """Move thread ``p`` off a pCPU that its affinity no longer allows; one that sleeps moves when it wakes."""
    task = s.task[p]
    if s.allowed[p, task[CPU]]:
        return
    if task[STATE] == QUEUED or task[STATE] == RUNNING:
        move(s, p, least_loaded(s, p), AFFINITY)
    elif task[STATE] == SLEEPING and s.cpu[task[CPU], CURRENT] != p:
        complete(s, p)
