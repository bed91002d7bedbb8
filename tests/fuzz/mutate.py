"""Changes to an input as bytes and as lines of text; each takes a random source, the input and what else is known."""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

NUMBERS = (
    "0", "-1", "1", "255", "256", "65536", "4294967295", "4294967296", "9223372036854775807", "9223372036854775808",
    "18446744073709551616", "1000000000000", "1" + "0" * 400, "9" * 4000, "9" * 5000, "1e999", "-1e999", "1e-400",
    "0.1", "nan", "inf", "-inf", "NaN", "Infinity", "0x" + "f" * 5000, "0x10", "1_000", "1e3", "00", "-0",
    "0-4294967295", "0-511", "511", "512", "1.7976931348623157e308", "٣", "²",
)  # fmt: skip
"""Numbers that programs get wrong."""
ODD = (
    "\0", "\ufeff", "\r\n", "\r", "\x1b[31m", "\x1b]0;x\x07", "\u2028", "\x85", "\u202e", "\x7f", "é", "日本",
    "\U0001f980", "\x0b", "\x0c", "\t", "'", '"', "\\", "%s", "{0}", "${HOME}", "../../../etc/passwd", "/dev/zero",
    "/", ".", "..", "~", "a" * 300, "a" * 5000,
    "a/" * 200, "=", "#", ",", ";", "<not counted>", "true", "null", "[]", "{}",
)  # fmt: skip
"""Texts that programs get wrong."""
BROKEN = (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"\xfe\xff", b"\x1f\x8b\x08\x00", b"\x00" * 8)
NUMBER = re.compile(rb"[-+]?(?:0x[0-9a-fA-F]+|\d+(?:\.\d+)?)")
WORD = re.compile(rb"[A-Za-z_][\w.\-]*")
MOST_BYTES, BIG_BYTES = 1 << 16, 1 << 20


@dataclass(frozen=True, slots=True)
class Known:
    """What a change may draw from: words of the format, and other inputs."""

    tokens: Sequence[str]
    inputs: Sequence[bytes]


Change = Callable[[random.Random, bytes, Known], bytes]


def mutated(rng: random.Random, data: bytes, known: Known, changes: Sequence[Change]) -> bytes:
    """Return an input with one change or a few."""
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 5))):
        data = rng.choice(changes)(rng, data, known)
    return data[:BIG_BYTES]


def _span(rng: random.Random, data: bytes) -> tuple[int, int]:
    """Return two places, near each other more often than not."""
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.choice((1, 2, 4, 8, 16, 64, 256, len(data))))


def _new(rng: random.Random, known: Known) -> bytes:
    """Return something to put in."""
    kind = rng.randrange(6)
    if kind == 0:
        return rng.choice(BROKEN)
    if kind == 1:
        return bytes(rng.randrange(256) for _ in range(rng.randrange(1, 9)))
    if kind == 2:
        return rng.choice(NUMBERS).encode()
    if kind == 3 or not known.tokens:
        return rng.choice(ODD).encode()
    return rng.choice(known.tokens).encode()


def flip(rng: random.Random, data: bytes, known: Known) -> bytes:
    """Turn a bit over."""
    if not data:
        return data
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def insert(rng: random.Random, data: bytes, known: Known) -> bytes:
    """Put something in."""
    at = rng.randrange(len(data) + 1)
    return data[:at] + _new(rng, known) + data[at:]


def replace(rng: random.Random, data: bytes, known: Known) -> bytes:
    """Put something in the place of something else."""
    start, end = _span(rng, data)
    return data[:start] + _new(rng, known) + data[end:]


def delete(rng: random.Random, data: bytes, known: Known) -> bytes:
    """Take something out."""
    start, end = _span(rng, data)
    return data[:start] + data[end:]


def cut(rng: random.Random, data: bytes, known: Known) -> bytes:
    """End it early."""
    return data[: rng.randrange(len(data) + 1)]


def copy(rng: random.Random, data: bytes, known: Known) -> bytes:
    """Put a piece of it somewhere else, too."""
    start, end = _span(rng, data)
    at = rng.randrange(len(data) + 1)
    return data[:at] + data[start:end] + data[at:]


def splice(rng: random.Random, data: bytes, known: Known) -> bytes:
    """Go on with the end of another input."""
    other = rng.choice(known.inputs) if known.inputs else data
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]


