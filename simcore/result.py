"""Result: what a run found, as frozen tables. Files are written and read in ``simcore.app.storing``."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simcore.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Result:
    """A finished run: its scenario, its tables by name (structured arrays) and the policies by row number.

    ``summary`` holds what is one value a run: ``ended_ns``, ``policies`` (the name of each policy number),
    ``energy_j`` (None without a sourced energy model). ``timings`` are wall seconds by name and no part of what was
    found.
    """

    scenario: Scenario
    tables: Mapping[str, NDArray[np.void]]
    summary: Mapping[str, object]
    timings: Mapping[str, float] = field(default_factory=dict, compare=False)

    def digest(self, skip: frozenset[str] = frozenset()) -> str:
        """Return a digest over the column values of all tables but those in ``skip``; the same on every machine.

        An empty table has none: a later version with one more table gives the same digest where nothing is in it.
        """
        state = hashlib.sha256()
        for name, table in sorted(self.tables.items()):
            if name in skip or not len(table):
                continue
            state.update(f"{name} {len(table)}".encode())
            for column in table.dtype.names or ():
                state.update(column.encode())
                state.update(_bytes(table[column]))
        return state.hexdigest()


def _bytes(column: NDArray[Any]) -> bytes | memoryview:
    """Return what stands for the values: integers as little-endian, text with its length, however wide the column."""
    if column.dtype.kind == "U":
        return b"".join(b"%d:%b" % (len(text), text.encode()) for text in column.tolist())
    return np.ascontiguousarray(column, column.dtype.newbyteorder("<")).data
