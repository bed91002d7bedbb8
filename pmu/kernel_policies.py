"""Several policies over one schedule: the streams of a vCPU are advanced once, each policy only decides what counts.

A schedule is the segments in which a vCPU executed, in order: one phase, one pCPU, one frequency each. A policy is a
row of slots; which stream drives a slot and where it is booked may differ from setting to setting (an exception level,
say), and every segment names its setting. Nothing is simulated: docs/model.md, "Shadows".
"""

import numpy as np

from pmu.kernel import (
    COUNTED,
    CYCLE_SLOT,
    LOW,
    ONE,
    SHIFT,
    SLOTS,
    TOP,
    ZERO,
    add_modulo,
    count_instructions,
    count_slots,
    span_until,
    whole,
)
from pmu.kernel_jit import compiled, inlined

# segment: one row each; RATES is a row of ``rate``, REST the cycle begun before FROM, in millionths
FROM, TO, RATES, KHZ, REST, SETTING, SEGMENT_COLUMNS = range(7)

# at: how far a vCPU has come; its present segment and setting, the ns, the number of its next sample
SEGMENT, IN_SETTING, NOW, SAMPLE, AT_COLUMNS = range(5)

KILO_NS = 1_000_000
LONGEST_NS = 1 << 29  # so that no span of cycles or ns leaves 32 bits


@compiled
def lower_limits(row, stream, category, left, total, limit):
    """Lower ``limit`` (uint64 [event]) to the totals at which a counting slot of a row, settled, overflows."""
    for slot in range(stream.shape[1]):
        source = stream[row, slot]
        if source < 0 or category[row, slot] != COUNTED or left[row, slot] == ZERO:
            continue
        if left[row, slot] < TOP - total[source]:
            limit[source] = min(limit[source], total[source] + left[row, slot])


@compiled
def book_policies(streams, categories, total, mark, increment, count, left, ledger, overflowed):
    """Book in every policy what the streams gained from ``mark`` to ``total``; return whether a slot has overflowed.

    ``overflowed`` (int64 [policy]) takes the bits of the slots whose sample period has ended.
    """
    for e in range(total.shape[0]):
        increment[e] = total[e] - mark[e]
        mark[e] = total[e]
    any_slot = 0
    for p in range(count.shape[0]):
        overflowed[p] |= count_slots(p, streams, categories, count, left, ledger, increment)
        if count.shape[1] > SLOTS:
            overflowed[p] |= count_instructions(p, streams, categories, count, left, ledger, increment)
        any_slot |= overflowed[p]
    return any_slot != 0


@compiled
def limit_policies(streams, categories, total, limit, left):
    """Set the total of each stream at which the first slot of any policy overflows."""
    for e in range(total.shape[0]):
        limit[e] = TOP
    for p in range(left.shape[0]):
        lower_limits(p, streams, categories, left, total, limit)


