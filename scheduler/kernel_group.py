"""What a cgroup decides about its threads: their share of its weight, and the runtime that they take from its quota.

Threads have no run queue of their own in a cgroup: each has the part of the cgroup's weight that its own weight is of
those of all runnable threads in it. Rules: Linux 7.1.5, kernel/sched/fair.c (calc_group_shares,
account_cfs_rq_runtime); what is simpler here is in docs/model.md, "Cgroups". What happens
to threads when a quota is used up is in ``kernel_throttle``.
"""

from pmu.kernel_jit import compiled, inlined
from scheduler.kernel_clock import ask_to_reschedule
from scheduler.kernel_state import GROUP, NONE, OWN_WEIGHT

# group: one row a cgroup; ACTIVE: its period timer runs; behind these THROTTLED_FROM of each pCPU, NONE while it runs
(
    SHARES,
    MEMBERS_WEIGHT,
    QUOTA,
    POOL,
    ACTIVE,
    UNUSED,
    USAGE_NS,
    N_PERIODS,
    N_THROTTLED,
    THROTTLED_NS,
    GROUP_COLUMNS,
) = range(11)

LEAST_SHARES = 2


@inlined
def member_in(s, p):
    """Count thread ``p``, which is about to be runnable, among those of its cgroup."""
    if s.task[p, GROUP] != NONE:
        s.group[s.task[p, GROUP], MEMBERS_WEIGHT] += s.task[p, OWN_WEIGHT]


@compiled
def member_out(s, p):
    """Count thread ``p``, which is runnable no longer, out of its cgroup."""
    if s.task[p, GROUP] != NONE:
        s.group[s.task[p, GROUP], MEMBERS_WEIGHT] -= s.task[p, OWN_WEIGHT]


@inlined
def share_of(s, p):
    """Return the weight that the runnable thread ``p`` of a cgroup has in a run queue."""
    group = s.group[s.task[p, GROUP]]
    return max(LEAST_SHARES, group[SHARES] * s.task[p, OWN_WEIGHT] // group[MEMBERS_WEIGHT])


@compiled
def charge(s, c, p, ns):
    """Take the ``ns`` that thread ``p`` has run on pCPU ``c`` off its cgroup's quota; reschedule if nothing is left."""
    if s.task[p, GROUP] == NONE:
        return
    group = s.group[s.task[p, GROUP]]
    group[USAGE_NS] += ns
    if group[QUOTA] > 0:
        group[POOL] -= ns
        group[ACTIVE] = 1
        group[UNUSED] = 0
        if group[POOL] <= 0:
            ask_to_reschedule(s, c)


@inlined
def is_spent(s, p):
    """Tell whether the cgroup of thread ``p`` has a quota of which nothing is left."""
    g = s.task[p, GROUP]
    return g != NONE and s.group[g, QUOTA] > 0 and s.group[g, POOL] <= 0
