"""Lines of trace text to events: trace-cmd report, ftrace's own `trace` file, perf script and perf sched script.

The form of the lines is that of the first line which has one. The fields of an event may come as in the kernel's print
format, raw, or in the classic style of trace-cmd's plugins, whatever the form of the line.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Final, NamedTuple

from simcore.app.schedule import (
    UNKNOWN,
    Event,
    Flaw,
    Frequency,
    Guest,
    Idle,
    Lost,
    Migrate,
    Other,
    Switch,
    Timed,
    Waking,
    idle_state,
    is_runnable,
)
from simcore.errors import InputError
from simcore.units import parse_whole

VALID: Final = "text of trace-cmd report, ftrace's trace, perf script or perf sched script; trace.dat; a Perfetto trace"
_NUMBER: Final = r"(\d{1,10})"
_THREAD: Final = rf"\s{{0,64}}(.{{1,64}}?)-{_NUMBER}\s+"
_SECONDS: Final = r"([0-8]?\d{1,9})\.(\d{1,9}):"
_EVENT: Final = r"\s+(?:\d+\s+)?(?:(?:\w+:(?=\w))?(\w+):(?!\S))?\s*(.*)"
_PERF_THREAD: Final = r"\s{0,64}(.{1,64}?)\s{1,64}(?:-?\d+/)?(-?\d{1,10})\s+"
_CPU: Final = r"\[(\d{1,5})\]\s+(?:\S+\s+)?"
_CPU_AND_FLAGS: Final = r"(\d{1,5})[A-Za-z.]\S*\s+"


MOST_UNFORMED: Final = 100_000
MOST_BETWEEN: Final = 500
"""Lines without an event: so many are read at first, and so many more for each event; a stack has up to 127."""


class Form(NamedTuple):
    """A way of writing a line: thread, CPU, whole and fractional part of the time, event and its fields."""

    name: str
    line: re.Pattern[str]
    whole_ns: int
    """What the whole part of a time counts."""


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.ASCII)


FORMS: Final = (
    Form("trace-cmd or ftrace text", _pattern(rf"{_THREAD}(?:\([\s\d-]+\)\s+)?{_CPU}{_SECONDS}{_EVENT}"), 10**9),
    Form("perf script text", _pattern(rf"{_PERF_THREAD}{_CPU}{_SECONDS}{_EVENT}"), 10**9),
    Form("trace-cmd latency text", _pattern(rf"{_THREAD}{_CPU_AND_FLAGS}{_SECONDS}{_EVENT}"), 10**9),
    Form("ftrace latency text", _pattern(rf"{_THREAD}{_CPU_AND_FLAGS}(\d{{1,15}})()us\S? ?:{_EVENT}"), 1000),
)

_RAW: Final = r"(?:\[FAILED TO PARSE\]\s+)?"
"""How trace-cmd begins raw fields where it does not understand the print format."""
_SWITCH: Final = (
    _pattern(
        rf"{_RAW}prev_comm=(.*) prev_pid={_NUMBER} prev_prio=-?\d+ prev_state=(\S+)(?: ==>)?"
        rf" next_comm=(.*) next_pid={_NUMBER}\b"
    ),
    _pattern(rf"(.*):{_NUMBER} \[-?\d+\] (\S+) ==> (.*):{_NUMBER} \[-?\d+\]"),
)
_WAKING: Final = (
    _pattern(rf"{_RAW}comm=(.*) pid={_NUMBER} .*?target_cpu=(\d{{1,5}})\b"),
    _pattern(rf"(.*):{_NUMBER} \[-?\d+\].* CPU:(\d{{1,5}})\b"),
)
_MIGRATE: Final = _pattern(rf"{_RAW}comm=(.*) pid={_NUMBER} .*?orig_cpu=(\d{{1,5}}) dest_cpu=(\d{{1,5}})\b")
_STATE: Final = _pattern(rf"{_RAW}state={_NUMBER} cpu_id=(\d{{1,5}})\b")
_MARK: Final = _pattern(rf".*?\bcpu_frequency(?:_devlib)?:\s+state={_NUMBER} cpu_id=(\d{{1,5}})\b")

_LOST: Final = _pattern(r"CPU:(\d{1,5}) \[(?:LOST )?(?:(\d{1,18}) )?EVENTS(?: DROPPED)?\]")
_PERF_LOST: Final = _pattern(r"PERF_RECORD_LOST.*\blost (\d{1,18})")
_OVERWRITTEN: Final = _pattern(r"# (?:entries-in-buffer/entries-written: |.*#)(\d{1,18})/(\d{1,18})\b")
_SKIPPED: Final = _pattern(r"\s*$|#|cpus=|version = |CPU \d+ is empty|\s*=> |\s*<stack trace>|\s+[0-9a-f]{6,16}\s")


class Place(NamedTuple):
    """Where an event stands: its line, time and CPU, and the thread in whose context it was recorded."""

    line: int
    t_ns: int
    cpu: int
    context: int
    comm: str


Parse = Callable[[Place, str], Event | None]


class TextTrace:
    """The events of a text; its form and the finest resolution of its times are known once they have been read."""

    unit = "line"
    in_order = True

    def __init__(self, lines: Iterable[str]) -> None:
        """Read nothing yet."""
        self._lines = lines
        self._finest = 0
        self._form: Form | None = None

    @property
    def resolution_ns(self) -> int:
        """Give the unit of the last digit of its times."""
        whole_ns = self._form.whole_ns if self._form else 1
        return int(whole_ns // 10**self._finest)

    @property
    def form(self) -> str:
        """Give the name of the form of its lines."""
        return self._form.name if self._form else "text"

    def events(self) -> Iterator[Event]:
        """Yield the events line by line; raise InputError where no line has a known form."""
        numbered = iter(enumerate(self._lines, 1))
        for number, line in numbered:
            self._form = form_of(line)
            if self._form:
                yield from self._formed(self._form, chain([(number, line)], numbered))
                return
            yield from _unformed(number, line)
            if number > MOST_UNFORMED:
                break
        raise InputError("no line of a trace in it", valid=VALID)

    def _formed(self, form: Form, numbered: Iterable[tuple[int, str]]) -> Iterator[Event]:
        match, parser_of = form.line.match, _PARSERS.get
        units_ns = [form.whole_ns // 10**digits for digits in range(10)]
        formed = 0
        for number, line in numbered:
            found = match(line)
            if found is None:
                if number - formed * MOST_BETWEEN > MOST_UNFORMED:
                    raise InputError("hardly a line of a trace in it", f"line {number}", valid=VALID)
                yield from _unformed(number, line)
                continue
            formed += 1
            comm, pid, cpu, whole, fraction, name, fields = found.groups()
            digits = len(fraction)
            if digits > self._finest:
                self._finest = digits
            t_ns = int(whole) * form.whole_ns + (int(fraction) * units_ns[digits] if digits else 0)
            parse = parser_of(name)
            if parse is None:
                yield Other(number, t_ns, int(cpu), int(pid))
                continue
            event = parse(Place(number, t_ns, int(cpu), int(pid), comm), fields)
            yield Flaw(number, "malformed-event") if event is None else event


def form_of(line: str) -> Form | None:
    """Return the form of a line, if it has one."""
    return next((form for form in FORMS if form.line.match(line)), None)


def mark(place: Place, text: str) -> Timed:
    """Return the frequency that a mark from user space tells, or a mark of no use."""
    found = _MARK.match(text)
    return Frequency(*place[:4], int(found[2]), int(found[1])) if found else Other(*place[:4])


def _unformed(number: int, line: str) -> Iterator[Event]:
    lost, overwritten = _LOST.match(line), _OVERWRITTEN.match(line)
    if lost:
        yield Lost(number, int(lost[1]), int(lost[2] or 0))
    elif overwritten:
        missing = int(overwritten[2]) - int(overwritten[1])
        if missing > 0:
            yield Lost(number, UNKNOWN, missing)
    elif not _SKIPPED.match(line):
        yield Flaw(number, "unreadable-line")


def _first(patterns: tuple[re.Pattern[str], ...], fields: str) -> re.Match[str] | None:
    for pattern in patterns:
        found = pattern.match(fields)
        if found:
            return found
    return None


def _switch(place: Place, fields: str) -> Event | None:
    found = _first(_SWITCH, fields)
    if found is None:
        return None
    prev_comm, prev_pid, state, next_comm, next_pid = found.groups()
    return Switch(*place[:4], int(prev_pid), prev_comm, _runnable(state), int(next_pid), next_comm)


def _runnable(state: str) -> bool:
    """Tell whether a previous thread's state, a letter or the raw number, is that of one that still wants the CPU."""
    number = parse_whole(state)
    return is_runnable(number) if number >= 0 else state.startswith("R")


