"""A copy of a board's sysfs as read-only text: a directory, or a tar file that is read in memory and never unpacked.

Paths are those below the copy's root: `sys/devices/system/cpu/online`, `proc/cpuinfo`, `dmesg`. What a file says is
judged in `simcore.app.board_reading`.
"""

import gzip
import io
import os
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Protocol, TypeVar

from simcore.errors import InputError

CPUS = "sys/devices/system/cpu"
MAX_FILE_BYTES = 1 << 20
MAX_TAR_BYTES = 64 << 20
MAX_MEMBERS = 200_000
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
        place = (self._root / path.removeprefix(self._prefix)).resolve()
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
            for parent in PurePosixPath(path).parents:
                self._names.setdefault(str(parent), set()).add(PurePosixPath(path).relative_to(parent).parts[0])

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
    place = Path(path)
    if place.is_dir():
        return _directory(place)
    try:
        if not place.is_file():
            raise InputError("there is no such file or directory", where=path, valid=VALID)
        with place.open("rb") as file:
            content = file.read(MAX_TAR_BYTES + 1)
    except OSError as error:
        raise InputError("cannot read it", where=path, why=error.strerror or str(error)) from None
    return _tar(path, content)


def _directory(place: Path) -> Tree:
    if (place / CPUS).is_dir():
        return DirectoryTree(place)
    if (place / CPUS.removeprefix("sys/")).is_dir():
        return DirectoryTree(place, "sys/")
    raise InputError("no sysfs in this directory", where=str(place), why=f"{CPUS} is not there", valid=VALID)


def _tar(path: str, content: bytes) -> Tree:
    try:
        plain = _unzipped(content, path)
        with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as archive:
            files, links = _members(archive, path)
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError) as error:
        raise InputError("not a tar file, or a damaged one", where=path, why=str(error), valid=VALID) from None
    root = next((name.partition(CPUS)[0] for name in files if f"/{CPUS}/" in f"/{name}"), None)
    if root is None:
        raise InputError("no sysfs in this tar file", where=path, why=f"{CPUS} is not there", valid=VALID)
    return TarTree(path, _below(files, root), _below(links, root))


def _unzipped(content: bytes, path: str) -> bytes:
    if content.startswith(b"\x1f\x8b"):
        with gzip.open(io.BytesIO(content)) as file:
            content = file.read(MAX_TAR_BYTES + 1)
    if len(content) > MAX_TAR_BYTES:
        raise InputError("the file is too large", where=path, valid=f"at most {MAX_TAR_BYTES >> 20} MiB, uncompressed")
    return content


def _members(archive: tarfile.TarFile, path: str) -> tuple[dict[str, bytes], dict[str, str]]:
    files: dict[str, bytes] = {}
    links: dict[str, str] = {}
    for number, member in enumerate(archive):
        if number >= MAX_MEMBERS:
            raise InputError("too many files in it", where=path, valid=f"at most {MAX_MEMBERS}")
        name = str(PurePosixPath(member.name))
        if name.startswith("/") or ".." in PurePosixPath(name).parts:
            raise InputError(f"the name {member.name!r} leads out of the tar file", where=path, valid=VALID)
        if member.issym():
            links[name] = member.linkname
        elif member.isreg() and (content := archive.extractfile(member)) is not None:
            files[name] = _checked_size(content.read(MAX_FILE_BYTES + 1), f"{path}: {name}")
    return files, links


def _below(rows: Mapping[str, Content], root: str) -> dict[str, Content]:
    return {name.removeprefix(root): row for name, row in rows.items() if name.startswith(root)}


def _checked_size(content: bytes, where: str) -> bytes:
    if len(content) > MAX_FILE_BYTES:
        raise InputError("the file is too large", where=where, valid=f"at most {MAX_FILE_BYTES} bytes")
    return content
