"""The system registers that a guest's machine answers, by encoding: PMU, timers, interrupt controller, identity.

Every other register is the engine's own.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from pmu.registers import REGISTERS, UNDEF
from pmu.vcpu import ID_REGISTER
from simcore.app.code_engine import Refused
from simcore.app.code_timers import ticks_at
from simcore.app.code_unicorn import Encoding

if TYPE_CHECKING:
    from simcore.app.code_core import Core

PMU_NAMES: Final[Mapping[Encoding, str]] = {row.encoding: row.name for row in REGISTERS.values()}
DAIF: Final = (3, 3, 4, 2, 1)
_DEBUG_V8: Final = 0x6
_PFR0: Final = 0x0000_0000_0100_0011
"""ID_AA64PFR0_EL1: EL0 and EL1 in AArch64 only, FP and Advanced SIMD, the GIC's system registers."""
_MPIDR_RES1: Final = 1 << 31
_PRIORITY_BITS: Final = 5
_CONTROL: Final = (_PRIORITY_BITS - 1) << 8
_EL0_PHYSICAL, _EL0_VIRTUAL = 1 << 0, 1 << 1

Read = Callable[["Core"], int]
Write = Callable[["Core", int], None]


def read(core: "Core", encoding: Encoding) -> int | None:
    """Return what a register reads as now, or None where the engine knows; raise `Refused` for UNDEF."""
    name = PMU_NAMES.get(encoding)
    if name is not None:
        value = core.pmu.vcpu.read(name, core.level)
        if value is UNDEF:
            raise Refused
        core.trapped(reads=True)
        assert isinstance(value, int)
        return value
    row = READS.get(encoding)
    return None if row is None else row(core)


def write(core: "Core", encoding: Encoding, value: int) -> bool:
    """Write a register; False where the engine does it; raise `Refused` for UNDEF."""
    name = PMU_NAMES.get(encoding)
    if name is not None:
        if core.pmu.vcpu.write(name, value, core.level) is UNDEF:
            raise Refused
        core.trapped(reads=False)
        return True
    row = WRITES.get(encoding)
    if row is None:
        return False
    row(core, value)
    return True


# Identity


def _debug(core: "Core") -> int:
    value = core.pmu.vcpu.read(ID_REGISTER, 1)
    return _DEBUG_V8 | value if isinstance(value, int) else _DEBUG_V8


def _affinity(core: "Core") -> int:
    return _MPIDR_RES1 | core.number


def _features(core: "Core") -> int:
    return _PFR0


# Timers


def _frequency(core: "Core") -> int:
    return core.frequency_hz


def _counter(gate: int) -> Read:
    def read_counter(core: "Core") -> int:
        if core.level == 0 and not core.timer_access & gate:
            raise Refused
        core.untrapped_read()
        return ticks_at(core.clock.ns, core.frequency_hz)

    return read_counter


def _timer(which: int, register: int) -> tuple[Read, Write]:
    def read_timer(core: "Core") -> int:
        value = core.timers[which].read(register, core.clock.ns)
        core.untrapped_read()
        return value

    def write_timer(core: "Core", value: int) -> None:
        core.timers[which].write(register, value, core.clock.ns)

    return read_timer, write_timer


def _read_access(core: "Core") -> int:
    return core.timer_access


def _write_access(core: "Core", value: int) -> None:
    core.timer_access = value & 0x3FF


# The interrupt controller


def _acknowledge(core: "Core") -> int:
    core.ends_slice()
    return core.gic.acknowledge(core.number)


def _highest(core: "Core") -> int:
    return core.gic.highest(core.number)


def _running(core: "Core") -> int:
    return core.interface.running[-1] & 0xFF


def _end(core: "Core", value: int) -> None:
    core.gic.end(core.number, value & 0xFFFFFF)


def _deactivate(core: "Core", value: int) -> None:
    core.gic.deactivate(core.number, value & 0xFFFFFF)


def _send(core: "Core", value: int) -> None:
    core.gic.send(core.number, value)
    core.wakes_others()


def _read_mask(core: "Core") -> int:
    return core.interface.mask


