"""Which pCPUs have a thread to give away: two that run or wait, or one that runs and is too big for them.

They are kept as a list, so that a pCPU that runs out of work looks at these alone and not at every pCPU.
"""

from pmu.kernel_jit import compiled
from scheduler.kernel_state import CURRENT, IS_MISFIT, N_CROWDED, N_RT, N_RUNNABLE, NONE, RUNNING, STATE

# crowd: row k has the k-th pCPU of the list; row c tells whether pCPU c is in it, and how often it was out of balance
# and found no thread to pull
LISTED, IS_LISTED, FAILED, CROWD_COLUMNS = range(4)


@compiled
def number_on(s, c):
    """Return the number of threads that run or wait on pCPU ``c``."""
    return s.cpu[c, N_RUNNABLE] + s.cpu[c, N_RT]


@compiled
def has_misfit(s, c):
    """Tell whether pCPU ``c`` runs a thread that is too big for it."""
    p = s.cpu[c, CURRENT]
    return p != NONE and s.task[p, STATE] == RUNNING and s.task[p, IS_MISFIT] == 1


@compiled
def note_crowd(s, c):
    """Put pCPU ``c`` on the list if it has a thread to give away; after each thread that comes or is found too big."""
    if s.crowd[c, IS_LISTED] == 0 and (number_on(s, c) > 1 or has_misfit(s, c)):
        s.crowd[c, IS_LISTED] = 1
        s.crowd[s.glob[N_CROWDED], LISTED] = c
        s.glob[N_CROWDED] += 1


@compiled
def prune_crowd(s):
    """Take those off the list that have nothing to give away any more; return whether one is left."""
    kept = 0
    for k in range(s.glob[N_CROWDED]):
        c = s.crowd[k, LISTED]
        if number_on(s, c) > 1 or has_misfit(s, c):
            s.crowd[kept, LISTED] = c
            kept += 1
        else:
            s.crowd[c, IS_LISTED] = 0
    s.glob[N_CROWDED] = kept
    return kept > 0
