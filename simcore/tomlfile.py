"""Reading a text or TOML file, with an `InputError` that names the file for everything that can be wrong."""

import tomllib
from pathlib import Path
from typing import Any

from simcore.errors import InputError

MAX_BYTES = 4_000_000


def read_toml(path: str | Path) -> dict[str, Any]:
    """Return the tables of a TOML file; anything that is not a readable, non-empty TOML file is an `InputError`."""
    text = read_text(path)
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError("broken TOML", where=str(path), why=str(error)) from error
    except (RecursionError, ValueError) as error:
        raise InputError("broken TOML", where=str(path), why=str(error) or "nested too deeply") from error
    if not tables:
        raise InputError("the file is empty", where=str(path))
    return tables


def read_text(path: str | Path, where: str = "") -> str:
    """Return the text of a file; anything that is not a readable UTF-8 file of at most MAX_BYTES is an `InputError`."""
    path, where = Path(path), where or str(path)
    try:
        if path.is_dir():
            raise InputError("this is a directory, not a file", where=where)
        if path.stat().st_size > MAX_BYTES:
            raise InputError("the file is too large", where=where, valid=f"at most {MAX_BYTES} bytes")
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError("the file is not UTF-8 text", where=where, why=f"byte {error.start} does not decode") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError("cannot read the file", where=where, why=reason) from error
