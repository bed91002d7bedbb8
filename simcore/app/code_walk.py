"""The stage 1 page walk of EL1&0 in software: where an address lies, and why an access faults.

The engine walks by itself; this walk finds the syndrome that it does not tell. Source: Arm DDI 0487, D8 (VMSAv8-64),
granules of 4 KiB, 16 KiB and 64 KiB, 48-bit addresses.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

SCTLR, TTBR0, TTBR1, TCR = (3, 0, 1, 0, 0), (3, 0, 2, 0, 0), (3, 0, 2, 0, 1), (3, 0, 2, 0, 2)
TRANSLATION, ACCESS_FLAG, PERMISSION, ALIGNMENT = 0b000100, 0b001000, 0b001100, 0b100001
_BITS_OF_GRANULE0: Final = {0b00: 12, 0b01: 16, 0b10: 14}
_BITS_OF_GRANULE1: Final = {0b01: 14, 0b10: 12, 0b11: 16}
_ADDRESS: Final = (1 << 48) - 1


@dataclass(frozen=True, slots=True)
class Walked:
    """A physical address, or the status code of a fault (ESR_ELx.ISS.DFSC); ``fault`` 0: there is none."""

    address: int = 0
    fault: int = 0


@dataclass(frozen=True, slots=True)
class Wish:
    """An access: whether from EL0, whether it writes, whether it fetches an instruction."""

    user: bool = False
    writes: bool = False
    fetches: bool = False


def walk(
    address: int, wish: Wish, system: Callable[[tuple[int, int, int, int, int]], int], read: Callable[[int], int]
) -> Walked:
    """Translate an address; ``system`` gives a system register, ``read`` a 64-bit word of physical memory."""
    if not system(SCTLR) & 1:
        return Walked(address & _ADDRESS)
    tcr, high = system(TCR), address >> 55 & 1
    size = 64 - (tcr >> (16 if high else 0) & 0x3F)
    page = _BITS_OF_GRANULE1[tcr >> 30 & 3 or 2] if high else _BITS_OF_GRANULE0.get(tcr >> 14 & 3, 12)
    top_ignored = bool(tcr >> (38 if high else 37) & 1)
    above = address >> size & (1 << (56 if top_ignored else 64) - size) - 1
    if tcr >> (23 if high else 7) & 1 or above != (((1 << (56 if top_ignored else 64) - size) - 1) if high else 0):
        return Walked(fault=TRANSLATION)
    table = system(TTBR1 if high else TTBR0) & _ADDRESS & ~1
    return _levels(address & (1 << size) - 1, size, page, table, wish, read)


def _levels(address: int, size: int, page: int, table: int, wish: Wish, read: Callable[[int], int]) -> Walked:
    stride = page - 3
    level = 4 - -(-(size - page) // stride)
    table_limits = 0
    while True:
        shift = page + stride * (3 - level)
        entry = read(table + (address >> shift & (1 << min(stride, size - shift)) - 1) * 8)
        is_block = level == 3 or not entry >> 1 & 1
        if not entry & 1 or (level == 3 and not entry >> 1 & 1) or (is_block and level == 0):
            return Walked(fault=TRANSLATION | level)
        if is_block:
            return _leaf(entry, table_limits, address, shift, level, wish)
        table_limits |= entry >> 59 & 0b11111
        table = entry & _ADDRESS & ~((1 << page) - 1)
        level += 1


def _leaf(entry: int, limits: int, address: int, shift: int, level: int, wish: Wish) -> Walked:
    if not entry >> 10 & 1:
        return Walked(fault=ACCESS_FLAG | level)
    user_may = bool(entry >> 6 & 1) and not limits >> 2 & 1
    read_only = bool(entry >> 7 & 1) or bool(limits >> 3 & 1)
    if wish.fetches:
        never = entry >> 54 & 1 or limits >> 1 & 1 if wish.user else entry >> 53 & 1 or limits & 1
        denied = bool(never) or (wish.user and not user_may) or (not wish.user and user_may and not read_only)
    else:
        denied = (wish.user and not user_may) or (wish.writes and read_only)
    if denied:
        return Walked(fault=PERMISSION | level)
    inside = (1 << shift) - 1
    return Walked(entry & _ADDRESS & ~inside | address & inside)
