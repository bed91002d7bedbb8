"""Many ticks at once, with the value of every counter after each n-th of them.

Ticks are taken in blocks. Each block computes what the streams have yielded up to each sample once, and then
adds it to the value from which each counter started. docs/performance.md, "The hot loop".
"""

import numpy as np

from pmu.kernel import COUNTED, LOW, SHIFT, ZERO, add_modulo, fraction, whole_long
from pmu.kernel_jit import compiled, inlined, released
from pmu.kernel_line import LANES, add_line, add_line_past
from pmu.kernel_ticks import advance_rows, running_sums

BLOCK = 512  # samples: the sums of eight streams fit the first cache
CACHED = 8 << 20  # bytes: a longer record is stored past the caches


@released
def record_ticks(
    rate, residual, time_tied, cycles, ns, stream, category, saved, count, left, period, ledger, hits, record
):
    """Do what ``advance_ticks`` does, and record the counters' values (saved plus counted, modulo 2**64).

    record: uint64 [row, slot, sample], C-contiguous, as its addresses are computed; with S >= 1 samples every
    T // S-th tick is one, which must divide T.
    """
    upto = running_sums(cycles, ns)
    samples = record.shape[2]
    every = cycles.shape[0] // samples
    since = np.empty((2, BLOCK), np.uint32)
    parts = np.empty((2, rate.shape[1]), np.uint32)
    events = np.empty((rate.shape[1] + 1, BLOCK), np.uint64)
    events[rate.shape[1]] = ZERO  # of slots that do not count
    for first in range(0, samples, BLOCK):
        n = min(BLOCK, samples - first)
        start = first * every
        narrow = fits(upto, start, n * every)
        if narrow:
            spans_since(upto, start, n, every, since)
        for row in range(rate.shape[0]):
            for e in range(rate.shape[1]):
                parts[0, e] = rate[row, e] & LOW
                parts[1, e] = rate[row, e] >> SHIFT
            for e in range(rate.shape[1]):
                tied = time_tied[e]
                if narrow:
                    base = whole_long(rate[row, e], residual[row, e], upto[tied, start])
                    rest = fraction(rate[row, e], residual[row, e], upto[tied, start] & LOW)
                    yield_narrow(base, rest, parts, e, since, tied, n, events)
                else:
                    yield_wide(rate[row, e], residual[row, e], upto, start, every, tied, n, events, e)
            record_row(row, stream, category, saved, count, events, first, n, record)
    return advance_rows(rate, residual, time_tied, upto, stream, category, count, left, period, ledger, hits)


@compiled
def fits(upto, start, ticks):
    """Tell whether the spans of ``ticks`` ticks from tick ``start`` on together fit 32 bits."""
    end = start + ticks
    return upto[0, end] - upto[0, start] <= LOW and upto[1, end] - upto[1, start] <= LOW


@compiled
def spans_since(upto, start, n, every, since):
    """Set the spans from tick ``start`` to each sample: uint32 [2, sample]."""
    for tied in range(2):
        before = upto[tied, start]
        if every == 1:
            for k in range(n):
                since[tied, k] = upto[tied, np.uint64(start + 1) + np.uint64(k)] - before
        else:
            for k in range(n):
                since[tied, k] = upto[tied, start + (k + 1) * every] - before


@compiled
def yield_narrow(base, rest, parts, e, since, tied, n, events):
    """Set the events of stream ``e`` for each span in ``since``, all factors being of 32 bits."""
    low, high = np.uint64(parts[0, e]), np.uint64(parts[1, e])
    for k in range(n):
        span = np.uint64(since[tied, k])
        events[e, k] = base + (high * span + ((rest + low * span) >> SHIFT))


@compiled
def yield_wide(rate, residual, upto, start, every, tied, n, events, e):
    """Set the events of stream ``e`` from the first tick to each sample after tick ``start``, however long."""
    for k in range(n):
        events[e, k] = whole_long(rate, residual, upto[tied, start + (k + 1) * every])


@compiled
def record_row(row, stream, category, saved, count, events, first, n, record):
    """Record the samples of one block of a row."""
    past = record.size > CACHED // 8
    for slot in range(stream.shape[1]):
        base = add_modulo(saved[row, slot], count[row, slot])
        source = stream[row, slot]
        if source < 0 or category[row, slot] != COUNTED:
            source = events.shape[0] - 1
        at = (row * record.shape[1] + slot) * record.shape[2] + first
        begin = min(n, -(record.ctypes.data // 8 + at) % LANES)
        end = n - (n - begin) % LANES
        add_events(base, events, source, 0, begin, record, row, slot, first)
        if past:
            for k in range(begin, end, LANES):
                add_line_past(base, events, source, k, record, at + k)
        else:
            for k in range(begin, end, LANES):
                add_line(base, events, source, k, record, at + k)
        add_events(base, events, source, end, n, record, row, slot, first)


@inlined
def add_events(base, events, source, begin, end, record, row, slot, first):
    """Set samples ``begin`` to ``end`` of a block to base plus the events of a stream, modulo 2**64."""
    for k in range(begin, end):
        record[row, slot, first + k] = add_modulo(base, events[source, k])
