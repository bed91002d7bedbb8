"""The forms in which sysfs writes values: lists of CPUs, numbers, sizes, events, and what the kernel's log says.

Every function takes the text and where it stands; a text of another form is an `InputError` that names the file.
"""

import re
from typing import Final, NamedTuple

from simcore.errors import InputError
from simcore.units import parse_whole

MAX_CPU: Final = 511
_RANGE: Final = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?")
_NUMBER: Final = re.compile(r"(?P<hex>0[xX][0-9a-fA-F]{1,16})|[0-9]{1,20}")
MOST: Final = (1 << 64) - 1
_SIZE: Final = re.compile(r"(\d{1,12})([KMG]?)B?")
_UNITS: Final = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_EVENT: Final = re.compile(r"event=(0x[0-9a-fA-F]{1,8}|\d{1,8})")
_COUNTERS: Final = re.compile(
    r"enabled with (\S+) PMU driver, (\d{1,3}) (?:\(([0-9a-fA-F][0-9a-fA-F,]{0,39})\) )?counters available"
)
_TIMER: Final = re.compile(r"arch_timer: cp15.*timer\(s\) running at (\d{1,5})\.(\d{2})MHz")
_BOGOMIPS: Final = re.compile(r"^BogoMIPS\s*:\s*(\d{1,5})\.(\d{2})\s*$", re.MULTILINE)
EVENT_COUNTERS_MASK: Final = (1 << 31) - 1
ICNTR_BIT: Final = 32


class Counters(NamedTuple):
    """The counters that the driver of a host PMU found."""

    events: int
    """PMCR_EL0.N: those without the cycle counter and the instruction counter."""
    icntr: bool


def cpu_list(text: str, where: str) -> tuple[int, ...]:
    """Read a list of CPUs such as `0-3,6`; an empty one has no CPUs."""
    cpus: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        match = _RANGE.fullmatch(part)
        low, high = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if low > high or high > MAX_CPU:
            why = f"{part[:40]!r} is no CPU number and no range up to {MAX_CPU}"
            raise InputError("not a list of CPUs", where=where, why=why, valid="a list such as 0-3,6")
        cpus |= set(range(low, high + 1))
    return tuple(sorted(cpus))


def number(text: str, where: str) -> int:
    """Read a number of at most 64 bits, in hex where it says so."""
    said = text.strip()
    match = _NUMBER.fullmatch(said)
    value = int(said, 16 if match["hex"] else 10) if match else MOST + 1
    if value > MOST:
        raise InputError(f"{said[:40]!r} is no number", where=where, valid="a whole number of at most 64 bits")
    return value


def size(text: str, where: str) -> int:
    """Read a size such as `512K` in bytes."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise InputError(f"{text.strip()[:40]!r} is no size", where=where, valid="a size such as 512K")
    return int(match[1]) * _UNITS[match[2]]


def event(text: str) -> int | None:
    """Read the number of an event such as `event=0x0011`; None for what is none of the PMU's own."""
    match = _EVENT.match(text.strip())
    return number(match[1], "") if match else None


def counters(log: str) -> dict[str, Counters]:
    """Read from the kernel's log which counters each host PMU has, by its name."""
    found = {}
    for name, total, mask in _COUNTERS.findall(log):
        if mask:
            bits = int(mask.replace(",", ""), 16)
            found[name] = Counters((bits & EVENT_COUNTERS_MASK).bit_count(), bool(bits >> ICNTR_BIT & 1))
        else:
            found[name] = Counters(max(int(total) - 1, 0), False)
    return found


def timer_hz(log: str) -> int | None:
    """Read the frequency of the architected timer from the kernel's log, which cuts it to 10 kHz."""
    match = _TIMER.search(log)
    return int(match[1]) * 1_000_000 + int(match[2]) * 10_000 if match else None


def bogomips_hz(cpuinfo: str) -> int | None:
    """Read the frequency of the architected timer from /proc/cpuinfo: arm64's BogoMIPS are two of its MHz, cut."""
    match = _BOGOMIPS.search(cpuinfo)
    return int(match[1]) * 500_000 + int(match[2]) * 5_000 if match else None


def midrs(cpuinfo: str) -> dict[int, int]:
    """Read MIDR_EL1 of each CPU from the fields of /proc/cpuinfo."""
    found = {}
    for block in cpuinfo.split("\n\n"):
        rows = dict(re.findall(r"^([\w ]+?)\s*:\s*(\w+)\s*$", block, re.MULTILINE))
        fields = [rows.get(f"CPU {name}", "") for name in ("implementer", "variant", "part", "revision")]
        processor = parse_whole(rows.get("processor", ""))
        if processor < 0 or not all(fields):
            continue
        implementer, variant, part, revision = (number(field, "/proc/cpuinfo") for field in fields)
        found[processor] = implementer << 24 | variant << 20 | 0xF << 16 | part << 4 | revision
    return found
