"""The site of the documentation: what needs no Sphinx. `make site` builds it, and there every warning is an error."""

import json
import re

import click
import pytest
from hetpmu_site import commands, links, names, notebooks

import simcore
from simcore.app.cli import cli
from tests import gallery
from tests.examples import ROOT

DOCS = ROOT / "docs"
INDEX = (DOCS / "index.md").read_text(encoding="utf-8")
SHELVES = re.findall(r"```\{toctree\}\n:caption: (\w+)\n:hidden:\n\n(.*?)```", INDEX, re.DOTALL)
PICTURE, ALL_PICTURES = 150_000, 1_000_000


def test_every_page_stands_in_one_of_four_shelves():
    assert [name for name, _ in SHELVES] == ["Tutorial", "Guides", "Reference", "Background"]
    shelved = sorted(page for _, pages in SHELVES for _, page in links.SHELVED.findall(pages))
    there = [path.stem for path in DOCS.glob("*.md") if path.stem != "index"]
    there += [f"notebooks/{path.stem}" for path in DOCS.glob("notebooks/*.ipynb")]
    assert shelved == sorted(there), "a page belongs into one shelf of docs/index.md"


def test_the_page_of_commands_has_every_command_and_option():
    text = commands.page(cli, "hetpmu")
    headings = set(re.findall(r"^#+ hetpmu (.*)$", text, re.MULTILINE))
    assert headings >= {*cli.commands, "guest run", "guest matrix", "import perf-stat", "import rt-app"}
    sections = dict(zip(*[iter(re.split(r"^#+ hetpmu (.*)$", text, flags=re.MULTILINE)[1:])] * 2, strict=True))
    for name, parameter in commands.every_option(cli):
        for option in parameter.opts if isinstance(parameter, click.Option) and not parameter.hidden else ():
            assert option in sections[name], (name, option)
    assert "hetpmu compare --quick --json - | jq" in sections["compare"]


def test_what_would_be_markup_is_plain():
    assert commands.escaped("--a_b *c* <d> [e]") == r"--a\_b \*c\* \<d> \[e]"


def test_the_page_of_names_has_every_public_name():
    text = names.page()
    assert {name for name in simcore.__all__ if not name.startswith("_")} == set(re.findall(r"simcore\.(\w+)", text))
    assert ".. autofunction:: simcore.run\n" in text
    assert ".. autoexception:: simcore.InputError\n" in text


def test_a_notebook_is_a_page_with_its_outputs():
    code = {"cell_type": "code", "source": ["1 + 1"], "outputs": [{"data": {"text/plain": ["2"]}}]}
    printed = {"cell_type": "code", "source": ["print(3)"], "outputs": [{"text": ["3\n"]}]}
    drawn = {
        "cell_type": "code",
        "source": ["draw()"],
        "outputs": [{"data": {"image/png": "QUJD\n", "text/plain": ""}}],
    }
    text = notebooks.as_markdown(
        json.dumps({"cells": [{"cell_type": "markdown", "source": ["# Head"]}, code, printed, drawn]})
    )
    assert text.startswith("# Head\n\n```python\n1 + 1\n```\n\n```text\n2\n```\n\n```python\nprint(3)\n```")
    assert text.endswith("![What the cell draws](data:image/png;base64,QUJD)\n")


@pytest.mark.parametrize(
    "text, expected",
    [
        ("see [model.md](model.md).", "see [The model](model.md)."),
        ('[model.md](model.md), "PMU, policies"', "[The model](model.md), [PMU, policies](model.md#pmu-policies)"),
        ("[the model](model.md)", "[the model](model.md)"),
        ("[other.md](other.md)", "[other.md](other.md)"),
        ("[nb](notebooks/a.ipynb)", "[nb](notebooks/a.ipynb)"),
    ],
)
def test_links_show_titles_and_lead_to_sections(text, expected):
    assert links.linked(text, {"model": "The model"}) == expected


def test_every_picture_of_the_gallery_is_small_and_made_by_a_command():
    page = gallery.PAGE.read_text(encoding="utf-8")
    shown = re.findall(r"!\[.+\]\(images/gallery/(.+)\)", page)
    assert shown == [name for name, _ in gallery.pictures()]
    assert sorted(path.name for path in gallery.FOLDER.iterdir()) == sorted(shown)
    sizes = [(gallery.FOLDER / name).stat().st_size for name in shown]
    assert 8 <= len(sizes) <= 12
    assert max(sizes) < PICTURE
    assert sum(sizes) < ALL_PICTURES


def test_the_pages_ask_no_network():
    sources = [
        path.read_text(encoding="utf-8") for path in (DOCS / "site").rglob("*") if path.suffix in (".py", ".css")
    ]
    assert not [text for text in sources if re.search(r"https?://", text)]
