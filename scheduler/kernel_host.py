"""The host's run loop: the next event among all pCPUs, threads and timers, and what each event does.

``run_ahead`` goes on to a given time or to the first thing that only Python can decide. Events at one
nanosecond are ordered by kind (segment end, wakeup, HZ tick, balance), then by number.
"""

from pmu.kernel_jit import compiled, inlined
from scheduler import kernel_core, kernel_idle
from scheduler.kernel_balance import balance, pull, pull_rt, push_rt
from scheduler.kernel_capacity import note_overutilised
from scheduler.kernel_clock import stop_asking, update_clock
from scheduler.kernel_dvfs import follow
from scheduler.kernel_event import ROOT_NODE, balance_at, end_segment_at, go_on_ticking, tick_at
from scheduler.kernel_history import became, lacks_room, note_switch
from scheduler.kernel_idle import must_wake, wake_up
from scheduler.kernel_poll import end_halt
from scheduler.kernel_run import guest_needs, host_done, plan, settle
from scheduler.kernel_script import end_poll, enter, stop, take_row
from scheduler.kernel_state import (
    ACTION,
    ASK,
    BALANCE_NS,
    CONTINUE,
    COST_MIGRATION,
    COST_SWITCH,
    CPU,
    CURRENT,
    EXIT,
    FULL,
    GUEST,
    HOST,
    HZ_NS,
    IDLE,
    IDLE_CALLS,
    KEEP_SCHEDULE,
    LAST_CPU,
    LAST_TASK,
    LOAD,
    LOADED_CLASS,
    LOADING,
    LOADS_AGAIN,
    LOG_ROOM,
    MODE,
    N_DECISIONS,
    N_LOADS,
    N_MOVES,
    N_SEGMENTS,
    N_STALLS,
    NEVER,
    NEXT_BALANCE,
    NONE,
    NOW,
    OWED,
    PMU_CLASS,
    POLLING,
    QUEUED,
    REACHED,
    REQUEST,
    RESCHED,
    RESUME,
    RUN_DELAY,
    RUNNING,
    STATE,
    TICK_AT,
    UNTIL,
    VCPU,
    WAIT_FROM,
    WAKER,
    WAKING,
)
from scheduler.kernel_switch import pick_next, switch_to
from scheduler.kernel_thread import kill, mark_misfit, renew_share, see_off, stand_still, wake
from scheduler.kernel_throttle import throttle


@compiled
def log_load(s, c, v):
    """Record that vCPU ``v`` is put on pCPU ``c``."""
    if s.glob[KEEP_SCHEDULE]:
        n = s.glob[N_LOADS]
        s.loads[n, 0] = s.glob[NOW]
        s.loads[n, 1] = v
        s.loads[n, 2] = c
        s.glob[N_LOADS] += 1


@inlined
def go_idle(s, c):
    """Leave pCPU ``c`` without a thread."""
    if s.cpu[c, LAST_TASK] != NONE:
        note_switch(s, c, NONE, became(s, c, s.cpu[c, LAST_TASK]))
    s.cpu[c, LAST_TASK] = NONE
    s.cpu[c, IDLE_CALLS] += 1
    s.cpu[c, MODE] = IDLE
    end_segment_at(s, c, NEVER)
    kernel_idle.enter(s, c)


@inlined
def charge_switch(s, c, p):
    """Charge thread ``p``, which pCPU ``c`` switches to, for the switch and for coming from elsewhere."""
    task = s.task[p]
    if s.cpu[c, LAST_TASK] != p:
        note_switch(s, c, p, became(s, c, s.cpu[c, LAST_TASK]))
        task[OWED] += s.glob[COST_SWITCH]
    if task[LAST_CPU] != c:
        if task[LAST_CPU] != NONE:
            task[OWED] += s.glob[COST_MIGRATION]
        task[LAST_CPU] = c
    s.cpu[c, LAST_TASK] = p


@inlined
def run(s, c, p):
    """Let pCPU ``c``, which is settled, run its thread ``p``; return whether Python must load its vCPU first."""
    cpu = s.cpu[c]
    task = s.task[p]
    task[STATE] = RUNNING
    task[RUN_DELAY] += s.glob[NOW] - task[WAIT_FROM]
    go_on_ticking(s, c)
    charge_switch(s, c, p)
    mark_misfit(s, p)
    v = task[VCPU]
    if v != NONE:
        end_halt(s.poll[v], s.glob[NOW])
        log_load(s, c, v)
    if v != NONE and (s.vcpu[v, ASK] or s.vcpu[v, LOADED_CLASS] != cpu[PMU_CLASS]):
        cpu[MODE] = LOADING
        end_segment_at(s, c, NEVER)
        return True
    if v != NONE:
        s.vcpu[v, LOADS_AGAIN] += 1
    enter(s, c)
    return False


@inlined
def switch(s, c, p):
    """Let pCPU ``c`` switch to thread ``p`` (NONE: the idle task), and see to the one that it leaves."""
    previous = s.cpu[c, CURRENT]
    settle(s, c)
    if previous != NONE and s.task[previous, STATE] == RUNNING:
        s.task[previous, STATE] = QUEUED
        s.task[previous, WAIT_FROM] = s.glob[NOW]
    switch_to(s, c, p)
    stand_still(s, c)
    stop_asking(s, c)
    if previous != NONE:
        see_off(s, previous)
    follow(s, c)


