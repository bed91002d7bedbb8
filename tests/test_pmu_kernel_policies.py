"""The policy-parallel kernel against unbounded integers: counters, ledger, samples and the ns of each overflow."""

import bisect
from dataclasses import dataclass

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pmu import kernel
from pmu import kernel_policies as kp
from tests.oracle import OracleSlot, OracleStream
from tests.test_pmu_kernel import EDGES, RATES, RESIDUALS, u64

EVENTS, SETTINGS, POLICIES, USED = 3, 2, 2, 4
MS = 1_000_000
TIED = (0, 0, 1)
MASK = (1 << 64) - 1


@dataclass
class Segment:
    gap: int
    ns: int
    rates: int
    khz: int
    rest: int
    setting: int


SEGMENT = st.builds(
    Segment,
    st.sampled_from([0, 0, 1, 5 * MS]),
    st.one_of(st.sampled_from([1, 2, 999, 1 << 32]), st.integers(1, 3 * MS)),
    st.integers(0, 1),
    st.sampled_from([1, 408_000, 1_000_000, 2_000_001]),
    st.sampled_from([0, 1, 999_999]),
    st.integers(0, SETTINGS - 1),
)
SLOT = st.tuples(
    st.tuples(*[st.integers(-1, EVENTS - 1)] * SETTINGS),
    st.tuples(*[st.integers(0, kernel.CATEGORIES - 1) | st.just(kernel.COUNTED)] * SETTINGS),
    st.one_of(st.sampled_from([0, 1, 5, 1000]), EDGES, st.integers(1, 10**7)),
    EDGES,
)
SLOTS = st.lists(st.lists(SLOT, min_size=USED, max_size=USED), min_size=POLICIES, max_size=POLICIES)
ROWS = st.lists(st.lists(RATES, min_size=EVENTS, max_size=EVENTS), min_size=2, max_size=2)


def placed(segments):
    """Return (from, to, segment) of each, after its gap."""
    rows, t = [], 0
    for segment in segments:
        rows.append((t + segment.gap, t + segment.gap + segment.ns, segment))
        t = rows[-1][1]
    return rows


class Kernel:
    """The arrays of ``follow``, and what it did on its way: the overflows."""

    def __init__(self, segments, rates, residuals, slots, step, samples):
        rows = [(a, b, s.rates, s.khz, s.rest, s.setting) for a, b, s in placed(segments)]
        shape = (POLICIES, kernel.SLOTS)
        self.segment, self.at = np.array(rows, np.int64), np.zeros(kp.AT_COLUMNS, np.int64)
        self.streams = np.zeros((5, EVENTS), np.uint64)
        self.streams[0] = residuals
        self.stream = np.full((SETTINGS, *shape), -1, np.int64)
        self.category = np.full((SETTINGS, *shape), kernel.DISABLED, np.int64)
        self.saved, self.count, self.left = np.zeros((3, *shape), np.uint64)
        self.ledger = np.zeros((*shape, kernel.CATEGORIES), np.uint64)
        for p, row in enumerate(slots):
            for n, (stream, category, left, saved) in enumerate(row):
                self.stream[:, p, n], self.category[:, p, n] = stream, category
                self.left[p, n], self.saved[p, n] = left, saved
        self.rate, self.tied, self.step = u64(rates), np.array(TIED, np.uint8), step
        self.over, self.sample = np.zeros(POLICIES, np.int64), np.zeros((samples, *shape), np.uint64)
        self.counted = np.zeros(self.sample.shape[:2], np.uint64)
        self.overflows = []

    def to(self, until):
        while kp.follow(
            self.segment, self.at, until, self.step, self.rate, self.tied, *self.streams, self.stream, self.category,
            self.saved, self.count, self.left, self.ledger, self.over, self.sample, self.counted,
        ):  # fmt: skip
            self.overflows.append((int(self.at[kp.NOW]), self.over.tolist()))
            self.over[:] = 0


