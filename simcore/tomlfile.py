"""Reading a text or TOML file, with an `InputError` that names the file for everything that can be wrong."""

import re
import tomllib
from pathlib import Path
from typing import Any, Final

from simcore.errors import InputError
from simcore.limits import MAX_DEPTH, MAX_TEXT_BYTES, read_bytes, too_deep, within_limits

MAX_TOML_BYTES: Final = 1_000_000
"""The parser of the standard library takes up to 5 s for so many."""
_KEY: Final = r"""(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')"""
_LONG_KEY: Final = re.compile(rf"(?<![A-Za-z0-9_-])(?:{_KEY}[ \t]*+\.[ \t]*+){{{MAX_DEPTH}}}")
"""More dotted parts than there may be levels; the parser takes time in the square of their number."""


def read_toml(path: str | Path) -> dict[str, Any]:
    """Return the tables of a TOML file; anything that is not a readable, non-empty TOML file is an `InputError`."""
    tables = parse_toml(read_text(path, most=MAX_TOML_BYTES), str(path))
    if not tables:
        raise InputError("the file is empty", where=str(path))
    return tables


def parse_toml(text: str, where: str) -> dict[str, Any]:
    """Return the tables of a TOML text, none too deep and no number too long."""
    if _LONG_KEY.search(text):
        too_deep(where, "broken TOML: nested too deeply")
    try:
        tables = tomllib.loads(text)
    except RecursionError:
        too_deep(where, "broken TOML: nested too deeply")
    except ValueError as error:
        raise InputError("broken TOML", where=where, why=str(error)) from None
    found: dict[str, Any] = within_limits(tables, where)
    return found


def read_text(path: str | Path, where: str = "", most: int = MAX_TEXT_BYTES) -> str:
    """Return the text of a file; what is no readable UTF-8 file of at most `most` bytes is an `InputError`."""
    where = where or str(path)
    try:
        return read_bytes(path, where, most).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError("the file is not UTF-8 text", where=where, why=f"byte {error.start} does not decode") from None
