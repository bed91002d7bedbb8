"""docs/uapi.md and the tutorial against the command: the outputs shown, the fields described, the row of a revision."""

import re
import shlex
from pathlib import Path

import pytest

from pmu import revisions
from simcore.app.cli import exit_code
from simcore.app.uapi_exploring import explore
from simcore.app.uapi_running import Column, as_json, columns_of
from tests.test_docs import DOCS, FENCED
from tests.uapi_platforms import account, host, steps

PAGE = (DOCS / "uapi.md").read_text()
SHOWN = [body for _, body in FENCED.findall(PAGE) if body.startswith("$ hetpmu uapi")]


def printed(command: str, capsys) -> str:
    assert exit_code(shlex.split(command)[1:]) == 0
    return str(capsys.readouterr().out)


@pytest.mark.parametrize("block", SHOWN, ids=("run", "explore"))
def test_the_page_shows_what_the_command_prints(block, capsys):
    command, _, output = block.removeprefix("$ ").partition("\n")
    text = printed(command, capsys)
    pieces = [piece.strip("\n") for piece in output.split("[...]\n") if piece.strip()]
    places = [text.find(piece) for piece in pieces]
    assert -1 not in places, pieces[places.index(-1)]
    assert places == sorted(places)
    assert places[0] == 0
    assert "[...]" in output or text.strip("\n") == pieces[0]


def test_the_tutorial_shows_what_the_command_prints(capsys, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    section = (DOCS / "tutorial.md").read_text().partition("## Call by call")[2].partition("\n## ")[0]
    command, output = (body for _, body in FENCED.findall(section))
    text = printed(command.strip().removeprefix(".venv/bin/"), capsys)
    assert all(piece.strip("\n") in text for piece in output.split("[...]\n"))
    assert len(output.splitlines()) > 5


def test_the_row_of_a_later_revision_shows_what_it_changes():
    code = next(body for language, body in FENCED.findall(PAGE) if language == "python")
    names = dict(vars(revisions))
    exec(code, names)
    later = Column("v12", names["V12"])
    found = explore(host("HET"), (*columns_of(("v8",)), later), 1, steps("set SET_PMU 8")).found
    between = {one.steps[-1].text: one.outcomes for one in found if {"v8", "v12"} <= one.outcomes.keys()}
    changed = {text: (sides["v8"].result, sides["v12"].result) for text, sides in between.items()}
    assert {text: results for text, results in changed.items() if results[0] != results[1]} == {
        "set FIXED_COUNTERS_ONLY": ("-EBUSY", 0)
    }


def test_the_page_describes_every_field():
    columns = columns_of(("v6", "v8"))
    found = account("set FILTER 3:1:deny", kernels=columns)
    answer = as_json("het", host("HET"), columns, 1, "gicv3", found)
    explored = explore(host("HET"), columns, 1).as_json()
    dicts = [answer, answer["host_pmus"][0], answer["columns"][0], answer["steps"][0], answer["state"]["v8"]]
    dicts += [answer["steps"][0]["rules"]["v8"], answer["state"]["v8"]["filter"], explored, explored["groups"][0]]
    section = PAGE.partition("## JSON")[2]
    described = set(re.findall(r'[`"](\w+)[`"]', section))
    assert {key for row in dicts for key in row} <= described


def test_the_page_has_the_remark_about_v6():
    section = " ".join(PAGE.partition("## What the table cannot show")[2].partition("\n## ")[0].split())
    assert "is not limited to fixed-counters-only VMs" in section
    assert "2026-04-20" in section


def test_the_page_is_where_the_readme_says():
    assert "(docs/uapi.md)" in (Path(DOCS).parent / "README.md").read_text()
