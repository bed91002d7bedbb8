"""What PMU registers do beyond load and store, as the guest (read, write) and as user space (get, set, reset).

Free functions on the vCPU (``pmu.vcpu``), named by the rows of ``pmu.registers``.
"""

from typing import TYPE_CHECKING, Final

from pmu.events import INST_RETIRED, SW_INCR
from pmu.host import CYCLE_COUNTER, INSTRUCTION_COUNTER
from pmu.register import UNDEF, Fault, Register, Value
from pmu.storage import PMCR, PMCR_C, PMCR_P, SELECT, TYPES

if TYPE_CHECKING:
    from pmu.vcpu import Vcpu

RESET_PATTERN: Final = 0x1DE7EC7EDBADC0DE
LOW32: Final = (1 << 32) - 1
SELECT_MASK: Final = 0x1F
_PMCR_MASK: Final = 0xFF
_N_SHIFT: Final = 11


def pmcr(vcpu: "Vcpu") -> int:
    """Return PMCR_EL0 with the VM's N."""
    return vcpu.counters.regs[PMCR] | vcpu.vm.nr_counters << _N_SHIFT


def read_pmcr(vcpu: "Vcpu", row: Register) -> int:
    """Return PMCR_EL0; P and C read as 0."""
    return pmcr(vcpu) & ~(PMCR_P | PMCR_C)


def write_pmcr(vcpu: "Vcpu", row: Register, value: int) -> None:
    """Act on bits 7:0; N and the rest are ignored."""
    vcpu.write_pmcr(value & _PMCR_MASK | vcpu.vm.pmcr_res1)


def get_pmcr(vcpu: "Vcpu", row: Register) -> int:
    """Return PMCR_EL0, with P and C as user space left them."""
    return pmcr(vcpu)


def set_pmcr(vcpu: "Vcpu", row: Register, value: int) -> None:
    """Take N if the VM may still change it; keep bits 7:0, P and C included where the kernel stores raw values."""
    vcpu.vm.offer_nr_counters(value >> _N_SHIFT & 0x1F)
    if not vcpu.vm.revision.one_reg_raw:
        value &= ~(PMCR_P | PMCR_C | vcpu.pmcr_res0)
    vcpu.store_pmcr(value & _PMCR_MASK | vcpu.vm.pmcr_res1)
    vcpu.request_reload()


def reset_pmcr(vcpu: "Vcpu", row: Register) -> int:
    """Return 0, or LC where the host lacks AArch32 at EL0."""
    return vcpu.vm.pmcr_res1


def set_bits(vcpu: "Vcpu", row: Register, value: int) -> None:
    """Set the bits of implemented counters."""
    assert row.slot is not None
    vcpu.counters.regs[row.slot] |= value & vcpu.counters.implemented_mask()


def clear_bits(vcpu: "Vcpu", row: Register, value: int) -> None:
    """Clear the bits of implemented counters."""
    assert row.slot is not None
    vcpu.counters.regs[row.slot] &= ~(value & vcpu.counters.implemented_mask())


def enable_counters(vcpu: "Vcpu", row: Register, value: int) -> None:
    """Set enable bits and reprogram the counters named."""
    set_bits(vcpu, row, value)
    vcpu.counters.reprogram(value & vcpu.counters.implemented_mask())


def disable_counters(vcpu: "Vcpu", row: Register, value: int) -> None:
    """Clear enable bits and reprogram the counters named."""
    clear_bits(vcpu, row, value)
    vcpu.counters.reprogram(value & vcpu.counters.implemented_mask())


def get_bitmap(vcpu: "Vcpu", row: Register) -> int:
    """Return the bits of implemented counters."""
    assert row.slot is not None
    return vcpu.counters.regs[row.slot] & vcpu.counters.implemented_mask()


def set_bitmap(vcpu: "Vcpu", row: Register, value: int) -> None:
    """Replace the bitmap, for the SET and the CLR name alike."""
    assert row.slot is not None
    vcpu.counters.regs[row.slot] = value & vcpu.counters.implemented_mask()
    vcpu.request_reload()


def reset_bitmap(vcpu: "Vcpu", row: Register) -> int:
    """Return the reset pattern under the counters implemented now."""
    return RESET_PATTERN & vcpu.counters.implemented_mask()


def _selected(vcpu: "Vcpu") -> int:
    return vcpu.counters.regs[SELECT] & SELECT_MASK


def _is_valid(vcpu: "Vcpu", idx: int) -> bool:
    return idx < vcpu.vm.nr_counters or idx in (CYCLE_COUNTER, INSTRUCTION_COUNTER)


def read_counter_at(vcpu: "Vcpu", idx: int) -> Value:
    """Read a counter by index; UNDEF beyond N."""
    return vcpu.counters.value(idx) if _is_valid(vcpu, idx) else UNDEF


