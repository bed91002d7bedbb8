"""The Python interface: docs/api.md runs as it stands; the names are lazy, typed and silent."""

import doctest
import inspect
import re
from pathlib import Path
from typing import get_type_hints

import pytest

import simcore
from simcore import app
from simcore.scenario import GuestSpec, Scenario, VmSpec

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "api.md"
TINY = Scenario(seconds_ns=5_000_000, vms=(VmSpec(vcpus=1, guest=GuestSpec(boot_ns=1_000_000)),))


def test_every_example_of_the_page_does_what_it_shows(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    code = "\n".join(re.findall(r"^```pycon\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL))
    test = doctest.DocTestParser().get_doctest(code, {"folder": tmp_path}, "api.md", str(PAGE), 0)
    assert len(test.examples) > 20
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    assert runner.run(test, out=said.append).failed == 0, "".join(said)


def test_every_public_name_is_on_the_page_and_documented():
    table = PAGE.read_text().partition("| Name |")[2].partition("\n\n")[0]
    listed = set(re.findall(r"`(\w+)", "\n".join(line.split("|")[1] for line in table.splitlines() if "`" in line)))
    named = set(simcore.__all__) - {"__version__"}
    assert named - listed <= {"load_all"}
    assert set(app.__all__) == named
    for name in named:
        assert inspect.getdoc(getattr(simcore, name))
    assert set(dir(simcore)) >= named


@pytest.mark.parametrize(
    "name", ["compare", "load", "load_all", "load_scenario", "load_study", "run", "save", "sweep", "watch"]
)
def test_every_function_is_typed(name):
    function = getattr(simcore, name)
    assert set(get_type_hints(function)) == {*inspect.signature(function).parameters, "return"}


def test_a_name_that_is_none_is_an_attribute_error():
    with pytest.raises(AttributeError, match="compear"):
        simcore.compear  # noqa: B018
    with pytest.raises(AttributeError, match="compear"):
        app.compear  # noqa: B018


def test_runs_and_comparisons_are_silent(tmp_path, capfd):
    result = simcore.run(TINY)
    simcore.compare(TINY, policies=("default",), seeds=(1,), workers=1)
    simcore.save(result, tmp_path / "result")
    simcore.save(result, str(tmp_path / "result"), force=True)
    assert [run.digest() for run in simcore.load_all(str(tmp_path / "result"))] == [result.digest()]
    assert capfd.readouterr() == ("", "")


def test_an_unknown_table_is_bad_input():
    with pytest.raises(simcore.InputError, match="migrations"):
        simcore.to_arrow(simcore.run(TINY), "migration")
