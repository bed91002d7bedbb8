"""The file SHA256SUMS of a directory with an answer: whether answer, printed table and runs are what was written.

A run has digests of its own in its `meta.json`; this file has one of the `meta.json` of each, so that none can be
missing.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from simcore.confine import within
from simcore.errors import InputError
from simcore.limits import MAX_TABLE_BYTES, digest_of_file
from simcore.tomlfile import read_text

SUMS: Final = "SHA256SUMS"
LINE: Final = re.compile(r"([0-9a-f]{64})  (\S.*)")


def seal(directory: Path, names: Iterable[str]) -> None:
    """Write the file over some files of a directory, as sha256sum does."""
    lines = [f"{digest_of_file(directory / name, MAX_TABLE_BYTES)}  {name}\n" for name in names]
    (directory / SUMS).write_text("".join(lines), encoding="utf-8")


def check_seal(directory: Path) -> None:
    """Raise InputError where a file is gone or was changed; without SHA256SUMS, as of older versions, all is well."""
    path = directory / SUMS
    if not path.is_file():
        return
    for number, line in enumerate(read_text(path).splitlines(), 1):
        found = LINE.fullmatch(line)
        if found is None:
            raise _damaged(directory, f"{SUMS}: line {number} is no digest and file")
        digest, name = found.groups()
        file = within(directory, name, str(path))
        if not file.is_file():
            raise _damaged(directory, f"{name} is gone")
        if digest_of_file(file, MAX_TABLE_BYTES) != digest:
            raise _damaged(directory, f"{name} is not what was written")


def _damaged(directory: Path, why: str) -> InputError:
    return InputError("damaged result directory", str(directory), why)
