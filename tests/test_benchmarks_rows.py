"""What a row of ``bench --json`` says of given measurements: figures, ratios, targets, the worst of cases."""

import pytest

from benchmarks import report, rows, suite
from benchmarks.case import Case, Worst
from benchmarks.measure import Contender, Effort, Measurement

EFFORT = Effort(rounds=3, run_s=0.0)


def contender(also=None):
    return Contender(lambda: None, 1, also=also or {})


def row(ours=(100.0, 110.0, 90.0), peer=(50.0, 55.0, 45.0), **more):
    """Return the row of a case with one peer, from throughputs of both."""
    case = Case(**{"name": "case", "band": "hot", "unit": "things/s", "ours": contender, **more})
    found = {"": Measurement(ours), "peer": Measurement(peer)}
    return rows.case_row(case, {name: contender() for name in found}, found, {})


def test_a_ratio_is_our_throughput_over_the_peers():
    found = row()
    assert found["ratios"] == {"peer": 2.0}
    assert found["ratio_intervals"] == {"peer": [2.0, 2.0]}


def test_a_ratio_of_times_is_our_time_over_the_peers():
    found = row(time_ratios=True)
    assert found["ratios"] == {"peer": 0.5}
    assert "0.5 x the time of peer" in "\n".join(report.case_lines(found))


@pytest.mark.parametrize("wanted, met", [(1.9, True), (2.0, True), (2.1, False)])
def test_a_target_is_met_from_its_value_up(wanted, met):
    found = row(targets={"peer": wanted})
    assert found["met"] == {"peer": met}
    assert ("NOT MET" in "\n".join(report.case_lines(found))) is not met


@pytest.mark.parametrize("allowed, met", [(0.49, False), (0.5, True), (1.6, True)])
def test_a_limit_is_met_up_to_its_value(allowed, met):
    found = row(time_ratios=True, limits={"peer": allowed})
    assert found["met"] == {"peer": met}
    assert f"wanted at most {allowed:g}: {'met' if met else 'NOT MET'}" in "\n".join(report.case_lines(found))


def test_a_limit_in_seconds_is_one_of_the_median():
    found = row(ours=(4.0, 4.0, 4.0), unit="s", limits={"s": 0.2})
    assert found["median"] == 0.25
    assert found["met"] == {"s": False}


def test_a_target_against_a_peer_that_did_not_run_is_neither_met_nor_missed():
    found = row(targets={"gcc": 5.0})
    assert found["met"] == {}
    assert found["targets"] == {"gcc": 5.0}


def test_a_bound_is_told_from_a_competitor():
    assert "2 x peer, a bound of the machine" in "\n".join(report.case_lines(row(bounds=("peer",))))


def test_the_worst_of_cases_has_the_worst_of_each_ratio():
    cached = row(name="cached") | {"median": 9.0, "ratios": {"fill": 0.7, "gcc": 3.0}}
    memory = row(name="memory") | {"median": 5.0, "ratios": {"fill": 0.9, "gcc": 2.0, "clang": 1.0}}
    for part in (cached, memory):
        part["ratio_intervals"] = {peer: [value, value] for peer, value in part["ratios"].items()}
    found = rows.worst_row(Worst("worst", "hot", ("cached", "memory"), {"fill": 0.8, "gcc": 1.5}), [cached, memory])
    assert (found["name"], found["median"]) == ("worst", 5.0)
    assert found["ratios"] == {"fill": 0.7, "gcc": 2.0}
    assert found["worst_of"] == {"fill": "cached", "gcc": "memory"}
    assert found["met"] == {"fill": False, "gcc": True}
    assert "0.7 x fill in cached" in "\n".join(report.case_lines(found))


def test_the_suite_repeats_the_worst(monkeypatch):
    parts = [Case(name, "hot", "things/s", contender, {"peer": contender}) for name in ("a", "b")]
    monkeypatch.setattr(suite, "CASES", (*parts, Worst("worst", "hot", ("a", "b"))))
    monkeypatch.setattr(suite, "QUICK", EFFORT)
    found = suite.run_bench(("hot",), quick=True)["cases"]
    assert [case["name"] for case in found] == ["a", "b", "worst"]
    assert found[2]["ratios"]["peer"] == min(case["ratios"]["peer"] for case in found[:2])


def test_facts_are_in_the_row_and_in_the_text():
    case = Case(
        "asm", "hot", "s", contender, facts=lambda: {"instructions": {"vpmuludq": 12, "vpaddq": 8}, "bits": 256}
    )
    found = suite.measured(case, EFFORT)
    assert found["facts"] == {"instructions": {"vpmuludq": 12, "vpaddq": 8}, "bits": 256}
    text = "\n".join(report.case_lines(found))
    assert "instructions: vpmuludq 12, vpaddq 8" in text
    assert "bits: 256" in text
