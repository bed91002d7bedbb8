"""Result directories and files: written under a temporary name, then renamed, so that nothing half-written stays.

What a result is stands in `simcore.result`, a table's file in `simcore.app.parquet`; this module turns a result into
`meta.json`, `timings.json` and `tables/NAME.parquet`, and back.
"""

import contextlib
import dataclasses
import functools
import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
import tempfile
import types
import typing
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simcore import __version__
from simcore.app.parquet import read_table, write_table
from simcore.app.scenario_files import keep_files, with_copies
from simcore.app.sealing import seal
from simcore.confine import within
from simcore.errors import InputError, first_line
from simcore.limits import digest_of_file, read_json
from simcore.result import Result
from simcore.scenario import Scenario
from simcore.scenario_build import is_file
from simcore.table_columns import described
from simcore.tomlfile import read_text
from simcore.trace import DTYPES

RESULT_SCHEMA, TIMINGS_SCHEMA = "hetpmu-result/3", "hetpmu-timings/1"
META, TIMINGS, TABLE_FOLDER, TEXT = "meta.json", "timings.json", "tables", "table.txt"
PLATFORM = "platform.toml"
EXPORT = "export.json"
ANSWERS = {
    "compare.json": "comparison",
    "replay.json": "replay",
    "validation.json": "validation",
    "watch.json": "watch",
}
"""The file of a command's answer, and what a directory with it is called."""
MARKERS = (META, *ANSWERS, EXPORT)
HEAD = {"seed": int, "digest": str, "versions": dict, "files": dict, "tables": dict, "scenario": dict, "summary": dict}
"""What meta.json always has, beside `schema`."""
ABOUT = ("scenario", "summary", "platform_digest", "files")
"""What `about_digest` is over."""
LIBRARIES = ("numba", "numpy", "pyarrow", "simpy")


def save_result(result: Result, directory: Path) -> None:
    """Write one result into `directory`, which must exist."""
    about = {
        "scenario": dataclasses.asdict(result.scenario),
        "summary": dict(result.summary),
        "platform_digest": _keep_platform(result.scenario.platform, directory),
        "files": keep_files(result.scenario, directory),
    }
    meta = {
        "schema": RESULT_SCHEMA,
        "seed": result.scenario.seed,
        "versions": versions(),
        "digest": result.digest(),
        "about_digest": about_digest(about),
        "tables": {name: len(table) for name, table in sorted(result.tables.items())},
        **about,
    }
    (directory / TABLE_FOLDER).mkdir()
    for name, table in result.tables.items():
        write_table(table, table_file(directory, name), *described(name))
    if result.timings:
        write_json(directory / TIMINGS, {"schema": TIMINGS_SCHEMA, **result.timings})
    write_json(directory / META, meta)


def load_result(directory: Path) -> Result:
    """Read back what `save_result` wrote; raises InputError for a table or a head that is not what was written.

    The files that its scenario names are then the copies that the directory keeps.
    """
    meta = read_meta(directory)
    try:
        tables = {name: _load_table(directory, name) for name in meta["tables"]}
        found = Result(rebuild(Scenario, meta["scenario"]), tables, meta["summary"], _timings(directory))
        intact = found.digest() == meta["digest"]
        intact = intact and about_digest(meta) == meta["about_digest"]
        intact = intact and _file_digest(directory / PLATFORM) == meta["platform_digest"]
        here = with_copies(found.scenario, directory.absolute(), meta["files"])
    except InputError as error:
        raise InputError("damaged result directory", str(directory), str(error)) from None
    except Exception as error:  # whatever a stranger's meta.json leads to: the file is at fault
        raise InputError("damaged result directory", str(directory), first_line(error)) from None
    if not intact:
        raise InputError("damaged result directory", str(directory), "its digest is not that of what it holds")
    if meta["platform_digest"] is not None:
        here = dataclasses.replace(here, platform=str(directory.absolute() / PLATFORM))
    return dataclasses.replace(found, scenario=here)


def _keep_platform(name: str, directory: Path) -> str | None:
    """Copy a platform's file that is not the product's, so that the directory can go anywhere; return its digest."""
    if not is_file(name):
        return None
    with contextlib.suppress(InputError):  # it is gone by now: the result stays
        (directory / PLATFORM).write_text(read_text(name), encoding="utf-8")
    return _file_digest(directory / PLATFORM)


def _file_digest(path: Path) -> str | None:
    return digest_of_file(path) if path.is_file() else None


def table_file(directory: Path, name: str) -> Path:
    """Return where a result directory has a table."""
    return within(directory, f"{TABLE_FOLDER}/{name}.parquet", str(directory))


def _load_table(directory: Path, name: str) -> NDArray[np.void]:
    if name not in DTYPES:
        raise InputError(f"no table is called {name!r}", valid="the tables of this version")
    dtype, table = np.dtype(DTYPES[name]), read_table(table_file(directory, name))
    if table.dtype.names != dtype.names:
        raise InputError(f"the columns of {name} are not those of this version")
    return table.astype(dtype)


def _timings(directory: Path) -> dict[str, float]:
    """Return how long the run took; no result depends on it, so what cannot be read is left out."""
    with contextlib.suppress(InputError, ValueError, TypeError, AttributeError, OverflowError):
        found = read_json(directory / TIMINGS)
        return {key: float(value) for key, value in found.items() if key != "schema"}
    return {}


def about_digest(meta: Mapping[str, Any]) -> str:
    """Return a digest over what a head says beside its tables, whether that comes from the code or from JSON."""
    about = {key: meta[key] for key in ABOUT}
    return hashlib.sha256(json.dumps(about, sort_keys=True, default=_plain).encode()).hexdigest()


