"""The text of ``bench``: what it says in 120 columns."""

import pytest

from benchmarks import baseline, machine, report, suite
from benchmarks.case import BANDS, Worst
from benchmarks.rows import head, judged

RATIOS = {"gcc": 1.5, "fill": 0.75}


def row(name="tick", band="hot", unit="counter updates/s", **more):
    """Return a row of made-up figures."""
    case = next(case for case in suite.CASES if not isinstance(case, Worst))
    figures = {"name": name, "band": band, "unit": unit, "median": 2e9, "low": 1e9, "high": 3e9, "runs": 5}
    ratios = {"ratios": RATIOS, "ratio_intervals": {peer: [value, value] for peer, value in RATIOS.items()}}
    found = head(case) | figures | ratios | {"skipped": {}, "also": {}}
    return judged(found | more, {"gcc": 5.0}, {"fill": 0.8})


def text(*rows, **more):
    return report.text({"machine": machine.describe(), "cases": rows, **more})


def test_no_line_is_wider_than_a_terminal():
    long = {"instructions": {f"vp{number}": number for number in range(60)}, "note": "word " * 60}
    found = text(row("a-name-of-a-case", skipped={"clang": "reason " * 30}, facts=long, bounds=["fill"]))
    assert max(map(len, found.splitlines())) <= report.COLUMNS
    assert "vp59 59" in found


def test_cases_stand_below_their_bands_in_the_order_of_the_table():
    lines = text(row("case-b", "whole"), row("case-a", "hot"), row("case-c", "hot")).splitlines()
    starts = [line.split()[0] for line in lines if line.startswith(("hot:", "mechanism:", "whole:", "  case-"))]
    assert starts == ["hot:", "case-a", "case-c", "whole:", "case-b"]


def test_targets_are_summed_up():
    found = text(row("a"), row("b"))
    assert found.splitlines()[-1] == "targets: 2 met, 2 not met: a (gcc), b (gcc)"


def test_without_targets_there_is_no_sum():
    assert "targets" not in text(row() | {"met": {}})


def test_every_unit_of_the_table_is_explained():
    assert {case.unit for case in suite.CASES if not isinstance(case, Worst)} <= set(report.UNITS)
    assert "counter updates/s: one counter through one tick" in text(row())


def test_every_band_is_explained():
    assert tuple(report.BANDS) == BANDS


@pytest.mark.parametrize("slower, words", [(True, "SLOWER beyond noise"), (False, "no slowdown beyond noise")])
def test_the_comparison_names_the_slower_ones(slower, words):
    against = [{"name": "tick", "speed": 0.8, "low": 0.7, "high": 0.9, "slower": slower}]
    assert f"  tick           0.80 x the other's speed [0.7 .. 0.9]: {words}" in text(row(), against=against)


def test_a_comparison_with_another_machine_says_so():
    now = {"cpu": "A", "load_average": 1.0, "caches": {"L1": "1K"}, "versions": {"numba": "1", "hetpmu": "2"}}
    then = {"cpu": "B", "load_average": 2.0, "caches": {"L1": "1K"}, "versions": {"numba": "0", "hetpmu": "1"}}
    differs = baseline.differences(now, then)
    assert differs == {"cpu": ["A", "B"], "numba": ["1", "0"]}
    assert "of another machine: cpu A, then B; numba 1, then 0" in text(row(), against=[], machine_differs=differs)
    assert "another machine" not in text(row(), against=[], machine_differs={})


def test_a_comparison_without_common_cases_says_so():
    assert "no case that both have" in text(row(), against=[])
