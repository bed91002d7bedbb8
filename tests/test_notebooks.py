"""The notebooks run, in quick form, and what is stored was made of the present sources."""

import json
import re

import matplotlib
import pytest
from matplotlib import pyplot

from tests import notebooks

QUICK: dict[str, dict[str, object]] = {
    "first_steps": {"SECONDS": 0.13, "SEEDS": 1},
    "the_question": {"SECONDS": 0.13, "SEEDS": 1, "RATES": (100, 1_000), "RATE_SECONDS": 0.13},
}
WORDS = {"first_steps": "fixed-counters-only@v8", "the_question": "default@v6"}
LIMIT = 1_000_000
by_name = pytest.mark.parametrize("path", notebooks.SOURCES, ids=lambda path: path.stem)


@pytest.fixture(autouse=True)
def _drawing_into_memory():
    before = matplotlib.get_backend()
    pyplot.switch_backend("agg")
    yield
    pyplot.switch_backend(before)


def test_there_are_two_and_no_notebook_without_its_source():
    assert {path.stem for path in notebooks.SOURCES} == QUICK.keys()
    assert {path.stem for path in notebooks.FOLDER.glob("*.ipynb")} == QUICK.keys()


@by_name
def test_a_notebook_runs(path, monkeypatch):
    monkeypatch.chdir(notebooks.FOLDER)
    source = notebooks.cells(path.read_text())
    shown = notebooks.outputs(source, QUICK[path.stem])
    text = json.dumps(shown)
    assert WORDS[path.stem] in text
    assert "image/png" in text
    assert [bool(cell.source.strip()) for cell in source] == [True] * len(source)


@by_name
def test_a_stored_notebook_is_made_of_its_source(path):
    stored = json.loads(path.with_suffix(".ipynb").read_text())
    source = notebooks.cells(path.read_text())
    empty = notebooks.notebook(source, [[] for _ in source])
    assert [cell | {"outputs": []} if "outputs" in cell else cell for cell in stored["cells"]] == empty["cells"], (
        "make docs"
    )
    assert (stored["nbformat"], stored["nbformat_minor"], stored["metadata"]) == (4, 5, notebooks.KERNEL)


@by_name
def test_a_stored_notebook_has_outputs_and_is_small(path):
    file = path.with_suffix(".ipynb")
    outputs = [output for cell in json.loads(file.read_text())["cells"] for output in cell.get("outputs", [])]
    kinds = {output["output_type"] for output in outputs}
    assert {"stream", "display_data"} <= kinds <= {"stream", "display_data", "execute_result"}
    assert file.stat().st_size < LIMIT


@by_name
def test_every_link_of_a_notebook_leads_somewhere(path):
    text = "\n".join(cell.source for cell in notebooks.cells(path.read_text()) if cell.markdown)
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    assert links
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_the_sources_are_read_as_editors_read_them():
    text = "# %% [markdown]\n# # Head\n#\n# text\n\n# %% parameters\nN = 3\n\n# %%\nprint(N)\nN + 1\n"
    source = notebooks.cells(text)
    assert [cell.source for cell in source] == ["# Head\n\ntext", "N = 3", "print(N)\nN + 1"]
    shown = notebooks.outputs(source, {"N": 5})
    assert shown[2][0]["text"] == ["5\n"]
    assert shown[2][1]["data"] == {"text/plain": ["6"]}
    made = notebooks.notebook(source, shown)["cells"]
    assert [cell.get("execution_count") for cell in made] == [None, 1, 2]
    assert made[2]["outputs"][1]["execution_count"] == 2
    with pytest.raises(AssertionError):
        notebooks.outputs(source, {"M": 5})
