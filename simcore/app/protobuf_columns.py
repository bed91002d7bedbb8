"""The wire format of protocol buffers, written for whole columns at once: one message a row, with numpy.

A message is a list of pieces, each with the bytes that every row has there. `flat` puts the rows behind each other.
Numbers take as few bytes as they need: any other writer gives the same bytes for these fields in this order.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

_VARINT, _FIXED64, _BYTES = 0, 1, 2
_ROWS = 1 << 16
"""Rows that are put together at once: their matrices stay in the caches."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of each row: `data` (width, rows), of which row r has the first `size[r]`."""

    data: Bytes
    size: Ints


Message = list[Piece]


def number(key: int, values: NDArray[np.integer], there: Flags | None = None) -> Message:
    """Return a field of type intN, uintN, bool or enum; rows that are not `there` lack it."""
    return _present([_tag(key, _VARINT, len(values)), _varint(values)], there)


def double(key: int, values: NDArray[np.float64], there: Flags | None = None) -> Message:
    """Return a field of type double; rows that are not `there` lack it."""
    return _present([_tag(key, _FIXED64, len(values)), _eight(values.astype("<f8"))], there)


def fixed64(key: int, values: NDArray[np.integer], there: Flags | None = None) -> Message:
    """Return a field of type fixed64; rows that are not `there` lack it."""
    return _present([_tag(key, _FIXED64, len(values)), _eight(values.astype("<u8"))], there)


def text(key: int, texts: Sequence[str], index: NDArray[np.integer]) -> Message:
    """Return a field of type string: of each row the text of its index."""
    encoded = [value.encode() for value in texts]
    table = np.zeros((len(encoded), max(map(len, encoded), default=0)), np.uint8)
    for row, value in enumerate(encoded):
        table[row, : len(value)] = np.frombuffer(value, np.uint8)
    size = np.array([len(value) for value in encoded], np.int64)[index]
    return [_tag(key, _BYTES, len(index)), _varint(size), Piece(table.T[:, index], size)]


def nested(key: int, message: Message, there: Flags | None = None) -> Message:
    """Return a field that is a message; rows that are not `there` lack it."""
    size = sizes(message)
    return _present([_tag(key, _BYTES, len(size)), _varint(size), *message], there)


def sizes(message: Message) -> Ints:
    """Return how many bytes each row has."""
    return _total([piece.size for piece in message])


def spread(message: Message, rows: Ints, total: int) -> Message:
    """Return a message of `total` rows of which these have the fields, in this order, and all others have none."""
    return [_spread(piece, rows, total) for piece in message]


def enclosed(key: int, data: bytes) -> bytes:
    """Return a field that is a message of which the bytes are there."""
    length = _varint(np.array([len(data)]))
    return _tag(key, _BYTES, 1).data.tobytes() + length.data.tobytes() + data


def flat(message: Message) -> bytes:
    """Return the rows of a message behind each other."""
    rows = len(message[0].size)
    return b"".join(_flat(message, slice(first, first + _ROWS)) for first in range(0, rows, _ROWS))


def _flat(message: Message, rows: slice) -> bytes:
    sizes = [piece.size[rows] for piece in message]
    total = _total(sizes)
    ends = np.cumsum(total)
    place = ends - total
    out = np.empty(int(ends[-1]), np.uint8)
    for piece, size in zip(message, sizes, strict=True):
        always = int(size.min())
        for byte in range(int(size.max())):
            if byte < always:
                out[place + byte] = piece.data[byte, rows]
            else:
                longer = size > byte
                out[place[longer] + byte] = piece.data[byte, rows][longer]
        place += size
    return out.tobytes()


def _total(sizes: Sequence[Ints]) -> Ints:
    total = np.zeros(len(sizes[0]), np.int64)
    for size in sizes:
        total += size
    return total


def _spread(piece: Piece, rows: Ints, total: int) -> Piece:
    data = np.zeros((len(piece.data), total), np.uint8)
    data[:, rows] = piece.data
    size = np.zeros(total, np.int64)
    size[rows] = piece.size
    return Piece(data, size)


def _present(message: Message, there: Flags | None) -> Message:
    if there is None:
        return message
    return [Piece(piece.data, np.where(there, piece.size, 0)) for piece in message]


def _tag(key: int, wire: int, rows: int) -> Piece:
    one = _varint(np.array([key << 3 | wire]))
    return Piece(np.broadcast_to(one.data, (len(one.data), rows)), np.broadcast_to(one.size, (rows,)))


def _varint(values: NDArray[np.integer]) -> Piece:
    """Return base-128 numbers, a negative one as 64 bits in two's complement."""
    rest = values.astype(np.uint64)
    width = max(1, -(-int(rest.max(initial=0)).bit_length() // 7))
    data = np.empty((width, len(rest)), np.uint8)
    size = np.ones(len(rest), np.int64)
    for place in range(width):
        data[place] = rest & np.uint64(0x7F)
        rest >>= np.uint64(7)
        more = rest != 0
        data[place] |= more.astype(np.uint8) << 7
        size += more
    return Piece(data, size)


def _eight(values: NDArray[np.generic]) -> Piece:
    data = np.ascontiguousarray(values).view(np.uint8).reshape(len(values), 8)
    return Piece(data.T, np.full(len(values), 8))
