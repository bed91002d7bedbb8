"""JSON as rt-app's files are written: comments, trailing commas, and keys that occur twice in one object.

Comments and trailing commas are blanked, so that lines and columns stay what they are, and the standard library
parses the rest. What the keys mean stands in `workloads.rtapp_file`.
"""

import json
import re
from typing import Any

from simcore.errors import InputError
from simcore.limits import too_deep, within_limits

_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?+'
COMMENT = re.compile(_STRING + r"|/\*(?:.*?\*/|.*)|//[^\n]*", re.DOTALL)
TRAILING_COMMA = re.compile(_STRING + r"|,(?=\s*+[}\]])", re.DOTALL)
"""A string or a comment without an end goes up to that of the text, so that no place is looked at twice."""
NOT_BLANK = re.compile(r"\S")


class Members(tuple[tuple[str, Any], ...]):
    """The members of a JSON object: (key, value) in the order of the file, a key as often as it occurs."""

    __slots__ = ()


def loads(text: str, where: str) -> Any:
    """Parse a text; objects become `Members`, all else what `json.loads` makes of it.

    Raises InputError with line and column.
    """
    try:
        tree = json.loads(blanked(text), object_pairs_hook=Members, parse_constant=_no_constant)
        return within_limits(tree, where)
    except json.JSONDecodeError as error:
        raise InputError(f"broken JSON: {error.msg}", f"{where}: line {error.lineno} column {error.colno}") from None
    except RecursionError:
        too_deep(where)
    except ValueError as error:
        raise InputError(f"broken JSON: {error}", where, valid="numbers as JSON has them") from None


def blanked(text: str) -> str:
    """Return the text with comments and trailing commas replaced by as many blanks."""
    return TRAILING_COMMA.sub(_blank, COMMENT.sub(_blank, text))


def _blank(match: re.Match[str]) -> str:
    found = match[0]
    return found if found.startswith('"') else NOT_BLANK.sub(" ", found)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")
