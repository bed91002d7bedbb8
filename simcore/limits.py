"""How large and how deep an input may be, and reading within that: what is beyond is an `InputError`, never a wait.

Every reader of a file of the user's takes its bytes from here. docs/robustness.md has the table of limits and why.
"""

import contextlib
import gzip
import hashlib
import io
import json
import unicodedata
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, NoReturn

from simcore.errors import InputError

MAX_TEXT_BYTES: Final = 4_000_000
"""A text that is read as a whole: JSON, counts, sequences."""
MAX_VECTOR_BYTES: Final = 64_000_000
"""A file of recorded sequences, unzipped, and what else is read by a fast parser."""
MAX_IMAGE_BYTES: Final = 64 << 20
"""An image of real code: the guest's RAM."""
MAX_TABLE_BYTES: Final = 4 << 30
"""A table, of which only a digest is taken."""
MAX_DEPTH: Final = 64
"""Tables within tables; Python itself gives up at some hundreds, in the middle of whatever it does."""
MAX_DIGITS: Final = 300
"""Of a whole number; longer ones are no floats, and Python refuses to print some of them."""
_HUGE: Final = 10**MAX_DIGITS
_AT_ONCE: Final = 1 << 20
_NO_TEXT: Final = ("Cc", "Cs", "Zl", "Zp")
"""Unicode's categories of control characters, lone surrogates and what ends a line or paragraph."""
GZIP: Final = b"\x1f\x8b"
TOO_LARGE: Final = "the file is too large"


def read_bytes(path: str | Path, where: str = "", most: int = MAX_TEXT_BYTES, valid: str = "") -> bytes:
    """Return what is in a file of at most `most` bytes, whatever its directory says of its size (a device, a pipe)."""
    where = where or str(path)
    with _opened(path, where, valid) as file:
        return within_bytes(file.read(most + 1), where, most)


def digest_of_file(path: str | Path, most: int = MAX_TEXT_BYTES) -> str:
    """Return the SHA-256 of what is in a file of at most `most` bytes, of which few are in memory at a time."""
    state, size = hashlib.sha256(), 0
    with _opened(path, str(path)) as file:
        while data := file.read(_AT_ONCE):
            size += len(data)
            if size > most:
                raise _too_large(str(path), most)
            state.update(data)
    return state.hexdigest()


@contextlib.contextmanager
def _opened(path: str | Path, where: str, valid: str = "") -> Iterator[BinaryIO]:
    """Open a file to read its bytes; whatever goes wrong is an `InputError`."""
    try:
        if Path(path).is_dir():
            raise InputError("this is a directory, not a file", where=where, valid=valid)
        with Path(path).open("rb") as file:
            yield file
    except (OSError, ValueError) as error:  # a ValueError: a NUL, or what is no text, in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError("cannot read the file", where=where, why=reason, valid=valid) from None


def within_bytes(data: bytes, where: str, most: int, what: str = TOO_LARGE) -> bytes:
    """Return bytes that are not too many."""
    if len(data) > most:
        raise _too_large(where, most, what)
    return data


def _too_large(where: str, most: int, what: str = TOO_LARGE) -> InputError:
    return InputError(what, where=where, valid=f"at most {most} bytes")


def unzipped(data: bytes, where: str, most: int = MAX_VECTOR_BYTES) -> bytes:
    """Return what a gzip file holds, or bytes that are none as they are; no more is unpacked than is allowed."""
    if not data.startswith(GZIP):
        return data
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            plain = file.read(most + 1)
    except (EOFError, OSError, zlib.error) as error:
        raise InputError("damaged gzip file", where=where, why=str(error), valid="the whole file") from None
    return within_bytes(plain, where, most, "the file is too large when it is unzipped")


def parse_json(text: str, where: str, what: str = "not JSON", **options: Any) -> Any:
    """Return what a JSON text says, not nested too deeply, no number too long; `options` are those of `json.loads`."""
    try:
        return within_limits(json.loads(text, **options), where)
    except RecursionError:
        too_deep(where)
    except ValueError as error:
        raise InputError(what, where=where, why=str(error)) from None


def read_json(path: Path, what: str = "not JSON", most: int = MAX_TEXT_BYTES) -> Any:
    """Return what a JSON file in UTF-8 says."""
    try:
        text = read_bytes(path, most=most).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(what, where=str(path), why=f"byte {error.start} is not UTF-8") from None
    return parse_json(text, str(path), what)


def within_limits(tree: Any, where: str) -> Any:
    """Return a tree of dicts, lists and tuples; refuse one nested too deeply, or with a whole number too long."""
    level, depth = [tree], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH + 1:
            too_deep(where)
        deeper: list[Any] = []
        for found in level:
            if isinstance(found, dict):
                deeper.extend(found.values())
            elif isinstance(found, list | tuple):
                deeper.extend(found)
            elif is_huge(found):
                raise InputError("a whole number that is too long", where=where, valid=f"at most {MAX_DIGITS} digits")
        level = deeper
    return tree


def too_deep(where: str, what: str = "nested too deeply") -> NoReturn:
    """Refuse what is nested too deeply."""
    raise InputError(what, where=where, valid=f"at most {MAX_DEPTH} levels")


def is_huge(value: Any) -> bool:
    """Tell whether a value is a whole number of too many digits."""
    return isinstance(value, int) and not -_HUGE < value < _HUGE


def on_one_line(text: str) -> str:
    """Return a text with a question mark for each character that cannot stand within a line of UTF-8."""
    return "".join("?" if unicodedata.category(char) in _NO_TEXT else char for char in text)
