"""A Jupyter notebook as a page of Markdown, with the outputs that it keeps."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

Cell = Mapping[str, Any]


def as_markdown(text: str) -> str:
    """Return the Markdown of a notebook (nbformat 4)."""
    return "\n\n".join(part for cell in json.loads(text)["cells"] for part in _parts(cell)) + "\n"


def _parts(cell: Cell) -> Iterator[str]:
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        yield source
        return
    yield fenced(source, "python")
    for output in cell["outputs"]:
        yield _shown(output)


def _shown(output: Mapping[str, Any]) -> str:
    data = output.get("data", {})
    if "image/png" in data:
        return f"![What the cell draws](data:image/png;base64,{''.join(data['image/png']).strip()})"
    return fenced("".join(output.get("text") or data["text/plain"]), "text")


def fenced(text: str, language: str) -> str:
    """Return a code block."""
    return f"```{language}\n{text.rstrip()}\n```"
