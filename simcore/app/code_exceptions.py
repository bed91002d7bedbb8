"""Exceptions to EL1, which the engine does not take by itself: syndromes, the vector, what is saved.

Source: Arm DDI 0487, D1.3 (exceptions) and D24.2 (ESR_EL1).
"""

from collections.abc import Callable
from typing import Final

from simcore.app.code_engine import HVC, SMC, SVC, UNDEFINED, Engine, Stop
from simcore.app.code_walk import ALIGNMENT, Wish, walk
from simcore.app.code_words import access_of

VBAR, ESR, FAR = (3, 0, 12, 0, 0), (3, 0, 5, 2, 0), (3, 0, 6, 0, 0)
SPSR, ELR = (3, 0, 4, 0, 0), (3, 0, 4, 0, 1)
SP_EL0, SP_EL1 = (3, 0, 4, 1, 0), (3, 4, 4, 1, 0)
CPACR: Final = (3, 0, 1, 0, 2)
IRQ_MASKED: Final = 1 << 7
_KEPT: Final = 0xF << 28 | 1 << 22  # NZCV, PAN
_EL1H_MASKED: Final = 0x3C5
_SYNCHRONOUS, _IRQ = 0x000, 0x080
_IL: Final = 1 << 25
UNKNOWN, FLOAT, CALL, FETCH_ABORT, DATA_ABORT, BREAKPOINT = 0x00, 0x07, 0x15, 0x20, 0x24, 0x3C
ENGINE_FETCH_ABORT, ENGINE_DATA_ABORT, ENGINE_BREAKPOINT = 3, 4, 7
_HVC_WORD, _SMC_WORD, _CALL_MASK = 0xD4000002, 0xD4000003, 0xFFE0001F


def level_of(pstate: int) -> int:
    """Return the exception level."""
    return pstate >> 2 & 3


def take_interrupt(engine: Engine) -> None:
    """Take an IRQ before the next instruction."""
    _enter(engine, _IRQ, engine.pc)


def take_undefined(engine: Engine, pc: int) -> None:
    """Take the exception of an UNDEFINED instruction."""
    _synchronous(engine, UNKNOWN, 0, pc)


def take_fault(engine: Engine, syndrome: int, address: int, pc: int) -> None:
    """Take an abort: ``syndrome`` is the ISS without the class, which the level decides."""
    fetches = bool(syndrome >> 32)
    lower = 0 if level_of(engine.pstate) == 0 else 1
    engine.set_system(FAR, address)
    _synchronous(engine, (FETCH_ABORT if fetches else DATA_ABORT) + lower, syndrome & 0x1FFFFFF, pc)


def _synchronous(engine: Engine, kind: int, iss: int, pc: int) -> None:
    engine.set_system(ESR, kind << 26 | _IL | iss)
    _enter(engine, _SYNCHRONOUS, pc)


def _enter(engine: Engine, offset: int, back: int) -> None:
    """Change PSTATE first: the engine takes notice of another exception level when a system register is written."""
    before = engine.pstate
    stack = engine.sp
    on_sp_el0 = level_of(before) == 0 or not before & 1
    engine.pstate = before & _KEPT | _EL1H_MASKED
    if on_sp_el0:
        engine.set_system(SP_EL0, stack)
        engine.sp = engine.system(SP_EL1)
    engine.set_system(SPSR, before & 0xFFFFFFFF)
    engine.set_system(ELR, back)
    vector = 0x400 if level_of(before) == 0 else 0 if on_sp_el0 else 0x200
    engine.pc = engine.system(VBAR) + vector + offset


def is_call(stop: Stop, word: int) -> bool:
    """Tell whether a guest at EL1 has called its hypervisor (HVC or SMC)."""
    return stop.number in (HVC, SMC) or (stop.number == UNDEFINED and word & _CALL_MASK in (_HVC_WORD, _SMC_WORD))


def take_engine_exception(engine: Engine, stop: Stop, word: int, memory: Callable[[int], int]) -> bool:
    """Take to EL1 what stopped the engine; False where its kind is not known. ``word`` is the instruction at the PC."""
    if stop.number == SVC:
        _synchronous(engine, CALL, word >> 5 & 0xFFFF, stop.pc)
    elif stop.number == ENGINE_BREAKPOINT:
        _synchronous(engine, BREAKPOINT, word >> 5 & 0xFFFF, stop.pc)
    elif stop.number == UNDEFINED:
        _synchronous(engine, FLOAT if _is_trapped_float(engine, word) else UNKNOWN, _float_iss(engine, word), stop.pc)
    elif stop.number == ENGINE_FETCH_ABORT:
        wish = Wish(level_of(engine.pstate) == 0, fetches=True)
        fault = walk(stop.pc, wish, engine.system, memory).fault
        take_fault(engine, 1 << 32 | (fault or ALIGNMENT), stop.pc, stop.pc)
    elif stop.number == ENGINE_DATA_ABORT:
        return _take_data_abort(engine, stop, word, memory)
    else:
        return False
    return True


def _take_data_abort(engine: Engine, stop: Stop, word: int, memory: Callable[[int], int]) -> bool:
    access = access_of(word, stop.pc, engine.x, engine.sp)
    if access is None:
        return False
    wish = Wish(level_of(engine.pstate) == 0, writes=access.writes)
    last = access.address + access.size - 1
    for address in (access.address, last & ~0xFFF):
        if address >= access.address and (fault := walk(address, wish, engine.system, memory).fault):
            take_fault(engine, int(access.writes) << 6 | fault, address, stop.pc)
            return True
    take_fault(engine, int(access.writes) << 6 | ALIGNMENT, access.address, stop.pc)
    return True


def _is_trapped_float(engine: Engine, word: int) -> bool:
    """Tell whether an instruction is one of FP or SIMD that CPACR_EL1.FPEN does not allow."""
    allowed = engine.system(CPACR) >> 20 & 3
    is_float = word >> 25 & 0b0111 == 0b0111 or (word >> 25 & 0b0101 == 0b0100 and word >> 26 & 1)
    return bool(is_float) and (allowed in (0, 2) or (allowed == 1 and level_of(engine.pstate) == 0))


def _float_iss(engine: Engine, word: int) -> int:
    return 0b11110 << 20 if _is_trapped_float(engine, word) else 0  # CV, COND: always
