"""Every table of a result directory as files for other programs: CSV or Parquet, one file a table."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simcore.app.code_matrix import matrix_answer
from simcore.app.parquet import write_csv, write_rows, write_table
from simcore.app.showing import contents
from simcore.app.storing import EXPORT, versions, write_json
from simcore.app.study_data import load_study
from simcore.app.sweep_directory import is_sweep
from simcore.app.sweep_text import answer_of
from simcore.errors import InputError, unknown_name
from simcore.study import GUESTS
from simcore.table_columns import TABLES, described

SCHEMA = "hetpmu-export/1"
Rows = Sequence[Mapping[str, Any]]
Source = NDArray[np.void] | Rows
"""A table of a run, or the rows of an answer."""


def export_tables(directory: Path, target: Path, form: str, names: Collection[str] = ()) -> list[str]:
    """Write the tables of a result directory, those named or all, as files of a form into the directory `target`.

    Returns the names of the files below `target`, which must exist; `export.json` there lists them. Raises InputError
    for a directory that is none, is damaged or has no table, and for a name that none of its tables has.
    """
    tables = dict(_tables(directory))
    if not tables:
        raise InputError("no table to export", str(directory), valid="what run, compare, replay, watch or sweep wrote")
    known = {Path(path).name for path in tables}
    for name in names:
        if name not in known:
            raise unknown_name("table", name, known, str(directory))
    chosen = {path: table for path, table in tables.items() if not names or Path(path).name in names}
    for path, table in chosen.items():
        _write(target / f"{path}.{form}", table)
    files = {f"{path}.{form}": len(table) for path, table in chosen.items()}
    write_json(target / EXPORT, {"schema": SCHEMA, "versions": versions(), "rows": files})
    return list(files)


def _tables(directory: Path) -> Iterator[tuple[str, Source]]:
    """Give each table under its name, behind the folder of its run where there are several."""
    if is_sweep(directory):
        data = load_study(directory)
        yield "runs", data.runs
        real_code = data.study.kind == GUESTS
        yield "points", matrix_answer(data, directory)["rows"] if real_code else answer_of(data, directory)["points"]
        return
    found = contents(directory)
    if found.answer is not None and "policies" in found.answer:
        yield "policies", found.answer["policies"]
    for run in found.runs:
        folder = "" if found.kind == "run" else f"{Path(run.name).name}/"
        yield from ((f"{folder}{name}", table) for name, table in run.result.tables.items())
    yield from found.tables.items()


def _write(path: Path, table: Source) -> None:
    path.parent.mkdir(exist_ok=True)
    if not isinstance(table, np.ndarray):
        write_rows(_flat_rows(table), path)
    elif path.suffix == ".csv":
        write_csv(table, path)
    else:
        write_table(table, path, *(described(path.stem) if path.stem in TABLES else ()))


def _flat_rows(rows: Rows) -> list[dict[str, Any]]:
    """Return rows in which `{"a": {"b": 1}}` is `{"a.b": 1}`, each with every column, a list being its JSON."""
    flat = [dict(_flat("", row)) for row in rows]
    names = dict.fromkeys(name for row in flat for name in row)
    groups = {name[:place] for name in names for place, letter in enumerate(name) if letter == "."}
    return [{name: row.get(name) for name in names if name not in groups} for row in flat]


def _flat(prefix: str, value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if isinstance(item, Mapping):
            yield from _flat(f"{prefix}{key}.", item)
        else:
            yield f"{prefix}{key}", json.dumps(item) if isinstance(item, list) else item
