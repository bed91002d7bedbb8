"""How `show` prints what is in a result directory: at most 120 columns."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from simcore.app.columns import WIDTH, table
from simcore.app.showing import Contents, Run
from simcore.table_columns import TABLES, plain

MANY = 4
"""How many values of a column of lists are shown."""


def contents_text(found: Contents) -> str:
    """Return what a directory is, the table that the command printed, and its runs."""
    count = f" of {len(found.runs)} runs" if found.kind != "run" and len(found.runs) > 1 else ""
    parts = [f"{found.directory}: a {found.kind}{count}"]
    if found.text:
        parts.append(found.text.rstrip("\n"))
    if found.kind == "run":
        parts += [*_one(found.runs[0]), _versions(found.runs[0])]
    elif found.tables:
        parts.append("tables: " + ", ".join(f"{name} ({len(rows)} rows)" for name, rows in found.tables.items()))
    elif found.runs:
        rows = [(run.name, run.meta["seed"], sum(run.meta["tables"].values()), "ok") for run in found.runs]
        parts += [table(("run", "seed", "rows", "digest"), rows), _versions(found.runs[0])]
    return "\n\n".join(parts)


def rows_text(found: Contents, name: str, head: int) -> str:
    """Return the first rows of a table of each run, or of one that belongs to none."""
    tables = [(run.name, run.table(name)) for run in found.runs] or [(found.directory.name, found.table(name))]
    return "\n\n".join("\n".join(_rows(label, rows, name, head)) for label, rows in tables)


def _one(run: Run) -> Iterator[str]:
    policies = ", ".join(">".join(names[:1]) for names in run.meta["summary"]["policies"])
    scenario = run.meta["scenario"]
    seconds = scenario["seconds_ns"] / 1e9
    yield f"{scenario['platform']}, {policies}, {seconds:g} s, seed {scenario['seed']}; digest ok"
    about = WIDTH - max(map(len, TABLES)) - 12
    rows = [(name, len(rows), _short(plain(TABLES[name].about), about)) for name, rows in run.result.tables.items()]
    yield table(("table", "rows", "what a row is"), rows)


def _versions(run: Run) -> str:
    return "written by " + ", ".join(f"{name} {version}" for name, version in run.meta["versions"].items())


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."


def _rows(label: str, rows: NDArray[np.void], name: str, head: int) -> Iterator[str]:
    yield f"{label}: {name}, {min(head, len(rows))} of {len(rows)} rows"
    columns = list(rows.dtype.names or ())
    cells = [[_cell(row[column]) for column in columns] for row in rows[:head]]
    texts = [table(columns[:shown], [row[:shown] for row in cells]) for shown in range(1, len(columns) + 1)]
    shown = max([1, *(number for number, text in enumerate(texts, 1) if _width(text) <= WIDTH)])
    yield texts[shown - 1]
    if columns[shown:]:
        yield f"not shown: {', '.join(columns[shown:])} (--json has them)"


def _width(text: str) -> int:
    return max(map(len, text.split("\n")))


def _cell(value: object) -> object:
    if isinstance(value, np.ndarray):
        rest = " ..." if len(value) > MANY else ""
        return " ".join(map(str, value[:MANY])) + rest
    return value.item() if isinstance(value, np.generic) else value
