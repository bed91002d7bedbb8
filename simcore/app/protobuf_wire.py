"""The wire format of protocol buffers, as far as it takes to read known fields of known messages."""

from collections.abc import Iterator
from typing import Final

Message = dict[int, list[int | bytes]]
"""Values by field number, each in the order of the file: numbers as they stand, everything else as bytes."""

_VARINT: Final = 0
_BYTES: Final = 2
_FIXED: Final = {1: 8, 5: 4}
_MASK: Final = (1 << 64) - 1


class WireError(ValueError):
    """Bytes that are no message."""


def message(data: bytes) -> Message:
    """Return the fields of a message; raise WireError where it is none."""
    found: Message = {}
    at, end = 0, len(data)
    while at < end:
        tag, at = varint(data, at)
        wire = tag & 7
        value: int | bytes
        if wire == _VARINT:
            value, at = varint(data, at)
        else:
            length, at = varint(data, at) if wire == _BYTES else (_fixed(wire), at)
            if length > end - at:
                raise WireError("a field is longer than its message")
            value = data[at : at + length]
            at += length
        key = tag >> 3
        if not key:
            raise WireError("a field has the number 0")
        if key in found:
            found[key].append(value)
        else:
            found[key] = [value]
    return found


def number(fields: Message, key: int) -> int:
    """Return a field that is an unsigned number; 0 where it is absent."""
    value = fields[key][-1] if key in fields else 0
    if isinstance(value, bytes):
        raise WireError(f"field {key} is no number")
    return value


def text(fields: Message, key: int) -> str:
    """Return a field that is text; empty where it is absent."""
    values = parts(fields, key)
    return values[-1].decode("utf-8", "backslashreplace") if values else ""


def parts(fields: Message, key: int) -> list[bytes]:
    """Return all values of a field of texts or messages."""
    values = fields.get(key, [])
    if any(isinstance(value, int) for value in values):
        raise WireError(f"field {key} is no text or message")
    return [value for value in values if isinstance(value, bytes)]


def numbers(fields: Message, key: int) -> list[int]:
    """Return all values of a field of numbers, packed or not."""
    found: list[int] = []
    for value in fields.get(key, []):
        if isinstance(value, bytes):
            found.extend(_packed(value))
        else:
            found.append(value)
    return found


def varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number at a place and the place behind it."""
    try:
        value = data[at]
        at += 1
        if value < 0x80:
            return value, at
        value &= 0x7F
        for shift in range(7, 70, 7):
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & _MASK, at
    except IndexError:
        raise WireError("it ends within a number") from None
    raise WireError("a number of more than ten bytes")


def _fixed(wire: int) -> int:
    if wire not in _FIXED:
        raise WireError(f"wire type {wire} is not known")
    return _FIXED[wire]


def _packed(data: bytes) -> Iterator[int]:
    at, end = 0, len(data)
    while at < end:
        value, at = varint(data, at)
        yield value
