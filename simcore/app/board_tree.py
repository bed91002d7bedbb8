"""A copy of a board's sysfs as read-only text: a directory, or a tar file that is read in memory and never unpacked.

Paths are those below the copy's root: `sys/devices/system/cpu/online`, `proc/cpuinfo`, `dmesg`. What a file says is
judged in `simcore.app.board_reading`.
"""

import io
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Protocol, TypeVar

from simcore.errors import InputError
from simcore.limits import read_bytes, unzipped, within_bytes

CPUS = "sys/devices/system/cpu"
MAX_FILE_BYTES = 1 << 20
MAX_TAR_BYTES = 64 << 20
MAX_MEMBERS = 200_000
MAX_NAME = 512
"""Characters of a name in a tar file; sysfs has none of half as many."""
VALID = "a directory with sys/devices/system/cpu in it, or the tar file of `hetpmu platforms --collector`"
Content = TypeVar("Content", bytes, str)


class Tree(Protocol):
    """Files and links by their path below the root."""

    name: str

    def data(self, path: str) -> bytes | None:
        """Return what is in a file, or None if there is no such file that can be read."""

    def names(self, path: str) -> list[str]:
        """Return the names in a directory, sorted; none if there is no such directory."""

    def link(self, path: str) -> str | None:
        """Return where a symbolic link leads, or None if there is none."""


class DirectoryTree:
    """A directory, or /sys itself; links that lead out of it are not followed."""

    def __init__(self, root: Path, prefix: str = "") -> None:
        """Take a directory in which paths begin after `prefix` (`sys/` if it is the directory sys itself)."""
        self.name = str(root)
        self._root = root.resolve()
        self._prefix = prefix

    def data(self, path: str) -> bytes | None:
        """Return what is in a file."""
        place = self._place(path)
        try:
            if place is None or not place.is_file():
                return None
            with place.open("rb") as file:
                return _checked_size(file.read(MAX_FILE_BYTES + 1), f"{self.name}: {path}")
        except OSError:
            return None

    def names(self, path: str) -> list[str]:
        """Return the names in a directory."""
        place = self._place(path)
        try:
            return sorted(os.listdir(place)) if place is not None and place.is_dir() else []
        except OSError:
            return []

    def link(self, path: str) -> str | None:
        """Return where a link leads."""
        try:
            return os.readlink(self._root / path.removeprefix(self._prefix))
        except OSError:
            return None

    def _place(self, path: str) -> Path | None:
        if not path.startswith(self._prefix):
            return None
        try:
            place = (self._root / path.removeprefix(self._prefix)).resolve()
        except (OSError, RuntimeError, ValueError):  # a loop of links, a name that is too long
            return None
        return place if place.is_relative_to(self._root) else None


class TarTree:
    """The regular files of a tar file, in memory; links are read, never followed."""

    def __init__(self, name: str, files: Mapping[str, bytes], links: Mapping[str, str]) -> None:
        """Take files and links by their path."""
        self.name = name
        self._files = files
        self._links = links
        self._names: dict[str, set[str]] = {}
        for path in (*files, *links):
            self._list(path)

    def _list(self, path: str) -> None:
        """Put a path into the lists of the directories above it, up to one that has it already."""
        while path:
            parent, _, name = path.rpartition("/")
            names = self._names.setdefault(parent, set())
            if name in names:
                return
            names.add(name)
            path = parent

    def data(self, path: str) -> bytes | None:
        """Return what is in a file."""
        return self._files.get(path)

    def names(self, path: str) -> list[str]:
        """Return the names in a directory."""
        return sorted(self._names.get(path, ()))

    def link(self, path: str) -> str | None:
        """Return where a link leads."""
        return self._links.get(path)


def open_tree(path: str) -> Tree:
    """Open a copy of sysfs, or raise InputError for what is none."""
    if os.path.isdir(path):
        return _directory(Path(path))
    if not os.path.isfile(path):
        raise InputError("there is no such file or directory", where=path, valid=VALID)
    return _tar(path, read_bytes(path, most=MAX_TAR_BYTES))


def _directory(place: Path) -> Tree:
    if (place / CPUS).is_dir():
        return DirectoryTree(place)
    if (place / CPUS.removeprefix("sys/")).is_dir():
        return DirectoryTree(place, "sys/")
    raise InputError("no sysfs in this directory", where=str(place), why=f"{CPUS} is not there", valid=VALID)


def _tar(path: str, content: bytes) -> Tree:
    plain = unzipped(content, path, MAX_TAR_BYTES)
    try:
        with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as archive:
            files, links = _members(archive, path)
    except (tarfile.TarError, OSError, EOFError, ValueError, RecursionError, OverflowError) as error:
        raise InputError("not a tar file, or a damaged one", where=path, why=str(error), valid=VALID) from None
    root = next((name.partition(CPUS)[0] for name in files if f"/{CPUS}/" in f"/{name}"), None)
    if root is None:
        raise InputError("no sysfs in this tar file", where=path, why=f"{CPUS} is not there", valid=VALID)
    return TarTree(path, _below(files, root), _below(links, root))


def _members(archive: tarfile.TarFile, path: str) -> tuple[dict[str, bytes], dict[str, str]]:
    files: dict[str, bytes] = {}
    links: dict[str, str] = {}
    total = 0
    for number, member in enumerate(archive):
        if number >= MAX_MEMBERS:
            raise InputError("too many files in it", where=path, valid=f"at most {MAX_MEMBERS}")
        if len(member.name) > MAX_NAME:
            raise InputError(f"a name of {len(member.name)} characters", where=path, valid=f"at most {MAX_NAME}")
        name = str(PurePosixPath(member.name))
        if name.startswith("/") or ".." in name.split("/"):
            raise InputError(f"the name {member.name!r} leads out of the tar file", where=path, valid=VALID)
        if member.issym():
            links[name] = member.linkname
        elif member.isreg() and (content := archive.extractfile(member)) is not None:
            files[name] = _checked_size(content.read(MAX_FILE_BYTES + 1), f"{path}: {name}")
            total += len(files[name])
        if total > MAX_TAR_BYTES:  # sparse files take no place in the tar file
            raise InputError("the files in it are too large", where=path, valid=f"at most {MAX_TAR_BYTES} bytes")
    return files, links


def _below(rows: Mapping[str, Content], root: str) -> dict[str, Content]:
    return {name.removeprefix(root): row for name, row in rows.items() if name.startswith(root)}


def _checked_size(content: bytes, where: str) -> bytes:
    return within_bytes(content, where, MAX_FILE_BYTES)
