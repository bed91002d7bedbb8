"""What `perf stat -j` (a JSON object a line) and `perf stat -x SEP` (CSV) print, as counts; no arithmetic.

Rows may begin with the columns of -I, -A, --per-core, --per-thread and the like; metric columns and rows are skipped.
The columns are those of perf 3.x to 6.x (docs/imports.md).
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from simcore.errors import InputError
from workloads.perf_events import EventName, parse_event

NOT_COUNTED, NOT_SUPPORTED = "<not counted>", "<not supported>"
STATES = (NOT_COUNTED, NOT_SUPPORTED)
SEPARATORS = (",", ";", "|", "\t", "@", "#")
"""What is tried where the user does not say the separator."""
VALID = "what `perf stat -j` or `perf stat -x ,` prints"
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)?(?:e[+-]?\d+)?")
_PERCENT = re.compile(r"[+-]?(?:\d+(?:\.\d+)?|nan|inf)%")
_NOT_A_NUMBER = re.compile(r":\s*-?(?:nan|inf)\b")
_CPU = re.compile(r"CPU(\d{1,9})\b")
_MOST_PREFIX_COLUMNS = 4
MOST = 1e20
"""Counters of perf have 64 bits; sums and scaled ones may be a little larger."""


@dataclass(frozen=True, slots=True)
class Count:
    """One row: the event, its count as perf scaled it (None: see ``state``), and how long its counter ran.

    ``running_percent`` is time running over time enabled, ``running_ns`` the former; ``cpu`` is that of -A; ``where``
    is file and line.
    """

    event: EventName
    value: float | None
    state: str
    unit: str
    running_percent: float | None
    running_ns: float | None
    cpu: int | None
    where: str


def parse_perf_stat(text: str, where: str, separator: str | None = None) -> list[Count]:
    """Return the counts that a file holds; raises InputError with the line."""
    lines = [(f"{where}:{number}", line) for number, line in enumerate(text.splitlines(), 1) if _is_data(line)]
    if any("Performance counter stats for" in line for _, line in lines):
        raise InputError("this is perf's table for people", where, valid=VALID)
    if not lines:
        raise InputError("no row", where, valid=VALID)
    if lines[0][1].lstrip().startswith(("{", "[")):
        counts = [count for place, line in lines for count in _from_json(line, place)]
    else:
        counts = list(_from_csv(lines, where, separator))
    if not counts:
        raise InputError("no count in this file", where, valid=VALID)
    return counts


def _is_data(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


# --- JSON ------------------------------------------------------------------------------------------------


def _from_json(line: str, where: str) -> Iterator[Count]:
    try:
        row = json.loads(_NOT_A_NUMBER.sub(": null", line.strip().rstrip(",")))
    except (ValueError, RecursionError) as error:
        raise InputError("broken JSON", where, str(error), VALID) from None
    if not isinstance(row, dict):
        raise InputError("not a JSON object", where, valid="one object a line, as perf stat -j prints it")
    if "event" not in row and "counter-value" not in row:
        if not {"metric-value", "metric-unit", "metricgroup", "metric-threshold"} & set(row):
            raise InputError("neither a count nor a metric", where, valid=VALID)
        return
    for key in ("event", "counter-value"):
        if not isinstance(row.get(key), str):
            raise InputError(f"no text {key!r} in this row", where, valid=VALID)
    yield _count(
        row["event"],
        row["counter-value"],
        str(row.get("unit", "")),
        _figure(row, "event-runtime", where),
        _figure(row, "pcnt-running", where),
        str(row.get("cpu", "")),
        where,
    )


def _figure(row: dict[str, Any], key: str, where: str) -> float | None:
    value = row.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > MOST:
        raise InputError(f"{value!r} is not a number", f"{where}: {key}", valid=f"a number up to {MOST:g}")
    return float(value)


# --- CSV -------------------------------------------------------------------------------------------------


def _from_csv(lines: list[tuple[str, str]], where: str, separator: str | None) -> Iterator[Count]:
    separator = separator or _separator([line for _, line in lines])
    if separator is None:
        raise InputError("no row of perf stat in this file", where, valid=f"{VALID}; -x SEP names another separator")
    rows = [(place, [field.strip() for field in line.split(separator)]) for place, line in lines]
    has_summary = any(fields[0] == "summary" for _, fields in rows)
    intervals = has_summary and any(fields[0] != "summary" for _, fields in rows)
    for place, fields in rows:
        if intervals and fields[0] == "summary":
            continue
        at = _value_at(fields)
        if at is not None:
            yield _row(_with_whole_event(fields, separator), at, place)
        elif fields.count("") < 3:
            raise InputError("not a row of perf stat", place, valid=VALID)


def _separator(lines: list[str]) -> str | None:
    for line in lines:
        for separator in SEPARATORS:
            if _value_at([field.strip() for field in line.split(separator)]) is not None:
                return separator
    return None


def _value_at(fields: list[str]) -> int | None:
    """Return the column of the count, behind what -I, -A or --per-core put first; None where there is none."""
    return next((at for at, _ in _places(fields)), None)


def _event_at(fields: list[str]) -> int:
    """Return the column of the event in a row that has a count."""
    return next(event for _, event in _places(fields))


def _places(fields: list[str]) -> Iterator[tuple[int, int]]:
    """Yield the columns that may be the count and its event, the likeliest first.

    The event is two columns behind the count, with the unit between them, or one in perf before 3.14.
    """
    counts = [at for at, field in enumerate(fields[: _MOST_PREFIX_COLUMNS + 1]) if _is_number(field) or field in STATES]
    for distance in (2, 1):
        for at in counts:
            event = at + distance
            unit = fields[at + 1 : event]
            if event < len(fields) and fields[event][:1].isalpha() and not any(map(_is_number, unit)):
                yield at, event


def _with_whole_event(fields: list[str], separator: str) -> list[str]:
    """Put an event such as `pmu/event=0x11,name=x/`, which the separator has cut, together again."""
    event = _event_at(fields)
    if fields[event].count("/") != 1:
        return fields
    end = next((at for at in range(event + 1, len(fields)) if "/" in fields[at]), len(fields) - 1)
    return [*fields[:event], separator.join(fields[event : end + 1]), *fields[end + 1 :]]


def _row(fields: list[str], at: int, where: str) -> Count:
    event = _event_at(fields)
    unit = fields[at + 1] if event == at + 2 else ""
    rest = fields[event + 1 :]
    while rest and (_is_word(rest[0]) or _PERCENT.fullmatch(rest[0])):  # a cgroup of -G, the spread of -r
        rest = rest[1:]
    figures = [_as_number(field) if _is_number(field) else None for field in rest[:2]]
    running_ns, percent = [*figures, None, None][:2]
    return _count(fields[event], fields[at], unit, running_ns, percent, " ".join(fields[:at]), where)


def _is_number(field: str) -> bool:
    return _NUMBER.fullmatch(field) is not None


def _is_word(field: str) -> bool:
    return field[:1].isalpha() or field.startswith("/")


def _as_number(field: str) -> float:
    return float(field.replace(",", "."))  # one of many digits is infinity


# --- both ------------------------------------------------------------------------------------------------


def _count(
    event: str, value: str, unit: str, running_ns: float | None, percent: float | None, prefix: str, where: str
) -> Count:
    name = parse_event(event)
    if name is None:
        raise InputError(f"{event!r} is not the name of an event", where, valid=VALID)
    if value not in STATES and not _is_number(value):
        raise InputError(f"{value!r} is not a count", where, valid=f"a number, {NOT_COUNTED} or {NOT_SUPPORTED}")
    number = None if value in STATES else _as_number(value)
    if number is not None and not 0 <= number <= MOST:
        what = "negative" if number < 0 else "too large"
        raise InputError(f"the count {value} is {what}", where, valid=f"a number from 0 to {MOST:g}")
    if percent is not None and not 0 <= percent <= 100.01:
        raise InputError(f"{percent} is not a percentage", where, valid="0 to 100 percent of the time running")
    cpu = _CPU.search(prefix) or re.fullmatch(r"\d{1,9}", prefix)
    return Count(
        name,
        number,
        value if value in STATES else "",
        unit,
        percent,
        running_ns,
        int(cpu[cpu.lastindex or 0]) if cpu else None,
        where,
    )
