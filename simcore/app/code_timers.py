"""The architected timers of a vCPU: a system counter, a virtual and a physical timer (both without an offset)."""

from dataclasses import dataclass
from typing import Final

from simcore.app.code_words import MASK64
from simcore.units import NS_PER_S

VIRTUAL_PPI: Final = 27
PHYSICAL_PPI: Final = 30
ENABLE, IMASK, ISTATUS = 1 << 0, 1 << 1, 1 << 2


def ticks_at(ns: int, frequency_hz: int) -> int:
    """Return what the system counter shows at a time."""
    return ns * frequency_hz // NS_PER_S


@dataclass(slots=True)
class Timer:
    """One timer: its interrupt, control and compare value."""

    interrupt: int
    frequency_hz: int
    control: int = 0
    compare: int = 0

    def level(self, ns: int) -> bool:
        """Tell whether it drives its interrupt."""
        return self.control & (ENABLE | IMASK) == ENABLE and self.is_met(ns)

    def is_met(self, ns: int) -> bool:
        """Tell whether the counter has reached the compare value."""
        return ticks_at(ns, self.frequency_hz) >= self.compare

    def due_ns(self, ns: int) -> int | None:
        """Return when it will drive its interrupt, or None if it already does or never will."""
        if self.control & (ENABLE | IMASK) != ENABLE or self.is_met(ns):
            return None
        return -(-self.compare * NS_PER_S // self.frequency_hz)

    def read(self, register: int, ns: int) -> int:
        """Read TVAL (0), CTL (1) or CVAL (2)."""
        if register == 0:
            return self.compare - ticks_at(ns, self.frequency_hz) & 0xFFFFFFFF
        if register == 1:
            return self.control | (ISTATUS if self.control & ENABLE and self.is_met(ns) else 0)
        return self.compare

    def write(self, register: int, value: int, ns: int) -> None:
        """Write TVAL (0), CTL (1) or CVAL (2)."""
        if register == 0:
            signed = (value & 0xFFFFFFFF) - ((value & 0x80000000) << 1)
            self.compare = ticks_at(ns, self.frequency_hz) + signed & MASK64
        elif register == 1:
            self.control = value & (ENABLE | IMASK)
        else:
            self.compare = value
