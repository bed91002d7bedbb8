"""Changes to protocol buffers, to gzip and to ELF files that leave their lengths and checksums right."""

import gzip
import random
import struct
import zlib
from typing import Any

from simcore.app.protobuf_wire import WireError, message
from tests.fuzz.mutate import BYTES, Known, mutated
from tests.fuzz.trees import INTEGERS, Form, change


def _varint(number: int) -> bytes:
    number %= 1 << 64
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(found) + bytes([number])


def _load(data: bytes, depth: int = 0) -> Any:
    """Return [[field, number or bytes or such a list], ...]; what is no message stays bytes."""
    rows: list[Any] = []
    for key, values in message(data).items():
        for found in values:
            row = found
            if isinstance(found, bytes) and len(found) > 1 and depth < 6:
                try:
                    row = _load(found, depth + 1)
                except WireError:
                    row = found
            rows.append([key, row])
    return rows


def _dump(rows: Any) -> bytes:
    found = b""
    for row in rows:
        if not (isinstance(row, list) and len(row) == 2 and isinstance(row[0], int)):
            continue
        key, item = row
        if isinstance(item, list):
            item = _dump(item)
        if isinstance(item, str):
            item = item.encode("utf-8", "replace")
        if isinstance(item, bytes):
            found += _varint(key << 3 | 2) + _varint(len(item)) + item
        else:
            found += _varint(key << 3) + _varint(int(item) if isinstance(item, int) else 0)
    return found


PROTOBUF = change(Form(_load, _dump))


def packed(rng: random.Random, data: bytes, known: Known) -> bytes:
    """Put the packets of a Perfetto trace into a compressed packet, perhaps several times."""
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        inner = zlib.compress(data, 1)
        body = _varint(50 << 3 | 2) + _varint(len(inner)) + inner
        data = b"\x0a" + _varint(len(body)) + body
    return data


def bomb(rng: random.Random, data: bytes, known: Known) -> bytes:
    """Make a compressed packet that is very much larger when it is unpacked."""
    return packed(random.Random(1), bytes(rng.choice((1 << 14, 1 << 18, 1 << 22))), known)


def zipped(rng: random.Random, data: bytes, known: Known) -> bytes:
    """Change what is in a gzip file, or make one."""
    try:
        plain = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
    except (OSError, EOFError, zlib.error):
        plain = data
    plain = mutated(rng, plain, known, BYTES)
    if rng.random() < 0.02:
        plain += rng.choice((b"\0", b"\n", b"{", b"a 1 ")) * (1 << rng.randrange(16, 25))
    found = gzip.compress(plain, 1, mtime=0)
    return found if rng.random() < 0.8 else mutated(rng, found, known, BYTES)


def elf(rng: random.Random, data: bytes, known: Known) -> bytes:
    """Write over a field of the header or of a program header."""
    fields = [("<Q", 24), ("<Q", 32), ("<H", 18), ("<H", 54), ("<H", 56), ("<Q", 8), ("<Q", 16)]
    fields += [("<I", 64 + 56 * row) for row in range(3)]
    fields += [("<Q", 64 + 56 * row + 8 * place) for row in range(3) for place in range(1, 7)]
    form, at = rng.choice(fields)
    size = struct.calcsize(form)
    number = rng.choice((*INTEGERS[:-1], 64 << 20, len(data), 0x40000000, 0x40080000)) % (1 << 8 * size)
    return data[:at] + struct.pack(form, number) + data[at + size :]
