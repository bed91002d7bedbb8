"""What runs on a pCPU between two events: settling it up to now, and predicting its next event."""

import numpy as np

from pmu.kernel import (
    COUNTED,
    CYCLE_SLOT,
    ONE,
    SLOTS,
    ZERO,
    add_modulo,
    advance_streams,
    span_to_overflow,
    span_until,
)
from pmu.kernel_jit import compiled, inlined
from scheduler.kernel_event import end_segment_at
from scheduler.kernel_poll import poll_end
from scheduler.kernel_shadow import book, settle_shadows, shadow_overflows, span_to_shadow
from scheduler.kernel_state import (
    ACTION,
    AT_KHZ,
    BASE_CYCLES,
    BASE_NS,
    BASE_REST,
    BUSY_NS,
    BUSY_UNTIL,
    CPU,
    CURRENT,
    CYCLES,
    DOMAIN,
    END,
    FROM,
    FROM_CYCLES,
    GUEST,
    GUEST_NS,
    HORIZON,
    HOST,
    INST_STREAM,
    INSTRUCTIONS,
    INTERRUPT,
    INTERRUPT_AT,
    KEEP_SCHEDULE,
    KHZ,
    LEVEL,
    MODE,
    N_SEGMENTS,
    NEVER,
    NEXT_SAMPLE,
    NONE,
    NOW,
    OF_PHASE,
    OF_VCPU,
    ON_CPU,
    OPP_AT,
    OVERFLOW,
    OVERFLOWED,
    OVERHEAD,
    OWED,
    PHASE,
    POLLING,
    RATE_CLASS,
    REACHED,
    REST,
    RETRY,
    RETRY_NS,
    ROWS_PER_VCPU,
    RUNNING,
    SAMPLE_NS,
    SCALE,
    SEGMENT,
    SETTLED_FROM,
    SPIN_UNTIL,
    START,
    STATE,
    TASK,
    TICK_NS,
    VCPU,
    WAKING,
    WORK,
)

KILO_NS = 1_000_000


@compiled
def cycles_at(s, d, t):
    """Return the cycles of perf domain ``d`` from the start up to ``t``: F(t) // 10**6."""
    dom = s.dom[d]
    return dom[BASE_CYCLES] + (dom[BASE_REST] + dom[KHZ] * (t - dom[BASE_NS])) // KILO_NS


@compiled
def time_of_cycles(s, d, cycles):
    """Return the first ns at which perf domain ``d`` has done ``cycles`` cycles."""
    dom = s.dom[d]
    need = KILO_NS * (cycles - dom[BASE_CYCLES]) - dom[BASE_REST]
    return dom[BASE_NS] + (need + dom[KHZ] - 1) // dom[KHZ]


@compiled
def rebase(s, d, khz):
    """Give perf domain ``d`` another frequency from now on; its pCPUs must be settled."""
    dom = s.dom[d]
    t = s.glob[NOW]
    passed = dom[BASE_REST] + dom[KHZ] * (t - dom[BASE_NS])
    dom[BASE_CYCLES] += passed // KILO_NS
    dom[BASE_REST] = passed % KILO_NS
    dom[BASE_NS] = t
    dom[KHZ] = khz


@inlined
def log_segment(s, v, c, t, end):
    """Record that vCPU ``v`` executes on pCPU ``c`` from ``t`` to ``end``, in its last row where it only goes on."""
    if not s.glob[KEEP_SCHEDULE] or t == end:
        return
    vcpu = s.vcpu[v]
    d = s.cpu[c, DOMAIN]
    if vcpu[SEGMENT] != NONE:
        last = s.segments[vcpu[SEGMENT]]
        same = last[ON_CPU] == c and last[OF_PHASE] == vcpu[PHASE] and last[AT_KHZ] == s.dom[d, KHZ]
        if same and last[END] == t:
            last[END] = end
            return
    vcpu[SEGMENT] = s.glob[N_SEGMENTS]
    s.glob[N_SEGMENTS] += 1
    row = s.segments[vcpu[SEGMENT]]
    row[START] = t
    row[END] = end
    row[OF_VCPU] = v
    row[ON_CPU] = c
    row[OF_PHASE] = vcpu[PHASE]
    row[AT_KHZ] = s.dom[d, KHZ]
    row[REST] = (s.dom[d, BASE_REST] + s.dom[d, KHZ] * (t - s.dom[d, BASE_NS])) % KILO_NS


