"""Finished runs on their way into the dataset: a file of lines for each block that is not complete yet.

A line is one run and has a checksum. What was cut off in the middle when the machine or the process went away is left
out when the file is read, and never read again: the file is then written anew.
"""

import contextlib
import json
import os
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

SYNC_S = 5.0
"""How long a finished run may be lost by a power cut. A killed process loses none."""

MAX_LINE_BYTES = 1_000_000
"""A run has some thousand."""

Entry = Sequence[Any]
"""What json can hold: point, seed, wall ns, row."""


@dataclass
class Journal:
    """The files of lines in `folder`."""

    folder: Path
    _unsynced: set[Path] = field(default_factory=set)
    _synced_s: float = field(default_factory=time.monotonic)

    def path(self, block: int) -> Path:
        """Return the file of a block."""
        return self.folder / f"block-{block:05}.lines"

    def append(self, block: int, entries: Sequence[Entry]) -> None:
        """Add finished runs; they outlive the process from here on."""
        path = self.path(block)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            _write_all(handle, b"".join(map(_line, entries)), path)
        finally:
            os.close(handle)
        self._unsynced.add(path)
        if time.monotonic() - self._synced_s >= SYNC_S:
            self.sync()

    def sync(self) -> None:
        """Have the disk keep everything that was appended."""
        for path in self._unsynced:
            if path.exists():
                sync_file(path)
        self._unsynced.clear()
        self._synced_s = time.monotonic()

    def read(self, block: int) -> list[Entry]:
        """Return the runs of a block; a damaged line is dropped for good, and its run is as if it never was."""
        whole, damaged = self._parse(block)
        if damaged:
            self._rewrite(self.path(block), whole)
        return whole

    def peek(self, block: int) -> list[Entry]:
        """Return the runs of a block and change nothing: somebody may be adding to it."""
        return self._parse(block)[0]

    def _parse(self, block: int) -> tuple[list[Entry], bool]:
        """Return the runs of a block, and whether a line is damaged."""
        path = self.path(block)
        if not path.exists():
            return [], False
        with path.open("rb") as file:
            entries = [_entry(line) for line in _lines(file)]
        whole = [entry for entry in entries if entry is not None]
        return whole, len(whole) < len(entries)

    def _rewrite(self, path: Path, entries: Sequence[Entry]) -> None:
        temporary = path.with_suffix(".partial")
        temporary.write_bytes(b"".join(map(_line, entries)))
        sync_file(temporary)
        os.replace(temporary, path)

    def remove(self, block: int) -> None:
        """Forget a block, whose runs are in the dataset now."""
        path = self.path(block)
        path.unlink(missing_ok=True)
        self._unsynced.discard(path)


def sync_file(path: Path) -> None:
    """Have the disk keep a file's content."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_all(handle: int, data: bytes, path: Path) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(handle, view) :]
        except OSError as error:
            error.filename = str(path)
            raise


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Give the lines of a file up to one that is longer than any run, which is cut off."""
    while line := file.readline(MAX_LINE_BYTES):
        yield line
        if len(line) == MAX_LINE_BYTES:
            return


def _line(entry: Entry) -> bytes:
    text = json.dumps(entry, separators=(",", ":")).encode()
    return b"%08x %b\n" % (zlib.crc32(text), text)


def _entry(line: bytes) -> Entry | None:
    check, _, text = line.rstrip(b"\n").partition(b" ")
    if not line.endswith(b"\n") or check != b"%08x" % zlib.crc32(text):
        return None
    with contextlib.suppress(ValueError, RecursionError):
        entry = json.loads(text)
        if _is_entry(entry):
            return list(entry)
    return None


def _is_entry(entry: Any) -> bool:
    """Tell whether a line holds point, seed, wall ns and a row."""
    if not isinstance(entry, list) or len(entry) != 4 or not isinstance(entry[3], list):
        return False
    return all(type(number) is int for number in entry[:3])
