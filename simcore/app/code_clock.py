"""Time of a vCPU that executes real instructions: retired instructions become cycles, cycles become nanoseconds.

All of it is integers with carried remainders, so that advancing by a and then by b is advancing by a + b.
"""

from dataclasses import dataclass
from typing import Final

Q32: Final = 1 << 32
_LOW: Final = Q32 - 1
KHZ_NS: Final = 1_000_000
"""kHz times ns in a cycle."""
NEVER: Final = 1 << 80


@dataclass(slots=True)
class Clock:
    """What a vCPU has executed and how late it is: instructions, guest cycles, ns, and ns spent in the host.

    ``khz`` and ``cpi_q32`` are those of the pCPU it is on; ``_part_q32`` is a fraction of a cycle, ``_part`` one of a
    nanosecond in units of 1/khz.
    """

    khz: int
    cpi_q32: int
    instructions: int = 0
    cycles: int = 0
    ns: int = 0
    host_ns: int = 0
    _part_q32: int = 0
    _part: int = 0

    def advance(self, instructions: int) -> tuple[int, int]:
        """Retire instructions; return the cycles and the ns that they took."""
        total = instructions * self.cpi_q32 + self._part_q32
        self.instructions += instructions
        self._part_q32 = total & _LOW
        return self.add_cycles(total >> 32)

    def add_cycles(self, cycles: int) -> tuple[int, int]:
        """Let guest cycles pass in which no instruction retires; return them and their ns."""
        total = cycles * KHZ_NS + self._part
        passed, self._part = divmod(total, self.khz)
        self.cycles += cycles
        self.ns += passed
        return cycles, passed

    def spend(self, ns: int) -> None:
        """Let time pass outside of the guest."""
        self.ns += ns
        self.host_ns += ns

    def move(self, khz: int, cpi_q32: int) -> None:
        """Go on at another frequency and CPI; the fraction of a nanosecond is kept, rounded down."""
        self._part = self._part * khz // self.khz
        self.khz, self.cpi_q32 = khz, cpi_q32

    def until_cycles(self, cycles: int) -> int:
        """Return after how many instructions so many cycles have passed (1 at least)."""
        return max(1, -(-((cycles << 32) - self._part_q32) // self.cpi_q32))

    def until_ns(self, ns: int) -> int:
        """Return after how many instructions it is a time, in ns since the start (0: it is that late already)."""
        if ns <= self.ns:
            return 0
        return self.until_cycles(-(-((ns - self.ns) * self.khz - self._part) // KHZ_NS))


@dataclass(slots=True)
class Deadline:
    """When a vCPU must stop, whichever comes first; absolute figures of its clock (``guest_ns``: ns less host ns)."""

    instructions: int = NEVER
    cycles: int = NEVER
    ns: int = NEVER
    guest_ns: int = NEVER

    def bound(self, clock: Clock) -> int:
        """Return after how many instructions that is; 0: at once."""
        found = self.instructions - clock.instructions
        if self.cycles < NEVER:
            found = min(found, clock.until_cycles(self.cycles - clock.cycles))
        if self.ns < NEVER:
            found = min(found, clock.until_ns(self.ns))
        if self.guest_ns < NEVER:
            found = min(found, max(1, clock.until_ns(self.guest_ns + clock.host_ns)))
        return max(0, found)
