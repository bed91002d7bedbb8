"""The table of PMU registers: name, encoding, access, mask, reset, storage, and hooks where hardware does more.

A row without hooks loads or stores its slot under its mask. Whatever the guest must not do gives ``UNDEF``, a value.
"""

from typing import Final

from pmu import register_hooks as hooks
from pmu.events import INST_RETIRED
from pmu.host import CYCLE_COUNTER, INSTRUCTION_COUNTER
from pmu.register import ALWAYS, CR, EN, ER, MASK64, NEVER, SW, UNDEF, Fault, Register, Value, Write, check_table
from pmu.storage import ENABLED, INTERRUPT, OVERFLOW, PMCR, SELECT, TYPES, USER_ENABLE

__all__ = ["REGISTERS", "UNDEF", "Fault", "Register", "Value"]

EVENT_COUNTERS: Final = 31
_USER_ENABLE_MASK: Final = 0xF


def _bitmap(name: str, encoding: tuple[int, int, int, int, int], slot: int, write: Write, el0: int = EN) -> Register:
    """Return the SET or CLR name of a bitmap; the SET name resets what both share."""
    return Register(
        name,
        encoding,
        read=el0,
        write=el0,
        slot=slot,
        on_write=write,
        on_get=hooks.get_bitmap,
        on_set=hooks.set_bitmap,
        reset=None,
        on_reset=hooks.reset_bitmap if "SET" in name else None,
    )


def _counter(name: str, encoding: tuple[int, int, int, int, int], idx: int, el0: int, mask: int = MASK64) -> Register:
    return Register(
        name,
        encoding,
        read=el0,
        mask=mask,
        on_read=hooks.read_counter,
        on_write=hooks.write_counter,
        on_get=hooks.get_counter,
        on_set=hooks.set_counter,
        on_reset=hooks.reset_counter,
        index=idx,
    )


def _event_counter(n: int) -> Register:
    return _counter(f"PMEVCNTR{n}_EL0", (3, 3, 14, 8 + n // 8, n % 8), n, el0=ER | EN, mask=hooks.LOW32)


def _event_type(n: int) -> Register:
    return Register(
        f"PMEVTYPER{n}_EL0",
        (3, 3, 14, 12 + n // 8, n % 8),
        slot=TYPES + n,
        on_read=hooks.read_type,
        on_write=hooks.write_type,
        on_reset=hooks.reset_type,
        index=n,
    )


_ROWS: Final = (
    _bitmap("PMINTENSET_EL1", (3, 0, 9, 14, 1), INTERRUPT, hooks.set_bits, el0=NEVER),
    _bitmap("PMINTENCLR_EL1", (3, 0, 9, 14, 2), INTERRUPT, hooks.clear_bits, el0=NEVER),
    Register(
        "PMMIR_EL1",
        (3, 0, 9, 14, 6),
        read=NEVER,
        write=NEVER,
        on_read=hooks.read_pmmir,
        on_write=hooks.ignore_write,
        one_reg=False,
    ),
    _counter("PMICNTR_EL0", (3, 3, 9, 4, 0), INSTRUCTION_COUNTER, el0=EN),
    Register(
        "PMICFILTR_EL0",
        (3, 3, 9, 6, 0),
        slot=TYPES + INSTRUCTION_COUNTER,
        reset=INST_RETIRED,
        on_write=hooks.write_instruction_filter,
        index=INSTRUCTION_COUNTER,
    ),
    Register(
        "PMCR_EL0",
        (3, 3, 9, 12, 0),
        slot=PMCR,
        on_read=hooks.read_pmcr,
        on_write=hooks.write_pmcr,
        on_get=hooks.get_pmcr,
        on_set=hooks.set_pmcr,
        on_reset=hooks.reset_pmcr,
    ),
    _bitmap("PMCNTENSET_EL0", (3, 3, 9, 12, 1), ENABLED, hooks.enable_counters),
    _bitmap("PMCNTENCLR_EL0", (3, 3, 9, 12, 2), ENABLED, hooks.disable_counters),
    _bitmap("PMOVSCLR_EL0", (3, 3, 9, 12, 3), OVERFLOW, hooks.clear_bits),
    Register(
        "PMSWINC_EL0",
        (3, 3, 9, 12, 4),
        read=None,
        write=SW | EN,
        on_write=hooks.write_swinc,
        on_get=hooks.read_zero,
        on_set=hooks.ignore_write,
    ),
    Register(
        "PMSELR_EL0",
        (3, 3, 9, 12, 5),
        read=ER | EN,
        write=ER | EN,
        slot=SELECT,
        reset=hooks.RESET_PATTERN & hooks.SELECT_MASK,
        on_read=hooks.read_select,
    ),
    Register("PMCEID0_EL0", (3, 3, 9, 12, 6), write=None, on_read=hooks.read_pmceid0, one_reg=False),
    Register("PMCEID1_EL0", (3, 3, 9, 12, 7), write=None, on_read=hooks.read_pmceid1, one_reg=False),
    _counter("PMCCNTR_EL0", (3, 3, 9, 13, 0), CYCLE_COUNTER, el0=CR | EN),
    Register(
        "PMXEVTYPER_EL0",
        (3, 3, 9, 13, 1),
        on_read=hooks.read_selected_type,
        on_write=hooks.write_selected_type,
        one_reg=False,
    ),
    Register(
        "PMXEVCNTR_EL0",
        (3, 3, 9, 13, 2),
        read=ER | EN,
        on_read=hooks.read_selected_counter,
        on_write=hooks.write_selected_counter,
        one_reg=False,
    ),
    Register("PMUSERENR_EL0", (3, 3, 9, 14, 0), read=ALWAYS, write=NEVER, slot=USER_ENABLE, mask=_USER_ENABLE_MASK),
    _bitmap("PMOVSSET_EL0", (3, 3, 9, 14, 3), OVERFLOW, hooks.set_bits),
    *(_event_counter(n) for n in range(EVENT_COUNTERS)),
    *(_event_type(n) for n in range(EVENT_COUNTERS)),
    Register(
        "PMCCFILTR_EL0",
        (3, 3, 14, 15, 7),
        slot=TYPES + CYCLE_COUNTER,
        on_write=hooks.write_type,
        index=CYCLE_COUNTER,
    ),
)


REGISTERS: Final = check_table(_ROWS)
"""Every PMU register by name, in ascending order of ONE_REG ids."""
