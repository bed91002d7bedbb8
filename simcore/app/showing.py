"""What is in a result directory: its kind, the answer and table that a command kept there, and its runs, checked."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simcore.app.parquet import read_table
from simcore.app.sealing import check_seal
from simcore.app.storing import ANSWERS, META, TABLE_FOLDER, TEXT, load_result, read_meta, run_folders, table_file
from simcore.errors import InputError, unknown_name
from simcore.limits import MAX_VECTOR_BYTES, read_bytes, read_json
from simcore.result import Result

SCHEMA = "hetpmu-show/1"


@dataclass(frozen=True, slots=True)
class Run:
    """A run of a directory: where it is, its result, whose digests were right, and the head of its meta.json."""

    name: str
    result: Result
    meta: Mapping[str, Any]

    def table(self, name: str) -> NDArray[np.void]:
        """Return a table; raises InputError for a name that is none."""
        return _named(self.result.tables, name)

    def as_json(self) -> dict[str, Any]:
        """Return its head for `show --json`."""
        head = {key: self.meta[key] for key in ("seed", "digest", "versions", "tables", "scenario", "summary")}
        return {"run": self.name, **head, "timings": dict(self.result.timings)}


@dataclass(frozen=True, slots=True)
class Contents:
    """What a directory has: `text` as it was printed, `answer` as it was given with --json, where it keeps these."""

    directory: Path
    kind: str
    answer: dict[str, Any] | None
    text: str
    runs: tuple[Run, ...]
    tables: Mapping[str, NDArray[np.void]]
    """What is kept beside the answer and belongs to no run of its own, as of `watch`."""

    def as_json(self, table: str | None, head: int | None) -> dict[str, Any]:
        """Return the object of `show --json`, with the first rows of a table of each run if one is named."""
        runs = [run.as_json() for run in self.runs]
        if table is not None:
            runs = [row | {"rows": rows_of(run.table(table)[:head])} for row, run in zip(runs, self.runs, strict=True)]
        shown = {"schema": SCHEMA, "directory": str(self.directory), "kind": self.kind, "answer": self.answer}
        own = {} if table is None or self.runs else {"rows": rows_of(self.table(table)[:head])}
        return {**shown, "table": table, **own, "runs": runs}

    def table(self, name: str) -> NDArray[np.void]:
        """Return a table that belongs to no run; raises InputError for a name that is none."""
        return _named(self.tables, name)


def contents(directory: Path) -> Contents:
    """Read a result directory; raises InputError where there is none, or where it is damaged."""
    if not os.path.isdir(directory):
        what = "this is a file, not a directory" if os.path.exists(directory) else "no such result directory"
        raise InputError(
            what, where=str(directory), valid="a directory that run, compare, replay, watch or sweep wrote"
        )
    check_seal(directory)
    runs = tuple(_run(directory, folder) for folder in run_folders(directory))
    file = next((name for name in ANSWERS if (directory / name).is_file()), None)
    if file is None and not (directory / META).exists():
        raise InputError(
            "no result in this directory",
            where=str(directory),
            why=f"none of {', '.join((META, *ANSWERS))} or study.json is there",
            valid="a directory that run, compare, replay, watch or sweep wrote",
        )
    answer = None if file is None else _answer(directory / file)
    own = sorted(path.stem for path in (directory / TABLE_FOLDER).glob("*.parquet")) if not runs else ()
    tables = {name: read_table(table_file(directory, name)) for name in own}
    return Contents(directory, ANSWERS.get(file or "", "run"), answer, _text(directory / TEXT), runs, tables)


def rows_of(table: NDArray[np.void]) -> list[dict[str, Any]]:
    """Return rows as objects of numbers, texts and lists of numbers."""
    names = table.dtype.names or ()
    columns = [table[name].tolist() for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _named(tables: Mapping[str, NDArray[np.void]], name: str) -> NDArray[np.void]:
    if name not in tables:
        raise unknown_name("table", name, tables)
    return tables[name]


def _run(directory: Path, folder: Path) -> Run:
    name = str(folder.relative_to(directory)) if folder != directory else directory.name
    return Run(name, load_result(folder), read_meta(folder))


def _answer(path: Path) -> dict[str, Any]:
    found = read_json(path, "unreadable answer", MAX_VECTOR_BYTES)
    if not isinstance(found, dict):
        raise InputError("unreadable answer", where=str(path), why="it is no object")
    return found


def _text(path: Path) -> str:
    if not path.exists():
        return ""
    try:
        text = read_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError("unreadable table", where=str(path), why=str(error)) from None
    return "".join(char for char in text if char == "\n" or char.isprintable())  # nothing that steers a terminal