def _waking(place: Place, fields: str) -> Event | None:
    found = _first(_WAKING, fields)
    return Waking(*place[:4], int(found[2]), found[1], int(found[3])) if found else None


def _migrate(place: Place, fields: str) -> Event | None:
    found = _MIGRATE.match(fields)
    return Migrate(*place[:4], int(found[2]), found[1], int(found[3]), int(found[4])) if found else None


def _frequency(place: Place, fields: str) -> Event | None:
    found = _STATE.match(fields)
    return Frequency(*place[:4], int(found[2]), int(found[1])) if found else None


def _idle(place: Place, fields: str) -> Event | None:
    found = _STATE.match(fields)
    return Idle(*place[:4], int(found[2]), idle_state(int(found[1]))) if found else None


def _entry(place: Place, fields: str) -> Event:
    return Guest(*place, True)


def _exit(place: Place, fields: str) -> Event:
    return Guest(*place, False)


def _unnamed(place: Place, fields: str) -> Event:
    found = _PERF_LOST.match(fields)
    return Lost(place.line, place.cpu, int(found[1])) if found else Other(*place[:4])


_PARSERS: Final[dict[str | None, Parse]] = {
    "sched_switch": _switch,
    "sched_waking": _waking,
    "sched_wakeup": _waking,
    "sched_wakeup_new": _waking,
    "sched_migrate_task": _migrate,
    "cpu_frequency": _frequency,
    "cpu_idle": _idle,
    "kvm_entry": _entry,
    "kvm_exit": _exit,
    "print": mark,
    "tracing_mark_write": mark,
    None: _unnamed,
}
