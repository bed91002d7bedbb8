"""The host's run loop where a recording decides who runs: recorded steps in place of a scheduler.

What runs is settled, predicted and loaded by the functions of every other run. Rows of ``steps`` are in the order in
which they happen; segment ends of one nanosecond come before its steps.
"""

from pmu.kernel_jit import compiled
from scheduler.kernel_dvfs import change_frequency
from scheduler.kernel_event import ROOT_NODE, end_segment_at
from scheduler.kernel_history import UNKNOWN, became, note_frequency, note_guest, note_switch
from scheduler.kernel_host import log_load, logs_full
from scheduler.kernel_run import guest_needs, plan, settle
from scheduler.kernel_script import enter, execute_row, stop, takes_level
from scheduler.kernel_state import (
    ACTION,
    ASK,
    CPU,
    CURRENT,
    FIRST,
    FULL,
    IDLE,
    KHZ,
    LAST_CPU,
    LAST_TASK,
    LOAD,
    LOADED_CLASS,
    LOADING,
    LOADS_AGAIN,
    MODE,
    NEVER,
    NONE,
    NOW,
    PMU_CLASS,
    REACHED,
    RECORDED,
    RESUME,
    RUNNING,
    SCRIPT_AT,
    SCRIPT_ROWS,
    STATE,
    VCPU,
    WORK,
)
from scheduler.kernel_thread import log_move

# columns of steps; WHERE is a pCPU or, for a frequency, a perf domain, and WHAT a thread, VALUE kHz, a cause (ON) or
# the state of the thread from then on (OFF)
TIME, KIND, WHERE, WHAT, VALUE, STEP_COLUMNS = range(6)

# columns of thread, one row a thread: not in its guest since it was put on; since when it runs; for how long it ran
FRESH, SINCE, RAN_NS, THREAD_COLUMNS = range(4)

# kinds of steps
FREQUENCY, LEAVE_GUEST, OFF, ON, ENTER_GUEST = range(5)


@compiled
def stand_outside(s, c, mode):
    """Let pCPU ``c``, which is settled, do nothing that has an end of its own."""
    before = s.cpu[c, MODE]
    s.cpu[c, MODE] = mode
    note_guest(s, c, before, UNKNOWN)
    end_segment_at(s, c, NEVER)


@compiled
def put_on(s, c, p, cause, thread):
    """Let pCPU ``c`` run thread ``p``, outside of its guest."""
    task = s.task[p]
    if task[LAST_CPU] != c:
        if task[LAST_CPU] != NONE:
            log_move(s, p, task[CPU], c, cause)
        task[LAST_CPU] = c
    note_switch(s, c, p, became(s, c, s.cpu[c, LAST_TASK]))
    s.cpu[c, LAST_TASK] = p
    task[CPU] = c
    task[STATE] = RUNNING
    thread[p, FRESH] = 1
    thread[p, SINCE] = s.glob[NOW]
    s.cpu[c, CURRENT] = p
    stand_outside(s, c, RECORDED)


@compiled
def take_off(s, c, thread, state):
    """Leave pCPU ``c`` without a thread; the one that ran is in ``state`` (QUEUED or SLEEPING) from now on."""
    p = s.cpu[c, CURRENT]
    thread[p, RAN_NS] += s.glob[NOW] - thread[p, SINCE]
    s.task[p, STATE] = state
    s.cpu[c, CURRENT] = NONE
    stand_outside(s, c, IDLE)
    note_switch(s, c, NONE, became(s, c, p))
    s.cpu[c, LAST_TASK] = NONE


@compiled
def enter_guest(s, c, thread):
    """Let the vCPU on pCPU ``c`` enter its guest; return what Python must do, or REACHED.

    A vCPU is loaded at its first entry after it was put on the pCPU.
    """
    p = s.cpu[c, CURRENT]
    v = s.task[p, VCPU]
    fresh = thread[p, FRESH]
    thread[p, FRESH] = 0
    if fresh:
        log_load(s, c, v)
    if fresh and (s.vcpu[v, ASK] or s.vcpu[v, LOADED_CLASS] != s.cpu[c, PMU_CLASS]):
        stand_outside(s, c, LOADING)
        return stop(s, c, LOAD)
    s.vcpu[v, LOADS_AGAIN] += fresh
    enter(s, c)
    return REACHED


@compiled
def do_step(s, step, thread):
    """Do one recorded step at its time; return what Python must do, or REACHED."""
    kind = step[KIND]
    c = step[WHERE]
    if kind == FREQUENCY:
        if step[VALUE] == s.dom[c, KHZ]:
            note_frequency(s, c)
        change_frequency(s, c, step[VALUE])
        return REACHED
    settle(s, c)
    if kind == ENTER_GUEST:
        return enter_guest(s, c, thread)
    if kind == ON:
        put_on(s, c, step[WHAT], step[VALUE], thread)
    elif kind == OFF:
        take_off(s, c, thread, step[VALUE])
    else:
        stand_outside(s, c, RECORDED)
    return REACHED


@compiled
def take_run(s, c):
    """Let the guest on pCPU ``c`` execute the next row of its script; return what Python must do, or REACHED.

    A guest that is replayed neither waits nor wakes others: every row executes.
    """
    p = s.cpu[c, CURRENT]
    task = s.task[p]
    task[WORK] = 0
    if task[SCRIPT_AT] == task[SCRIPT_ROWS]:
        return stop(s, c, ACTION)
    row = s.script[p, task[SCRIPT_AT]]
    if not takes_level(s, task[VCPU], row[FIRST]):
        return stop(s, c, ACTION)
    task[SCRIPT_AT] += 1
    execute_row(s, c, row)
    return REACHED


@compiled
def segment_end(s, c):
    """Settle pCPU ``c`` at the predicted end of what its guest executes; return what Python must do, or REACHED."""
    settle(s, c)
    need = guest_needs(s, c)
    if need == ACTION:
        return take_run(s, c)
    if need != REACHED:
        return stop(s, c, need)
    plan(s, c)
    return REACHED


@compiled
def resume(s):
    """Let the vCPU at which run_ahead stopped go on."""
    c = s.glob[RESUME]
    s.glob[RESUME] = NONE
    if c != NONE:
        enter(s, c)


@compiled
def run_ahead(s, steps, done, thread, until):
    """Run the host up to ``until``, and the steps of that time too; return why it came back (``kernel_state``).

    ``done[0]`` is the number of steps that are done. Nothing wakes, ticks or balances: every event is a segment's end.
    """
    resume(s)
    while True:
        if logs_full(s):
            return FULL
        c = s.winner[ROOT_NODE]
        when = s.when[c]
        n = done[0]
        due = steps[n, TIME] if n < steps.shape[0] else NEVER
        if min(when, due) > until:
            s.glob[NOW] = until
            return REACHED
        if when <= due:
            s.glob[NOW] = when
            reason = segment_end(s, c)
        else:
            s.glob[NOW] = due
            done[0] += 1
            reason = do_step(s, steps[n], thread)
        if reason != REACHED:
            return reason
