"""What Python users do with a result beside reading its tables: save, load, hand over to Arrow."""

from pathlib import Path
from typing import Any

from simcore.app import parquet
from simcore.app.storing import load_result, load_runs, result_directory, save_result
from simcore.errors import unknown_name
from simcore.result import Result
from simcore.table_columns import described


def save(result: Result, directory: str | Path, *, force: bool = False) -> None:
    """Write a result as a new directory (docs/output.md), whole or not at all; `force` replaces one that is there.

    Raises InputError where the directory cannot be made or holds something else, OSError where the disk is full.
    """
    with result_directory(Path(directory), force=force) as temporary:
        save_result(result, temporary)


def load(directory: str | Path) -> Result:
    """Read the result of one run; raises InputError where there is none, or where its digests are not right."""
    return load_result(Path(directory))


def load_all(directory: str | Path) -> list[Result]:
    """Read all runs of a directory that `run`, `compare` or `replay --out` wrote, in order; raises InputError."""
    return load_runs(Path(directory))


def to_arrow(result: Result, name: str) -> Any:
    """Return a table as a pyarrow.Table, which pandas, polars and duckdb take; its metadata says what it means.

    Raises InputError for an unknown name.
    """
    if name not in result.tables:
        raise unknown_name("table", name, result.tables)
    return parquet.to_arrow(result.tables[name], *described(name))
