"""Two versions side by side: each is timed by its own cases, in turns. Versions and their clocks are made up."""

import pytest

from benchmarks import suite, versions
from benchmarks.measure import Effort
from simcore.errors import InputError

EFFORT = Effort(rounds=5, run_s=0.01)
MEASURE = """
class Contender:
    def __init__(self, call, work):
        self.call, self.work = call, work

def calls_for(contender, run_s):
    return 4

def timed(contender, calls):
    return calls * contender.call()
"""
SUITE = """
from itertools import count
from benchmarks.measure import Contender

class Case:
    def __init__(self, name, seconds):
        self.name, self.ours = name, lambda: Contender(lambda: seconds, 1)

CASES = ({cases})
"""


def version(folder, **seconds):
    """Write a version whose cases take so many seconds a call, by their own clock."""
    package = folder / "benchmarks"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "measure.py").write_text(MEASURE)
    cases = "".join(f"Case({name!r}, {value}), " for name, value in seconds.items())
    (package / "suite.py").write_text(SUITE.format(cases=cases))
    return folder


@pytest.fixture
def here(tmp_path, monkeypatch):
    folder = version(tmp_path / "here", tick=2.0, new=1.0)
    monkeypatch.setattr(versions, "HERE", folder)
    return folder


@pytest.mark.parametrize(
    "other, speed, slower", [(2.0, 1.0, False), (1.95, 0.975, False), (1.7, 0.85, True), (4.0, 2.0, False)]
)
def test_the_speed_is_that_over_the_other_version(here, tmp_path, other, speed, slower):
    folder = version(tmp_path / "other", tick=other)
    assert versions.cases(folder) == ["tick"]
    (found,) = versions.compare(["tick"], folder, EFFORT)
    assert found["speed"] == pytest.approx(speed)
    assert found["slower"] is slower


def test_the_suite_compares_what_both_versions_have(here, tmp_path):
    judge = suite.judge_of(version(tmp_path / "other", tick=1.0, old=1.0), EFFORT)
    found = judge([{"name": "tick"}, {"name": "new"}], {})["against"]
    assert [row["name"] for row in found] == ["tick"]


def test_a_directory_without_hetpmu_is_bad_input(tmp_path):
    with pytest.raises(InputError, match="no benchmarks of hetpmu"):
        suite.run_bench(("hot",), against=tmp_path)


def test_this_version_knows_the_cases_of_its_own_table():
    names = [case.name for case in suite.CASES if hasattr(case, "ours")]
    assert versions.cases(versions.HERE) == names
