"""Random draws as pure functions of (seed, owner, purpose, index): counter-based, whole numbers only.

Nothing here has state, so nothing depends on the order of events, the number of workers or a library's version.
The mixer is SplitMix64's finaliser, applied once for each part of the key.
"""

from functools import lru_cache

import numpy as np

U64 = (1 << 64) - 1
Part = int | str

_GOLDEN = 0x9E3779B97F4A7C15
_FNV_OFFSET = 0xCBF29CE484222325
_FNV_PRIME = 0x100000001B3
_LOW = np.uint64(0xFFFFFFFF)
_LN2_Q64 = 0xB17217F7D1CF79AB  # ln 2 * 2**64
_LOG_BITS = 40  # binary digits of the logarithm below the point


def draw(seed: int, owner: Part, purpose: Part, index: int = 0) -> int:
    """Return 64 uniform bits that depend on the four parts of the key and nothing else."""
    return _mix((_key(seed, owner, purpose) + _fold(index)) & U64)


def below(limit: int, seed: int, owner: Part, purpose: Part, index: int = 0) -> int:
    """Return a uniform integer in [0, limit) by multiply and shift; the bias is below limit / 2**64."""
    if limit <= 0:
        raise ValueError(f"limit must be positive, not {limit}")
    return draw(seed, owner, purpose, index) * limit >> 64


def uniform(limit: int, seed: int, owner: Part, purpose: Part, first: int, number: int) -> np.ndarray:
    """Return int64 [number]: what ``below`` draws for the indices from ``first`` on."""
    if not 0 < limit <= 1 << 32:
        return np.array([below(limit, seed, owner, purpose, first + n) for n in range(number)], np.int64)
    bits = _mix_all(np.arange(first, first + number, dtype=np.uint64) + np.uint64(_key(seed, owner, purpose)))
    low = (bits & _LOW) * np.uint64(limit) >> np.uint64(32)
    return ((bits >> np.uint64(32)) * np.uint64(limit) + low >> np.uint64(32)).astype(np.int64)


def exponential_ns(mean_ns: int, seed: int, owner: Part, purpose: Part, index: int = 0) -> int:
    """Return an exponential duration of the given mean, in ns and at least 1, by integer arithmetic alone."""
    if mean_ns < 0:
        raise ValueError(f"mean_ns must not be negative, not {mean_ns}")
    bits = draw(seed, owner, purpose, index) | 1
    minus_log2 = (64 << _LOG_BITS) - log2_fixed(bits)
    return max(1, mean_ns * minus_log2 * _LN2_Q64 >> (64 + _LOG_BITS))


def log2_fixed(value: int) -> int:
    """Return log2 of a 64-bit integer of at least 1 in fixed point with 40 binary digits, rounded down."""
    whole = value.bit_length() - 1
    mantissa = value << 63 >> whole
    result = whole
    for _ in range(_LOG_BITS):
        mantissa = mantissa * mantissa >> 63
        carry = mantissa >> 64
        mantissa >>= carry
        result = result << 1 | carry
    return result


@lru_cache(maxsize=4096)
def _key(seed: int, owner: Part, purpose: Part) -> int:
    """Return what the first three parts of a key come to, before the index is added."""
    state = 0
    for part in (seed, _number(owner), _number(purpose)):
        state = _mix((state + _GOLDEN + _fold(part)) & U64)
    return state + _GOLDEN & U64


def _number(part: Part) -> int:
    """Return an integer key for a name (FNV-1a, marked so that no small integer equals it) or the integer itself."""
    if isinstance(part, int):
        return part
    state = _FNV_OFFSET
    for byte in part.encode():
        state = (state ^ byte) * _FNV_PRIME & U64
    return state | 1 << 64


def _fold(part: int) -> int:
    """Return 64 bits of an integer of any size and sign."""
    state = part & U64
    rest = part >> 64
    while rest not in (0, -1):
        state = _mix(state ^ rest & U64)
        rest >>= 64
    return state if rest == 0 else _mix(state ^ _FNV_OFFSET)


def _mix(value: int) -> int:
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & U64
    value = (value ^ value >> 27) * 0x94D049BB133111EB & U64
    return value ^ value >> 31


def _mix_all(value: np.ndarray) -> np.ndarray:
    """Return what ``_mix`` makes of each of some uint64."""
    value = (value ^ value >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ value >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = value ^ value >> np.uint64(31)
    return mixed