def _write_mask(core: "Core", value: int) -> None:
    core.interface.mask = value & 0xF8


def _read_group(core: "Core") -> int:
    return int(core.interface.enabled)


def _write_group(core: "Core", value: int) -> None:
    core.interface.enabled = bool(value & 1)


def _read_control(core: "Core") -> int:
    return _CONTROL | int(core.interface.drops_only) << 1


def _write_control(core: "Core", value: int) -> None:
    core.interface.drops_only = bool(value >> 1 & 1)


def _read_point(core: "Core") -> int:
    return core.interface.point


def _write_point(core: "Core", value: int) -> None:
    core.interface.point = value & 7


def _constant(value: int) -> Read:
    return lambda core: value


def _ignored(core: "Core", value: int) -> None:
    """Take nothing."""


_ZEROES: Final = ((3, 0, 12, 8, 3), (3, 0, 12, 12, 6), *((3, 0, 12, n, m) for n in (8, 9) for m in range(4)))
_PHYSICAL, _VIRTUAL = 0, 1
_TIMERS: Final = {
    (3, 3, 14, 2 + which, register): _timer(which, register) for which in (_PHYSICAL, _VIRTUAL) for register in range(3)
}

READS: Final[Mapping[Encoding, Read]] = {
    **{encoding: _constant(0) for encoding in _ZEROES if encoding != (3, 0, 12, 8, 0)},
    (3, 0, 0, 0, 5): _affinity,
    (3, 0, 0, 4, 0): _features,
    (3, 0, 0, 5, 0): _debug,
    (3, 3, 14, 0, 0): _frequency,
    (3, 3, 14, 0, 1): _counter(_EL0_PHYSICAL),
    (3, 3, 14, 0, 2): _counter(_EL0_VIRTUAL),
    (3, 3, 14, 0, 5): _counter(_EL0_PHYSICAL),
    (3, 3, 14, 0, 6): _counter(_EL0_VIRTUAL),
    **{encoding: hooks[0] for encoding, hooks in _TIMERS.items()},
    (3, 0, 14, 1, 0): _read_access,
    (3, 0, 4, 6, 0): _read_mask,
    (3, 0, 12, 8, 0): _constant(1023),
    (3, 0, 12, 11, 3): _running,
    (3, 0, 12, 12, 0): _acknowledge,
    (3, 0, 12, 12, 2): _highest,
    (3, 0, 12, 12, 3): _read_point,
    (3, 0, 12, 12, 4): _read_control,
    (3, 0, 12, 12, 5): _constant(7),
    (3, 0, 12, 12, 7): _read_group,
}
"""Encoding -> what it reads as."""

WRITES: Final[Mapping[Encoding, Write]] = {
    **dict.fromkeys(_ZEROES, _ignored),
    **{encoding: hooks[1] for encoding, hooks in _TIMERS.items()},
    (3, 0, 14, 1, 0): _write_access,
    (3, 0, 4, 6, 0): _write_mask,
    (3, 0, 12, 11, 1): _deactivate,
    (3, 0, 12, 11, 5): _send,
    (3, 0, 12, 12, 1): _end,
    (3, 0, 12, 12, 3): _write_point,
    (3, 0, 12, 12, 4): _write_control,
    (3, 0, 12, 12, 5): _ignored,
    (3, 0, 12, 12, 7): _write_group,
}
"""Encoding -> what a write does."""


def name_of(encoding: Encoding) -> str:
    """Return a register's PMU name, or its generic one (`S3_0_C12_C12_0`)."""
    op0, op1, crn, crm, op2 = encoding
    return PMU_NAMES.get(encoding, f"S{op0}_{op1}_C{crn}_C{crm}_{op2}")


def register_of(word: int) -> str:
    """Say which system register an instruction reads or writes that neither machine nor engine knows; else ""."""
    if word & 0xFFD00000 != 0xD5100000:
        return ""
    encoding = (2 | word >> 19 & 1, word >> 16 & 7, word >> 12 & 15, word >> 8 & 15, word >> 5 & 7)
    return f"unknown system register {name_of(encoding)} is {'read' if word >> 21 & 1 else 'written'}"
