"""Result directories and files: written under a temporary name, then renamed, so that nothing half-written stays.

What a result is stands in `simcore.result`; this module only turns one into `meta.json` and `tables.npz` and back.
"""

import contextlib
import dataclasses
import json
import os
import shutil
import tempfile
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from simcore.errors import InputError
from simcore.result import Result
from simcore.scenario import Scenario

RESULT_SCHEMA = "hetpmu-result/1"
META = "meta.json"
TABLES = "tables.npz"
MARKERS = (META, "compare.json", "replay.json", "validation.json")


def save_result(result: Result, directory: Path) -> None:
    """Write one result into `directory`, which must exist."""
    meta = {
        "schema": RESULT_SCHEMA,
        "scenario": dataclasses.asdict(result.scenario),
        "summary": dict(result.summary),
    }
    write_json(directory / META, meta)
    np.savez_compressed(directory / TABLES, **typing.cast(dict[str, Any], result.tables))


def load_result(directory: Path) -> Result:
    """Read back what `save_result` wrote."""
    meta = _read_meta(directory)
    try:
        with np.load(directory / TABLES, allow_pickle=False) as stored:
            tables = {name: stored[name] for name in stored.files}
        scenario = rebuild(Scenario, meta["scenario"])
        return Result(scenario=scenario, tables=tables, summary=meta["summary"])
    except Exception as error:  # whatever zip, numpy or a stranger's meta.json come up with: the file is at fault
        raise InputError("damaged result directory", where=str(directory), why=_first_line(error)) from None


def load_runs(directory: Path) -> list[Result]:
    """Read every run under a result directory: its own, or those that `compare` kept in `runs/`."""
    if not directory.is_dir():
        raise InputError(
            "no such result directory",
            where=str(directory),
            valid="a directory written by run, compare or replay --out",
        )
    if (directory / META).exists():
        return [load_result(directory)]
    runs = sorted(path.parent for path in directory.glob(f"runs/*/{META}"))
    if not runs:
        raise InputError(
            "no run in this directory",
            where=str(directory),
            why=f"neither {META} nor runs/*/{META} is there",
            valid="a directory written by run, compare or replay --out",
        )
    return [load_result(path) for path in runs]


def _read_meta(directory: Path) -> dict[str, Any]:
    path = directory / META
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError("unreadable result", where=str(path), why=_first_line(error)) from None
    found = meta.get("schema") if isinstance(meta, dict) else None
    if found != RESULT_SCHEMA:
        raise InputError("not a result of this version", where=str(path), why=f"schema {found!r}", valid=RESULT_SCHEMA)
    return typing.cast(dict[str, Any], meta)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def rebuild(kind: Any, data: Any) -> Any:
    """Turn what `dataclasses.asdict` and JSON made of a frozen config into that config again."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = typing.get_type_hints(kind)
        return kind(**{name: rebuild(hints[name], value) for name, value in data.items()})
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return None if data is None else rebuild(next(a for a in arguments if a is not type(None)), data)
    if origin is frozenset:
        return frozenset(data)
    if origin is tuple:
        kinds = [arguments[0]] * len(data) if arguments[-1] is Ellipsis else arguments
        return tuple(rebuild(item_kind, item) for item_kind, item in zip(kinds, data, strict=True))
    return data


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file as a person would like to read it."""
    path.write_text(json.dumps(value, indent=2, default=_plain) + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    """Numpy scalars as Python numbers and sets as sorted lists, for json."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(f"{value!r} does not belong into JSON")


@contextlib.contextmanager
def result_directory(path: Path, *, force: bool = False) -> Iterator[Path]:
    """Give a temporary directory that takes the name `path` when the block ends well, and vanishes otherwise."""
    _refuse_overwrite(path, force)
    temporary = _make(tempfile.mkdtemp, path, _nearest_directory(path))
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        _replace_directory(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """Give a temporary file of the same suffix that takes the name `path` when the block ends well.

    A symbolic link stays and its target is replaced; what is no file (a FIFO, a device) is written to at the end.
    """
    if path.is_dir():
        raise InputError("cannot write there", where=str(path), why="it is a directory", valid="a file name")
    if not path.parent.is_dir():
        raise InputError(
            "cannot write there", where=str(path), why=f"{path.parent} is no directory", valid="a file name"
        )
    if path.is_relative_to("/dev") or (path.exists() and not path.is_file()):
        yield from _fed(path)
        return
    path = path.resolve()
    temporary = _make(_make_file, path, path.parent)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _fed(path: Path) -> Iterator[Path]:
    """Give a temporary file whose content goes into a FIFO or device when the block ends well."""
    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder) / path.name
        yield temporary
        with path.open("wb") as sink:
            sink.write(temporary.read_bytes())


def _refuse_overwrite(path: Path, force: bool) -> None:
    if path.exists() and not path.is_dir():
        raise InputError("cannot write a result there", where=str(path), why="it is a file", valid="a new directory")
    if not path.is_dir() or not any(path.iterdir()):
        return
    if not any((path / marker).exists() for marker in MARKERS):
        raise InputError(
            "will not write into this directory",
            where=str(path),
            why="it has files that are not a result of hetpmu",
            valid="a new or an empty directory",
        )
    if not force:
        raise InputError(
            "will not overwrite a result",
            where=str(path),
            why="it exists",
            valid="another name, or --force to replace it",
        )


def _nearest_directory(path: Path) -> Path:
    """The closest ancestor that exists: where the temporary name is made, and where writing must be allowed."""
    return next(parent for parent in path.absolute().parents if parent.exists())


def _make(make: Any, path: Path, parent: Path) -> Path:
    try:
        return Path(make(prefix=f".{path.name}.", suffix=f".partial{path.suffix}", dir=parent))
    except OSError as error:
        raise InputError("cannot write there", where=str(path), why=error.strerror or str(error)) from None


def _make_file(**names: Any) -> str:
    handle, name = tempfile.mkstemp(**names)
    os.close(handle)
    return str(name)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _replace_directory(new: Path, path: Path) -> None:
    """Rename `new` to `path`; an old result steps aside first, so that one of the two is always whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        new.rename(path)
        return
    old = new.with_name(new.name + ".old")
    path.rename(old)
    new.rename(path)
    shutil.rmtree(old, ignore_errors=True)
