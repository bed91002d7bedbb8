"""The log of the probe (`hetpmu probe`): samples of a counter beside CNTVCT_EL0, as arrays.

docs/replay.md has the form of the file.
"""

from array import array
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simcore.errors import InputError
from simcore.limits import read_bytes
from simcore.units import NS_PER_S

MAGIC: Final = "# hetpmu-probe 1"
COLUMNS: Final = ("seq", "cpu", "cntvct", "after", "cycles", "pmccntr", "switches", "mono_ns")
SOURCES: Final = ("rdpmc", "read", "raw", "cntvct")
LEVELS: Final = ("all", "el0")
HEAD: Final = ("cntfrq_hz", "source", "levels", "interval_us", "columns")
MAX_BYTES: Final = 128_000_000
"""Some two million samples."""
LOWEST_HZ, HIGHEST_HZ = 1_000_000, 1_000_000_000

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredLog:
    """Samples in the order of the log; one row each."""

    path: str
    cntfrq_hz: int
    source: str
    levels: str
    """`all`, or `el0` where the counter stands still at EL1."""
    cpu: int
    """The guest's CPU on which all samples were taken, so the vCPU."""
    lines: Ints
    ns: Ints
    """When, in ns since the first sample: the middle of the two reads of CNTVCT_EL0 around the counter's."""
    spread_ns: int
    """The longest time between these two reads."""
    gains: Ints
    """Cycles since the sample before, 0 for the first; negative where the counter went back."""
    switches: Ints
    """How often the thread of the probe had been switched, -1: unknown."""
    mono_ns: Ints


def read_log(path: str) -> MeasuredLog:
    """Read a log, or raise an InputError that names the line."""
    lines = _lines(path)
    head, first = _head(lines, path)
    rows, numbers = _rows(lines, first, path)
    seq, cpu, before, after, cycles, _, switches, mono = (rows[:, column] for column in range(len(COLUMNS)))
    _check(seq, cpu, before.view(np.int64), after.view(np.int64), numbers, path)
    hz = int(head["cntfrq_hz"])
    middle = (before - before[0] + (after - before) // np.uint64(2)).view(np.int64)
    gains = np.concatenate((np.zeros(1, np.int64), np.diff(cycles).view(np.int64)))
    return MeasuredLog(
        path=path,
        cntfrq_hz=hz,
        source=head["source"],
        levels=head["levels"],
        cpu=int(cpu[0]),
        lines=numbers,
        ns=_ns(middle, hz),
        spread_ns=int(_ns((after - before).view(np.int64), hz).max()),
        gains=gains,
        switches=switches.view(np.int64),
        mono_ns=mono.view(np.int64),
    )


def _lines(path: str) -> list[str]:
    try:
        return read_bytes(path, most=MAX_BYTES).decode("ascii").splitlines()
    except UnicodeDecodeError as error:
        raise InputError("no text", where=path, why=f"byte {error.start} is not ASCII", valid=_valid()) from None


def _valid() -> str:
    return "the output of the probe: hetpmu probe > probe.c; see docs/replay.md"


def _head(lines: list[str], path: str) -> tuple[dict[str, str], int]:
    """Return the values of the head, and the index of the first sample."""
    if not lines or lines[0].rstrip() != MAGIC:
        found = lines[0][:40] if lines else ""
        why = f"it begins with {found!r}, not with {MAGIC!r}"
        raise InputError("no log of the probe", where=f"{path}:1", why=why, valid=_valid())
    head: dict[str, str] = {}
    place = 1
    for place in range(1, len(lines) + 1):
        if place == len(lines) or not lines[place].startswith("#"):
            break
        key, _, value = lines[place].lstrip("# ").partition(" ")
        if key not in HEAD:
            raise InputError(f"unknown key {key!r}", where=f"{path}:{place + 1}", valid=", ".join(HEAD))
        head[key] = value.strip()
        _check_value(key, head[key], f"{path}:{place + 1}")
    missing = [key for key in HEAD if key not in head]
    if missing:
        raise InputError(f"the head lacks {missing[0]}", where=f"{path}:{place}", valid=", ".join(HEAD))
    return head, place


def _check_value(key: str, value: str, where: str) -> None:
    valid = {"source": SOURCES, "levels": LEVELS, "columns": (" ".join(COLUMNS),)}.get(key)
    if valid is not None and value not in valid:
        raise InputError(f"{key} {value!r} is not known", where=where, valid=", ".join(valid))
    if key == "cntfrq_hz" and not (value.isdecimal() and len(value) <= 10 and LOWEST_HZ <= int(value) <= HIGHEST_HZ):
        raise InputError(f"{value!r} is no frequency of a timer", where=where, valid=f"{LOWEST_HZ} to {HIGHEST_HZ}")


def _rows(lines: list[str], first: int, path: str) -> tuple[NDArray[np.uint64], Ints]:
    """Return the samples as words of 64 bits, signed ones in two's complement, and the number of each one's line."""
    words, numbers = array("Q"), array("q")
    for place in range(first, len(lines)):
        if lines[place].strip():
            words.extend(_words(lines[place].split(), f"{path}:{place + 1}"))
            numbers.append(place + 1)
    if len(numbers) < 2:
        raise InputError(f"{len(numbers)} samples", where=f"{path}:{len(lines)}", valid="at least two")
    return np.array(words, np.uint64).reshape(-1, len(COLUMNS)), np.array(numbers, np.int64)


def _words(fields: list[str], where: str) -> list[int]:
    if len(fields) != len(COLUMNS):
        raise InputError(f"{len(fields)} fields", where=where, valid=f"{len(COLUMNS)}: {' '.join(COLUMNS)}")
    words = []
    for name, text in zip(COLUMNS, fields, strict=True):
        if text == "-" and name == "pmccntr":
            words.append(0)
        elif text == "-1" and name == "switches":
            words.append((1 << 64) - 1)
        elif text.isdecimal() and len(text) <= 20 and int(text) < 1 << 64:
            words.append(int(text))
        else:
            raise InputError(f"{name} {text[:30]!r} is no number", where=where, valid="a whole number below 2**64")
    return words


def _check(seq: NDArray[np.uint64], cpu: NDArray[np.uint64], before: Ints, after: Ints, lines: Ints, path: str) -> None:
    """Refuse samples that are not in order, or not all of one CPU."""
    for wrong, what in (
        (np.diff(seq) != 1, "seq does not follow that of the line before"),
        (np.diff(cpu) != 0, "another CPU than in the line before: the thread was not pinned"),
        (np.diff(before) <= 0, "cntvct is not above that of the line before"),
        ((after < before)[1:], "after is below cntvct"),
    ):
        if wrong.any():
            line = int(lines[1:][np.argmax(wrong)])
            raise InputError(what, where=f"{path}:{line}", valid="samples of one CPU in the order of time")


def _ns(ticks: Ints, hz: int) -> Ints:
    """Return ticks of the timer as ns, rounded down, without a product of more than 64 bits."""
    whole, rest = np.divmod(ticks, hz)
    return np.asarray(whole * NS_PER_S + rest * NS_PER_S // hz, np.int64)
