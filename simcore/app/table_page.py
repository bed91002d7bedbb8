"""The page docs/tables.md, made of `simcore.table_columns`: `python -m simcore.app.table_page > docs/tables.md`."""

from simcore.table_columns import TABLES, Column, TableSpec

TYPES = {"i8": "int64", "u8": "uint64", "f8": "double"}
HEAD = """\
# The tables of a result

<!-- Made by `make docs` of simcore/table_columns.py; changes belong there. -->

What a run leaves behind, table by table: `tables/NAME.parquet` in a result directory ([output.md](output.md)),
`simcore.run(scenario).tables[NAME]` in Python ([api.md](api.md)), `hetpmu show DIR --table NAME` in a terminal.

Times are whole nanoseconds of simulated time. A `vcpu` is numbered over all VMs of the run, VM by VM; `policy` is 0 for
the real virtual PMU and 1, 2, ... for the shadows in the order of the scenario. A column without a unit is a number, a
code, a count or text. An integer is signed (int64) or not (uint64: counter values, cycles, events, PMCEID). In a file
unit and meaning are metadata of each field, and what a row stands for is metadata of the table.
"""


def page() -> str:
    """Return the page as Markdown."""
    return "\n".join([HEAD, *(_section(name, table) for name, table in TABLES.items())]).rstrip() + "\n"


def type_of(column: Column) -> str:
    """Return the type of a column as Arrow and Parquet name it."""
    number, text, _ = column.dtype.partition("U")
    if text:
        return "string"
    count, kind = number[:-2], number[-2:]
    return f"{TYPES[kind]}[{count}]" if count else TYPES[kind]


def _section(name: str, table: TableSpec) -> str:
    head = [f"## {name}", "", table.about, "", "| Column | Type | Unit | Meaning |", "|---|---|---|---|"]
    rows = [f"| `{column.name}` | {type_of(column)} | {column.unit} | {column.meaning} |" for column in table.columns]
    return "\n".join([*head, *rows, ""])


if __name__ == "__main__":
    print(page(), end="")
