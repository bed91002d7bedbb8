"""Column buffers that grow while a run goes on, and the dtype of every table of a result."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from simcore.table_columns import TABLES

HOST_VM = -1
"""What stands for the host in a column `vm`."""
DTYPES: dict[str, list[tuple[str, str]]] = {
    name: [(column.name, column.dtype) for column in table.columns] for name, table in TABLES.items()
}


class Log:
    """Rows of one table, appended as tuples and turned into a structured array at the end."""

    __slots__ = ("_rows", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._rows: list[tuple[object, ...]] = []

    def add(self, *row: object) -> None:
        """Append one row; values in the order of the table's columns."""
        self._rows.append(row)

    def table(self) -> NDArray[np.void]:
        """Return the rows as a structured array."""
        return np.array(self._rows, np.dtype(DTYPES[self.name]))


def table_of(name: str, columns: Sequence[NDArray[np.generic]]) -> NDArray[np.void]:
    """Return a structured array of a table from its columns in order."""
    dtype = np.dtype(DTYPES[name])
    table = np.zeros(len(columns[0]), dtype)
    for field_name, column in zip(dtype.names or (), columns, strict=True):
        table[field_name] = column
    return table
