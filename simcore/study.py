"""Study: many scenarios that differ in some keys, each under the same seeds, as frozen names and numbers.

A point is one setting of the keys; its number counts along the axes, the first one slowest. Nothing here grows with
the number of points but the axes themselves.
"""

import hashlib
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from simcore.guest_columns import GUEST_COLUMNS
from simcore.run_columns import RUN_COLUMNS
from simcore.table_columns import Column
from simcore.units import NS_PER_UNIT, parse_time_ns

SCENARIOS, GUESTS = "scenario", "guest"
COLUMNS = {SCENARIOS: RUN_COLUMNS, GUESTS: GUEST_COLUMNS}
"""What a run is, and the columns of its row: a scenario, or an image of real code (docs/guest_code.md)."""

TIME_TEXT = re.compile(rf"\d+(\.\d+)?({'|'.join(NS_PER_UNIT)})")
DTYPES = {"ns": "i8", "bool": "i8", "integer": "i8", "number": "f8"}


@dataclass(frozen=True, slots=True)
class Axis:
    """Keys that change together: a row of values for each step along the axis."""

    keys: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True, slots=True)
class Stop:
    """A point has enough seeds once the 95 % interval of a metric is at most 2 * ``half_width`` wide.

    ``min_seeds`` is the least number of seeds before that is asked.
    """

    metric: str
    half_width: float
    min_seeds: int = 10


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """How the values of a key stand in a table: a column name, and `ns`, `bool`, `integer`, `number` or `text`."""

    key: str
    name: str
    kind: str

    @property
    def unit(self) -> str:
        """Return the unit of the values in the column."""
        return "ns" if self.kind == "ns" else ""

    def value(self, value: Any) -> int | float | str:
        """Return the value of the key as it stands in the column."""
        if self.kind == "ns":
            return parse_time_ns(value)
        if self.kind == "number":
            return float(value)
        if self.kind in ("bool", "integer"):
            return int(value)
        return value if isinstance(value, str) else json.dumps(value)


@dataclass(frozen=True)
class Study:
    """A question, the scenario's tables that all points share (``base``), the axes, and the seeds of every point.

    ``folder`` is where file names in scenarios start from; it decides nothing else. ``kind`` is one of `COLUMNS`.
    """

    name: str
    question: str
    base: Mapping[str, Any]
    axes: tuple[Axis, ...]
    seed_count: int = 20
    first_seed: int = 1
    stop: Stop | None = None
    folder: str = "."
    kind: str = SCENARIOS

    @property
    def run_columns(self) -> tuple[Column, ...]:
        """Return the columns of a run's row, beside the point and the keys."""
        return COLUMNS[self.kind]

    @property
    def keys(self) -> tuple[str, ...]:
        """Return the keys of a scenario that differ between points, in the order of the axes."""
        return tuple(key for axis in self.axes for key in axis.keys)

    @property
    def points(self) -> int:
        """Return the number of points."""
        return math.prod(len(axis.rows) for axis in self.axes)

    def first_points(self) -> Iterator[int]:
        """Yield, for each step of each axis, its point at the first step of all others."""
        span = self.points
        for axis in self.axes:
            span //= len(axis.rows)
            yield from range(0, span * len(axis.rows), span)

    @property
    def seeds(self) -> range:
        """Return the seeds of every point, the same ones everywhere."""
        return range(self.first_seed, self.first_seed + self.seed_count)

    @property
    def runs(self) -> int:
        """Return the number of runs if no point stops early."""
        return self.points * self.seed_count

    def values(self, point: int) -> dict[str, Any]:
        """Return the values of the keys at a point."""
        rows: list[tuple[Axis, int]] = []
        for axis in reversed(self.axes):
            point, row = divmod(point, len(axis.rows))
            rows.append((axis, row))
        return {key: axis.rows[row][place] for axis, row in reversed(rows) for place, key in enumerate(axis.keys)}

    @cached_property
    def columns(self) -> tuple[KeyColumn, ...]:
        """Return a column for each key, under a short name that no other column of a run has."""
        kinds = [kind_of(row[place] for row in axis.rows) for axis in self.axes for place in range(len(axis.keys))]
        return tuple(
            KeyColumn(key, f"{name}_ns" if kind == "ns" else name, kind)
            for key, name, kind in zip(self.keys, short_names(self.keys, self._taken), kinds, strict=True)
        )

    @property
    def _taken(self) -> tuple[str, ...]:
        return ("point", *(column.name for column in self.run_columns))

    def as_json(self) -> dict[str, Any]:
        """Return what decides the runs of the study, and its words, as JSON."""
        return {
            "name": self.name,
            "question": self.question,
            "base": dict(self.base),
            "axes": [{"keys": list(axis.keys), "rows": [list(row) for row in axis.rows]} for axis in self.axes],
            "seeds": {"count": self.seed_count, "base": self.first_seed},
            "stop": None
            if self.stop is None
            else {
                "metric": self.stop.metric,
                "half_width": self.stop.half_width,
                "min_seeds": self.stop.min_seeds,
            },
            **({} if self.kind == SCENARIOS else {"kind": self.kind}),
        }

    def digest(self) -> str:
        """Return a digest over all that decides the runs."""
        return hashlib.sha256(json.dumps(self.as_json(), sort_keys=True).encode()).hexdigest()


def study_of(data: Mapping[str, Any], folder: str = ".") -> Study:
    """Return the study that `Study.as_json` described."""
    stop = data["stop"]
    return Study(
        name=data["name"],
        question=data["question"],
        base=data["base"],
        axes=tuple(Axis(tuple(axis["keys"]), tuple(tuple(row) for row in axis["rows"])) for axis in data["axes"]),
        seed_count=data["seeds"]["count"],
        first_seed=data["seeds"]["base"],
        stop=None if stop is None else Stop(stop["metric"], stop["half_width"], stop["min_seeds"]),
        folder=folder,
        kind=data.get("kind", SCENARIOS),
    )


def kind_of(values: Iterable[Any]) -> str:
    """Return what all values of a key are: times with unit, truth values, integers, numbers, or anything as text."""
    known = list(values)
    if all(isinstance(value, str) and TIME_TEXT.fullmatch(value) for value in known):
        return "ns"
    if all(isinstance(value, bool) for value in known):
        return "bool"
    plain = all(isinstance(value, int | float) and not isinstance(value, bool) for value in known)
    if plain and all(isinstance(value, int) and -(1 << 63) <= value < 1 << 63 for value in known):
        return "integer"
    return "number" if plain else "text"


def short_names(keys: Sequence[str], taken: Iterable[str] = ()) -> list[str]:
    """Name each key by as few of its last parts as tell it from the others and from the names that are taken."""
    used = set(taken)
    names = []
    for key in keys:
        parts = key.split(".")
        endings = [parts[start:] for start in range(len(parts) - 1, -1, -1)]
        others = [other.split(".") for other in keys if other != key]
        free = (
            "_".join(ending)
            for ending in endings
            if "_".join(ending) not in used and not any(other[-len(ending) :] == ending for other in others)
        )
        names.append(next(free, "key_" + "_".join(parts)))
    return names
