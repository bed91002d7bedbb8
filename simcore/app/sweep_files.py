"""The directory of a sweep: what lies where, and the study that it belongs to.

`study.json` says what is run, `runs/` is the dataset, `timings/` the wall times, `open/` holds finished runs whose block
is not complete yet, `failures/` the runs that failed.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simcore import __version__
from simcore.app.parquet import read_table, write_table
from simcore.app.run_rows import RunRow, table_of_rows
from simcore.app.storing import replaced_file, write_json
from simcore.app.sweep_blocks import Blocks
from simcore.errors import InputError
from simcore.run_columns import RUN_COLUMNS
from simcore.study import DTYPES, Study, study_of
from simcore.table_columns import Column

SWEEP_SCHEMA = "hetpmu-sweep/1"
STUDY = "study.json"
POINT = Column("point", "i8", "", "number of the point")
TIMINGS = (POINT, Column("seed", "u8", "", "seed of the run"), Column("wall_ns", "i8", "ns", "wall time of the run"))

Table = NDArray[np.void]


@dataclass(frozen=True)
class SweepFiles:
    """The files of one sweep in `directory`."""

    directory: Path
    study: Study

    @property
    def blocks(self) -> Blocks:
        """Return how its runs lie in files."""
        return Blocks(self.study)

    @property
    def columns(self) -> tuple[Column, ...]:
        """Return the columns of a part of the dataset: all but the one that is the name of its directory."""
        partition = self.blocks.partition
        keys = [
            Column(column.name, DTYPES.get(column.kind, "U"), "ns" if column.kind == "ns" else "", column.key)
            for column in self.study.columns
            if column != partition
        ]
        return (POINT, *keys, *RUN_COLUMNS)

    def part(self, block: int) -> Path:
        """Return the file of a block's runs."""
        blocks = self.blocks
        return self.directory / "runs" / blocks.folder(block) / f"{blocks.name(block)}.parquet"

    def timing(self, block: int) -> Path:
        """Return the file of the wall times of a block's runs."""
        return self.directory / "timings" / f"{self.blocks.name(block)}.parquet"

    def write_part(self, block: int, rows: list[tuple[int, RunRow]]) -> None:
        """Write the runs of a block, (point, row) in order, in the place of what was there."""
        keys = {point: self._key_values(point) for point in self.blocks.points(block)}
        full = [(point, *keys[point], *row) for point, row in rows]
        metadata = {column.name: {"unit": column.unit, "meaning": column.meaning} for column in self.columns}
        write_whole(self.part(block), table_of_rows(self.columns, full), metadata)

    def write_timing(self, block: int, rows: list[tuple[int, int, int]]) -> None:
        """Write the wall times of a block's runs: (point, seed, ns)."""
        write_whole(self.timing(block), table_of_rows(TIMINGS, rows))

    def _key_values(self, point: int) -> list[Any]:
        values = self.study.values(point)
        partition = self.blocks.partition
        return [column.value(values[column.key]) for column in self.study.columns if column != partition]

    def table(self, block: int) -> Table:
        """Return the runs of a block's file."""
        return read_table(self.part(block))


def write_whole(path: Path, table: Table, columns: dict[str, dict[str, str]] | None = None) -> None:
    """Write a Parquet file under a temporary name and give it its own once it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced_file(path) as temporary:
        write_table(table, temporary, None, columns)


def save_study(study: Study, directory: Path) -> None:
    """Write what the directory belongs to."""
    with replaced_file(directory / STUDY) as temporary:
        write_json(
            temporary,
            {"schema": SWEEP_SCHEMA, "version": __version__, "digest": study.digest(), "study": study.as_json()},
        )


def read_study(directory: Path) -> Study:
    """Return the study that a directory belongs to."""
    path = directory / STUDY
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["schema"] != SWEEP_SCHEMA:
            raise InputError("not a sweep of this version", where=str(path), valid=SWEEP_SCHEMA)
        return study_of(data["study"], str(directory))
    except FileNotFoundError:
        raise InputError(
            "no sweep in this directory", where=str(directory), valid="a directory that sweep wrote"
        ) from None
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise InputError("damaged sweep", where=str(path), why=str(error) or type(error).__name__) from None
