"""Many ticks at once: vCPUs and their counters through T ticks, with the tick of every overflow.

Nothing is stepped. What a stream has yielded after the first n ticks has a closed form in the sum of their
spans, so a slot goes from overflow to overflow. docs/performance.md, "The hot loop".
"""

import numpy as np

from pmu.kernel import COUNTED, DIVIDES, LOW, ONE, SHIFT, ZERO, fraction, whole_long
from pmu.kernel_jit import compiled, inlined, released

SLOT_BITS = 6
NEVER = (1 << 63) - 1


@released
def advance_ticks(rate, residual, time_tied, cycles, ns, stream, category, count, left, period, ledger, hits):
    """Advance V vCPUs (one row each) through all ticks; return the number of overflows (of a row at a tick).

    rate, residual: uint64 [vcpu, event]; time_tied: uint8 [event]; cycles, ns: uint64 [tick], their sums
    below 2**59; stream, category, count, left, ledger: of a ``CounterBank``, categories constant.
    period: uint64 [row, slot], from which ``left`` starts anew when a slot overflows, less what happened
    beyond within the tick; 0: the slot overflows once. A slot overflows once a tick at most.
    hits: int64 [n, 3] takes (tick, row, mask of slots) by row and tick; what exceeds n rows is not written.
    """
    upto = running_sums(cycles, ns)
    return advance_rows(rate, residual, time_tied, upto, stream, category, count, left, period, ledger, hits)


@compiled
def advance_rows(rate, residual, time_tied, upto, stream, category, count, left, period, ledger, hits):
    """Do what ``advance_ticks`` does, given the sums of its ticks."""
    end = upto.shape[1] - 1
    total = np.empty(rate.shape[1], np.uint64)
    over = np.empty(stream.shape[1], np.int64)
    due = np.empty(stream.shape[1], np.int64)
    begun = np.empty(stream.shape[1], np.uint64)
    found = 0
    for row in range(rate.shape[0]):
        for e in range(rate.shape[1]):
            total[e] = whole_long(rate[row, e], residual[row, e], upto[time_tied[e], end])
        n = book_row(row, stream, category, count, left, ledger, total, over)
        if n > 0:
            begin_row(row, n, over, rate, residual, time_tied, stream, left, upto, due, begun)
            found = report_row(
                row, n, over, rate, residual, time_tied, total, stream, left, period, upto, due, begun, hits, found
            )
        for e in range(rate.shape[1]):
            residual[row, e] = fraction(rate[row, e], residual[row, e], upto[time_tied[e], end] & LOW)
    return found


@compiled
def running_sums(cycles, ns):
    """Return the cycles (row 0) and ns (row 1) that have passed before each tick and after all: uint64 [2, T + 1]."""
    upto = np.empty((2, cycles.shape[0] + 1), np.uint64)
    sum_spans(cycles, upto, 0)
    sum_spans(ns, upto, 1)
    return upto


@compiled
def sum_spans(spans, upto, tied):
    """Set row ``tied`` of the running sums; one row at a time, its sum in a register."""
    passed = ZERO
    for tick in range(spans.shape[0]):
        upto[tied, tick] = passed
        passed += spans[tick]
    upto[tied, spans.shape[0]] = passed


@inlined
def book_row(row, stream, category, count, left, ledger, total, over):
    """Book the events of all ticks in every slot of a row; list the slots that overflow and return how many.

    ``left`` of those stays as it is.
    """
    n = 0
    for slot in range(stream.shape[1]):
        source = stream[row, slot]
        if source < 0:
            continue
        events = total[source]
        where = category[row, slot]
        ledger[row, slot, where] += events
        if where != COUNTED:
            continue
        count[row, slot] += events
        room = left[row, slot]
        if room == ZERO:
            continue
        if events < room:
            left[row, slot] = room - events
        else:
            over[n] = slot
            n += 1
    return n


@inlined
def begin_row(row, n, over, rate, residual, time_tied, stream, left, upto, due, begun):
    """Find the first overflow of each of the ``n`` slots in ``over``."""
    for k in range(n):
        source = stream[row, over[k]]
        begun[k] = ZERO
        tick = tick_of(left[row, over[k]], rate[row, source], residual[row, source], upto, time_tied[source])
        due[k] = tick << SLOT_BITS | k


@inlined
def report_row(row, n, over, rate, residual, time_tied, total, stream, left, period, upto, due, begun, hits, found):
    """Report the overflows of a row, tick by tick; ``left`` of its slots is then that after the last tick.

    over: int64 [n], the slots; due: int64 [n], the tick of the next overflow and the place in ``over`` in one
    number, or NEVER; begun: uint64 [n], what the stream had yielded when the running period began.
    """
    last = -1
    while True:
        first = NEVER
        for k in range(n):
            first = min(first, due[k])
        if first == NEVER:
            break
        tick, k = first >> SLOT_BITS, first & (1 << SLOT_BITS) - 1
        slot = over[k]
        if tick != last:
            report(found, tick, row, hits)
            found += 1
            last = tick
        if found <= hits.shape[0]:
            hits[found - 1, 2] |= 1 << slot
        source = stream[row, slot]
        done = whole_long(rate[row, source], residual[row, source], upto[time_tied[source], tick + 1])
        room = rest_of_period(period[row, slot], done - begun[k] - left[row, slot])
        rest = total[source] - done
        begun[k] = done
        if room != ZERO and room <= rest:
            left[row, slot] = room
            tick = tick_of(done + room, rate[row, source], residual[row, source], upto, time_tied[source])
            due[k] = tick << SLOT_BITS | k
        else:
            left[row, slot] = room - rest if room != ZERO else ZERO
            due[k] = NEVER
    return found


@inlined
def report(found, tick, row, hits):
    """Begin the report of a tick with overflows of a row."""
    if found < hits.shape[0]:
        hits[found, 0] = tick
        hits[found, 1] = row
        hits[found, 2] = 0


@compiled
def rest_of_period(period, excess):
    """Return the events left of the period in which ``excess`` events beyond the end of the last one fall."""
    if period == ZERO:
        return ZERO
    if excess >= period:
        excess %= period
    return period - excess


@compiled
def tick_of(need, rate, residual, upto, tied):
    """Return the first tick after which a stream has yielded ``need`` events, which it has after the last.

    A division to the span and bisection among sums; bisection among yields where ``need`` is too large for that.
    """
    tick, rest = 0, upto.shape[1] - 1
    if need < DIVIDES:
        span = ((need << SHIFT) - residual + rate - ONE) // rate
        while rest > 1:
            half = rest >> 1
            tick += half * int(upto[tied, tick + half] < span)
            rest -= half
        return tick
    while rest > 1:
        half = rest >> 1
        tick += half * int(whole_long(rate, residual, upto[tied, tick + half]) < need)
        rest -= half
    return tick
