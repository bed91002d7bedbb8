"""Halt polling: a vCPU that waits in WFI keeps its pCPU for a while, in case what it waits for comes soon.

Rules: Linux 7.1.5, virt/kvm/kvm_main.c (kvm_vcpu_halt). On arm64 no wakeup is invalid and no vCPU is kept from polling.
"""

from pmu.kernel_jit import compiled, inlined
from scheduler.kernel_event import end_segment_at
from scheduler.kernel_state import (
    CURRENT,
    LOADED_CLASS,
    MODE,
    N_QUEUED,
    N_RT,
    NO,
    NONE,
    NOW,
    PENDING_WAKE,
    POLLING,
    RESCHED,
    VCPU,
)

# poll: one row a vCPU
(
    # how long it polls now, and at most
    WINDOW_NS,
    MOST_NS,
    # when its last halt began (NONE: it is over) and its polling ends; whether it polls; when it went to sleep
    HALTED_AT,
    STOP_AT,
    POLLS,
    BLOCKED_AT,
    # counts
    HALTS,
    ATTEMPTS,
    SUCCESSES,
    SUCCESS_NS,
    FAIL_NS,
    WAIT_NS,
    POLL_COLUMNS,
) = range(13)

GROW, GROW_START_NS, SHRINK = 2, 10_000, 2


@compiled
def is_alone(s, c):
    """Tell whether pCPU ``c`` has nothing to run but its current thread; delayed threads count, too."""
    return s.cpu[c, N_QUEUED] + s.cpu[c, N_RT] == 1 and s.cpu[c, RESCHED] == 0


@compiled
def adapt(poll, halt_ns):
    """Let a vCPU poll longer or shorter after a halt of this length, polling included."""
    window = poll[WINDOW_NS]
    most = poll[MOST_NS]
    if halt_ns <= window:
        return
    if window > 0 and halt_ns > most:
        window //= SHRINK
        poll[WINDOW_NS] = window if window >= GROW_START_NS else 0
    elif window < most and halt_ns < most:
        poll[WINDOW_NS] = min(most, max(window * GROW, GROW_START_NS))


@compiled
def is_off(s, v):
    """Tell whether vCPU ``v`` is powered off where entry fails: it sleeps in KVM_RUN, and is loaded when woken."""
    return s.vcpu[v, LOADED_CLASS] == NONE


@inlined
def begin_halt(s, c, v):
    """Let vCPU ``v`` on pCPU ``c`` wait from now on; return whether it polls first."""
    poll = s.poll[v]
    now = s.glob[NOW]
    poll[HALTS] += 1
    poll[HALTED_AT] = poll[BLOCKED_AT] = now
    if poll[WINDOW_NS] == 0:
        return False
    poll[ATTEMPTS] += 1
    poll[POLLS] = not is_off(s, v) and is_alone(s, c)
    poll[STOP_AT] = now + poll[WINDOW_NS]
    return poll[POLLS] == 1


@compiled
def poll_end(s, c):
    """Return when the vCPU that polls on pCPU ``c`` stops unless something happens."""
    p = s.cpu[c, CURRENT]
    if s.task[p, PENDING_WAKE] or not is_alone(s, c):
        return s.glob[NOW]
    return max(s.glob[NOW], s.poll[s.task[p, VCPU], STOP_AT])


@compiled
def notice(s, c):
    """Let the vCPU that polls on pCPU ``c``, if one does, look whether it was woken or another thread wants to run."""
    if s.cpu[c, MODE] == POLLING:
        end_segment_at(s, c, poll_end(s, c))


@inlined
def stop_polling(poll, now, woken):
    """Book that a vCPU stops polling; one that was ``woken`` has ended its halt, another one goes to sleep."""
    ns = now - poll[HALTED_AT]
    poll[POLLS] = NO
    if woken:
        poll[SUCCESSES] += 1
        poll[SUCCESS_NS] += ns
        adapt(poll, ns)
        poll[HALTED_AT] = NONE
    else:
        poll[FAIL_NS] += ns
        poll[BLOCKED_AT] = now


@inlined
def end_halt(poll, now):
    """End the halt of a vCPU whose thread runs, if it slept in one."""
    if poll[HALTED_AT] != NONE and poll[POLLS] == NO:
        poll[WAIT_NS] += now - poll[BLOCKED_AT]
        adapt(poll, now - poll[HALTED_AT])
        poll[HALTED_AT] = NONE
