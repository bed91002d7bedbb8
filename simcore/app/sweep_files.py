"""The directory of a sweep: what lies where.

`study.json` says what is run, `runs/` is the dataset, `timings/` the wall times; `open/` holds finished runs whose
block is not complete yet, and what is being written; `failures/` the runs that failed.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simcore.app.parquet import read_table, write_table
from simcore.app.run_rows import is_row, table_of_rows
from simcore.app.sweep_blocks import Blocks
from simcore.app.sweep_journal import Entry, Journal, sync_file
from simcore.errors import InputError
from simcore.study import DTYPES, Study
from simcore.table_columns import Column

POINT = Column("point", "i8", "", "number of the point")
TIMINGS = (POINT, Column("seed", "u8", "", "seed of the run"), Column("wall_ns", "i8", "ns", "wall time of the run"))

Table = NDArray[np.void]


@dataclass(frozen=True)
class SweepFiles:
    """The files of one sweep in `directory`."""

    directory: Path
    study: Study

    @property
    def open(self) -> Path:
        """Return where that lies which is not complete."""
        return self.directory / "open"

    @property
    def failures(self) -> Path:
        """Return where the failed runs lie."""
        return self.directory / "failures"

    @property
    def kept(self) -> Path:
        """Return where the result directories of runs lie, if they are kept."""
        return self.directory / "kept"

    @cached_property
    def blocks(self) -> Blocks:
        """Return how its runs lie in files."""
        return Blocks(self.study)

    @property
    def columns(self) -> tuple[Column, ...]:
        """Return the columns of a part of the dataset: all but the one that is the name of its directory."""
        keys = [column for column in self.study.columns if column != self.blocks.partition]
        return (
            POINT,
            *(Column(key.name, DTYPES.get(key.kind, "U"), key.unit, key.key) for key in keys),
            *self.study.run_columns,
        )

    def prepare(self) -> None:
        """Make what every sweep needs, and clear away what a killed one was just writing."""
        for place in (self.open, self.directory / "runs"):
            place.mkdir(exist_ok=True)
        for path in self.open.glob("*.partial"):
            path.unlink()

    def part(self, block: int) -> Path:
        """Return the file of a block's runs."""
        blocks = self.blocks
        return self.directory / "runs" / blocks.folder(block) / f"{blocks.name(block)}.parquet"

    def timing(self, block: int) -> Path:
        """Return the file of the wall times of a block's runs."""
        return self.directory / "timings" / f"{self.blocks.name(block)}.parquet"

    def write_block(self, block: int, entries: Sequence[Entry]) -> None:
        """Write the runs of a block, in order, in the place of what was there: times first, since the runs decide."""
        self._write(self.timing(block), TIMINGS, [tuple(entry[:3]) for entry in entries])
        self._write(self.part(block), self.columns, self._rows(entries))

    def table(self, block: int) -> Table:
        """Return the runs of a block: of its file, or what is known so far."""
        if self.part(block).exists():
            return self._checked(block)
        entries = sorted(self.whole(block, Journal(self.open).peek(block)), key=lambda entry: (entry[0], entry[1]))
        return table_of_rows(self.columns, self._rows(entries))

    def _checked(self, block: int) -> Table:
        """Return the table of a block's file, which has its columns and its points."""
        path, points = self.part(block), self.blocks.points(block)
        table = read_table(path)
        kinds = {column.name: np.dtype(column.dtype).kind for column in self.columns}
        if {name: table.dtype[name].kind for name in table.dtype.names or ()} != kinds:
            raise InputError("the columns are not those of this sweep", where=str(path), valid=", ".join(kinds))
        seeds = table["seed"].astype(object) - self.study.first_seed
        if not all(point in points for point in table["point"].tolist()) or np.any(
            (seeds < 0) | (seeds >= self.study.seed_count)
        ):
            raise InputError(
                "a run is of another block", where=str(path), valid=f"points {points.start} to {points.stop - 1}"
            )
        return table

    def whole(self, block: int, entries: Sequence[Entry]) -> list[Entry]:
        """Return the runs of a journal that can be runs of this block: a stranger's line may hold anything."""
        points, seeds, columns = self.blocks.points(block), self.study.seeds, self.study.run_columns
        return [entry for entry in entries if entry[0] in points and entry[1] in seeds and is_row(entry[3], columns)]

    def entries(self, block: int) -> list[Entry]:
        """Return the runs of a block's file in the form of the journal, none where it is not there."""
        if not self.part(block).exists():
            return []
        table = self._checked(block)
        names = [column.name for column in self.study.run_columns]
        rows = zip(table["point"].tolist(), table["seed"].tolist(), table[names].tolist(), strict=True)
        walls = self._walls(block)
        return [(point, seed, walls.get((point, seed), 0), row) for point, seed, row in rows]

    def _walls(self, block: int) -> dict[tuple[int, int], int]:
        if not self.timing(block).exists():
            return {}
        table = read_table(self.timing(block))
        if table.dtype.names != tuple(column.name for column in TIMINGS):
            raise InputError("these are no wall times", where=str(self.timing(block)), valid="point, seed, wall_ns")
        return {(point, seed): wall_ns for point, seed, wall_ns in table.tolist()}

    def _rows(self, entries: Sequence[Entry]) -> list[tuple[Any, ...]]:
        keys = {point: self._key_values(point) for point in {entry[0] for entry in entries}}
        return [(entry[0], *keys[entry[0]], *entry[3]) for entry in entries]

    def _key_values(self, point: int) -> list[Any]:
        values, partition = self.study.values(point), self.blocks.partition
        return [column.value(values[column.key]) for column in self.study.columns if column != partition]

    def _write(self, path: Path, columns: Sequence[Column], rows: list[tuple[Any, ...]]) -> None:
        """Write a Parquet file under a temporary name and give it its own once the disk has it."""
        metadata = {column.name: {"unit": column.unit, "meaning": column.meaning} for column in columns}
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.open / f"{path.parent.name}-{path.stem}.partial"
        write_table(table_of_rows(columns, rows), temporary, None, metadata)
        sync_file(temporary)
        os.replace(temporary, path)
