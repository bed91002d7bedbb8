"""The host's next event: entries for segments and rescheduling of pCPUs, wakeups of threads, HZ ticks, the balance.

Entries are numbered in the order of events at one nanosecond, and a tournament over them finds the first: each
inner node of a complete binary tree has the earliest entry below it, the lower number among equals.
"""

from pmu.kernel_jit import compiled, inlined
from scheduler.kernel_state import HZ_NS, NEVER, NEXT_BALANCE, NOW, TICK_AT, UNTIL, WAKE_AT

ROOT_NODE = 1


@compiled
def renew(when, winner, entry, time):
    """Let an entry happen at ``time``."""
    when[entry] = time
    node = (winner.shape[0] // 2 + entry) // 2
    while node > 0:
        first = winner[2 * node]
        if when[winner[2 * node + 1]] < when[first]:
            first = winner[2 * node + 1]
        if first == winner[node] and first != entry:
            return
        winner[node] = first
        node //= 2


@compiled
def end_segment_at(s, c, time):
    """Let the segment of pCPU ``c`` end at ``time``."""
    s.cpu[c, UNTIL] = time
    renew(s.when, s.winner, c, time)


@compiled
def reschedule_at(s, c, time):
    """Let pCPU ``c`` reschedule at ``time``."""
    renew(s.when, s.winner, s.cpu.shape[0] + c, time)


@compiled
def wake_at(s, p, time):
    """Let thread ``p`` wake up at ``time``."""
    s.task[p, WAKE_AT] = time
    renew(s.when, s.winner, 2 * s.cpu.shape[0] + p, time)


@compiled
def tick_at(s, c, time):
    """Let the next HZ tick of pCPU ``c`` come at ``time``."""
    s.cpu[c, TICK_AT] = time
    renew(s.when, s.winner, 2 * s.cpu.shape[0] + s.task.shape[0] + c, time)


@compiled
def go_on_ticking(s, c):
    """Let the HZ tick of pCPU ``c`` come again, at the next multiple of its period, if it had stopped."""
    if s.cpu[c, TICK_AT] == NEVER:
        tick_at(s, c, (s.glob[NOW] // s.glob[HZ_NS] + 1) * s.glob[HZ_NS])


@inlined
def balance_at(s, time):
    """Let the next periodic balance come at ``time``."""
    s.glob[NEXT_BALANCE] = time
    renew(s.when, s.winner, 3 * s.cpu.shape[0] + s.task.shape[0], time)