@inlined
def cycles_between(row, start, stop):
    """Return the cycles of a segment's pCPU from ``start`` to ``stop`` (ns)."""
    before = row[REST] + row[KHZ] * (start - row[FROM])
    after = row[REST] + row[KHZ] * (stop - row[FROM])
    return np.uint64(after // KILO_NS - before // KILO_NS)


@inlined
def advance(rates, residual, time_tied, cycles, ns, total, limit):
    """Advance the streams of a vCPU by ``cycles`` and ``ns`` (both < 2**32); return whether one reaches its limit."""
    reached = ZERO
    for e in range(rates.shape[0]):
        span = ns if time_tied[e] else cycles
        exact = residual[e] + (rates[e] & LOW) * span
        gained = total[e] + (rates[e] >> SHIFT) * span + (exact >> SHIFT)
        residual[e] = exact & LOW
        total[e] = gained
        reached += gained >= limit[e]  # a sum, because a flag that is set costs five times the time of the loop
    return reached != ZERO


@compiled
def take_back(rates, residual, time_tied, cycles, ns, total):
    """Undo what ``advance`` has just done."""
    for e in range(rates.shape[0]):
        span = ns if time_tied[e] else cycles
        residual[e] = (residual[e] + (LOW - ((rates[e] & LOW) * span & LOW)) + ONE) & LOW
        total[e] -= whole(rates[e], residual[e], span)


@compiled
def first_limit(row, start, stop, rates, residual, time_tied, total, limit):
    """Return the first ns after ``start`` at which a stream reaches its limit; at most ``stop``."""
    for e in range(rates.shape[0]):
        need = limit[e] - total[e]
        if time_tied[e]:
            span = span_until(rates[e], residual[e], need, np.uint64(stop - start))
            stop = stop if span == ZERO else start + np.int64(span)
            continue
        cycles = cycles_between(row, start, stop)
        span = span_until(rates[e], residual[e], need, cycles) if cycles >= ONE else ZERO
        if span != ZERO:
            begun = (row[REST] + row[KHZ] * (start - row[FROM])) // KILO_NS
            wanted = KILO_NS * (begun + np.int64(span)) - row[REST]
            stop = row[FROM] + (wanted + row[KHZ] - 1) // row[KHZ]
    return stop


@compiled
def go_back(row, start, stop, rates, residual, time_tied, total, limit):
    """Bring the streams of a vCPU, advanced from ``start`` to ``stop``, back to where the first reached its limit.

    Return that time.
    """
    take_back(rates, residual, time_tied, cycles_between(row, start, stop), np.uint64(stop - start), total)
    stop = first_limit(row, start, stop, rates, residual, time_tied, total, limit)
    advance(rates, residual, time_tied, cycles_between(row, start, stop), np.uint64(stop - start), total, limit)
    return stop


@compiled
def write_policies(k, saved, count, ledger, sample, counted):
    """Record every counter of every policy as sample ``k``, and what its cycle counter has counted so far."""
    for p in range(count.shape[0]):
        counted[k, p] = ledger[p, CYCLE_SLOT, COUNTED]
        for slot in range(SLOTS):
            sample[k, p, slot] = add_modulo(saved[p, slot], count[p, slot])


@compiled
def follow(
    segment, at, until, step, rate, time_tied, residual, total, mark, limit, increment,
    stream, category, saved, count, left, ledger, overflowed, sample, counted,
):  # fmt: skip
    """Take all policies of a vCPU through its schedule to ``until`` (ns), or to the first ns at which a slot overflows.

    segment: int64 [segment, column], at: int64 [column]; rate: uint64 [rates, event], Q32.32 per cycle (per ns where
    ``time_tied``); residual, total, mark, limit, increment: uint64 [event]; stream, category: int64 [setting, policy,
    slot]; saved, count, left: uint64 [policy, slot]; ledger: uint64 [policy, slot, category]; overflowed: int64
    [policy], 0 before; sample: uint64 [sample, policy, slot], one at every ``step`` ns (0: none), and counted: uint64
    [sample, policy], what the cycle counter has counted so far. ``mark`` and ``limit`` are this function's own and
    begin as zeros. Returns whether a slot has overflowed; every policy is settled then, as at the end.
    """
    while True:
        setting = at[IN_SETTING]
        over = book_policies(
            stream[setting], category[setting], total, mark, increment, count, left, ledger, overflowed
        )
        while step > 0 and at[SAMPLE] < sample.shape[0] and at[SAMPLE] * step <= at[NOW]:
            write_policies(at[SAMPLE], saved, count, ledger, sample, counted)
            at[SAMPLE] += 1
        if over or at[NOW] >= until:
            return over
        if at[SEGMENT] < segment.shape[0]:
            at[IN_SETTING] = setting = segment[at[SEGMENT], SETTING]
        limit_policies(stream[setting], category[setting], total, limit, left)
        stop = until
        if step > 0 and at[SAMPLE] < sample.shape[0]:
            stop = min(stop, at[SAMPLE] * step)
        execute_until(segment, at, stop, rate, time_tied, residual, total, limit)


@compiled
def execute_until(segment, at, stop, rate, time_tied, residual, total, limit):
    """Advance the streams of a vCPU to ``stop``, or to where its setting changes or a stream reaches its limit."""
    while at[NOW] < stop:
        if at[SEGMENT] == segment.shape[0]:
            at[NOW] = stop
            return
        row = segment[at[SEGMENT]]
        if row[SETTING] != at[IN_SETTING]:
            return
        if row[FROM] >= stop:
            at[NOW] = stop
            return
        start = max(at[NOW], row[FROM])
        end = min(row[TO], stop, start + LONGEST_NS)
        rates = rate[row[RATES]]
        cycles, ns = cycles_between(row, start, end), np.uint64(end - start)
        reached = advance(rates, residual, time_tied, cycles, ns, total, limit)
        if reached:
            end = go_back(row, start, end, rates, residual, time_tied, total, limit)
        at[NOW] = end
        if end == row[TO]:
            at[SEGMENT] += 1
        if reached:
            return