@compiled
def schedule(s, c):
    """Let pCPU ``c`` run the thread that it should, once it is awake; return whether Python must load a vCPU."""
    if must_wake(s, c):
        return False
    pull_rt(s, c)
    throttle(s, c)
    update_clock(s, c)
    p = pick_next(s, c)
    if p == NONE and pull(s, c):
        p = pick_next(s, c)
    current = s.cpu[c, CURRENT]
    if p != current:
        switch(s, c, p)
        push_rt(s, c)
        if s.cpu[c, RESCHED] == 1:  # for the thread that has just left: it was woken meanwhile
            return False
    stop_asking(s, c)
    if p == NONE:
        go_idle(s, c)
        return False
    if p == current and s.task[p, STATE] == RUNNING:
        return False
    return run(s, c, p)


@inlined
def resume(s):
    """Do what Python asked of the thread on the pCPU that run_ahead stopped at."""
    c = s.glob[RESUME]
    s.glob[RESUME] = NONE
    if c == NONE or s.cpu[c, CURRENT] == NONE:
        return
    task = s.task[s.cpu[c, CURRENT]]
    request = task[REQUEST]
    task[REQUEST] = CONTINUE
    if request == EXIT:
        kill(s, s.cpu[c, CURRENT])
    else:
        enter(s, c)


@inlined
def hz_tick(s, c):
    """Do the periodic tick of pCPU ``c``."""
    tick_at(s, c, s.cpu[c, TICK_AT] + s.glob[HZ_NS])
    p = s.cpu[c, CURRENT]
    if p == NONE:
        kernel_idle.tick(s, c)
    elif s.task[p, STATE] == RUNNING:
        kernel_core.tick(s, c)
        note_overutilised(s, c)
        mark_misfit(s, p)
        renew_share(s, p)
        follow(s, c)


@inlined
def go_on(s, c):
    """Let the thread of pCPU ``c``, which is settled, go on; return what Python must do, or REACHED."""
    mode = s.cpu[c, MODE]
    if mode == GUEST:
        need = guest_needs(s, c)
        if need == ACTION:
            return take_row(s, c)
        if need != REACHED:
            return stop(s, c, need)
        plan(s, c)
    elif mode == HOST and host_done(s, s.task[s.cpu[c, CURRENT]]):
        return take_row(s, c)
    elif mode == POLLING:
        end_poll(s, c)
    else:
        enter(s, c)
    return REACHED


@inlined
def segment_end(s, c):
    """Settle pCPU ``c`` at the predicted end of what it runs, and see to all that ends now."""
    if s.cpu[c, MODE] == WAKING:
        wake_up(s, c)
        return REACHED
    reason = REACHED
    while reason == REACHED and s.cpu[c, UNTIL] <= s.glob[NOW]:
        settle(s, c)
        reason = go_on(s, c)
    return reason


@compiled
def logs_full(s):
    """Tell whether a log needs more room before the next event."""
    return (
        s.glob[N_MOVES] + s.glob[LOG_ROOM] > s.moves.shape[0]
        or s.glob[N_STALLS] + s.glob[LOG_ROOM] > s.stalls.shape[0]
        or lacks_room(s)
        or s.glob[N_SEGMENTS] + s.glob[LOG_ROOM] > s.segments.shape[0]
        or s.glob[N_LOADS] + s.glob[LOG_ROOM] > s.loads.shape[0]
    )


@compiled
def handle(s, entry):
    """Handle an event at the present time; return what Python must do, or REACHED."""
    cpus = s.cpu.shape[0]
    tasks = s.task.shape[0]
    if cpus <= entry < 2 * cpus:
        c = entry - cpus
        return stop(s, c, LOAD) if schedule(s, c) else REACHED
    s.glob[N_DECISIONS] += 1
    if entry < cpus:
        return segment_end(s, entry)
    if entry < 2 * cpus + tasks:
        p = entry - 2 * cpus
        waker = s.task[p, WAKER]
        wake(s, p, s.task[p, CPU] if waker == NONE else waker, NONE)
    elif entry < 3 * cpus + tasks:
        hz_tick(s, entry - 2 * cpus - tasks)
    else:
        balance_at(s, s.glob[NEXT_BALANCE] + s.glob[BALANCE_NS])
        balance(s)
    return REACHED


@compiled
def run_ahead(s, until):
    """Run the host up to ``until``; return why it came back (``kernel_state``).

    Of the events at ``until`` itself only segment ends and what they make pCPUs reschedule happen: what comes from
    outside at that time finds every pCPU settled.
    """
    resume(s)
    while True:
        if logs_full(s):
            return FULL
        entry = s.winner[ROOT_NODE]
        when = s.when[entry]
        if when > until or (when == until and entry >= 2 * s.cpu.shape[0]):
            s.glob[NOW] = until
            return REACHED
        s.glob[NOW] = when
        reason = handle(s, entry)
        if reason != REACHED:
            return reason