class Oracle:
    """The same by integers: from one cut to the next, at most to the first ns at which a period ends."""

    def __init__(self, segments, rates, residuals, slots, step, samples):
        self.rows, self.rates, self.step = placed(segments), rates, step
        self.streams = [OracleStream(0, r, bool(t)) for r, t in zip(residuals, TIED, strict=True)]
        self.spec = slots
        self.slots = [[OracleSlot(-1, 0, left) for _, _, left, _ in row] for row in slots]
        self.overflows, self.samples, self.most = [], [], samples

    def cuts(self, until):
        found = {until, *(t for row in self.rows for t in row[:2])}
        found |= {k * self.step for k in range(self.most)} if self.step else set()
        return sorted(t for t in found if t <= until)

    def run(self, until):
        t = 0
        for cut in self.cuts(until):
            while t < cut:
                t = self.advance(t, cut)
            if self.step and cut % self.step == 0 and len(self.samples) < self.most:
                self.samples.append([[slot.count for slot in row] for row in self.slots])

    def advance(self, t, stop):
        row = next((row for row in self.rows if row[0] <= t < row[1]), None)
        if row is None:
            return stop
        begin, _, segment = row

        def cycles(until):
            return (segment.rest + segment.khz * (until - begin)) // 10**6

        def gains(until):
            return [
                (s.residual + r * (until - t if s.time_tied else cycles(until) - cycles(t))) >> 32
                for s, r in zip(self.streams, self.rates[segment.rates], strict=True)
            ]

        def ends(until):
            gained = gains(until)
            for slot, (streams, categories, *_) in self.each():
                source = streams[segment.setting]
                counts = source >= 0 and categories[segment.setting] == kernel.COUNTED
                if counts and 0 < slot.left <= gained[source]:
                    return True
            return False

        stop = min(stop, t + 1 + bisect.bisect_left(range(t + 1, stop), True, key=ends))
        for stream, rate in zip(self.streams, self.rates[segment.rates], strict=True):
            stream.rate = rate
        gained = [stream.advance(cycles(stop) - cycles(t), stop - t) for stream in self.streams]
        self.book(stop, segment.setting, gained)
        return stop

    def each(self):
        for row, spec in zip(self.slots, self.spec, strict=True):
            yield from zip(row, spec, strict=True)

    def book(self, t, setting, gained):
        masks = []
        for row, spec in zip(self.slots, self.spec, strict=True):
            mask = 0
            for number, (slot, (streams, categories, *_)) in enumerate(zip(row, spec, strict=True)):
                slot.stream, slot.category = streams[setting], categories[setting]
                if slot.stream >= 0 and slot.add(gained[slot.stream]):
                    mask |= 1 << number
            masks.append(mask)
        if any(masks):
            self.overflows.append((t, masks))


def same(segments, rates, residuals, slots, step, stops=()):
    """Take both through all segments, the kernel with stops on the way, and compare everything."""
    ended = placed(segments)[-1][1] + 7
    samples = min(ended // step + 1, 50) if step else 0
    mine = Kernel(segments, rates, residuals, slots, step, samples)
    want = Oracle(segments, rates, residuals, slots, step, samples)
    want.run(ended)
    for stop in (*sorted(t % ended for t in stops), ended):
        mine.to(stop)
    assert mine.overflows == want.overflows
    assert mine.streams[0].tolist() == [stream.residual for stream in want.streams]
    for p, row in enumerate(want.slots):
        for n, slot in enumerate(row):
            assert (int(mine.count[p, n]), int(mine.left[p, n])) == (slot.count, slot.left), (p, n)
            assert mine.ledger[p, n].tolist() == slot.ledger
            saved = int(mine.saved[p, n])
            assert mine.sample[:, p, n].tolist() == [saved + at[p][n] & MASK for at in want.samples]
    return want


@given(
    st.lists(SEGMENT, min_size=1, max_size=6),
    ROWS,
    st.lists(RESIDUALS, min_size=EVENTS, max_size=EVENTS),
    SLOTS,
    st.sampled_from([0, 0, 1, 777_777, 5 * MS]),
    st.lists(st.integers(0, 10 * MS), max_size=3),
)
def test_every_policy_counts_what_integers_say(segments, rates, residuals, slots, step, stops):
    same(segments, rates, residuals, slots, step, stops)


def counting(left, saved=0, stream=0):
    """A slot that counts in the first setting, and is off its PMU in the second."""
    return ((stream, stream), (kernel.COUNTED, kernel.OFF_PMU), left, saved)


def test_the_longest_run_at_sixteen_events_a_cycle():
    """1000 s at 4 GHz, some 2^46 events: two periods end in the last ns, one would end an event later."""
    segments = [Segment(0, 1000 * 10**9, 0, 4_000_000, 999_999, 0)]
    events = 16 * 4 * 10**12
    row = [counting(events), counting(events + 1), counting(events - 1, saved=MASK), counting(0, stream=2)]
    want = same(segments, [[16 << 32, 1, 1 << 32], [0, 0, 0]], [0, 0, (1 << 32) - 1], [row, row], 0)
    assert [slot.count for slot in want.slots[0]] == [events, events, events, 10**12]
    assert want.overflows == [(10**12, [0b101, 0b101])]


def test_a_policy_counts_what_its_settings_say():
    """1 ms on a core that a policy's PMU covers, 1 ms on another, at 1 GHz and one event a cycle."""
    segments = [Segment(0, MS, 0, 1_000_000, 0, 0), Segment(0, MS, 0, 1_000_000, 0, 1)]
    fixed = ((0, 0), (kernel.COUNTED, kernel.COUNTED), 0, 0)
    want = same(segments, [[1 << 32, 0, 0]] * 2, [0, 0, 0], [[counting(0)] * USED, [fixed] * USED], MS)
    assert (want.slots[0][0].count, want.slots[1][0].count) == (MS, 2 * MS)
    assert want.slots[0][0].ledger[kernel.OFF_PMU] == MS
