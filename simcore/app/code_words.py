"""What an A64 instruction word is, as far as counting and faults need it: its class, and the address it accesses.

Source of the encodings: Arm DDI 0487, C4.1 (A64 instruction set encoding).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

BRANCH, IMMEDIATE, RETURN, LOAD, STORE, BACK, ENDS = (1 << n for n in range(7))
"""Bits of a class; BACK: an exception return; ENDS: it may change the exception level or what is masked."""
MASK64: Final = (1 << 64) - 1
_ERET: Final = (0xD69F03E0, 0xD69F0BFF, 0xD69F0FFF)


@lru_cache(maxsize=65536)
def class_of(word: int) -> int:
    """Return the class of an instruction."""
    if word in _ERET:
        return ENDS | BACK
    if word & 0xFFF8F01F in (0xD500401F,) or word & 0xFFFFFFE0 == 0xD51B4220:  # MSR (immediate); MSR DAIF
        return ENDS
    if word & 0x7C000000 == 0x14000000:  # B, BL
        return BRANCH | IMMEDIATE
    if word & 0xFF000010 == 0x54000000 or word & 0x7C000000 == 0x34000000:  # B.cond; CBZ, CBNZ, TBZ, TBNZ
        return BRANCH | IMMEDIATE
    if word & 0xFE000000 == 0xD6000000:
        return BRANCH | (RETURN if word & 0xFFFF0000 == 0xD65F0000 else 0)
    return _memory_class(word)


def _memory_class(word: int) -> int:
    if word & 0x0A000000 != 0x08000000:
        return 0
    if word & 0x3B000000 == 0x18000000:  # load literal; PRFM too
        return 0 if word >> 30 == 3 and not word >> 26 & 1 else LOAD
    if word & 0x3B200C00 == 0x38200000:  # atomic memory operations
        return LOAD | STORE
    if word & 0x3A000000 == 0x38000000 and not word >> 26 & 1:
        if word & 0xC0C00000 == 0xC0800000:  # PRFM
            return 0
        return STORE if word >> 22 & 3 == 0 else LOAD
    if word & 0x3F000000 == 0x08000000:  # exclusive, ordered, compare and swap
        if word & 0x00A00000 == 0x00A00000 or word & 0xBFA07C00 == 0x08207C00:
            return LOAD | STORE
        return LOAD if word >> 22 & 1 else STORE
    return LOAD if word >> 22 & 1 else STORE


@dataclass(frozen=True, slots=True)
class Access:
    """A memory access: its first address, its length in bytes, whether it writes."""

    address: int
    size: int
    writes: bool


def access_of(word: int, pc: int, x: Callable[[int], int], sp: int) -> Access | None:
    """Return what an instruction accesses; None for one that accesses nothing, or is not known here."""
    kind = class_of(word)
    if not kind & (LOAD | STORE):
        return _of_cache_operation(word, x)
    writes = bool(kind & STORE)
    if word & 0x3B000000 == 0x18000000:
        return Access(pc + _signed(word >> 5, 19) * 4 & MASK64, 4 << (word >> 30 & 1), False)
    number = word >> 5 & 31
    base = sp if number == 31 else x(number)
    return Access(base + _offset(word, x) & MASK64, _size(word), writes)


def _of_cache_operation(word: int, x: Callable[[int], int]) -> Access | None:
    """DC ZVA writes a block; cache maintenance by address is taken as a read."""
    if word & 0xFFFFFFE0 == 0xD50B7420:
        return Access(x(word & 31) & ~63, 64, True)
    return Access(x(word & 31), 1, False) if word & 0xFFF8F000 == 0xD5087000 else None


def _size(word: int) -> int:
    if word & 0x3A000000 == 0x28000000:  # pair
        return (8 << (word >> 30)) if word >> 26 & 1 else (16 if word >> 31 else 8)
    if word >> 26 & 1 and word & 0x3A000000 == 0x38000000 and word >> 23 & 1:
        return 16
    return 1 << (word >> 30)


def _offset(word: int, x: Callable[[int], int]) -> int:
    if word & 0x3A000000 == 0x28000000:  # pair: post-indexed accesses at the base
        scale = _size(word) // 2
        return 0 if word >> 23 & 3 == 1 else _signed(word >> 15, 7) * scale
    if word & 0x3A000000 != 0x38000000:  # exclusive, ordered, vector structures: at the base
        return 0
    if word >> 24 & 1:
        return (word >> 10 & 0xFFF) * _size(word)
    if word >> 21 & 1:
        return _register_offset(word, x) if word >> 10 & 3 == 2 else 0
    return 0 if word >> 10 & 3 == 1 else _signed(word >> 12, 9)


def _register_offset(word: int, x: Callable[[int], int]) -> int:
    value, option = x(word >> 16 & 31), word >> 13 & 7
    if option == 2:
        value &= 0xFFFFFFFF
    elif option == 6:
        value = _signed(value, 32)
    return value * (_size(word) if word >> 12 & 1 else 1)


def _signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (value >> bits - 1 << bits)