def grow(rng: random.Random, data: bytes, known: Known) -> bytes:
    """Repeat a piece of it, or something new, very often: what takes time in the square of its length shows."""
    if rng.random() < 0.7:
        return data
    start, end = _span(rng, data)
    piece = (data[start:end] if rng.random() < 0.7 else _new(rng, known)) or b"["
    size = BIG_BYTES if rng.random() < 0.03 else 1 << rng.randrange(6, 17)
    return data[:start] + piece * max(2, min(size // len(piece), size)) + data[start:]


def word(rng: random.Random, data: bytes, known: Known) -> bytes:
    """Write an integer of 2, 4 or 8 bytes that programs get wrong over some bytes."""
    size = rng.choice((2, 4, 8))
    value = rng.choice((0, 1, -1, 1 << (8 * size - 1), (1 << (8 * size - 1)) - 1, 64, 4096, 1 << 20, len(data)))
    at = rng.randrange(len(data) + 1)
    made = (value % (1 << 8 * size)).to_bytes(size, rng.choice(("little", "big")))
    return data[:at] + made + data[at + size :]


def number(rng: random.Random, data: bytes, known: Known) -> bytes:
    """Write another number in the place of one."""
    return _instead(rng, data, NUMBER, rng.choice(NUMBERS).encode())


def nudge(rng: random.Random, data: bytes, known: Known) -> bytes:
    """Make a number a little larger or smaller, or of the other sign."""
    found = _pick(rng, data, NUMBER)
    if found is None:
        return data
    try:
        value = int(found[0], 0)
    except ValueError:
        return data
    if abs(value) > 1 << 4000:
        return data
    made = rng.choice((value + 1, value - 1, -value, value * 10, value // 10, value * 1000))
    return data[: found.start()] + str(made).encode() + data[found.end() :]


def token(rng: random.Random, data: bytes, known: Known) -> bytes:
    """Write another word in the place of one."""
    return _instead(rng, data, WORD, (rng.choice(known.tokens) if known.tokens else rng.choice(ODD)).encode())


def line(rng: random.Random, data: bytes, known: Known) -> bytes:
    """Take out a line, repeat it, or exchange it with another."""
    lines = data.splitlines(keepends=True)
    if not lines:
        return data
    first, second = rng.randrange(len(lines)), rng.randrange(len(lines))
    kind = rng.randrange(4)
    if kind == 0:
        del lines[first]
    elif kind == 1:
        lines.insert(second, lines[first])
    elif kind == 2:
        lines[first], lines[second] = lines[second], lines[first]
    else:
        lines[min(first, second) : max(first, second)] = []
    return b"".join(lines)


def endings(rng: random.Random, data: bytes, known: Known) -> bytes:
    """Write the ends of lines in another way, or put a byte-order mark in front."""
    kind = rng.randrange(4)
    if kind == 0:
        return data.replace(b"\n", b"\r\n")
    if kind == 1:
        return data.replace(b"\n", b"\r")
    return b"\xef\xbb\xbf" + data if kind == 2 else data.decode("utf-8", "replace").encode("utf-16")


def nest(rng: random.Random, data: bytes, known: Known) -> bytes:
    """Open many brackets or dotted names, and perhaps close them."""
    depth = rng.choice((3, 40, 200, 1000, 3000, 20_000))
    opened, closed = rng.choice(((b"[", b"]"), (b"{a=", b"}"), (b'{"a":', b"}"), (b"a.", b""), (b"(", b")")))
    at = rng.randrange(len(data) + 1)
    return data[:at] + opened * depth + b"1" + (closed * depth if rng.random() < 0.7 else b"") + data[at:]


def _pick(rng: random.Random, data: bytes, pattern: "re.Pattern[bytes]") -> "re.Match[bytes] | None":
    start = rng.randrange(len(data) + 1)
    return pattern.search(data, start) or pattern.search(data)


def _instead(rng: random.Random, data: bytes, pattern: "re.Pattern[bytes]", made: bytes) -> bytes:
    found = _pick(rng, data, pattern)
    return data if found is None else data[: found.start()] + made + data[found.end() :]


BYTES: tuple[Change, ...] = (flip, insert, replace, delete, cut, copy, splice, grow, word)
TEXT: tuple[Change, ...] = (
    number, number, nudge, token, token, line, line, insert, replace, delete, copy, splice, grow, endings, nest, cut,
    flip,
)  # fmt: skip
