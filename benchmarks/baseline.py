"""Compare a benchmark result with a saved one, and say which case is slower beyond noise.

Two runs at different times may meet a machine of different speed. Every case is timed in turns with the
references, and both results have the figures of each round; compared is the case over a reference, now against
then. A case counts as slower only if it is so against every reference, by the whole interval and by more than
LEAST_NOISE (two runs of the very same code differ by some percent: other addresses, other neighbours), and if
it stays so when it is measured anew.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.shift import Shift, shift
from simcore.app.storing import replaced_file, write_json
from simcore.errors import InputError
from simcore.limits import read_json

SCHEMA = "hetpmu-bench/1"
LEAST_NOISE = 0.05
REPEATS = 2
"""How often a case that seems slower is measured anew."""

CHANGING = ("versions", "load_average", "hetpmu")
"""What of a machine's description is no reason to warn: each version is looked at for itself."""

Row = Mapping[str, Any]
Verdict = dict[str, Any]


@contextmanager
def saving(path: Path | None) -> Iterator[Callable[[Row], None]]:
    """Give a function that writes the result; that it can be written is checked on entry."""
    if path is None:
        yield lambda result: None
    else:
        with replaced_file(path) as temporary:
            yield lambda result: write_json(temporary, result)


@dataclass(frozen=True, slots=True)
class Saved:
    """A saved result: its cases by name, without those that were not measured, or repeat others, and its machine."""

    cases: Mapping[str, Row]
    machine: Row


def load(path: Path) -> Saved:
    """Read a saved result."""
    try:
        result = read_json(path, "not a benchmark result")
    except InputError as error:
        raise InputError(error.what, error.where, error.why, valid="a file written by bench --save") from None
    try:
        if result["schema"] != SCHEMA:
            raise InputError(f"schema {result['schema']!r}", str(path), valid=SCHEMA)
        cases = [case for case in result["cases"] if case.get("runs") != 0 and "worst_of" not in case]
        return Saved({case["name"]: checked(case) for case in cases}, dict(result["machine"]))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise InputError("not a benchmark result", str(path), valid="a file written by bench --save") from error


def checked(case: Row) -> Row:
    """Return the case when it has what a comparison needs."""
    rounds = case["rounds"]
    for values in (rounds["ours"], *rounds["references"].values()):
        if not values or not all(float(value) > 0 for value in values):
            raise ValueError(case["name"])
    if not rounds["references"] or any(len(v) != len(rounds["ours"]) for v in rounds["references"].values()):
        raise ValueError(case["name"])
    return {"name": str(case["name"]), "unit": str(case["unit"]), "rounds": rounds}


def compare(rows: Sequence[Row], saved: Mapping[str, Row], again: Callable[[str], Row]) -> list[Verdict]:
    """Return a verdict on each case that both have; ``again`` measures the case of a name anew."""
    return [settled(row, saved[row["name"]], again) for row in rows if comparable(row, saved)]


def differences(now: Row, then: Row) -> dict[str, list[object]]:
    """Return what of the machine is not as it was, but its load: what it is now, and what it was then."""
    plain = [{**row, **row.get("versions", {})} for row in (now, then)]
    pairs = {name: [row.get(name) for row in plain] for name in plain[0] if name not in CHANGING}
    return {name: values for name, values in pairs.items() if values[0] != values[1]}


def comparable(row: Row, saved: Mapping[str, Row]) -> bool:
    """Tell whether a case was measured, now as then, in the same unit and beside a reference that both have."""
    if "rounds" not in row or row["name"] not in saved:
        return False
    then = saved[row["name"]]
    return bool(then["unit"] == row["unit"] and common(row, then))


def settled(row: Row, then: Row, again: Callable[[str], Row]) -> Verdict:
    """Return the verdict on a case; one that seems slower is measured anew, and the best of all counts."""
    best = verdict(row, then)
    for _ in range(REPEATS):
        if not best["slower"]:
            break
        best = max(best, verdict(again(row["name"]), then), key=lambda found: float(found["high"]))
    return best


def verdict(now: Row, then: Row) -> Verdict:
    """Return the speed of a case over the saved one against the reference that is kindest to it."""
    shifts = {name: relative(now, then, name) for name in common(now, then)}
    reference, best = max(shifts.items(), key=lambda item: item[1].high)
    return judged(now["name"], best) | {"reference": reference}


def common(now: Row, then: Row) -> list[str]:
    """Return the references that were timed beside a case both now and then."""
    return [name for name in now["rounds"]["references"] if name in then["rounds"]["references"]]


def judged(name: str, found: Shift) -> Verdict:
    """Return a case's speed with its interval, and whether all of that lies beyond noise."""
    slower = found.high < 1 - LEAST_NOISE
    return {"name": name, "speed": found.ratio, "low": found.low, "high": found.high, "slower": slower}


def relative(now: Row, then: Row, reference: str) -> Shift:
    """Return how fast a case is in units of its saved speed, both over a reference."""
    return shift(*(over(row["rounds"], reference) for row in (now, then)))


def over(rounds: Row, reference: str) -> list[float]:
    """Return a case's throughput in each round over that of a reference in the same round."""
    return [ours / other for ours, other in zip(rounds["ours"], rounds["references"][reference], strict=True)]
