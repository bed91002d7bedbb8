"""Measuring, the JSON of ``bench`` and the comparison with a baseline. No test looks at the clock's verdict."""

import json
import re
from functools import partial
from math import comb

import pytest

from benchmarks import baseline, measure, report, rows, suite
from benchmarks.case import BANDS, Case
from benchmarks.measure import Contender, Effort, Measurement, Unavailable
from simcore.app.cli import exit_code
from simcore.errors import InputError

EFFORT = Effort(rounds=3, run_s=0.0001)


def never():
    raise Unavailable("not built for this machine")


def case(unit="things/s"):
    peers = {"peer": lambda: Contender(lambda: sum(range(50)), 1), "absent": never}
    return Case("case", "hot", unit, lambda: Contender(lambda: sum(range(500)), 10), peers)


def with_case(text):
    return f'{{"schema": "hetpmu-bench/1", "machine": {{}}, "cases": [{text}]}}'


@pytest.fixture
def one_case(monkeypatch):
    monkeypatch.setattr(suite, "CASES", (case(),))
    monkeypatch.setattr(suite, "QUICK", EFFORT)


@pytest.mark.parametrize("runs", range(1, 40))
def test_interval_covers_the_median_as_often_as_it_says(runs):
    skip = measure.skipped_ranks(runs)

    def coverage(dropped):
        return 1 - 2 * sum(comb(runs, rank) for rank in range(dropped + 1)) / 2**runs

    assert coverage(skip) >= 0.95 or skip == 0
    assert coverage(skip + 1) < 0.95


def test_ratio_is_that_of_paired_rounds():
    ours, peer = Measurement((10.0, 1.0, 30.0)), Measurement((5.0, 0.5, 10.0))
    assert ours.over(peer).median == 2.0


@pytest.mark.parametrize("round_s, rounds", [(0.1, 31), (2.0, 30), (3.0, 20), (12.0, 5), (100.0, 5)])
def test_slow_rounds_are_fewer(round_s, rounds):
    assert Effort(rounds=31, run_s=0.03, all_s=60.0).rounds_of(round_s) == rounds
    assert Effort(rounds=3, run_s=0.03, all_s=60.0).rounds_of(round_s) == 3


@pytest.mark.parametrize("preempted, turns", [([0, 0], 1), ([0, 1, 1, 1], 2), ([0, 1] * 4, 4)])
def test_a_run_that_lost_its_cpu_is_repeated(monkeypatch, preempted, turns):
    """``preempted`` is what the kernel counts before and after each try."""
    ran: list[int] = []
    counts = iter(preempted)
    monkeypatch.setattr(measure, "times_preempted", lambda: next(counts))
    measure.undisturbed(Contender(lambda: ran.append(1), 1), 1)
    assert len(ran) == turns


def test_beside_work_elsewhere_nobody_runs_again(monkeypatch):
    """Whether other processes lost a CPU is not known, so that to repeat ours would favour us."""
    ran: list[int] = []
    monkeypatch.setattr(measure, "times_preempted", iter(range(9)).__next__)
    contenders = {"": Contender(lambda: ran.append(1), 1), "peer": Contender(lambda: None, 1, elsewhere=True)}
    measure.one_round(contenders, {"": 1, "peer": 1})
    assert len(ran) == 1


def test_contenders_take_turns():
    turns: list[str] = []
    contenders = {name: Contender(partial(turns.append, name), 1) for name in "ab"}
    measure.interleaved(contenders, Effort(rounds=3, run_s=0.0))
    assert re.search("(a+b+){3}$", "".join(turns))


def test_row_has_the_fields_of_the_schema():
    found = suite.measured(case(), EFFORT)
    assert {"name", "band", "unit", "median", "low", "high", "runs", "ratios", "skipped"} <= set(found)
    assert found["low"] <= found["median"] <= found["high"]
    assert found["runs"] == 3
    assert set(found["ratios"]) == {"peer"}
    assert found["skipped"] == {"absent": "not built for this machine"}


def test_a_case_in_seconds_shows_times():
    ours = Measurement((2.0, 4.0, 5.0))
    assert rows.figures("s", ours) == {"median": 0.25, "low": 0.2, "high": 0.5}


def test_result_is_json_and_has_the_schema(one_case):
    result = suite.run_bench(("hot",), quick=True)
    assert set(result) == {"schema", "machine", "cases"}
    assert json.loads(json.dumps(result))["schema"] == "hetpmu-bench/1"
    assert "not built for this machine" in report.text(result)


def test_only_the_bands_asked_for_are_measured(one_case):
    assert suite.run_bench(("whole",), quick=True)["cases"] == []


def test_unknown_band_is_bad_input():
    with pytest.raises(InputError, match="unknown band 'warm'"):
        suite.run_bench(("warm",))


def test_every_case_has_a_name_of_its_own_and_a_known_band():
    names = [case.name for case in suite.CASES]
    assert len(set(names)) == len(names)
    assert {case.band for case in suite.CASES} <= set(BANDS)


def test_a_saved_result_can_be_compared_with(one_case, tmp_path):
    path = tmp_path / "bench.json"
    suite.run_bench(("hot",), quick=True, save=path)
    found = suite.run_bench(("hot",), quick=True, against=path)["against"]
    assert [entry["name"] for entry in found] == ["case"]
    assert found[0]["speed"] > 0


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"schema": "other/1"}',
        with_case('{"name": "tick"}'),
        with_case('{"name": "tick", "unit": "s", "median": 1, "low": 1, "high": 1}'),  # no rounds
        with_case('{"name": "tick", "unit": "s", "rounds": {"ours": [1], "references": {}}}'),
        with_case('{"name": "tick", "unit": "s", "rounds": {"ours": [1], "references": {"memory": [0]}}}'),
    ],
)
def test_a_broken_baseline_is_bad_input(tmp_path, content):
    path = tmp_path / "bench.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"bench\.json"):
        baseline.load(path)


def test_an_absent_baseline_is_bad_input(tmp_path):
    with pytest.raises(InputError, match="valid: a file written by bench --save"):
        baseline.load(tmp_path / "bench.json")


def test_an_unwritable_place_is_bad_input_before_anything_is_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(suite, "measured", lambda case, effort: pytest.fail("measured"))
    with pytest.raises(InputError, match="cannot write there"):
        suite.run_bench(("hot",), save=tmp_path / "absent" / "bench.json")


def test_the_references_are_measured_in_every_round():
    rounds = suite.measured(case(), EFFORT)["rounds"]
    assert set(rounds["references"]) == {"arithmetic", "memory"}
    assert {len(values) for values in (rounds["ours"], *rounds["references"].values())} == {3}
    assert all(value > 0 for value in rounds["references"]["memory"])


@pytest.mark.parametrize("factor, code", [(1e6, 1), (1e-6, 0)])
def test_a_slowdown_is_exit_one(one_case, tmp_path, factor, code, capsys):
    """The saved case was a million times as fast, or as slow, as it is."""
    path = tmp_path / "bench.json"
    assert exit_code(["bench", "--quick", "--save", str(path)]) == 0
    saved = json.loads(path.read_text())
    rounds = saved["cases"][0]["rounds"]
    rounds["ours"] = [value * factor for value in rounds["ours"]]
    path.write_text(json.dumps(saved))
    assert exit_code(["bench", "--quick", "--against", str(path), "--json", "-"]) == code
    shown = capsys.readouterr()
    assert ("SLOWER beyond noise" in shown.err) is bool(code)
    assert json.loads(shown.out[shown.out.rindex('{\n  "schema"') :])["against"][0]["slower"] is bool(code)
