"""An independent model of streams and counters on unbounded Python integers; imports nothing of the project."""

from dataclasses import dataclass, field

Q = 1 << 32
COUNTED = 0
CATEGORIES = 8


@dataclass
class OracleStream:
    """exact = residual + rate * span; increment = exact >> 32; residual = exact mod 2**32."""

    rate: int
    residual: int = 0
    time_tied: bool = False

    def advance(self, cycles: int, ns: int) -> int:
        exact = self.residual + self.rate * (ns if self.time_tied else cycles)
        self.residual = exact % Q
        return exact // Q


@dataclass
class OracleSlot:
    """A counter: where it books, what its host event has counted, how many events are left of its period.

    ``period`` is the next one, from which what happened beyond the last one is taken; 0: there is none.
    """

    stream: int
    category: int
    left: int
    count: int = 0
    ledger: list[int] = field(default_factory=lambda: [0] * CATEGORIES)
    period: int = 0

    def add(self, events: int) -> bool:
        self.ledger[self.category] += events
        if self.category != COUNTED:
            return False
        self.count += events
        if not self.left:
            return False  # not a sampling event
        if events < self.left:
            self.left -= events
            return False
        beyond = events - self.left
        self.left = self.period - beyond % self.period if self.period else 0
        return True


def advance(streams: list[OracleStream], slots: list[OracleSlot], cycles: int, ns: int) -> list[int]:
    """Advance everything; return the numbers of the slots that overflowed."""
    gained = [stream.advance(cycles, ns) for stream in streams]
    return [number for number, slot in enumerate(slots) if slot.add(gained[slot.stream])]


def first_overflow(streams: list[OracleStream], slots: list[OracleSlot], horizon: int) -> int | None:
    """Return the smallest span of cycles (= ns) at which a slot overflows, by closed form over the integers."""
    spans = []
    for slot in slots:
        stream = streams[slot.stream]
        if slot.category == COUNTED and slot.left and stream.rate:
            need = slot.left * Q - stream.residual
            spans.append(-(-need // stream.rate))
    best = min(spans, default=None)
    return best if best is not None and best <= horizon else None
