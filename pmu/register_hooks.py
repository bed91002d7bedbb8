"""What PMU registers do beyond load and store, as the guest (read, write) and as user space (get, set, reset).

Free functions on the vCPU (``pmu.vcpu``), named by the rows of ``pmu.registers``.
"""

from typing import TYPE_CHECKING, Final

from pmu.events import SW_INCR
from pmu.host import CYCLE_COUNTER
from pmu.perf import PMCR, PMCR_C, PMCR_P, SELECT, TYPES
from pmu.register import UNDEF, Fault, Register, Value

if TYPE_CHECKING:
    from pmu.vcpu import Vcpu

RESET_PATTERN: Final = 0x1DE7EC7EDBADC0DE
LOW32: Final = (1 << 32) - 1
SELECT_MASK: Final = 0x1F
_PMCR_MASK: Final = 0xFF
_N_SHIFT: Final = 11


# PMCR_EL0


def pmcr(vcpu: "Vcpu") -> int:
    """Return PMCR_EL0 with the VM's N."""
    return vcpu.counters.regs[PMCR] | vcpu.vm.nr_counters << _N_SHIFT


def read_pmcr(vcpu: "Vcpu", row: Register) -> int:
    return pmcr(vcpu) & ~(PMCR_P | PMCR_C)


def write_pmcr(vcpu: "Vcpu", row: Register, value: int) -> None:
    vcpu.write_pmcr(value & _PMCR_MASK | vcpu.vm.pmcr_res1)


def get_pmcr(vcpu: "Vcpu", row: Register) -> int:
    return pmcr(vcpu)


def set_pmcr(vcpu: "Vcpu", row: Register, value: int) -> None:
    """Take N if the VM may still change it, keep bits 7:0 as they are (P and C included)."""
    vcpu.vm.offer_nr_counters(value >> _N_SHIFT & 0x1F)
    vcpu.counters.regs[PMCR] = value & _PMCR_MASK | vcpu.vm.pmcr_res1
    vcpu.request_reload()


def reset_pmcr(vcpu: "Vcpu", row: Register) -> int:
    return vcpu.vm.pmcr_res1


# Bitmaps


def set_bits(vcpu: "Vcpu", row: Register, value: int) -> None:
    assert row.slot is not None
    vcpu.counters.regs[row.slot] |= value & vcpu.counters.implemented_mask()


def clear_bits(vcpu: "Vcpu", row: Register, value: int) -> None:
    assert row.slot is not None
    vcpu.counters.regs[row.slot] &= ~(value & vcpu.counters.implemented_mask())


def enable_counters(vcpu: "Vcpu", row: Register, value: int) -> None:
    set_bits(vcpu, row, value)
    vcpu.counters.reprogram(value & vcpu.counters.implemented_mask())


def disable_counters(vcpu: "Vcpu", row: Register, value: int) -> None:
    clear_bits(vcpu, row, value)
    vcpu.counters.reprogram(value & vcpu.counters.implemented_mask())


def get_bitmap(vcpu: "Vcpu", row: Register) -> int:
    assert row.slot is not None
    return vcpu.counters.regs[row.slot] & vcpu.counters.implemented_mask()


def set_bitmap(vcpu: "Vcpu", row: Register, value: int) -> None:
    assert row.slot is not None
    vcpu.counters.regs[row.slot] = value & vcpu.counters.implemented_mask()
    vcpu.request_reload()


def reset_bitmap(vcpu: "Vcpu", row: Register) -> int:
    return RESET_PATTERN & vcpu.counters.implemented_mask()


# Counters and their types


def _selected(vcpu: "Vcpu") -> int:
    return vcpu.counters.regs[SELECT] & SELECT_MASK


def _is_valid(vcpu: "Vcpu", idx: int) -> bool:
    return idx < vcpu.vm.nr_counters or idx == CYCLE_COUNTER


def read_counter_at(vcpu: "Vcpu", idx: int) -> Value:
    return vcpu.counters.value(idx) if _is_valid(vcpu, idx) else UNDEF


def write_counter_at(vcpu: "Vcpu", idx: int, value: int) -> Fault | None:
    if not _is_valid(vcpu, idx):
        return UNDEF
    vcpu.counters.assign(idx, value)
    return None


def read_type_at(vcpu: "Vcpu", idx: int) -> Value:
    return vcpu.counters.regs[TYPES + idx] if _is_valid(vcpu, idx) else UNDEF


def write_type_at(vcpu: "Vcpu", idx: int, value: int) -> Fault | None:
    if not _is_valid(vcpu, idx):
        return UNDEF
    vcpu.counters.regs[TYPES + idx] = value & vcpu.vm.type_mask
    vcpu.counters.retype(idx)
    return None


def read_counter(vcpu: "Vcpu", row: Register) -> Value:
    return read_counter_at(vcpu, row.index)


def write_counter(vcpu: "Vcpu", row: Register, value: int) -> Fault | None:
    return write_counter_at(vcpu, row.index, value)


def read_type(vcpu: "Vcpu", row: Register) -> Value:
    return read_type_at(vcpu, row.index)


def write_type(vcpu: "Vcpu", row: Register, value: int) -> Fault | None:
    return write_type_at(vcpu, row.index, value)


def read_selected_counter(vcpu: "Vcpu", row: Register) -> Value:
    return read_counter_at(vcpu, _selected(vcpu))


def write_selected_counter(vcpu: "Vcpu", row: Register, value: int) -> Fault | None:
    return write_counter_at(vcpu, _selected(vcpu), value)


def read_selected_type(vcpu: "Vcpu", row: Register) -> Value:
    return read_type_at(vcpu, _selected(vcpu))


def write_selected_type(vcpu: "Vcpu", row: Register, value: int) -> Fault | None:
    return write_type_at(vcpu, _selected(vcpu), value)


def get_counter(vcpu: "Vcpu", row: Register) -> int:
    return vcpu.counters.value(row.index)


def set_counter(vcpu: "Vcpu", row: Register, value: int) -> None:
    vcpu.counters.store(row.index, value)
    vcpu.request_reload()


def reset_counter(vcpu: "Vcpu", row: Register) -> int:
    value = RESET_PATTERN & row.mask
    vcpu.counters.store_raw(row.index, value)
    return value


def reset_type(vcpu: "Vcpu", row: Register) -> int:
    return RESET_PATTERN & LOW32 & vcpu.vm.type_mask


# The rest


def read_select(vcpu: "Vcpu", row: Register) -> int:
    return _selected(vcpu)


def write_swinc(vcpu: "Vcpu", row: Register, value: int) -> None:
    vcpu.counters.increment(value & vcpu.counters.implemented_mask(), SW_INCR)


def read_pmceid0(vcpu: "Vcpu", row: Register) -> int:
    return vcpu.vm.pmceid[0]


def read_pmceid1(vcpu: "Vcpu", row: Register) -> int:
    return vcpu.vm.pmceid[1]


def read_zero(vcpu: "Vcpu", row: Register) -> int:
    return 0


def ignore_write(vcpu: "Vcpu", row: Register, value: int) -> None:
    """Drop a write."""
