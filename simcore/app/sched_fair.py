"""Conformance of PELT and EEVDF: recorded vectors of the parts pelt and eevdf, replayed up to the first difference."""

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any, Final

from simcore.app.sched_forms import PARTS, check
from simcore.app.sched_loop import Loop
from simcore.app.sched_single import Single

__all__ = ("PARTS", "check", "mismatch")

Named = tuple[int, str, Any]
"""Step of a vector, name of what is recorded there, and its value."""

Mismatch = tuple[int, str, Any, Any]
"""Step, name of what is recorded there, expected and got."""

END: Final = (-1, "end of the log", None)


def mismatch(vector: Mapping[str, Any], _content: Mapping[str, Any]) -> Mismatch | None:
    """Replay a vector of a checked file; return the first result that differs, or None."""
    recorded, replayed = REPLAYS[vector["kind"]](vector)
    for expected, got in zip_longest(recorded, replayed, fillvalue=END):
        if expected != got:
            step, name, _ = got if expected is END else expected
            return step, name, expected[2], got[2]
    return None


def _loop(vector: Mapping[str, Any]) -> tuple[Iterator[Named], Iterator[Named]]:
    """Return what is recorded of a run, with exact extremes of slices where they matter, and what comes out."""
    loop = Loop(vector)
    return _log(vector["base_slice"], vector.get("log_ideal", vector["log"])), _log(loop.base_slice, loop.run())


def _log(base_slice: int, entries: Iterator[Any]) -> Iterator[Named]:
    yield 0, "base_slice", base_slice
    for step, entry in enumerate(entries):
        yield step, entry[0], entry


def _single(vector: Mapping[str, Any]) -> tuple[Iterator[Named], Iterator[Named]]:
    return _records(vector), Single(vector).run()


def _records(vector: Mapping[str, Any]) -> Iterator[Named]:
    yield 0, "init", vector["init"]
    for step, row in enumerate(vector["steps"]):
        yield step, "begin", row["begin"]
        yield step, "end", row["end"]


REPLAYS: Final = {"loop": _loop, "single": _single}
"""Kind of a vector -> what returns its recorded and its replayed results."""
