"""The notebooks of docs/notebooks, each made of the Python file of its name: `python -m tests.notebooks` runs them.

A source has cells as editors know them: `# %%` begins code, `# %% [markdown]` text in comments, `# %% parameters`
numbers that a quick run replaces. What a cell prints, its open figures and the value of its last line are its outputs,
as in Jupyter.
"""

import ast
import base64
import contextlib
import io
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import pyplot

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "notebooks"
SOURCES = tuple(sorted(FOLDER.glob("*.py")))
MARK = re.compile(r"^# %%(.*)\n", re.MULTILINE)
DPI = 80
KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
Output = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """A cell: its text, and whether that is Markdown or parameters."""

    source: str
    markdown: bool = False
    parameters: bool = False


def cells(text: str) -> list[Cell]:
    """Return the cells of a source."""
    _, *parts = MARK.split(text)
    return [_cell(mark.strip(), body.strip("\n")) for mark, body in zip(parts[::2], parts[1::2], strict=True)]


def _cell(mark: str, body: str) -> Cell:
    if mark != "[markdown]":
        return Cell(body, parameters=mark == "parameters")
    return Cell("\n".join(line.removeprefix("#").removeprefix(" ") for line in body.splitlines()), markdown=True)


def outputs(source: Sequence[Cell], quick: Mapping[str, object] | None = None) -> list[list[Output]]:
    """Run all code cells in one namespace and return the outputs of each cell; `quick` replaces parameters."""
    names: dict[str, Any] = {"__name__": "__main__"}
    found: list[list[Output]] = []
    for number, cell in enumerate(source):
        found.append([] if cell.markdown else list(_run(cell.source, names, number)))
        if cell.parameters:
            assert set(quick or {}) <= set(names)
            names.update(quick or {})
    return found


def _run(code: str, names: dict[str, Any], number: int) -> Iterator[Output]:
    """Yield what a cell prints, shows and ends with."""
    tree = ast.parse(code)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed, value = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, f"cell {number}", "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), names)
    if printed.getvalue():
        yield {"output_type": "stream", "name": "stdout", "text": lines(printed.getvalue())}
    for figure in map(pyplot.figure, pyplot.get_fignums()):
        picture = {"image/png": _png(figure), "text/plain": ["<Figure>"]}
        yield {"output_type": "display_data", "data": picture, "metadata": {}}
    pyplot.close("all")
    if value is not None:
        data = {"text/plain": lines(repr(value))}
        yield {"output_type": "execute_result", "execution_count": None, "data": data, "metadata": {}}


def _png(figure: Any) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, bbox_inches="tight", metadata={"Software": None})
    return base64.b64encode(buffer.getvalue()).decode()


def lines(text: str) -> list[str]:
    """Return text as a notebook has it: its lines with their ends."""
    return text.splitlines(keepends=True)


def notebook(source: Sequence[Cell], shown: Sequence[list[Output]]) -> dict[str, Any]:
    """Return a notebook (nbformat 4.5)."""
    count = iter(range(1, len(source) + 1))
    pairs = zip(source, shown, strict=True)
    return {
        "cells": [_as_json(cell, kept, f"cell-{number}", count) for number, (cell, kept) in enumerate(pairs)],
        "metadata": KERNEL,
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _as_json(cell: Cell, kept: list[Output], name: str, count: Iterator[int]) -> dict[str, Any]:
    head = {"id": name, "metadata": {"tags": ["parameters"]} if cell.parameters else {}}
    if cell.markdown:
        return {"cell_type": "markdown", **head, "source": lines(cell.source)}
    now = next(count)
    kept = [output | {"execution_count": now} if "execution_count" in output else output for output in kept]
    return {"cell_type": "code", **head, "execution_count": now, "source": lines(cell.source), "outputs": kept}


def main() -> None:
    """Make every notebook anew."""
    matplotlib.use("agg")
    os.chdir(FOLDER)
    for path in SOURCES:
        source = cells(path.read_text(encoding="utf-8"))
        made = notebook(source, outputs(source))
        path.with_suffix(".ipynb").write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"{path.stem}.ipynb: {path.with_suffix('.ipynb').stat().st_size // 1000} kB", file=sys.stderr)


if __name__ == "__main__":
    main()
