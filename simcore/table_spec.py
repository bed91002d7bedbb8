"""What describes a table: its columns, and what its rows stand for."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """A column: `i8`, `u8`, `31u8` (31 counters) or text `U..`; no unit: a number, a code or a count."""

    name: str
    dtype: str
    unit: str
    meaning: str


@dataclass(frozen=True, slots=True)
class TableSpec:
    """What a row stands for, and the columns."""

    about: str
    columns: tuple[Column, ...]


def plain(text: str) -> str:
    """Return a text of this module without the targets of its links."""
    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text)
