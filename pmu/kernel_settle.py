"""One row settled by one stride, in one call: for owners in Python, to whom each array of a call costs 0.1 us.

A row with its streams is one run of words, so that the call has one array. Compiled code that has its state in
arrays calls ``pmu.kernel`` directly.
"""

import numpy as np

from pmu.kernel import CATEGORIES, LOW, SLOTS, count_slots, fraction, whole_long
from pmu.kernel_jit import compiled

STREAMS = SLOTS  # more than one a counter, no row needs

ROW = np.dtype(
    [
        ("streams", np.int64),
        ("rate", np.uint64, STREAMS),
        ("residual", np.uint64, STREAMS),
        ("increment", np.uint64, STREAMS),
        ("time_tied", np.uint8, STREAMS),
        ("stream", np.int64, (1, SLOTS)),
        ("category", np.int64, (1, SLOTS)),
        ("count", np.uint64, (1, SLOTS)),
        ("left", np.uint64, (1, SLOTS)),
        ("ledger", np.uint64, (1, SLOTS, CATEGORIES)),
    ]
)
"""A row: the number of its streams, their state as in ``pmu.kernel``, and slots as in a ``CounterBank`` of one row."""
WORDS = ROW.itemsize // 8


@compiled
def settle(words, cycles, ns):
    """Advance the streams of a row by ``cycles`` and ``ns`` (both < 2**59) and book them; return the overflow mask.

    words: uint64 [WORDS], a ``ROW``. The caller stops at overflows, as with ``count_slots``.
    """
    row = words.view(ROW)[0]
    rate, residual, time_tied, increment = row["rate"], row["residual"], row["time_tied"], row["increment"]
    for e in range(row["streams"]):
        span = np.uint64(ns) if time_tied[e] else np.uint64(cycles)
        increment[e] = whole_long(rate[e], residual[e], span)
        residual[e] = fraction(rate[e], residual[e], span & LOW)
    return count_slots(0, row["stream"], row["category"], row["count"], row["left"], row["ledger"], increment)
