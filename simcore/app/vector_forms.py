"""What a value in a vector file may be: numbers, hex strings, names, lists and objects, and the errors about them.

Which value stands where is in ``simcore.app.vectors`` and ``simcore.app.vector_steps``.
"""

import json
import re
from collections.abc import Callable, Collection
from typing import Any, Final

from simcore.errors import InputError, unknown_name

INT32, UINT8, UINT16, UINT32, UINT64 = (1 << 31) - 1, (1 << 8) - 1, (1 << 16) - 1, (1 << 32) - 1, (1 << 64) - 1
_SHOWN: Final = 60
_TYPES: Final = {
    bool: "a boolean",
    int: "an integer",
    float: "a number with fraction or exponent",
    str: "a string",
    list: "a list",
    dict: "an object",
    type(None): "null",
}
_HEX: Final = re.compile(r"0[xX][0-9a-fA-F]+")


# Errors


def shown(value: Any) -> str:
    """Return a value as in the file, shortened."""
    try:
        text = json.dumps(value)
    except RecursionError:
        return "that is nested too deeply"
    return text if len(text) <= _SHOWN else text[: _SHOWN - 4] + " ..."


def wrong(value: Any, valid: str) -> InputError:
    """Return the error for a value of a type or size that has no meaning."""
    return InputError(f"wrong value {shown(value)}", why=f"it is {_TYPES[type(value)]}", valid=valid)


def within(error: InputError, place: str, separator: str = ", ") -> InputError:
    """Return the error with the place around that which it names."""
    where = separator.join(filter(None, (place, error.where)))
    return InputError(error.what, where=where, why=error.why, valid=error.valid)


def known(kind: str, name: Any, names: Collection[str], where: str = "") -> str:
    """Return a name that is among the known ones."""
    if not isinstance(name, str):
        raise wrong(name, f"the name of a {kind}")
    if name not in names:
        raise unknown_name(kind, name[:_SHOWN], names, where=where)
    return name


def keys(value: Any, required: Collection[str], optional: Collection[str] = ()) -> dict[str, Any]:
    """Return an object that has every required key, and none that is not known."""
    if not isinstance(value, dict):
        raise wrong(value, "an object")
    for key in required:
        if key not in value:
            raise InputError(f"missing key {key!r}", valid=", ".join(required))
    for key in value:
        known("key", key, [*required, *optional])
    return value


def at(place: str, parse: Callable[..., Any], *arguments: Any) -> Any:
    """Return what ``parse`` makes of its arguments; an error gets the place."""
    try:
        return parse(*arguments)
    except InputError as error:
        raise within(error, place) from None


# Numbers and text


def integer(value: Any, low: int, high: int) -> int:
    """Return an integer from ``low`` to ``high``; a boolean is none."""
    if type(value) is not int or not low <= value <= high:
        raise wrong(value, f"an integer from {low} to {high}")
    return value


def hexadecimal(value: Any, high: int = UINT64) -> int:
    """Return the number that a hex string stands for."""
    if not isinstance(value, str) or len(value) > _SHOWN or not _HEX.fullmatch(value) or int(value, 16) > high:
        raise wrong(value, f"a hex string from 0x0 to {high:#x}")
    return int(value, 16)


def items(value: Any, valid: str = "a list") -> list[Any]:
    """Return a list."""
    if not isinstance(value, list):
        raise wrong(value, valid)
    return value
