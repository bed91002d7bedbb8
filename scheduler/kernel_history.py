"""What the host did, a row each, in the order in which it did so: kept on request, and nothing reads it meanwhile."""

from typing import cast

import numpy as np

from pmu.kernel_jit import compiled
from scheduler.kernel_state import (
    DEAD,
    GUEST,
    KEEP_SWITCHES,
    KEEP_TRACE,
    KHZ,
    LAST_CPU,
    LAST_TASK,
    LEAVES_FOR,
    LOG_ROOM,
    MODE,
    N_HISTORY,
    NONE,
    NOW,
    SLEEPING,
    STATE,
    VCPU,
)

# what a row is, in its second column after the time, and the figures in those that follow
#   SWITCHED   pCPU, thread that comes (NONE: idle), what became of the thread that leaves
#   WOKEN      thread, pCPU to which it goes, pCPU of the waker, thread that wakes it (NONE: an interrupt)
#   STARTED    as WOKEN, of a new thread
#   MOVED      thread, pCPU that it leaves, pCPU to which it goes, cause
#   ENTERED    vCPU, pCPU: it enters its guest
#   EXITED     vCPU, pCPU, why: it leaves its guest
#   CLOCKED    perf domain, kHz
SWITCHED, WOKEN, STARTED, MOVED, ENTERED, EXITED, CLOCKED = cast("list[int]", list(np.arange(7)))
AT, KIND, FIRST_FIGURE, HISTORY_COLUMNS = 0, 1, 2, 6

# what became of a thread that leaves its pCPU (NONE: the pCPU was idle)
RUNNABLE, BLOCKED, ENDED = cast("list[int]", list(np.arange(3)))

# why a vCPU leaves its guest
UNKNOWN, INTERRUPTED, WAITS, TRAPPED = cast("list[int]", list(np.arange(4)))

ROOM_FACTOR = 8
"""One event may write so many rows for each that it may write to another log: a wakeup with all that follows it."""


@compiled
def lacks_room(s):
    """Tell whether the history needs more room before the next event."""
    return s.glob[N_HISTORY] + ROOM_FACTOR * s.glob[LOG_ROOM] > s.history.shape[0]


@compiled
def note(s, kind, first, second, third, fourth):
    """Add a row."""
    row = s.history[s.glob[N_HISTORY]]
    row[AT] = s.glob[NOW]
    row[KIND] = kind
    row[FIRST_FIGURE] = first
    row[FIRST_FIGURE + 1] = second
    row[FIRST_FIGURE + 2] = third
    row[FIRST_FIGURE + 3] = fourth
    s.glob[N_HISTORY] += 1


@compiled
def became(s, c, p):
    """Return what has become of thread ``p``, which leaves pCPU ``c`` (NONE: that was idle).

    What ran elsewhere since then, at the same ns, left it runnable, whatever has become of it there.
    """
    if p == NONE:
        return NONE
    if s.task[p, LAST_CPU] != c:
        return RUNNABLE
    state = s.task[p, STATE]
    if state == DEAD:
        return ENDED
    return BLOCKED if state == SLEEPING else RUNNABLE


@compiled
def note_switch(s, c, p, left):
    """Record that pCPU ``c`` switches to thread ``p`` (NONE: idle); ``left``: what became of the one before."""
    if s.glob[KEEP_SWITCHES]:
        note(s, SWITCHED, c, p, left, NONE)


@compiled
def note_waking(s, kind, p, c, waker, by):
    """Record that thread ``p`` wakes up or starts (``kind``) on pCPU ``c``; see WOKEN."""
    if s.glob[KEEP_TRACE]:
        note(s, kind, p, c, waker, by)


@compiled
def note_move(s, p, source, c, cause):
    """Record that thread ``p`` leaves pCPU ``source`` for ``c``."""
    if s.glob[KEEP_TRACE]:
        note(s, MOVED, p, source, c, cause)


@compiled
def note_frequency(s, d):
    """Record the frequency that perf domain ``d`` has from now on."""
    if s.glob[KEEP_TRACE]:
        note(s, CLOCKED, d, s.dom[d, KHZ], NONE, NONE)


@compiled
def note_guest(s, c, before, why):
    """Record that the vCPU whose thread ran last on pCPU ``c``, in mode ``before``, enters or leaves its guest."""
    enters = s.cpu[c, MODE] == GUEST
    if s.glob[KEEP_TRACE] and enters != (before == GUEST):
        note(s, ENTERED if enters else EXITED, s.task[s.cpu[c, LAST_TASK], VCPU], c, NONE if enters else why, NONE)


@compiled
def note_border(s, c, before):
    """As ``note_guest``, for the reason that the thread has, which is an interrupt unless it asked for the exit."""
    p = s.cpu[c, LAST_TASK]
    if p != NONE:
        note_guest(s, c, before, s.task[p, LEAVES_FOR])
        s.task[p, LEAVES_FOR] = INTERRUPTED