def write_counter_at(vcpu: "Vcpu", idx: int, value: int) -> Fault | None:
    """Write a counter by index; UNDEF beyond N."""
    if not _is_valid(vcpu, idx):
        return UNDEF
    vcpu.counters.assign(idx, value)
    return None


def read_type_at(vcpu: "Vcpu", idx: int) -> Value:
    """Read an event type or filter by index; UNDEF beyond N."""
    return vcpu.counters.regs[TYPES + idx] if _is_valid(vcpu, idx) else UNDEF


def write_type_at(vcpu: "Vcpu", idx: int, value: int) -> Fault | None:
    """Write an event type or filter by index under the VM's mask; UNDEF beyond N."""
    if not _is_valid(vcpu, idx):
        return UNDEF
    vcpu.counters.regs[TYPES + idx] = value & vcpu.vm.type_mask
    vcpu.counters.retype(idx)
    return None


def write_instruction_filter(vcpu: "Vcpu", row: Register, value: int) -> None:
    """Write the exception-level filter; the event field is read-only."""
    vcpu.counters.regs[TYPES + row.index] = value & vcpu.vm.type_bits | INST_RETIRED
    vcpu.counters.retype(row.index)


def read_counter(vcpu: "Vcpu", row: Register) -> Value:
    """Read the counter of the row; UNDEF beyond N."""
    return read_counter_at(vcpu, row.index)


def write_counter(vcpu: "Vcpu", row: Register, value: int) -> Fault | None:
    """Write the counter of the row; UNDEF beyond N."""
    return write_counter_at(vcpu, row.index, value)


def read_type(vcpu: "Vcpu", row: Register) -> Value:
    """Read the event type or filter of the row; UNDEF beyond N."""
    return read_type_at(vcpu, row.index)


def write_type(vcpu: "Vcpu", row: Register, value: int) -> Fault | None:
    """Write the event type or filter of the row; UNDEF beyond N."""
    return write_type_at(vcpu, row.index, value)


def read_selected_counter(vcpu: "Vcpu", row: Register) -> Value:
    """Read the counter that PMSELR_EL0 selects; UNDEF beyond N."""
    return read_counter_at(vcpu, _selected(vcpu))


def write_selected_counter(vcpu: "Vcpu", row: Register, value: int) -> Fault | None:
    """Write the counter that PMSELR_EL0 selects; UNDEF beyond N."""
    return write_counter_at(vcpu, _selected(vcpu), value)


def read_selected_type(vcpu: "Vcpu", row: Register) -> Value:
    """Read the event type that PMSELR_EL0 selects (31: the cycle counter's filter); UNDEF beyond N."""
    return read_type_at(vcpu, _selected(vcpu))


def write_selected_type(vcpu: "Vcpu", row: Register, value: int) -> Fault | None:
    """Write the event type that PMSELR_EL0 selects (31: the cycle counter's filter); UNDEF beyond N."""
    return write_type_at(vcpu, _selected(vcpu), value)


def get_counter(vcpu: "Vcpu", row: Register) -> int:
    """Return the counter's value, whatever N is."""
    return vcpu.counters.value(row.index)


def set_counter(vcpu: "Vcpu", row: Register, value: int) -> None:
    """Store all 64 bits, whatever N is."""
    vcpu.counters.store(row.index, value)
    vcpu.request_reload()


def reset_counter(vcpu: "Vcpu", row: Register) -> int:
    """Set the saved register to the reset pattern."""
    value = RESET_PATTERN & row.mask
    vcpu.counters.store_raw(row.index, value)
    return value


def reset_type(vcpu: "Vcpu", row: Register) -> int:
    """Return the reset pattern under the VM's mask."""
    return RESET_PATTERN & LOW32 & vcpu.vm.type_mask


def read_select(vcpu: "Vcpu", row: Register) -> int:
    """Return the field SEL."""
    return _selected(vcpu)


def write_swinc(vcpu: "Vcpu", row: Register, value: int) -> None:
    """Count one SW_INCR event in each counter named."""
    vcpu.counters.increment(value & vcpu.counters.implemented_mask(), SW_INCR)


def read_pmceid0(vcpu: "Vcpu", row: Register) -> int:
    """Return PMCEID0_EL0 of the VM."""
    return vcpu.vm.pmceid[0]


def read_pmceid1(vcpu: "Vcpu", row: Register) -> int:
    """Return PMCEID1_EL0 of the VM."""
    return vcpu.vm.pmceid[1]


def read_pmmir(vcpu: "Vcpu", row: Register) -> int:
    """Return PMMIR_EL1: SLOTS where the VM shows it, else 0."""
    return vcpu.vm.slots


def read_zero(vcpu: "Vcpu", row: Register) -> int:
    """Read as zero."""
    return 0


def ignore_write(vcpu: "Vcpu", row: Register, value: int) -> None:
    """Drop a write."""