@functools.cache
def versions() -> dict[str, str]:
    """Return the versions of hetpmu, Python and the libraries that have a part in a result."""
    libraries = {name: importlib.metadata.version(name) for name in LIBRARIES}
    return {"hetpmu": __version__, "python": platform.python_version(), **libraries}


def load_runs(directory: Path) -> list[Result]:
    """Read every run under a result directory: its own, or those that `compare` kept in `runs/`."""
    return [load_result(folder) for folder in some_run_folders(directory)]


def some_run_folders(directory: Path) -> list[Path]:
    """Return the folders of the runs under a result directory; raises InputError where there is none."""
    if not os.path.isdir(directory):
        raise InputError(
            "no such result directory",
            where=str(directory),
            valid="a directory written by run, compare or replay --out",
        )
    folders = run_folders(directory)
    if not folders:
        raise InputError(
            "no run in this directory",
            where=str(directory),
            why=f"neither {META} nor runs/*/{META} is there",
            valid="a directory written by run, compare or replay --out",
        )
    return folders


def run_folders(directory: Path) -> list[Path]:
    """Return the folders of the runs under a result directory, in order: itself, or those in `runs/`."""
    if (directory / META).exists():
        return [directory]
    return sorted(path.parent for path in directory.glob(f"runs/*/{META}"))


def make_run_folder(directory: Path, number: int, label: str) -> Path:
    """Make the folder of a run under a policy, as `run_folders` finds it; numbers start at 1."""
    folder = directory / "runs" / f"{number:02}-{label.replace(':', '-')}"
    folder.mkdir(parents=True)
    return folder


def read_meta(directory: Path) -> dict[str, Any]:
    """Return what meta.json says; raises InputError for one that is not of this version."""
    path = directory / META
    meta = read_json(path, "unreadable result")
    found = meta.get("schema") if isinstance(meta, dict) else None
    if found != RESULT_SCHEMA:
        valid = f"{RESULT_SCHEMA}; run its scenario again for one"
        raise InputError("not a result of this version", where=str(path), why=f"schema {found!r}", valid=valid)
    wrong = [key for key, kind in HEAD.items() if not isinstance(meta.get(key), kind)]
    if wrong or not _names_policies(meta["summary"].get("policies")):
        raise InputError(
            "unreadable result", where=str(path), why=f"{wrong[0] if wrong else 'summary.policies'} is not there"
        )
    return typing.cast(dict[str, Any], meta)


def _names_policies(found: Any) -> bool:
    """Tell whether a value can be the names of the policies of each VM."""
    lists = isinstance(found, list) and all(isinstance(names, list) for names in found)
    return lists and all(isinstance(name, str) for names in found for name in names)


def rebuild(kind: Any, data: Any) -> Any:
    """Turn what `dataclasses.asdict` and JSON made of a frozen config into that config again, or raise TypeError."""
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
    if not isinstance(data, (int, float) if kind is float else kind):
        raise TypeError(f"{data!r} is no {kind.__name__}")
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
def result_directory(
    path: Path, *, force: bool = False, source: Path | None = None, replaces: Collection[str] = MARKERS
) -> Iterator[Path]:
    """Give a temporary directory that takes the name `path` when the block ends well, and vanishes otherwise.

    `source` is what it is made of, which it must not touch; `force` replaces a directory with one of the files
    `replaces`.
    """
    if source is not None:
        _refuse_source(path, source)
    _refuse_overwrite(path, force, replaces)
    temporary = _make(tempfile.mkdtemp, path, _nearest_directory(path))
    try:
        yield temporary
        _seal_answer(temporary)
        temporary.chmod(0o777 & ~_umask())
        _replace_directory(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _seal_answer(directory: Path) -> None:
    """Write SHA256SUMS beside an answer: over it, the printed table, the heads of runs, and tables of its own."""
    patterns = (*ANSWERS, TEXT, f"runs/*/{META}", f"{TABLE_FOLDER}/*.parquet")
    if any((directory / name).is_file() for name in ANSWERS):
        seal(
            directory,
            (str(path.relative_to(directory)) for pattern in patterns for path in sorted(directory.glob(pattern))),
        )


@contextlib.contextmanager
def new_file(path: Path, *, force: bool, source: Path) -> Iterator[Path]:
    """Give a temporary file that takes the name `path` when the block ends well; an existing file needs `force`.

    `source` is the directory that it is made of, which it must not touch.
    """
    _refuse_source(path, source)
    if path.is_file() and not force and not path.is_relative_to("/dev"):
        raise InputError(
            "will not overwrite a file", str(path), "it exists", valid="another name, or --force to replace it"
        )
    with replaced_file(path) as temporary:
        yield temporary


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


def _refuse_source(path: Path, source: Path) -> None:
    """Raise InputError for an output that would replace what it is made of, or become a part of it."""
    target, read = Path(os.path.realpath(path)), Path(os.path.realpath(source))
    if target.is_relative_to(read) or read.is_relative_to(target):
        why = "it is, holds or lies in what is read"
        raise InputError("cannot write there", str(path), why, valid=f"a place outside of {source}")


def _refuse_overwrite(path: Path, force: bool, replaces: Collection[str]) -> None:
    what = "an export" if set(replaces) == {EXPORT} else "a result"
    if path.exists() and not path.is_dir():
        raise InputError(f"cannot write {what} there", str(path), "it is a file", valid="a new directory")
    if not path.is_dir() or not any(path.iterdir()):
        return
    if not any((path / marker).exists() for marker in replaces):
        raise InputError(
            "will not write into this directory",
            where=str(path),
            why=f"it has files that are not {what} of hetpmu",
            valid="a new or an empty directory",
        )
    if not force:
        raise InputError(
            f"will not overwrite {what}", str(path), "it exists", valid="another name, or --force to replace it"
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
