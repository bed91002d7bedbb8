"""The counters of one vCPU under its real policy and under those of its shadows.

The real row is booked whenever the vCPU executes. How a shadow counts changes only where Python says so: until then
what its streams gained is all that it needs, and it is settled once for many segments. Its overflows are foreseen by
the total of the stream at which the first counter of any shadow overflows.
"""

from pmu.kernel import (
    CYCLE_SLOT,
    DISABLED,
    NO_HOST_COUNTER,
    OFF_PMU,
    ONE,
    SLOTS,
    TOP,
    ZERO,
    count_instructions,
    count_slots,
    span_until,
)
from pmu.kernel_jit import compiled
from pmu.kernel_policies import lower_limits
from scheduler.kernel_state import (
    ENABLED_NS,
    GUEST_NS,
    LIMITED,
    LONGEST_NS,
    N_STALLS,
    NEVER,
    NO,
    OVERFLOWED,
    ROWS_PER_VCPU,
    SETTLED_FROM,
    SETTLED_NS,
    STALL_FROM,
    STALL_NS,
    STALLED_NS,
    YES,
)


@compiled
def end_stall(s, r, t):
    """Close the open stall of row ``r``, if there is one."""
    row = s.row[r]
    if row[STALL_NS] > 0:
        n = s.glob[N_STALLS]
        s.stalls[n, 0] = row[STALL_FROM]
        s.stalls[n, 1] = t
        s.stalls[n, 2] = r
        s.stalls[n, 3] = row[STALL_NS]
        s.glob[N_STALLS] += 1
        row[STALL_NS] = 0


@compiled
def account_row(s, r, t, ns):
    """Account ``ns`` of guest execution from ``t`` on to the cycle counter's time figures of row ``r``."""
    row = s.row[r]
    category = s.category[r, CYCLE_SLOT]
    if category != DISABLED:
        row[ENABLED_NS] += ns
    if category in (OFF_PMU, NO_HOST_COUNTER):
        if row[STALL_NS] == 0:
            row[STALL_FROM] = t
        row[STALLED_NS] += ns
        row[STALL_NS] += ns
        row[LONGEST_NS] = max(row[LONGEST_NS], row[STALL_NS])
    else:
        end_stall(s, r, t)


@compiled
def book(s, r, t, ns):
    """Book in row ``r`` what the streams gained in ``ns`` of guest execution, the first of it at ``t``."""
    account_row(s, r, t, ns)
    s.row[r, OVERFLOWED] |= count_slots(r, s.stream, s.category, s.counts, s.left, s.ledger, s.increment)
    if s.stream.shape[1] > SLOTS:
        s.row[r, OVERFLOWED] |= count_instructions(r, s.stream, s.category, s.counts, s.left, s.ledger, s.increment)


@compiled
def settle_shadows(s, v):
    """Book in the shadows of vCPU ``v`` what it executed since; before anything changes how they count."""
    rows = s.glob[ROWS_PER_VCPU]
    if rows == 1:
        return
    vcpu = s.vcpu[v]
    vcpu[LIMITED] = NO
    if vcpu[SETTLED_FROM] == NEVER:
        return
    for e in range(s.increment.shape[0]):
        s.increment[e] = s.total[v, e] - s.mark[v, e]
        s.mark[v, e] = s.total[v, e]
    for r in range(v * rows + 1, (v + 1) * rows):
        book(s, r, vcpu[SETTLED_FROM], vcpu[GUEST_NS] - vcpu[SETTLED_NS])
    vcpu[SETTLED_NS] = vcpu[GUEST_NS]
    vcpu[SETTLED_FROM] = NEVER


@compiled
def limit_shadows(s, v):
    """Work out at which total of each stream the first counter of a shadow of vCPU ``v``, settled, overflows."""
    rows = s.glob[ROWS_PER_VCPU]
    s.limit[v] = TOP
    for r in range(v * rows + 1, (v + 1) * rows):
        lower_limits(r, s.stream, s.category, s.left, s.mark[v], s.limit[v])
    s.vcpu[v, LIMITED] = YES


@compiled
def shadow_overflows(s, v):
    """Tell whether a counter of a shadow of vCPU ``v`` overflowed and was not handled yet."""
    rows = s.glob[ROWS_PER_VCPU]
    if rows == 1:
        return False
    for r in range(v * rows + 1, (v + 1) * rows):
        if s.row[r, OVERFLOWED] != 0:
            return True
    if not s.vcpu[v, LIMITED]:
        limit_shadows(s, v)
    for e in range(s.limit.shape[1]):
        if s.total[v, e] >= s.limit[v, e]:
            return True
    return False


@compiled
def span_to_shadow(s, v, rate, cycles, ns):
    """Return the ``(cycles, ns)`` spans after which the first counter of a shadow of vCPU ``v`` overflows.

    As ``pmu.kernel.span_to_overflow``; none has overflowed yet.
    """
    if s.glob[ROWS_PER_VCPU] == 1:
        return cycles, ns
    for e in range(s.limit.shape[1]):
        if s.limit[v, e] == TOP:
            continue
        bound = ns if s.time_tied[e] else cycles
        span = span_until(rate[e], s.residual[v, e], s.limit[v, e] - s.total[v, e], bound - ONE)
        if span != ZERO:
            if s.time_tied[e]:
                ns = span
            else:
                cycles = span
    return cycles, ns
