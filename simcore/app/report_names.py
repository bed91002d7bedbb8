"""What the files of a study are called on a page that is mailed: their own names, without folders."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from simcore.app.columns import program_and_file, without_folder
from simcore.study import Study


def names_of(study: Study, files: Iterable[str]) -> dict[str, str]:
    """Return the name of each file that a study names, `files` or others; numbers tell two of one name apart."""
    paths = {*files, *_paths(study.base), *(path for axis in study.axes for path in _paths(axis.rows))}
    names: dict[str, str] = {}
    used: set[str] = set()
    following: dict[str, int] = {}
    for path in sorted(paths, key=lambda path: ("/" in path, path)):
        name = own = without_folder(path)
        while name in used:
            following[own] = following.get(own, 1) + 1
            name = f"{following[own]}-{own}"
        used.add(name)
        names[path] = name
    return names


def near(value: Any, names: Mapping[str, str]) -> Any:
    """Return values of keys with the names of files in place of their paths."""
    if isinstance(value, Mapping):
        return {key: near(part, names) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(near(part, names) for part in value)
    if not isinstance(value, str):
        return value
    program, path = program_and_file(value)
    return program + names.get(path, path)


def _paths(value: Any) -> Iterator[str]:
    """Give the texts within a value that are paths."""
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, list | tuple):
        for part in value:
            yield from _paths(part)
    elif isinstance(value, str) and "/" in value:
        yield program_and_file(value)[1]
