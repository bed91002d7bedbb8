"""Recorded runs of one pCPU (parts pelt and eevdf of hetpmu-sched-vectors/1): what a file may say, checked strictly.

Each error names vector, place and what would be valid. Replay is in ``simcore.app.sched_loop`` and
``simcore.app.sched_single``.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from simcore.app.sched_loop import OPERATIONS, POLICIES, RUN, TICK_NS
from simcore.app.sched_signals import START_NS
from simcore.app.sched_single import STATES
from simcore.app.vector_forms import at, integer, items, keys, known, shown, within, wrong
from simcore.errors import InputError, unknown_name

SCHEMA: Final = "hetpmu-sched-vectors/1"
PARTS: Final = ("pelt", "eevdf")
INT64: Final = (1 << 63) - 1
LAST_NS: Final = 1 << 50
MAX_CPUS: Final = 4096
MAX_CAPACITY: Final = 1024
MAX_TASKS: Final = 1 << 16

SIGNAL: Final = (
    "last_update_time", "load_sum", "runnable_sum", "util_sum", "period_contrib", "load_avg", "runnable_avg",
    "util_avg", "util_est",
)  # fmt: skip
FIELDS: Final[Mapping[str, Sequence[str]]] = {
    "pelt_se": (*SIGNAL, "util_est_unchanged_flag"),
    "pelt_cfs": SIGNAL,
    "pelt_rq": ("clock_pelt", "lost_idle_time"),
}
"""Lists of the file that name the numbers of a record, and what they must say."""

NOTES: Final = (
    "provenance", "units", "about", "loop_vector", "loop_order", "log_entry", "log_ideal", "single_vector", *FIELDS,
)  # fmt: skip
TASK_FIELDS: Final = 6
HEADS: Final[Mapping[str, int]] = {"sw": 3, "new": 3, "fork": 3, "wake": 3, "slept": 3, "nice": 3, "tick": 3, "end": 3}
"""Entry of a log -> how many numbers stand before average, number of queued threads and the list of threads."""

_OPERATION: Final = re.compile(r"[BYX]|[RSWF](0|[1-9][0-9]{0,14})|N-?(0|[1-9][0-9]?)")
_OPERATION_FORMS: Final = "R<ns>, S<ns>, B, W<id>, Y, F<id>, N<nice> or X"


def check(content: Mapping[str, Any], where: str = "") -> None:
    """Raise InputError for the first thing in a file that has no meaning."""
    try:
        _check_file(content)
    except InputError as error:
        raise within(error, where, ": ") from None


def _check_file(content: Mapping[str, Any]) -> None:
    keys(content, ("schema", "part", "count", "vectors"), NOTES)
    at("schema", _same, content["schema"], SCHEMA)
    at("part", known, "part", content["part"], PARTS)
    for name, fields in FIELDS.items():
        if name in content:
            at(name, _same, content[name], list(fields))
    vectors = at("vectors", items, content["vectors"])
    if not vectors:
        raise InputError("the file has no vector", where="vectors", valid="at least one")
    at("count", integer, content["count"], len(vectors), INT64)
    seen: set[str] = set()
    for number, vector in enumerate(vectors):
        place = _name(vector, number)
        at(place, _vector, vector)
        if vector["id"] in seen:
            raise InputError(f"{place} stands there twice", valid="each vector once")
        seen.add(vector["id"])


def _each(place: str, parse: Callable[..., Any], values: Iterable[Any], *arguments: Any) -> None:
    for number, value in enumerate(values):
        at(f"{place} {number}", parse, value, *arguments)


def _same(value: Any, valid: Any) -> None:
    if value != valid:
        raise InputError(f"wrong value {shown(value)}", valid=shown(valid))


def _name(vector: Any, number: int) -> str:
    name = vector.get("id") if isinstance(vector, dict) else None
    return f"vector {shown(name)}" if isinstance(name, str) and name else f"vector number {number}"


def _vector(vector: Any) -> None:
    if not isinstance(vector, dict):
        raise wrong(vector, "an object")
    if "kind" not in vector:
        raise InputError("missing key 'kind'", valid=", ".join(KINDS))
    at("kind", known, "kind", vector["kind"], KINDS)
    KINDS[vector["kind"]](vector)
    if not isinstance(vector["id"], str) or not vector["id"].isprintable():
        raise within(wrong(vector["id"], "a string of printable characters"), "id")


# A run of threads


def _loop(vector: Mapping[str, Any]) -> None:
    scales = ("capacity", "freq_scale") if "capacity" in vector or "freq_scale" in vector else ()
    required = ("id", "kind", "ncpus", "base_slice", "tick_phase", "end", "tasks", "log", *scales)
    keys(vector, required, ("theme", "log_ideal"))
    for name in scales:
        at(name, integer, vector[name], 1, MAX_CAPACITY)
    at("ncpus", integer, vector["ncpus"], 1, MAX_CPUS)
    at("base_slice", integer, vector["base_slice"], 1, LAST_NS)
    at("tick_phase", integer, vector["tick_phase"], 0, TICK_NS - 1)
    at("end", integer, vector["end"], START_NS, LAST_NS)
    rows = at("tasks", items, vector["tasks"])
    if not rows:
        raise InputError("no thread", where="tasks", valid="at least one")
    ids = [at(f"task {number}", _task_id, row) for number, row in enumerate(rows)]
    for number, task in enumerate(ids):
        if task in ids[:number]:
            raise InputError(f"task {task} stands there twice", where="tasks", valid="each id once")
    _each("task", _task, rows, ids)
    for name in ("log", "log_ideal"):
        if name in vector:
            _each(f"{name}, entry", _entry, at(name, items, vector[name]), bool(scales))


def _task_id(row: Any) -> int:
    keys(row, ("id", "nice", "slice", "policy", "loop", "start", "ops"))
    return int(at("id", integer, row["id"], 0, MAX_TASKS))


def _task(row: Mapping[str, Any], ids: Sequence[int]) -> None:
    at("nice", _nice, row["nice"])
    at("slice", integer, row["slice"], 0, LAST_NS)
    at("policy", known, "policy", row["policy"], POLICIES)
    at("loop", integer, row["loop"], 0, 1)
    if row["start"] != -1 or isinstance(row["start"], bool):
        at("start", integer, row["start"], START_NS, LAST_NS)
    ops = at("ops", items, row["ops"])
    _each("op", _operation, ops, ids)
    if row["loop"] and not {op[0] for op in ops} & {RUN, "S", "B", "X"}:
        raise InputError("the operations repeat and take no time", where="ops", valid="at least one R, S, B or X")


def _nice(value: Any) -> int:
    return integer(value, -20, 19)


def _operation(op: Any, ids: Sequence[int]) -> None:
    if not isinstance(op, str):
        raise wrong(op, _OPERATION_FORMS)
    if op[:1] not in {RUN, *OPERATIONS}:
        raise unknown_name("operation", op[:20], (RUN, *OPERATIONS))
    if not _OPERATION.fullmatch(op):
        raise InputError(f"wrong operation {shown(op)}", valid=_OPERATION_FORMS)
    name, number = op[0], int(op[1:] or 0)
    if name == "N":
        _nice(number)
    elif name in (RUN, "S"):
        integer(number, 1, LAST_NS)
    elif name in ("W", "F") and number not in ids:
        raise unknown_name("task", str(number), map(str, ids))


def _entry(entry: Any, scaled: bool) -> None:
    row = items(entry, "a list [name, time, ...]")
    name = known("log entry", row[0] if row else None, (*HEADS, "exit"))
    if name == "exit":
        _numbers(row[1:], 2)
        return
    signals = scaled and name != "end"
    if name == "tick" and not scaled:
        raise InputError("unknown log entry 'tick'", why="the vector has no capacity", valid=", ".join(HEADS))
    numbers = HEADS[name] + 2
    length = numbers + 2 + signals
    if len(row) != length:
        raise InputError(f"{len(row)} values in a log entry {name!r}", valid=str(length))
    _numbers(row[1 : numbers + 1], numbers)
    for task in items(row[numbers + 1], "a list of threads"):
        _numbers(task, TASK_FIELDS)
    if signals:
        _signals(row[-1])


def _signals(value: Any) -> None:
    keys(value, ("t", "cfs", "rq"), ("se",))
    integer(value["t"], 0, INT64)
    for name, fields in FIELDS.items():
        if (short := name.removeprefix("pelt_")) in value:
            at(short, _numbers, value[short], len(fields))


def _numbers(value: Any, length: int) -> None:
    if len(items(value, f"a list of {length} integers")) != length:
        raise wrong(value, f"a list of {length} integers")
    for number in value:
        integer(number, -INT64, INT64)


# A thread beside a SCHED_FIFO thread


def _single(vector: Mapping[str, Any]) -> None:
    keys(vector, ("id", "kind", "capacity", "nice", "start", "init", "steps"), ("theme",))
    at("capacity", integer, vector["capacity"], 1, MAX_CAPACITY)
    at("nice", _nice, vector["nice"])
    at("start", integer, vector["start"], START_NS, LAST_NS)
    at("init", _record, vector["init"])
    state = "R"
    for number, step in enumerate(at("steps", items, vector["steps"])):
        state = at(f"step {number}", _step, step, state)


def _step(step: Any, before: str) -> str:
    """Check a step that follows a state; return its state."""
    keys(step, ("state", "dur", "freq_scale", "begin", "end"))
    state: str = at("state", known, "state", step["state"], STATES)
    if before == "Q" and not STATES[state][0]:
        raise InputError(
            f"wrong state {state!r}", "state", "T cannot fall asleep in Q, where it does not run", "R or Q"
        )
    at("dur", integer, step["dur"], 0, LAST_NS)
    at("freq_scale", integer, step["freq_scale"], 1, MAX_CAPACITY)
    at("begin", _record, step["begin"])
    at("end", _record, step["end"])
    return state


def _record(value: Any) -> None:
    rows = items(value, "[thread, run queue, clocks]")
    if len(rows) != len(FIELDS):
        raise wrong(rows, "[thread, run queue, clocks]")
    for row, (name, fields) in zip(rows, FIELDS.items(), strict=True):
        at(name, _numbers, row, len(fields))


KINDS: Final[Mapping[str, Callable[[Mapping[str, Any]], None]]] = {"loop": _loop, "single": _single}
"""Kind of a vector -> what checks it."""
