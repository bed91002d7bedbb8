"""Vector files of any format: from a path to a JSON object, gzipped or not, and the schema that it says it has."""

from collections import Counter
from typing import Any, Final

from simcore.app.vector_forms import within, wrong
from simcore.errors import InputError
from simcore.limits import MAX_VECTOR_BYTES, parse_json, read_bytes, unzipped

Content = dict[str, Any]

_VALID: Final = "a JSON object, gzipped or not"
_HEADER: Final = '{"header": {"schema": "hetpmu-vectors/1", ...}, "sequences": [...]}'


def load(path: str) -> Content:
    """Return the JSON object in a file."""
    try:
        content = parse_json(_text(path), "", parse_constant=_no_number, object_pairs_hook=_object)
    except InputError as error:
        raise InputError(error.what, error.where.removeprefix(path), error.why, error.valid or _VALID) from None
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
        return unzipped(read_bytes(path, most=MAX_VECTOR_BYTES), path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError("neither gzip nor text in UTF-8", why=f"byte {error.start} is none", valid=_VALID) from None


def _no_number(name: str) -> Any:
    raise InputError(f"{name} is no number in JSON", valid="integers")


def _object(pairs: list[tuple[str, Any]]) -> Content:
    made = dict(pairs)
    if len(made) < len(pairs):
        twice = next(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        raise InputError(f"key {twice!r} stands twice in one object", valid="each key once")
    return made
