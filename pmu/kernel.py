"""The counter kernel: event streams and counters, advanced exactly in integers.

Free functions on ``uint64`` arrays; they know no simulator, no policy and no register. A stream turns
cycles (or nanoseconds) into whole events and keeps the fraction; a slot of a row adds the whole events of
its stream to the category that its owner has set. Formulas: docs/model.md, "Event streams" and "Ledger".
"""

import numpy as np

from pmu.kernel_jit import compiled

SLOTS = 32
CYCLE_SLOT = 31
INSTRUCTION_SLOT = 32  # a column more, in banks that are made for FEAT_PMUv3_ICNTR
CATEGORIES = 8
COUNTED, DISABLED, FILTERED, EXCLUDED_LEVEL, NO_EVENT, OFF_PMU, NO_HOST_COUNTER, OTHER = range(CATEGORIES)

ZERO = np.uint64(0)
ONE = np.uint64(1)
SHIFT = np.uint64(32)
LOW = np.uint64(0xFFFFFFFF)
TOP = np.uint64(0xFFFFFFFFFFFFFFFF)
DIVIDES = np.uint64(1 << 31)


@compiled
def whole(rate, residual, span):
    """Return the whole events of a stream after ``span`` cycles (or ns); span < 2**32, rate < 2**36."""
    return (rate >> SHIFT) * span + ((residual + (rate & LOW) * span) >> SHIFT)


@compiled
def fraction(rate, residual, span):
    """Return the Q32 residual that a stream keeps after ``span`` cycles (or ns); span < 2**32."""
    return (residual + (rate & LOW) * span) & LOW


@compiled
def whole_long(rate, residual, span):
    """Return what ``whole`` returns, for any span < 2**59: multiples of 2**32 leave no fraction."""
    return rate * (span >> SHIFT) + whole(rate, residual, span & LOW)


@compiled
def span_until(rate, residual, need, horizon):
    """Return the smallest span in 1..horizon that yields ``need`` (>= 1) whole events, or 0 if none does.

    A division where ``need`` in Q32 fits 64 bits with room for the rate, a binary search beyond.
    """
    if whole(rate, residual, horizon) < need:
        return ZERO
    if need < DIVIDES:
        return ((need << SHIFT) - residual + rate - ONE) // rate
    low, high = ZERO, horizon
    while high - low > ONE:
        middle = (low + high) >> ONE
        if whole(rate, residual, middle) < need:
            low = middle
        else:
            high = middle
    return high


@compiled
def advance_streams(rate, residual, time_tied, cycles, ns, increment):
    """Advance every stream of one vCPU by ``cycles`` and ``ns`` (both < 2**32).

    rate, residual, increment: uint64 [event]; time_tied: uint8 [event], 1 where the rate is per ns.
    The whole events go to ``increment``, the Q32 fraction stays in ``residual``.
    """
    for e in range(rate.shape[0]):
        span = ns if time_tied[e] else cycles
        increment[e] = whole(rate[e], residual[e], span)
        residual[e] = fraction(rate[e], residual[e], span)


@compiled
def add_modulo(a, b):
    """Return a + b modulo 2**64 without ever wrapping on the way."""
    room = TOP - a
    return a + b if b <= room else b - room - ONE


@compiled
def count_slots(row, stream, category, count, left, ledger, increment):
    """Book ``increment`` (uint64 [event]) in every slot of one row; return the mask of slots that overflowed.

    A slot overflows when the events left of its sample period are used up. The caller stops at the first
    ns at which that is so; what happened beyond within this ns is in the count, from which the owner takes
    the next period.
    """
    overflowed = 0
    for slot in range(SLOTS):
        source = stream[row, slot]
        if source >= 0 and increment[source] != ZERO:
            if count_events(row, slot, category, count, left, ledger, increment[source]):
                overflowed |= 1 << slot
    return overflowed


@compiled
def count_instructions(row, stream, category, count, left, ledger, increment):
    """Do what ``count_slots`` does for the instruction counter, in a bank that has its column.

    A function of its own: a loop to the array's bound costs ``count_slots`` a fifth of its speed.
    """
    source = stream[row, INSTRUCTION_SLOT]
    if source < 0 or increment[source] == ZERO:
        return 0
    over = count_events(row, INSTRUCTION_SLOT, category, count, left, ledger, increment[source])
    return 1 << INSTRUCTION_SLOT if over else 0


@compiled
def count_events(row, slot, category, count, left, ledger, events):
    """Book ``events`` (uint64) in one slot; return whether its sample period has just ended."""
    where = category[row, slot]
    ledger[row, slot, where] += events
    if where != COUNTED:
        return False
    count[row, slot] += events
    room = left[row, slot]
    if room == ZERO:
        return False
    over = events >= room
    left[row, slot] = ZERO if over else room - events  # one store: two in branches cost seven times the time
    return over


@compiled
def span_to_overflow(row, stream, category, left, rate, residual, time_tied, cycles, ns):
    """Return the ``(cycles, ns)`` spans after which the first slot of a row overflows.

    ``cycles`` and ``ns`` (1..2**32) are exclusive bounds and come back unchanged where no slot overflows
    before them. Streams tied to time limit the second figure, all others the first.
    """
    for slot in range(stream.shape[1]):
        source = stream[row, slot]
        if source < 0 or category[row, slot] != COUNTED or left[row, slot] == ZERO:
            continue
        bound = ns if time_tied[source] else cycles
        span = span_until(rate[source], residual[source], left[row, slot], bound - ONE)
        if span != ZERO:
            if time_tied[source]:
                ns = span
            else:
                cycles = span
    return cycles, ns
