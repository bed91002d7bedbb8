"""Whose directory it is: one study's, and at a time one process's."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from simcore import __version__
from simcore.app.storing import replaced_file, write_json
from simcore.app.sweep_subject import subject_of
from simcore.errors import InputError
from simcore.limits import MAX_IMAGE_BYTES, MAX_VECTOR_BYTES, digest_of_file, read_json
from simcore.study import Study
from simcore.study_build import kept_study

SWEEP_SCHEMA = "hetpmu-sweep-directory/1"
STUDY = "study.json"
LOCK = "lock"
SHOWN = 3


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[int]:
    """Make the directory if need be and keep other processes out of it; gives the handle of the lock."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        handle = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise InputError("cannot write there", where=str(directory), why=error.strerror or str(error)) from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(
                "another process is at work on this sweep",
                where=str(directory),
                valid="wait for it, end it, or another directory",
            ) from None
        yield handle
    finally:
        os.close(handle)


def check_new(directory: Path, study: Study) -> dict[str, str]:
    """Refuse, with nothing written, a directory of something else and a study of which a scenario is no good.

    Returns the files that the scenarios name, with a digest of each; empty for the directory of an earlier sweep.
    """
    if is_sweep(directory):
        return {}
    _refuse_foreign(directory)
    return check_all(study)


def claim(directory: Path, study: Study, files: Mapping[str, str]) -> None:
    """Begin the directory of a study that `check_new` let pass, or refuse that of another study."""
    if is_sweep(directory):
        _refuse_another(directory, study)
        return
    with replaced_file(directory / STUDY) as temporary:
        write_json(temporary, _identity(study, files))


def is_sweep(directory: Path) -> bool:
    """Tell whether a directory is that of a sweep."""
    return os.path.isfile(directory / STUDY)


def read_study(directory: Path) -> Study:
    """Return the study that a directory belongs to."""
    return kept_study(read_identity(directory), str(directory / STUDY))


def check_all(study: Study) -> dict[str, str]:
    """Check every point; return the files that they name, with a digest of each."""
    return {name: digest_of(name) for name in subject_of(study).check()}


def digest_of(name: str) -> str:
    """Return a digest of a file's content, empty where it cannot be read."""
    try:
        return digest_of_file(name, MAX_IMAGE_BYTES)
    except InputError:
        return ""


def _identity(study: Study, files: Mapping[str, str]) -> dict[str, Any]:
    return {
        "schema": SWEEP_SCHEMA,
        "version": __version__,
        "digest": study.digest(),
        "folder": str(Path(study.folder).absolute()),
        "files": dict(files),
        "study": study.as_json(),
    }


def read_identity(directory: Path) -> dict[str, Any]:
    """Return whose directory it is: study, version, digests; raises InputError where it is no sweep's."""
    if not is_sweep(directory):
        raise InputError("no sweep in this directory", where=str(directory), valid="a directory that sweep wrote")
    path = directory / STUDY
    data = read_json(path, "damaged sweep", MAX_VECTOR_BYTES)
    schema = data.get("schema") if isinstance(data, dict) else None
    if schema != SWEEP_SCHEMA:
        raise InputError("not a sweep of this version", where=str(path), why=f"schema {schema!r}", valid=SWEEP_SCHEMA)
    kept_study(data, str(path))
    found: dict[str, Any] = data
    return found


def _refuse_foreign(directory: Path) -> None:
    found = directory.iterdir() if directory.is_dir() else ()
    names = [path.name for path in found if path.name != LOCK and not path.name.startswith(".")]
    if names:
        raise InputError(
            "will not write into this directory",
            where=str(directory),
            why=f"it has files that are not a sweep's: {', '.join(sorted(names)[:SHOWN])}",
            valid="a new or an empty directory, or the one of an earlier sweep of this study",
        )


def _refuse_another(directory: Path, study: Study) -> None:
    before = read_identity(directory)
    found = _differences(before["study"], json.loads(json.dumps(study.as_json())), "")
    if before["version"] != __version__:
        found.append(f"hetpmu was {before['version']} and is {__version__}")
    found += [f"{name} has changed" for name, digest in before["files"].items() if digest_of(name) != digest]
    if found:
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise InputError(
            "this directory belongs to another study",
            where=str(directory),
            why="; ".join(found[:SHOWN]) + more,
            valid="another directory, or the study as it was",
        )


def _differences(before: Any, now: Any, path: str) -> list[str]:
    """Say what differs between two studies, key by key."""
    if before == now:
        return []
    if isinstance(before, dict) and isinstance(now, dict):
        keys = dict.fromkeys([*before, *now])
        return [
            line
            for key in keys
            for line in _differences(before.get(key), now.get(key), f"{path}.{key}" if path else key)
        ]
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        pairs = enumerate(zip(before, now, strict=True))
        return [line for place, pair in pairs for line in _differences(*pair, f"{path}.{place}")]
    return [f"{path} was {_shown(before)} and is {_shown(now)}"]


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
