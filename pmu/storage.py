"""The PMU registers of one vCPU as stored, and what they say about its counters.

Who may touch a register is decided in ``pmu.registers``; what a counter counts with is in ``pmu.perf``.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from pmu.events import CPU_CYCLES, INST_RETIRED
from pmu.host import CYCLE_COUNTER, INSTRUCTION_COUNTER, PMUVER_V3P5

if TYPE_CHECKING:
    from pmu.kvm import Vm

PMCR, ENABLED, INTERRUPT, OVERFLOW, SELECT, USER_ENABLE, TYPES = range(7)
"""Storage of the PMU registers; ``TYPES + n`` is PMEVTYPER<n>_EL0, 31 PMCCFILTR_EL0 and 32 PMICFILTR_EL0."""
STORAGE_SLOTS: Final = TYPES + INSTRUCTION_COUNTER + 1

PMCR_E, PMCR_P, PMCR_C = 1 << 0, 1 << 1, 1 << 2
PMCR_LC, PMCR_LP = 1 << 6, 1 << 7

TYPE_P, TYPE_U, TYPE_NSK, TYPE_NSU, TYPE_NSH, TYPE_M = 1 << 31, 1 << 30, 1 << 29, 1 << 28, 1 << 27, 1 << 26

CYCLE_BIT: Final = 1 << CYCLE_COUNTER
INSTRUCTION_BIT: Final = 1 << INSTRUCTION_COUNTER
_FIXED_EVENTS: Final = {CYCLE_COUNTER: CPU_CYCLES, INSTRUCTION_COUNTER: INST_RETIRED}


def bits(mask: int) -> Iterator[int]:
    """Yield the positions of the set bits, ascending."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


class Settings:
    """The registers, every one zero until a reset."""

    def __init__(self, vm: "Vm") -> None:
        """Make the registers of a vCPU of a VM."""
        self.vm = vm
        self.regs = [0] * STORAGE_SLOTS

    def enabled_mask(self) -> int:
        """Return the counters that are enabled one by one and by PMCR_EL0.E."""
        return self.regs[ENABLED] if self.regs[PMCR] & PMCR_E else 0

    def implemented_mask(self) -> int:
        """Return the counters that the VM is shown, as far as the kernel's bitmaps reach."""
        fixed = CYCLE_BIT | INSTRUCTION_BIT if self.vm.shows_icntr else CYCLE_BIT
        return (fixed | (1 << self.vm.nr_counters) - 1) & self.vm.revision.bitmap_mask

    def event_of(self, idx: int) -> int:
        """Return the PMUv3 event that a counter is set to."""
        fixed = _FIXED_EVENTS.get(idx)
        return self.regs[TYPES + idx] & self.vm.event_mask if fixed is None else fixed

    def is_wide(self, idx: int) -> bool:
        """Return whether the guest sees 64 bits of a counter."""
        return idx in _FIXED_EVENTS or self.vm.pmuver >= PMUVER_V3P5

    def overflows_at_64(self, idx: int) -> bool:
        """Return whether a counter overflows at 64 bits (PMCR_EL0.LC, LP; instructions always) instead of 32."""
        return idx == INSTRUCTION_COUNTER or bool(self.regs[PMCR] & (PMCR_LC if idx == CYCLE_COUNTER else PMCR_LP))

    def levels_of(self, idx: int) -> tuple[bool, bool]:
        """Return whether a counter's filter admits EL0 and EL1."""
        kind = self.regs[TYPES + idx]
        el0 = bool(kind & TYPE_U) == bool(kind & TYPE_NSU)
        return el0, bool(kind & TYPE_P) == bool(kind & TYPE_NSK)
