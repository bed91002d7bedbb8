"""What a running thread does: it enters its own work, and takes the next row of its script when that is done.

A script is what the thread does next without asking Python (``kernel_state``, script).
"""

from pmu.kernel_jit import compiled, inlined
from scheduler.kernel_event import wake_at
from scheduler.kernel_history import WAITS, note_border
from scheduler.kernel_poll import POLLS, begin_halt, is_off, stop_polling
from scheduler.kernel_run import plan, settle
from scheduler.kernel_state import (
    ACTION,
    BUSY_UNTIL,
    COST_WFI,
    CURRENT,
    FIRST,
    GUEST,
    HALT,
    HOST,
    INTERRUPT_AT,
    LEAVES_FOR,
    LEVEL,
    LEVEL_FREE,
    MODE,
    NEVER,
    NONE,
    NOW,
    OVERHEAD,
    OWED,
    PENDING_WAKE,
    PHASE,
    POLLING,
    REACHED,
    RETRY,
    SCRIPT_AT,
    SCRIPT_ROWS,
    SECOND,
    SPIN,
    SPIN_UNTIL,
    SPIN_WORK,
    STOP_CPU,
    STOP_TASK,
    UNSUPPORTED,
    VCPU,
    WAKE_UP,
    WAKER,
    WHAT,
    WORK,
)
from scheduler.kernel_thread import block, wake


@compiled
def stop(s, c, reason):
    """Leave word for Python which pCPU and thread it is about; return ``reason``."""
    s.glob[STOP_CPU] = c
    s.glob[STOP_TASK] = s.cpu[c, CURRENT]
    return reason


@compiled
def enter(s, c):
    """Let the thread on pCPU ``c``, which owes nothing, do its own work; the pCPU must be settled."""
    p = s.cpu[c, CURRENT]
    v = s.task[p, VCPU]
    before = s.cpu[c, MODE]
    if s.task[p, OWED] > 0:
        s.cpu[c, MODE] = OVERHEAD
    elif v == NONE:
        s.cpu[c, MODE] = HOST
    elif s.poll[v, POLLS]:
        s.cpu[c, MODE] = POLLING
    else:
        s.cpu[c, MODE] = RETRY if s.vcpu[v, UNSUPPORTED] else GUEST
    note_border(s, c, before)
    plan(s, c)


@compiled
def stay_awake(s, c):
    """Let the running thread of pCPU ``c``, which was woken before it slept, go on at once."""
    task = s.task[s.cpu[c, CURRENT]]
    task[PENDING_WAKE] = 0
    task[OWED] += s.glob[COST_WFI] if task[VCPU] != NONE else 0
    enter(s, c)


@inlined
def sleep(s, c, until):
    """Put the running thread of pCPU ``c`` to sleep; a wakeup that came before ends that at once."""
    p = s.cpu[c, CURRENT]
    task = s.task[p]
    v = task[VCPU]
    if task[PENDING_WAKE] and (v == NONE or not is_off(s, v)):
        stay_awake(s, c)
        return
    wake_at(s, p, until)
    settle(s, c)
    if v != NONE and begin_halt(s, c, v):
        enter(s, c)
    else:
        block(s, c)


@inlined
def end_poll(s, c):
    """Let the vCPU on pCPU ``c`` stop polling: it goes on if it was woken, else its thread goes to sleep."""
    task = s.task[s.cpu[c, CURRENT]]
    woken = task[PENDING_WAKE]
    stop_polling(s.poll[task[VCPU]], s.glob[NOW], woken)
    if not woken:
        block(s, c)
        return
    stay_awake(s, c)


@compiled
def execute_row(s, c, row):
    """Let the running thread of pCPU ``c`` execute: RUN or SPIN."""
    p = s.cpu[c, CURRENT]
    v = s.task[p, VCPU]
    spins = row[WHAT] == SPIN
    s.task[p, WORK] = SPIN_WORK if spins else row[SECOND]
    if v == NONE:
        s.task[p, BUSY_UNTIL] = row[SECOND] if spins else NEVER
    else:
        s.vcpu[v, PHASE] = row[FIRST]
        s.vcpu[v, SPIN_UNTIL] = row[SECOND] if spins else NEVER
    plan(s, c)


@inlined
def wait_row(s, c, row):
    """Let the running thread of pCPU ``c`` wait: SLEEP_FOR or HALT; a PMU interrupt on its way ends the wait too."""
    p = s.cpu[c, CURRENT]
    v = s.task[p, VCPU]
    until = NEVER
    if row[WHAT] != HALT:
        until = s.glob[NOW] + row[SECOND]
        s.task[p, WAKER] = row[FIRST]
    if v != NONE:
        s.task[p, LEAVES_FOR] = WAITS
        s.vcpu[v, SPIN_UNTIL] = NEVER
        until = min(until, s.vcpu[v, INTERRUPT_AT])
    sleep(s, c, until)


@compiled
def takes_level(s, v, phase):
    """Let vCPU ``v`` execute at the exception level of a phase if no counter cares; return whether it does so now."""
    if s.vcpu[v, LEVEL_FREE]:
        s.vcpu[v, LEVEL] = s.level[phase]
    return s.vcpu[v, LEVEL] == s.level[phase]


@compiled
def take_row(s, c):
    """Let the running thread of pCPU ``c`` take the next row of its script; return what Python must do."""
    p = s.cpu[c, CURRENT]
    task = s.task[p]
    v = task[VCPU]
    task[WORK] = 0
    task[BUSY_UNTIL] = NEVER
    while task[SCRIPT_AT] < task[SCRIPT_ROWS]:
        row = s.script[p, task[SCRIPT_AT]]
        if v != NONE and row[WHAT] <= SPIN and not takes_level(s, v, row[FIRST]):
            return stop(s, c, ACTION)
        task[SCRIPT_AT] += 1
        if row[WHAT] <= SPIN:
            execute_row(s, c, row)
            return REACHED
        if row[WHAT] != WAKE_UP:
            wait_row(s, c, row)
            return REACHED
        wake(s, row[FIRST], c, p)
    return stop(s, c, ACTION)
