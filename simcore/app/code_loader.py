"""Loads an image for the guest's machine: an AArch64 ELF by its program headers, an arm64 Image, or a flat binary."""

import struct
from dataclasses import dataclass
from typing import Final

from simcore.errors import InputError
from simcore.limits import MAX_IMAGE_BYTES

RAM: Final = 0x40000000
FLAT_OFFSET: Final = 0x80000
"""Where a flat binary goes within RAM, as QEMU's `virt` does with one that is no Linux Image."""
_ELF64_LE: Final = b"\x7fELF\x02\x01"
_EM_AARCH64: Final = 183
_PT_LOAD: Final = 1
_IMAGE_MAGIC: Final = b"ARM\x64"


@dataclass(frozen=True, slots=True)
class Image:
    """What to put into memory, as (physical address, bytes), where to begin, and the first address behind it."""

    parts: tuple[tuple[int, bytes], ...]
    entry: int
    end: int


def parse_image(data: bytes, name: str, ram_bytes: int) -> Image:
    """Return an image; raise InputError for what is no image of this machine."""
    if not data or len(data) > MAX_IMAGE_BYTES:
        raise InputError(f"{len(data)} bytes are no image", name, valid=f"1 to {MAX_IMAGE_BYTES} bytes")
    if data[:4] == b"\x7fELF":
        image = _elf(data, name)
    else:
        offset = struct.unpack_from("<Q", data, 8)[0] if data[56:60] == _IMAGE_MAGIC else FLAT_OFFSET
        image = Image(((RAM + offset, data),), RAM + offset, RAM + offset + len(data))
    for start, part in image.parts:
        if start < RAM or start + len(part) > RAM + ram_bytes:
            where = f"{start:#x} to {start + len(part):#x}"
            raise InputError(f"the image loads at {where}", name, valid=f"{RAM:#x} to {RAM + ram_bytes:#x}: RAM")
    return image


def _elf(data: bytes, name: str) -> Image:
    if data[:6] != _ELF64_LE or len(data) < 64 or struct.unpack_from("<H", data, 18)[0] != _EM_AARCH64:
        raise InputError("an ELF file that is not for AArch64", name, valid="ELF64, little-endian, machine 183")
    entry, headers = struct.unpack_from("<QQ", data, 24)
    size, count = struct.unpack_from("<HH", data, 54)
    parts, end, total = [], 0, 0
    for number in range(count):
        at = headers + number * size
        if at + 56 > len(data):
            raise InputError("the program headers end behind the file", name)
        kind, _, offset, virtual, physical, in_file, in_memory, _ = struct.unpack_from("<IIQQQQQQ", data, at)
        if kind != _PT_LOAD or not in_memory:
            continue
        total += in_memory
        _check_segment(number, offset + in_file, in_file, in_memory, total, len(data), name)
        parts.append((physical, data[offset : offset + in_file] + bytes(in_memory - in_file)))
        end = max(end, physical + in_memory)
        if virtual <= entry < virtual + in_memory:
            entry += physical - virtual
    if not parts:
        raise InputError("an ELF file without anything to load", name)
    return Image(tuple(parts), entry, end)


def _check_segment(
    number: int, file_end: int, in_file: int, in_memory: int, total: int, file_size: int, name: str
) -> None:
    """Refuse a segment before memory is taken for it; `total` is what all segments up to it have."""
    if file_end > file_size:
        raise InputError(f"segment {number} ends behind the file", name)
    if in_file > in_memory:
        raise InputError(f"segment {number} has {in_file} bytes in the file for {in_memory} in memory", name)
    if total > MAX_IMAGE_BYTES:
        raise InputError(f"{total} bytes up to segment {number}", name, valid=f"at most {MAX_IMAGE_BYTES} to load")
