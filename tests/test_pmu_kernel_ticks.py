"""Many ticks at once, with records and without, and one settled row: against the oracle, which takes every tick."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pmu import kernel_settle
from pmu.bank import CounterBank
from pmu.kernel_record import BLOCK, CACHED, record_ticks
from pmu.kernel_ticks import advance_ticks
from tests import oracle
from tests.scenes import PLAIN

Q32 = 1 << 32
DAY_NS = 86_400 * 10**9
DAY_CYCLES = 3 * DAY_NS
MOST = (1 << 64) - 1
RATES = st.one_of(st.sampled_from([0, 1, Q32 - 1, Q32, Q32 + 1, (16 << 32) - 1, 16 << 32]), st.integers(0, 16 << 32))
RESIDUALS = st.one_of(st.sampled_from([0, 1, Q32 - 1]), st.integers(0, Q32 - 1))
SPANS = st.one_of(
    st.integers(0, 20),
    st.integers(0, 1 << 20),
    st.sampled_from([1, Q32 - 1, Q32, Q32 + 1, DAY_NS, DAY_CYCLES]),
)
PERIODS = st.one_of(st.sampled_from([0, 1, 2, Q32 - 1, Q32, 1 << 63, MOST]), st.integers(0, 5000))
COUNTS = st.sampled_from([0, Q32 - 1, Q32, (1 << 63) - 1, 1 << 63])
SAVED = st.one_of(COUNTS, st.just(MOST))
CATEGORY = st.one_of(st.just(oracle.COUNTED), st.integers(0, 7))


def u64(values):
    return np.array(values, np.uint64)


@dataclass(frozen=True)
class Slot:
    stream: int
    category: int
    left: int
    period: int
    saved: int
    count: int


@dataclass(frozen=True)
class Spec:
    """What both sides start from."""

    rates: list
    residuals: list
    tied: list
    slots: list  # of each row
    icntr: bool = False


class Rig:
    """The arrays of the kernels."""

    def __init__(self, spec):
        self.bank = bank = CounterBank(len(spec.rates), spec.icntr)
        self.rate, self.residual = u64(spec.rates), u64(spec.residuals)
        self.tied = np.array(spec.tied, np.uint8)
        self.period = np.zeros_like(bank.left)
        for row, slots in enumerate(spec.slots):
            for number, slot in enumerate(slots, bank.slots - len(slots)):
                at = row, number
                bank.stream[at], bank.category[at] = slot.stream, slot.category
                bank.left[at], self.period[at], bank.saved[at], bank.count[at] = u64(
                    [slot.left, slot.period, slot.saved, slot.count]
                )

    def advance(self, ticks, samples=None, room=1000):
        """Return the overflows, and the record if there is one."""
        b = self.bank
        cycles, ns = u64([tick[0] for tick in ticks]), u64([tick[1] for tick in ticks])
        streams = (self.rate, self.residual, self.tied, cycles, ns, b.stream, b.category)
        hits = np.full((room, 3), -1, np.int64)
        rest = (b.count, b.left, self.period, b.ledger, hits)
        if samples is None:
            found = advance_ticks(*streams, *rest)
            return [tuple(hit) for hit in hits[:found].tolist()]
        record = np.full((*b.stream.shape, samples), 7, np.uint64)
        found = record_ticks(*streams, b.saved, *rest, record)
        return [tuple(hit) for hit in hits[:found].tolist()], record

    def state(self):
        return [array.tolist() for array in (self.residual, self.bank.count, self.bank.left, self.bank.ledger)]


class Truth:
    """The same on unbounded integers, tick by tick."""

    def __init__(self, spec):
        self.width = 32 + spec.icntr
        self.saved = [[slot.saved for slot in slots] for slots in spec.slots]
        self.streams = [
            [oracle.OracleStream(*stream) for stream in zip(rates, residuals, map(bool, spec.tied), strict=True)]
            for rates, residuals in zip(spec.rates, spec.residuals, strict=True)
        ]
        self.slots = [
            [oracle.OracleSlot(s.stream, s.category, s.left, s.count, period=s.period) for s in slots]
            for slots in spec.slots
        ]

    def advance(self, ticks):
        """Return the overflows by row and tick, and the values of all slots after each tick: [row][tick][slot]."""
        hits: list[tuple] = []
        values: list[list] = []
        for row, (streams, slots) in enumerate(zip(self.streams, self.slots, strict=True)):
            first = self.width - len(slots)
            values.append([])
            for number, tick in enumerate(ticks):
                over = oracle.advance(streams, slots, *tick)
                if over:
                    hits.append((number, row, sum(1 << first + slot for slot in over)))
                counted = [(saved + s.count) % (1 << 64) for saved, s in zip(self.saved[row], slots, strict=True)]
                values[-1].append([0] * first + counted)
        return hits, values

    def state(self):
        rows = [[oracle.OracleSlot(0, 1, 0)] * (self.width - len(slots)) + slots for slots in self.slots]
        residuals = [[stream.residual for stream in streams] for streams in self.streams]
        return [residuals, *([[getattr(s, name) for s in row] for row in rows] for name in ("count", "left", "ledger"))]


@st.composite
def specs(draw, rows=2):
    events = draw(st.integers(1, 4))
    slot = st.builds(Slot, st.integers(0, events - 1), CATEGORY, PERIODS, PERIODS, SAVED, COUNTS)
    many = {"min_size": events, "max_size": events}
    return Spec(
        [draw(st.lists(RATES, **many)) for _ in range(rows)],
        [draw(st.lists(RESIDUALS, **many)) for _ in range(rows)],
        draw(st.lists(st.integers(0, 1), **many)),
        [draw(st.lists(slot, min_size=1, max_size=6)) for _ in range(rows)],
        draw(st.booleans()),
    )


TICKS = st.lists(st.tuples(SPANS, SPANS), min_size=1, max_size=12)
ONE_CYCLE = [(1, 1)] * 12
FASTEST = Spec([[16 << 32]], [[Q32 - 1]], [0], [[Slot(0, 0, 1, 1, MOST, 0), Slot(0, 0, MOST, MOST, 0, 0)]])
TINY = Spec([[1]], [[Q32 - 3]], [0], [[Slot(0, 0, 1, 1, 0, 1 << 63)]])
LATE = Spec([[16 << 32]], [[0]], [0], [[Slot(0, 0, 1 << 40, 1 << 33, 0, 0)]])  # more than a division can tell


@given(specs(), TICKS)
@example(FASTEST, ONE_CYCLE)
@example(TINY, ONE_CYCLE)
@example(LATE, [(Q32 - 1, 1)] * 30)
@example(FASTEST, [(DAY_CYCLES, DAY_NS)] * 3)
def test_ticks_equal_the_oracle(spec, ticks):
    rig, truth = Rig(spec), Truth(spec)
    assert rig.advance(ticks) == truth.advance(ticks)[0]
    assert rig.state() == truth.state()


@given(specs(), TICKS, st.integers(1, 3))
@example(FASTEST, ONE_CYCLE, 1)
@example(FASTEST, [(DAY_CYCLES, DAY_NS)] * 2, 1)
@example(LATE, [(Q32 // 12, 0)] * 12, 1)  # just within 32 bits
def test_records_equal_the_oracle(spec, ticks, every):
    ticks = ticks * every  # a multiple of it
    rig, truth = Rig(spec), Truth(spec)
    hits, record = rig.advance(ticks, len(ticks) // every)
    expected, values = truth.advance(ticks)
    assert hits == expected
    assert rig.state() == truth.state()
    assert record.transpose(0, 2, 1).tolist() == [row[every - 1 :: every] for row in values]


@given(specs(), TICKS, st.data())
def test_split(spec, ticks, data):
    """Law 1: the ticks in two calls give what they give in one, overflows and records included."""
    part = data.draw(st.integers(0, len(ticks)))
    whole, split = Rig(spec), Rig(spec)
    hits, record = whole.advance(ticks, len(ticks))
    parts = [split.advance(some, len(some)) for some in (ticks[:part], ticks[part:]) if some]
    shifted = [
        (tick + start, row, mask)
        for start, (found, _) in zip((0, part), parts, strict=False)
        for tick, row, mask in found
    ]
    if part not in (0, len(ticks)):
        assert sorted(shifted, key=lambda hit: (hit[1], hit[0])) == hits
    assert np.array_equal(np.concatenate([values for _, values in parts], axis=2), record)
    assert whole.state() == split.state()


@given(specs(), TICKS)
def test_the_length_of_a_tick_changes_no_number(spec, ticks):
    """Law 2: one tick as long as all gives the same counters; the same slots overflow."""
    stepped, strode = Rig(spec), Rig(spec)
    short = stepped.advance(ticks)
    long = strode.advance([tuple(map(sum, zip(*ticks, strict=True)))])
    assert stepped.state() == strode.state()
    assert slots_by_row(short) == slots_by_row(long)


def slots_by_row(hits):
    found: dict[int, int] = {}
    for _, row, mask in hits:
        found[row] = found.get(row, 0) | mask
    return found


def test_an_overflow_is_reported_at_its_tick_and_the_next_period_is_shorter_by_what_is_beyond():
    spec = Spec([[Q32]], [[0]], [0], [[Slot(0, 0, 25, 100, 0, 0)]])
    rig = Rig(spec)
    assert rig.advance([(10, 1)] * 12) == [(2, 0, 1 << 31)]
    assert int(rig.bank.left[0, 31]) == 5
    assert rig.advance([(10, 1)]) == [(0, 0, 1 << 31)]
    assert int(rig.bank.left[0, 31]) == 95


def test_a_slot_without_a_period_overflows_once():
    rig = Rig(Spec([[Q32]], [[0]], [0], [[Slot(0, 0, 25, 0, 0, 0)]]))
    assert rig.advance([(10, 1)] * 12) == [(2, 0, 1 << 31)]
    assert int(rig.bank.left[0, 31]) == 0
    assert int(rig.bank.count[0, 31]) == 120


def test_overflows_beyond_the_room_are_counted_and_not_written():
    rig = Rig(Spec([[Q32]], [[0]], [0], [[Slot(0, 0, 1, 1, 0, 0)]]))
    hits = np.full((3, 3), -1, np.int64)
    b, spans = rig.bank, u64([1] * 5)
    found = advance_ticks(
        rig.rate, rig.residual, rig.tied, spans, spans, b.stream, b.category, b.count, b.left, rig.period, b.ledger,
        hits[:2],
    )  # fmt: skip
    assert found == 5
    assert hits.tolist() == [[0, 0, 1 << 31], [1, 0, 1 << 31], [-1, -1, -1]]


@pytest.mark.skipif(PLAIN, reason="a million values one by one")
@pytest.mark.parametrize("offset", [0, 1, 7])
def test_a_record_larger_than_the_caches_equals_its_parts(offset):
    """Beyond a size lines go past the caches, whatever the alignment."""
    samples = CACHED // 8 // 32 + BLOCK + 3
    spec = Spec(
        [[3 * Q32 + 12345, Q32 // 7]], [[99, Q32 - 1]], [0, 1], [[Slot(n % 2, n % 3, 0, 0, n, 0) for n in range(32)]]
    )
    ticks = [(number * 7919 % 3000, 1000) for number in range(samples)]
    big, small = Rig(spec), Rig(spec)
    memory = np.zeros(32 * samples + 8, np.uint64)
    record = memory[offset : offset + 32 * samples].reshape(1, 32, samples)
    b, cycles, ns = big.bank, u64([tick[0] for tick in ticks]), u64([tick[1] for tick in ticks])
    record_ticks(
        big.rate, big.residual, big.tied, cycles, ns, b.stream, b.category, b.saved, b.count, b.left, big.period,
        b.ledger, np.zeros((1, 3), np.int64), record,
    )  # fmt: skip
    half = samples // 2
    parts = [small.advance(some, len(some))[1] for some in (ticks[:half], ticks[half:])]
    assert np.array_equal(record, np.concatenate(parts, axis=2))
    assert not memory[:offset].any()
    assert not memory[offset + 32 * samples :].any()


@given(specs(rows=1), TICKS)
@example(FASTEST, [(DAY_CYCLES, DAY_NS)] * 3)
def test_a_settled_row_equals_the_oracle(spec, strides):
    words = np.zeros(kernel_settle.WORDS, np.uint64)
    row = words.view(kernel_settle.ROW)[0]
    row["streams"] = n = len(spec.tied)
    row["rate"][:n], row["residual"][:n], row["time_tied"][:n] = spec.rates[0], spec.residuals[0], spec.tied
    row["stream"] = -1
    for number, slot in enumerate(spec.slots[0]):
        at = 0, number
        row["stream"][at], row["category"][at] = slot.stream, slot.category
        row["left"][at], row["count"][at] = u64([slot.left, slot.count])
    truth = Truth(
        Spec(
            spec.rates,
            spec.residuals,
            spec.tied,
            [[Slot(s.stream, s.category, s.left, 0, 0, s.count) for s in spec.slots[0]]],
        )
    )
    for stride in strides:
        over = oracle.advance(truth.streams[0], truth.slots[0], *stride)
        assert kernel_settle.settle(words, *stride) == sum(1 << slot for slot in over)
    for number, slot in enumerate(truth.slots[0]):
        at = 0, number
        assert (int(row["count"][at]), int(row["left"][at])) == (slot.count, slot.left)
        assert row["ledger"][at].tolist() == slot.ledger
    assert row["residual"][:n].tolist() == [stream.residual for stream in truth.streams[0]]