@compiled
def write_sample(s, v, t):
    """Record vCPU ``v`` and its rows as they are, as the sample of time ``t``."""
    settle_shadows(s, v)
    vcpu = s.vcpu[v]
    k = t // s.glob[SAMPLE_NS]
    task = s.task[vcpu[TASK]]
    s.sample[k, v, 0] = task[CPU] if task[STATE] == RUNNING else NONE
    s.sample[k, v, 1] = vcpu[GUEST_NS]
    s.sample[k, v, 2] = vcpu[CYCLES]
    s.sample[k, v, 3] = vcpu[LEVEL]
    shadows = s.glob[ROWS_PER_VCPU]
    for r in range(v * shadows, (v + 1) * shadows):
        s.sample_category[k, r] = s.category[r, CYCLE_SLOT]
        s.sample_counted[k, r] = s.ledger[r, CYCLE_SLOT, COUNTED]
        for slot in range(SLOTS):
            s.sample_value[k, r, slot] = add_modulo(s.saved[r, slot], s.counts[r, slot])


@compiled
def fill_samples(s, v, t):
    """Record the samples of vCPU ``v`` up to and including ``t`` that it passed without executing."""
    if s.glob[SAMPLE_NS] > 0:
        while s.vcpu[v, NEXT_SAMPLE] <= t:
            write_sample(s, v, s.vcpu[v, NEXT_SAMPLE])
            s.vcpu[v, NEXT_SAMPLE] += s.glob[SAMPLE_NS]


@compiled
def execute(s, v, c, t, ns, cycles):
    """Let vCPU ``v`` execute its guest on pCPU ``c`` for ``ns`` from ``t`` on."""
    vcpu = s.vcpu[v]
    advance_streams(
        s.rate[vcpu[PHASE], s.cpu[c, RATE_CLASS], s.dom[s.cpu[c, DOMAIN], OPP_AT]],
        s.residual[v],
        s.time_tied,
        np.uint64(cycles),
        np.uint64(ns),
        s.increment,
    )
    for e in range(s.increment.shape[0]):
        s.total[v, e] += s.increment[e]
    retired = np.int64(s.increment[s.glob[INST_STREAM]])
    vcpu[GUEST_NS] += ns
    vcpu[CYCLES] += cycles
    vcpu[INSTRUCTIONS] += retired
    s.task[vcpu[TASK], WORK] -= retired
    if vcpu[SETTLED_FROM] == NEVER:
        vcpu[SETTLED_FROM] = t
    book(s, v * s.glob[ROWS_PER_VCPU], t, ns)


