"""Laws 1 to 3 on the counter kernel itself: split, ticks, overflow; against the oracle, at the edges of 64 bits."""

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from pmu import kernel
from pmu.bank import CounterBank
from tests import oracle

Q32 = 1 << 32
RATES = st.one_of(
    st.sampled_from([0, 1, Q32 - 1, Q32, Q32 + 1, (16 << 32) - 1]),
    st.integers(0, (16 << 32) - 1),
)
RESIDUALS = st.one_of(st.sampled_from([0, 1, Q32 - 1]), st.integers(0, Q32 - 1))
SPANS = st.one_of(st.sampled_from([1, 2, Q32 - 1]), st.integers(1, Q32 - 1))
EDGES = st.sampled_from([0, 1, Q32 - 1, Q32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])


def u64(values) -> np.ndarray:
    return np.array(values, np.uint64)


class Rig:
    """Kernel arrays of V vCPUs with E streams, beside the oracle's twins."""

    def __init__(self, rates, residuals, tied, slots):
        vcpus = len(rates)
        self.bank = CounterBank(vcpus)
        self.rate, self.residual = u64(rates), u64(residuals)
        self.tied = np.array(tied, np.uint8)
        self.increment = np.zeros(len(tied), np.uint64)
        self.streams = [
            [oracle.OracleStream(r, f, bool(t)) for r, f, t in zip(row, rest, tied, strict=True)]
            for row, rest in zip(rates, residuals, strict=True)
        ]
        self.slots = []
        for v in range(vcpus):
            row = []
            for number, (stream, category, left, saved) in enumerate(slots[v]):
                self.bank.stream[v, number] = stream
                self.bank.category[v, number] = category
                self.bank.left[v, number] = np.uint64(left)
                self.bank.saved[v, number] = np.uint64(saved)
                row.append(oracle.OracleSlot(stream, category, left))
            self.slots.append(row)

    def advance(self, v, cycles, ns):
        b = self.bank
        kernel.advance_streams(
            self.rate[v], self.residual[v], self.tied, np.uint64(cycles), np.uint64(ns), self.increment
        )
        mask = kernel.count_slots(v, b.stream, b.category, b.count, b.left, b.ledger, self.increment)
        return [slot for slot in range(32) if mask >> slot & 1]

    def same(self, other) -> bool:
        names = ("count", "left", "ledger", "saved")
        return np.array_equal(self.residual, other.residual) and all(
            np.array_equal(getattr(self.bank, name), getattr(other.bank, name)) for name in names
        )

    def matches_oracle(self) -> bool:
        for v, (streams, slots) in enumerate(zip(self.streams, self.slots, strict=True)):
            if [int(r) for r in self.residual[v]] != [s.residual for s in streams]:
                return False
            for number, slot in enumerate(slots):
                got = (
                    int(self.bank.count[v, number]),
                    int(self.bank.left[v, number]),
                    [int(x) for x in self.bank.ledger[v, number]],
                )
                if got != (slot.count, slot.left, slot.ledger):
                    return False
        return True


@st.composite
def rigs(draw, vcpus=1):
    events = draw(st.integers(1, 5))
    tied = draw(st.lists(st.booleans(), min_size=events, max_size=events))
    rates = [draw(st.lists(RATES, min_size=events, max_size=events)) for _ in range(vcpus)]
    rests = [draw(st.lists(RESIDUALS, min_size=events, max_size=events)) for _ in range(vcpus)]
    slot = st.tuples(st.integers(0, events - 1), st.integers(0, 7), st.sampled_from([0, 1 << 40, (1 << 64) - 1]), EDGES)
    slots = [draw(st.lists(slot, min_size=1, max_size=32)) for _ in range(vcpus)]
    return rates, rests, tied, slots


@given(rigs(), SPANS, SPANS)
def test_kernel_equals_oracle(spec, cycles, ns):
    rig = Rig(*spec)
    assert rig.advance(0, cycles, ns) == oracle.advance(rig.streams[0], rig.slots[0], cycles, ns)
    assert rig.matches_oracle()


@given(rigs(), st.integers(1, Q32 - 2), st.data())
def test_split(spec, total, data):
    """Law 1: one stride equals its two parts, bit for bit."""
    part = data.draw(st.integers(0, total))
    whole, split = Rig(*spec), Rig(*spec)
    whole.advance(0, total, total)
    split.advance(0, part, part)
    split.advance(0, total - part, total - part)
    assert whole.same(split)


@given(RATES, RESIDUALS, st.integers(1, 1 << 36), SPANS)
@example(Q32, Q32 - 1, 1, 1)
@example(1, 0, 1, Q32 - 1)
@example((16 << 32) - 1, Q32 - 1, (1 << 31) - 1, Q32 - 1)
@example((16 << 32) - 1, 0, 1 << 31, Q32 - 1)
@example(Q32, 0, 1 << 31, Q32 - 1)
def test_overflow_is_predicted_at_its_first_span(rate, residual, need, horizon):
    """Law 3: one span less yields too little, the predicted span enough; 0 where the horizon comes first."""
    u = np.uint64
    span = int(kernel.span_until(u(rate), u(residual), u(need), u(horizon)))
    truth = oracle.first_overflow(
        [oracle.OracleStream(rate, residual)], [oracle.OracleSlot(0, oracle.COUNTED, need)], horizon
    )
    assert span == (truth or 0)


@given(rigs(), SPANS)
def test_first_overflow_of_a_row(spec, horizon):
    rates, rests, _, slots = spec
    events = len(rates[0])
    slots = [[(s, c, max(1, left % 5000), saved) for s, c, left, saved in slots[0]]]
    rig = Rig(rates, rests, [False] * events, slots)
    b = rig.bank
    bound = np.uint64(min(horizon + 1, Q32 - 1))
    cycles, _ = kernel.span_to_overflow(
        0, b.stream, b.category, b.left, rig.rate[0], rig.residual[0], rig.tied, bound, np.uint64(1)
    )
    truth = oracle.first_overflow(rig.streams[0], rig.slots[0], int(bound) - 1)
    assert int(cycles) == (truth if truth is not None else int(bound))
    if truth is not None:
        overflowed = rig.advance(0, truth, truth)
        assert overflowed
        assert overflowed == oracle.advance(rig.streams[0], rig.slots[0], truth, truth)


@given(EDGES, EDGES)
def test_add_modulo_wraps_without_a_warning(a, b):
    assert int(kernel.add_modulo(np.uint64(a), np.uint64(b))) == (a + b) % (1 << 64)
