"""One table as one Parquet file and back: the only module that knows pyarrow, which it imports when it is used.

Integers keep their width and sign, a column of rows (`31u8`) becomes a list of fixed size, text a string. What a table
means stands in `simcore.table_columns`; files and directories of a result in `simcore.app.storing`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simcore.errors import InputError, first_line

if TYPE_CHECKING:
    import pyarrow

COMPRESSION = "zstd"
MAX_ROWS, MAX_GROUPS, MAX_TABLE_BYTES = 100_000_000, 10_000, 4 << 30
Texts = Mapping[str, str]


def to_arrow(
    array: NDArray[np.void], metadata: Texts | None = None, columns: Mapping[str, Texts] | None = None
) -> "pyarrow.Table":
    """Return a structured array as an Arrow table, with metadata of the table and of its columns by name."""
    import pyarrow

    arrays = [_arrow_column(array[name]) for name in array.dtype.names or ()]
    fields = [
        pyarrow.field(name, column.type, nullable=False, metadata=(columns or {}).get(name))
        for name, column in zip(array.dtype.names or (), arrays, strict=True)
    ]
    return pyarrow.Table.from_arrays(arrays, schema=pyarrow.schema(fields, metadata=metadata))


def write_table(
    array: NDArray[np.void], path: Path, metadata: Texts | None = None, columns: Mapping[str, Texts] | None = None
) -> None:
    """Write a structured array as a Parquet file; an empty one keeps its columns. Raises OSError."""
    from pyarrow import parquet

    table = to_arrow(array, metadata, columns)
    with path.open("wb") as sink:
        parquet.write_table(table, sink, compression=COMPRESSION, store_schema=True, write_page_checksum=True)


def write_csv(array: NDArray[np.void], path: Path) -> None:
    """Write a structured array as CSV with a head, `NAME_0`, `NAME_1`, .. for a column of rows. Raises OSError."""
    import pyarrow

    table = to_arrow(array)
    for field in table.schema:
        if pyarrow.types.is_fixed_size_list(field.type):
            place = table.schema.get_field_index(field.name)
            values = array[field.name]
            table = table.remove_column(place)
            for number in range(values.shape[1]):
                column = np.ascontiguousarray(values[:, number])
                table = table.add_column(place + number, f"{field.name}_{number}", pyarrow.array(column))
    _write_csv(table, path)


def write_rows(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write rows of equal names and plain values, or None, as CSV or Parquet by the suffix. Raises OSError.

    A column of whole numbers and others becomes one of float64.
    """
    import pyarrow
    from pyarrow import parquet

    names = list(rows[0]) if rows else []
    table = pyarrow.table({name: _plain_column([row[name] for row in rows]) for name in names})
    if path.suffix == ".csv":
        _write_csv(table, path)
    else:
        parquet.write_table(table, path, compression=COMPRESSION, write_page_checksum=True)


def _write_csv(table: "pyarrow.Table", path: Path) -> None:
    from pyarrow import csv

    with path.open("wb") as sink:
        csv.write_csv(table, sink)


def _plain_column(values: list[Any]) -> "pyarrow.Array":
    import pyarrow

    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        return pyarrow.array(values, pyarrow.float64())
    return pyarrow.array(values if len(kinds) < 2 else [None if value is None else str(value) for value in values])


def read_table(path: Path) -> NDArray[np.void]:
    """Return the structured array of a Parquet file, text as wide as its longest; raises InputError.

    Only flat columns of numbers, text and lists of one fixed size are read, and none with a missing value. A page of
    data that is not as it was written is found by its checksum.
    """
    import pyarrow
    from pyarrow import parquet

    try:
        with path.open("rb") as source:
            file = parquet.ParquetFile(source, page_checksum_verification=True)
            _check_size(file.metadata, path)
            table = file.read()
        return _structured(table, path)
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
        raise InputError("unreadable table", where=str(path), why=first_line(error)) from None


def _check_size(metadata: Any, path: Path) -> None:
    """Refuse a table that says of itself that it is large, before memory is taken for it."""
    groups = [metadata.row_group(number) for number in range(min(metadata.num_row_groups, MAX_GROUPS))]
    sizes = [group.column(place).total_uncompressed_size for group in groups for place in range(group.num_columns)]
    if metadata.num_rows > MAX_ROWS or metadata.num_row_groups > MAX_GROUPS or sum(sizes) > MAX_TABLE_BYTES:
        valid = f"at most {MAX_ROWS} rows and {MAX_TABLE_BYTES} bytes unpacked"
        raise InputError("the table is too large", where=str(path), why=f"{metadata.num_rows} rows", valid=valid)


def column_metadata(path: Path) -> dict[str, dict[str, str]]:
    """Return the metadata of each column of a Parquet file."""
    from pyarrow import parquet

    schema = parquet.read_schema(path)
    return {field.name: _texts(field.metadata) for field in schema}


def _texts(metadata: Mapping[bytes, bytes] | None) -> dict[str, str]:
    return {key.decode(): value.decode() for key, value in (metadata or {}).items() if not key.startswith(b"PARQUET:")}


def _arrow_column(column: NDArray[Any]) -> Any:
    import pyarrow

    if column.dtype.kind == "U":
        return pyarrow.array(column.tolist(), pyarrow.string())
    if column.ndim == 1:
        return pyarrow.array(np.ascontiguousarray(column))
    flat = pyarrow.array(np.ascontiguousarray(column).ravel())
    return pyarrow.FixedSizeListArray.from_arrays(flat, column.shape[1])


def _structured(table: "pyarrow.Table", path: Path) -> NDArray[np.void]:
    columns = {name: _numpy_column(table.column(name), f"{path}: {name}") for name in table.column_names}
    dtype = np.dtype([(name, column.dtype, column.shape[1:]) for name, column in columns.items()])
    array = np.zeros(table.num_rows, dtype)
    for name, column in columns.items():
        array[name] = column
    return array


def _texts_of(column: "pyarrow.ChunkedArray", where: str) -> NDArray[Any]:
    """Return a column of text, each value as wide as the longest."""
    from pyarrow import compute

    widest = compute.max(compute.utf8_length(column)).as_py() or 1
    if widest * len(column) * 4 > MAX_TABLE_BYTES:
        raise InputError(
            f"{len(column)} texts as wide as {widest}", where=where, valid=f"at most {MAX_TABLE_BYTES} bytes"
        )
    return np.array(column.to_pylist(), np.str_)


def _numpy_column(column: "pyarrow.ChunkedArray", where: str) -> NDArray[Any]:
    from pyarrow import types

    kind = column.type
    if column.null_count:
        raise InputError("a value is missing", where=where, valid="a table written by hetpmu")
    if types.is_string(kind) or types.is_large_string(kind):
        return _texts_of(column, where)
    if types.is_fixed_size_list(kind):
        flat: NDArray[Any] = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
        return flat.reshape(len(column), kind.list_size)
    if not (types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)):
        raise InputError(f"cannot read a column of type {kind}", where=where, valid="a table written by hetpmu")
    return np.asarray(column.to_numpy())
