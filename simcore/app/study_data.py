"""The runs of a study as arrays, for tables, plots and notebooks: `load_study(directory)`."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simcore.app.sweep_directory import read_study
from simcore.app.sweep_files import SweepFiles
from simcore.study import DTYPES, KeyColumn, Study

Table = NDArray[np.void]


@dataclass(frozen=True)
class StudyPoint:
    """One setting of the study's keys: its number, and the value of each key as the study has it."""

    number: int
    values: dict[str, Any]


@dataclass(frozen=True)
class StudyData:
    """What a sweep has found so far.

    ``runs`` is a structured array with a row for each finished run, by point and seed: `point`, a column for each key
    (`study.columns` says which; times in ns), then `simcore.run_columns`.
    """

    study: Study
    runs: Table

    @property
    def points(self) -> tuple[StudyPoint, ...]:
        """Return all points of the study, those without a run included."""
        return tuple(StudyPoint(number, self.study.values(number)) for number in range(self.study.points))

    @property
    def keys(self) -> tuple[KeyColumn, ...]:
        """Return the columns of the keys."""
        return self.study.columns

    def at(self, point: int) -> Table:
        """Return the runs of a point, by seed."""
        first, last = np.searchsorted(self.runs["point"], [point, point + 1])
        found: Table = self.runs[first:last]
        return found


def load_study(directory: str | Path, columns: Collection[str] | None = None) -> StudyData:
    """Read the finished runs of a sweep; `columns` limits what is kept in memory (`point` is always there).

    Raises InputError where there is no sweep, or where a file of it is damaged.
    """
    files = SweepFiles(Path(directory), read_study(Path(directory)))
    return StudyData(files.study, _joined(files, columns))


def _joined(files: SweepFiles, columns: Collection[str] | None) -> Table:
    found = (files.table(block) for block in range(len(files.blocks)))
    tables = [_with_keys(files, block, table, columns) for block, table in enumerate(found)]
    dtype = np.dtype([
        (name, max((table.dtype[name] for table in tables), key=lambda kind: kind.itemsize))
        for name in tables[0].dtype.names or ()
    ])  # fmt: skip
    joined = np.zeros(sum(map(len, tables)), dtype)
    start = 0
    for table in tables:
        joined[start : start + len(table)] = table
        start += len(table)
    return joined


def _with_keys(files: SweepFiles, block: int, found: Table, columns: Collection[str] | None) -> Table:
    """Return the runs of a block with the column that is the name of its directory."""
    partition = files.blocks.partition
    values = {name: found[name] for name in found.dtype.names or ()}
    if partition is not None:
        value = partition.value(files.study.values(files.blocks.points(block).start)[partition.key])
        kind = DTYPES.get(partition.kind, f"U{len(str(value)) or 1}")
        values[partition.name] = np.full(len(found), value, dtype=kind)
    names = ["point", *(column.name for column in files.study.columns), *(c.name for c in files.columns)]
    names = [name for name in dict.fromkeys(names) if columns is None or name in columns or name == "point"]
    table = np.zeros(len(found), [(name, values[name].dtype) for name in names])
    for name in names:
        table[name] = values[name]
    return table