@inlined
def execute_guest(s, v, c, t, end):
    """Let vCPU ``v`` execute on pCPU ``c`` from ``t`` to ``end``, tick by tick and sample by sample."""
    tick = s.glob[TICK_NS]
    while t < end:
        stop = end
        if tick > 0:
            stop = min(stop, (t // tick + 1) * tick)
        if s.glob[SAMPLE_NS] > 0:
            stop = min(stop, s.vcpu[v, NEXT_SAMPLE])
        cycles = cycles_at(s, s.cpu[c, DOMAIN], stop)
        execute(s, v, c, t, stop - t, cycles - s.cpu[c, FROM_CYCLES])
        s.cpu[c, FROM_CYCLES] = cycles
        t = stop
        fill_samples(s, v, t)


@compiled
def settle(s, c):
    """Bring pCPU ``c`` up to now; a counter of its vCPU that overflows leaves its bit in OVERFLOWED."""
    cpu = s.cpu[c]
    t = cpu[FROM]
    now = s.glob[NOW]
    p = cpu[CURRENT]
    if p != NONE:
        task = s.task[p]
        if task[VCPU] != NONE:
            fill_samples(s, task[VCPU], t)
        if cpu[MODE] == GUEST:
            log_segment(s, task[VCPU], c, t, now)
            execute_guest(s, task[VCPU], c, t, now)
        elif cpu[MODE] == OVERHEAD:
            task[OWED] -= now - t
        elif cpu[MODE] == RETRY:
            s.vcpu[task[VCPU], RETRY_NS] += now - t
        elif cpu[MODE] == HOST:
            task[WORK] -= (cycles_at(s, cpu[DOMAIN], now) - cpu[FROM_CYCLES]) * cpu[SCALE]
        cpu[BUSY_NS] += now - t
        s.busy[c, s.dom[cpu[DOMAIN], OPP_AT]] += now - t
    cpu[FROM] = now
    cpu[FROM_CYCLES] = cycles_at(s, cpu[DOMAIN], now)


@compiled
def has_overflow(s, v):
    """Tell whether a counter of vCPU ``v``, in any of its rows, overflowed and was not handled yet."""
    return s.row[v * s.glob[ROWS_PER_VCPU], OVERFLOWED] != 0 or shadow_overflows(s, v)


@compiled
def guest_needs(s, c):
    """Return what the guest that pCPU ``c`` executes, settled, needs now: OVERFLOW, INTERRUPT, ACTION or REACHED."""
    p = s.cpu[c, CURRENT]
    v = s.task[p, VCPU]
    if has_overflow(s, v):
        return OVERFLOW
    if s.vcpu[v, INTERRUPT_AT] <= s.glob[NOW]:
        return INTERRUPT
    if s.task[p, WORK] <= 0 or s.vcpu[v, SPIN_UNTIL] <= s.glob[NOW]:
        return ACTION
    return REACHED


@compiled
def guest_end(s, v, c):
    """Predict the first ns at which vCPU ``v`` on pCPU ``c`` needs attention, at most a horizon ahead."""
    now = s.glob[NOW]
    d = s.cpu[c, DOMAIN]
    vcpu = s.vcpu[v]
    work = s.task[vcpu[TASK], WORK]
    end = min(now + s.glob[HORIZON], vcpu[SPIN_UNTIL], vcpu[INTERRUPT_AT])
    if work <= 0 or end <= now or has_overflow(s, v):
        return now
    done = s.cpu[c, FROM_CYCLES]
    rate = s.rate[vcpu[PHASE], s.cpu[c, RATE_CLASS], s.dom[d, OPP_AT]]
    residual = s.residual[v]
    cycle_bound = np.uint64(cycles_at(s, d, end) - done + 1)
    ns_bound = np.uint64(end - now + 1)
    source = s.glob[INST_STREAM]
    span = span_until(rate[source], residual[source], np.uint64(work), cycle_bound - ONE)
    cycles = span if span != ZERO else cycle_bound
    ns = ns_bound
    r = v * s.glob[ROWS_PER_VCPU]
    cycles, ns = span_to_overflow(r, s.stream, s.category, s.left, rate, residual, s.time_tied, cycles, ns)
    cycles, ns = span_to_shadow(s, v, rate, cycles, ns)
    if cycles < cycle_bound:
        end = min(end, time_of_cycles(s, d, done + np.int64(cycles)))
    if ns < ns_bound:
        end = min(end, now + np.int64(ns))
    return end


@compiled
def host_done(s, task):
    """Tell whether a host thread has done its work, or executed up to the time that it was to."""
    return task[WORK] <= 0 or task[BUSY_UNTIL] <= s.glob[NOW]


@compiled
def host_end(s, task, cpu):
    """Return the time at which a host thread is done on a pCPU, which is settled."""
    if host_done(s, task):
        return s.glob[NOW]
    if task[BUSY_UNTIL] != NEVER:
        return task[BUSY_UNTIL]
    cycles = (task[WORK] + cpu[SCALE] - 1) // cpu[SCALE]
    return time_of_cycles(s, cpu[DOMAIN], cpu[FROM_CYCLES] + cycles)


@compiled
def plan(s, c):
    """Set the time of the next event of what pCPU ``c`` runs; it must be settled."""
    cpu = s.cpu[c]
    p = cpu[CURRENT]
    now = s.glob[NOW]
    mode = cpu[MODE]
    if mode == WAKING:
        return
    until = NEVER
    if mode == OVERHEAD:
        until = now + s.task[p, OWED]
    elif mode == GUEST:
        until = guest_end(s, s.task[p, VCPU], c)
    elif mode == POLLING:
        until = poll_end(s, c)
    elif mode == HOST:
        until = host_end(s, s.task[p], cpu)
    end_segment_at(s, c, until)
