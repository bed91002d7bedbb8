"""The clocks of a pCPU: the run queue's, and the slower one on which PELT measures the work done.

PELT's clock runs at capacity times frequency while the pCPU is busy and catches up in idle; what a saturated
pCPU cannot catch up is lost. Rules: Linux 7.1.5, kernel/sched/pelt.h.
"""

from pmu.kernel_jit import compiled, inlined
from scheduler.kernel_event import reschedule_at
from scheduler.kernel_state import (
    CAPACITY,
    CFS_UTIL_SUM,
    CLOCK,
    CLOCK_PELT,
    CURRENT,
    DOMAIN,
    KHZ,
    LOST,
    MAX_KHZ,
    NEVER,
    NONE,
    NOW,
    RESCHED,
    RT_UTIL_SUM,
)

LOAD_AVG_MAX = 47742
DIVIDER_BASE = LOAD_AVG_MAX - 1024
SATURATED = (DIVIDER_BASE << 10) - LOAD_AVG_MAX


@inlined
def frequency_scale(s, c):
    """Return the frequency of pCPU ``c``, 1024 at its perf domain's maximum."""
    dom = s.dom[s.cpu[c, DOMAIN]]
    return (dom[KHZ] << 10) // dom[MAX_KHZ]


@compiled
def update_clock(s, c):
    """Bring the clocks of pCPU ``c`` up to now, at the capacity and the frequency in force."""
    cpu = s.cpu[c]
    delta = s.glob[NOW] - cpu[CLOCK]
    if delta > 0:
        cpu[CLOCK] += delta
        if cpu[CURRENT] != NONE:
            cpu[CLOCK_PELT] += (((delta * cpu[CAPACITY]) >> 10) * frequency_scale(s, c)) >> 10
    if cpu[CURRENT] == NONE:
        cpu[CLOCK_PELT] = cpu[CLOCK]


@compiled
def ask_to_reschedule(s, c):
    """Ask pCPU ``c`` to reschedule."""
    if s.cpu[c, RESCHED] == 0:
        s.cpu[c, RESCHED] = 1
        reschedule_at(s, c, s.glob[NOW])


@compiled
def stop_asking(s, c):
    """Take back that pCPU ``c`` was asked to reschedule."""
    if s.cpu[c, RESCHED] == 1:
        s.cpu[c, RESCHED] = 0
        reschedule_at(s, c, NEVER)


@compiled
def pelt_time(s, c):
    """Return the time of PELT's clock on pCPU ``c``, as of its last update."""
    return s.cpu[c, CLOCK_PELT] - s.cpu[c, LOST]


@compiled
def enter_idle(s, c):
    """Let PELT's clock of pCPU ``c`` catch up because the idle task was picked."""
    cpu = s.cpu[c]
    if cpu[CFS_UTIL_SUM] + cpu[RT_UTIL_SUM] >= SATURATED:
        cpu[LOST] += cpu[CLOCK] - cpu[CLOCK_PELT]
    cpu[CLOCK_PELT] = cpu[CLOCK]
