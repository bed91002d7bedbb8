"""Vector files of any format: from a path to a JSON object, gzipped or not, and the schema that it says it has."""

import gzip
import json
import zlib
from typing import Any, Final

from simcore.app.vector_forms import within, wrong
from simcore.errors import InputError

Content = dict[str, Any]

_GZIP: Final = b"\x1f\x8b"
_VALID: Final = "a JSON object, gzipped or not"
_HEADER: Final = '{"header": {"schema": "hetpmu-vectors/1", ...}, "sequences": [...]}'


def load(path: str) -> Content:
    """Return the JSON object in a file."""
    content = _parsed(_text(path))
    if not isinstance(content, dict):
        raise wrong(content, _VALID)
    return content


def schema_of(content: Content) -> str:
    """Return the schema of a file: that of its header, or the one at the top as in scheduler files."""
    holder = content
    if "schema" not in content:
        if "header" not in content:
            raise InputError("missing key 'header'", valid=_HEADER)
        holder = content["header"]
        if not isinstance(holder, dict) or "schema" not in holder:
            raise InputError("the header has no 'schema'", where="header", valid=_HEADER)
    if not isinstance(holder["schema"], str):
        raise within(wrong(holder["schema"], _HEADER), "schema")
    return holder["schema"]


def _text(path: str) -> str:
    try:
        with open(path, "rb") as file:
            data = file.read()
        return (gzip.decompress(data) if data.startswith(_GZIP) else data).decode("utf-8")
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError("damaged gzip file", why=str(error), valid="the whole file") from None
    except UnicodeDecodeError as error:
        raise InputError("neither gzip nor text in UTF-8", why=f"byte {error.start} is none", valid=_VALID) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", valid=_VALID) from None


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_number, object_pairs_hook=_object)
    except RecursionError:
        raise InputError("not JSON that can be read", why="nested too deeply", valid=_VALID) from None
    except ValueError as error:
        raise InputError("not JSON", why=str(error), valid=_VALID) from None


def _no_number(name: str) -> Any:
    raise InputError(f"{name} is no number in JSON", valid="integers")


def _object(pairs: list[tuple[str, Any]]) -> Content:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"key {twice!r} stands twice in one object", valid="each key once")
    return made
