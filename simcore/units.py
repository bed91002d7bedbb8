"""Integer time: nanoseconds from and to text with a unit. Frequencies are kHz by name; nothing here is a float."""

import re
from decimal import Decimal

from simcore.errors import InputError

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
NS_PER_US = 1_000
NS_PER_UNIT = {"s": NS_PER_S, "ms": NS_PER_MS, "us": NS_PER_US, "ns": 1}
MAX_NS = 10**18  # about 31 years; F(t) in kHz * ns stays an exact Python integer far beyond it

MOST_DIGITS = 18  # of a whole number; Python refuses to convert some thousands

VALID_TIME = "a number with unit s, ms, us or ns, such as 2s, 10ms, 0.5us (a bare number is seconds)"
_TIME = re.compile(r"\s*([+-]?(?:\d+(?:\.\d*)?|\.\d+))\s*([a-zA-Z]*)\s*", re.ASCII)


def parse_time_ns(text: str | int | float, where: str = "") -> int:
    """Return the nanoseconds that a text such as `2s`, `10ms` or `0.2` (seconds) says, exactly; never negative."""
    match = _TIME.fullmatch(str(text))
    if match is None or len(str(text)) > 64:
        raise InputError(f"{str(text)[:64]!r} is not a time", where=where, valid=VALID_TIME)
    scale = NS_PER_UNIT.get(match[2] or "s")
    if scale is None:
        raise InputError(f"{text!r} has the unknown unit {match[2]!r}", where=where, valid=VALID_TIME)
    exact = Decimal(match[1]) * scale
    if exact != exact.to_integral_value():
        raise InputError(f"{text!r} is not a whole number of nanoseconds", where=where, valid=VALID_TIME)
    return _in_range(int(exact), str(text), where)


def parse_whole(text: str) -> int:
    """Return the whole number that a text of up to 18 digits says, -1 for any other text."""
    return int(text) if len(text) <= MOST_DIGITS and text.isascii() and text.isdigit() else -1


def _in_range(value_ns: int, text: str, where: str) -> int:
    if value_ns < 0:
        raise InputError(f"{text!r} is negative", where=where, valid=VALID_TIME)
    if value_ns > MAX_NS:
        raise InputError(f"{text!r} is too long", where=where, valid=f"at most {MAX_NS // NS_PER_S} s")
    return value_ns


def format_time_ns(value_ns: int) -> str:
    """Return the exact time as text with the largest unit that keeps at most three decimals (`1.5ms`, `200ns`)."""
    for unit, scale in NS_PER_UNIT.items():
        if abs(value_ns) >= scale and value_ns * 1000 % scale == 0:
            return f"{(Decimal(value_ns) / scale).normalize():f}{unit}"
    return f"{value_ns}ns"
