"""Where a vCPU of real code has been: its stretches on pCPUs, its crossings, and how long its cycle counter stalled."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from pmu.bank import CounterBank
from simcore.app.code_clock import KHZ_NS, Clock
from simcore.app.code_plan import Move
from simcore.run_columns import CATEGORIES

CYCLE_COUNTER: Final = 31
_COUNTED: Final = CATEGORIES.index("counted")
_STALLED: Final = tuple(map(CATEGORIES.index, ("off_pmu", "no_host_counter")))


@dataclass(slots=True)
class Stretch:
    """What a vCPU executed on one pCPU between two moves; ``counted`` and ``stalled``: cycles of PMCCNTR_EL0."""

    vcpu: int
    cpu: int
    begin_ns: int
    instructions: int = 0
    cycles: int = 0
    end_ns: int = 0
    counted: int = 0
    stalled: int = 0


@dataclass(slots=True)
class Stalls:
    """How often and how long a cycle counter stalled, in guest time; stretches that follow each other are one stall."""

    number: int = 0
    total_ns: int = 0
    longest_ns: int = 0
    _open_ns: int = 0

    def add(self, stretch: Stretch, khz: int) -> None:
        """Take a stretch that has ended."""
        if stretch.stalled:
            ns = stretch.stalled * KHZ_NS // khz
            self.number += not self._open_ns
            self.total_ns += ns
            self._open_ns += ns
            self.longest_ns = max(self.longest_ns, self._open_ns)
        if stretch.counted or not stretch.stalled:
            self._open_ns = 0


@dataclass(slots=True)
class Moves:
    """The moves of one vCPU: the next one, those to come, and what became of those before."""

    coming: Iterator[Move]
    next: Move | None = None
    done: int = 0
    crossings: int = 0
    refused: int = 0
    stretches: list[Stretch] = field(default_factory=list)
    stalls: Stalls = field(default_factory=Stalls)
    _open: Stretch | None = None

    def __post_init__(self) -> None:
        """Look at the first one."""
        self.advance()

    def advance(self) -> None:
        """Go on to the next move."""
        self.next = next(self.coming, None)

    def drop_missed(self, clock: Clock) -> None:
        """Drop drawn moves that fell due while the host was at the one before: the guest executes in between."""
        while self.next is not None and self.next.drawn and self.next.ns is not None and self.next.ns <= clock.ns:
            self.advance()

    def due_ns(self, clock: Clock) -> int | None:
        """Return when the next move is due by time, now at the earliest; None where it is not by time."""
        move = self.next
        return None if move is None or move.ns is None else max(move.ns, clock.ns)

    def is_due(self, clock: Clock) -> bool:
        """Tell whether the next move is due."""
        move = self.next
        if move is None:
            return False
        late = move.instructions is not None and clock.instructions >= move.instructions
        return late or (move.ns is not None and clock.ns >= move.ns)

    def begin(self, vcpu: int, cpu: int, clock: Clock, bank: CounterBank) -> None:
        """Begin a stretch: its figures are those of the start until it ends."""
        self._open = Stretch(
            vcpu, cpu, clock.ns, clock.instructions, clock.cycles, clock.ns, _counted(bank, vcpu), _stalled(bank, vcpu)
        )

    def end(self, clock: Clock, bank: CounterBank) -> None:
        """End the stretch that is open, if one is."""
        begun, self._open = self._open, None
        if begun is None:
            return
        begun.instructions = clock.instructions - begun.instructions
        begun.cycles = clock.cycles - begun.cycles
        begun.end_ns = clock.ns
        begun.counted = _counted(bank, begun.vcpu) - begun.counted
        begun.stalled = _stalled(bank, begun.vcpu) - begun.stalled
        self.stretches.append(begun)
        self.stalls.add(begun, clock.khz)


def _counted(bank: CounterBank, row: int) -> int:
    return int(bank.ledger[row, CYCLE_COUNTER, _COUNTED])


def _stalled(bank: CounterBank, row: int) -> int:
    return sum(int(bank.ledger[row, CYCLE_COUNTER, category]) for category in _STALLED)
