"""The parts of a report by themselves: sentences, thinning, scenarios as files, what is assumed, numbers to sort by."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simcore.app.aggregating import wilson
from simcore.app.report_assumptions import CONSTANTS, constants_table, scenario_table
from simcore.app.report_curves import common_step, extremes, kept_points, merged, steps_of, thinned
from simcore.app.report_scales import decades, ticks
from simcore.app.report_strips import clock_strips, throughput_strips
from simcore.app.report_tables import number_of, plain_table
from simcore.app.report_verdict import comparison_verdict, run_verdict
from simcore.app.report_words import counted, listed, some
from simcore.app.scenario_toml import beside, scenario_toml, study_toml
from simcore.loader import list_studies, load_scenario, load_study_file
from simcore.scenario import GuestSpec, LiveMigration, Scenario, VmSpec
from tests.sweeps import make_study

ROOT = Path(__file__).resolve().parents[1]
SEVERAL = """
[grid]
hz = [100]
[zip]
margin = [70, 80]
scheduler = ["eas", "eevdf"]
[[points]]
"vms.0.vcpus" = 1
quirks = true
"""
FILES = [ROOT / "tests" / "data" / "scenario.toml", *sorted((ROOT / "docs" / "examples").glob("*.toml"))]
SCENARIOS = [str(path.relative_to(ROOT)) for path in FILES if 'hetpmu-scenario/1"' in path.read_text()]
NOTHING = {"stalled_fraction": None, "longest_stall_ns": None, "clock_error_ppm": None, "throughput": None}


def row(policy, crashes=0, runs=10, **figures):
    """Return a row of a comparison with nothing to tell but what is given."""
    low, high = wilson(crashes, runs)
    chance = {"crash_probability": {"estimate": crashes / runs, "low": low, "high": high}}
    counts = dict.fromkeys(("reloads", "overhead_ns", "fail_entries", "crossings"), 0)
    head = {"policy": policy, "kernel": "v8", "runs": runs, "crashes": crashes, "by_init_pmu": {}}
    return head | chance | NOTHING | counts | figures


def verdict(*rows):
    """Return the sentences of a comparison by what they are about."""
    return dict(comparison_verdict({"policies": rows}))


IDLE = " No guest had come so far as to enable the counter."


def test_deaths_in_words():
    one = row("default", 1, 1)
    assert verdict(one)["Deaths"] == "Guests die in 1 of 1 run (100%, 95 % interval 21-100%) under default@v8."
    assert verdict(row("a"))["Deaths"] == f"No guest died under a@v8 in 10 runs (95 % interval 0-28%).{IDLE}"
    counts = row("a", stalled_fraction=0.0, longest_stall_ns=0)
    assert verdict(counts)["Deaths"] == "No guest died under a@v8 in 10 runs (95 % interval 0-28%)."
    both = verdict(row("a"), row("b"))["Deaths"]
    assert both == f"No guest died under any of the two policies, in 10 runs each (95 % interval 0-28%).{IDLE}"
    mixed = verdict(row("a", 5), row("b", 5), row("c", 6), row("d"))["Deaths"]
    assert mixed == (
        "Guests die in 6 of 10 runs (60.0%, 95 % interval 31-83%) under c@v8 and 5 of 10 runs (50.0%, 95 % interval "
        "24-76%) each under a@v8 and b@v8. No guest died under d@v8 in 10 runs (95 % interval 0-28%)."
    )


def test_stalls_in_words():
    still = row("a", stalled_fraction=0.5, longest_stall_ns=1500)
    never = row("b", stalled_fraction=0.0, longest_stall_ns=0)
    text = verdict(still, never, row("none"))["Stalls"]
    share = "Of the guest time in which it is enabled PMCCNTR_EL0 stands still for 50.0% under a@v8 (at longest 1.5us)."
    assert text == f"{share} Under b@v8 it never does. No guest has it enabled under none@v8."
    assert verdict(never)["Stalls"] == "PMCCNTR_EL0 never stands still under b@v8."
    both = verdict(never, never | {"policy": "c"})["Stalls"]
    assert both == "PMCCNTR_EL0 never stands still under any of the two policies."


def test_costs_in_words():
    pinned = row("set-pmu:p", throughput=0.25, overhead_ns=2000)
    free = row("fixed-counters-only", 1, reloads=1, crossings=1, overhead_ns=3000, throughput=1.0)
    text = verdict(pinned, free)
    assert text["Pinning"] == (
        "Of the throughput of an unpinned VM without a PMU pinning leaves 0.250 under set-pmu:p@v8; without pinning "
        "there is 1.000* under fixed-counters-only@v8 (* some guests died, and count until then)."
    )
    assert text["Reloads"] == (
        "There was 1 reload at 1 crossing under fixed-counters-only@v8, whose host events cost 3.0us of host time in "
        "10 runs. Under policies without reloads they cost at most 2.0us."
    )
    assert "Pinning" not in verdict(row("default", throughput=1.0))
    assert verdict(row("a"))["Reloads"] == "No vCPU load asked for one."
    assert verdict(row("a", fail_entries=1))["Entry"].startswith("KVM_RUN failed entry once under a@v8: ")
    assert verdict(row("a", runs=1) | {"runs": 0}) == {"Nothing": "No run was finished, so there is no verdict."}


def test_a_run_says_how_its_guests_ended():
    guests = [{"vm": 0, "died_ns": None, "outcome": "alive"}, {"vm": 1, "died_ns": 5_000_000, "outcome": "division"}]
    found = dict(run_verdict({"guests": guests}, [row("a", runs=1), row("b", 1, 1)]))
    assert found["Guests"].startswith(
        "That of VM 0 is alive at the end. That of VM 1 died at 5.0ms: division. A single"
    )
    found = dict(run_verdict({"guests": guests[:1]}, [row("a", runs=1)]))
    assert found["Guest"].startswith("Under a@v8 it is alive at the end. A single run tells no probability")


def test_plurals_and_lists():
    assert [counted(number, "run") for number in (0, 1, 2)] == ["0 runs", "1 run", "2 runs"]
    assert [listed(list("abc")[:number]) for number in range(4)] == ["", "a", "a and b", "a, b and c"]
    assert some(list("abcdef")) == "a, b, c and 3 more"
    assert some(list("abcd")) == "a, b, c and d"


@pytest.mark.parametrize(
    "texts",
    [
        ["-5", "<0.01%", "0.29%", "7.6%", "100%"], ["0", "999ns", "88.6us", "10.0ms", "1.20s", "120s"],
        ["19ppm", "0.11%", "12.4%"], ["3", "9999", "12.0k", "1.2M", "3.0G"], ["0/20", "1/20", "3/6"],
        ["0x0", "0xf", "0x1f"], ["0.211", "1.038*"], ["19-81%", "26-66%"], ["1,000", "1,621,859,740"],
        ["5.1J", "67.2J", "12.0kJ"],
    ],
    ids=lambda texts: texts[-1],
)  # fmt: skip
def test_cells_are_sorted_by_their_numbers(texts):
    numbers = [number for text in texts if (number := number_of(text)) is not None]
    assert len(numbers) == len(texts)
    assert numbers == sorted(numbers)
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("text", ["", "-", "default@mainline", "0..19.4%x?", "12 apples"])
def test_what_is_no_number_is_sorted_as_text(text):
    assert number_of(text) is None or text[0].isdigit()


@example([place * place % 7919 for place in range(300)], 40)
@given(st.lists(st.integers(0, 10**9), min_size=2, max_size=300), st.integers(2, 60))
def test_a_thinned_curve_keeps_to_its_samples(gains, most):
    x, y = np.arange(len(gains)), np.cumsum(gains)
    kept, away = kept_points(x, [y], most, np.zeros(0, dtype=np.int64))
    assert (kept[0], kept[-1]) == (0, len(gains) - 1)
    assert len(kept) <= max(2, most)
    assert np.abs(y - np.interp(x, x[kept], y[kept])).max() == pytest.approx(away, abs=1e-3)
    if len(kept) < most:
        assert away <= 0.5, "points are left out where there is room for none only if they lie on the line"


def test_straight_stretches_need_their_ends_only():
    y = np.concatenate([np.arange(0, 1000, 10), np.full(100, 990), np.arange(990, 1990, 10)])
    kept, away = kept_points(np.arange(len(y)), [y], 50, np.zeros(0, dtype=np.int64))
    assert (kept.tolist(), away) == ([0, 99, 200, 299], 0)
    around = kept_points(np.arange(len(y)), [y], 50, np.array([150, 250]))[0]
    assert {149, 150, 249, 250} <= set(around.tolist())


def test_spans_marks_and_rates_are_thinned():
    spans = [(start, start + 2) for start in range(0, 1000, 10)]
    assert merged(spans, 100, 1000) == spans
    few = merged(spans, 10, 1000)
    assert len(few) <= 10
    assert (few[0][0], few[-1][1]) == (0, 992)
    assert thinned(np.arange(0, 1000, 10), 10, 1000) == list(range(0, 1000, 100))
    values = np.array([np.nan, 1, 5, 2, 2, 2, -7, np.nan])
    assert extremes(values, 8).tolist() == list(range(8))
    assert extremes(values, 4).tolist() == [1, 2, 4, 6]
    assert (steps_of(np.array([3, 5, 9])), common_step(np.array([6, 9, 0]))) == ([3, 2, 4], 3)


def test_ticks_are_round():
    assert ticks(1.089) == [0, 0.25, 0.5, 0.75, 1.0, 1.25]
    assert ticks(144, 3) == [0, 50, 100, 150]
    assert decades(0.5, 64) == [0.1, 1, 10, 100]
    assert decades(2.5, 7) == [2, 5, 10]


def test_the_ticks_of_charts_are_round_and_few():
    errors = [row("a", clock_error_ppm={"median": 5, "max": 1_275_000})]
    drawn = clock_strips(errors, lambda _: "a")
    assert drawn is not None
    texts = ["1ppm", "10ppm", "100ppm", "0.1%", "1%", "10%", "100%", "1000%"]
    assert [text for _, text in drawn.ticks] == texts
    assert drawn.crowded
    fast = throughput_strips([row("a", throughput=5.3)], lambda _: "a")
    assert fast is not None
    assert [text for _, text in fast.ticks] == ["0", "2", "4"]
    assert not fast.crowded


def test_columns_of_a_table_are_as_wide_as_their_texts_need():
    table = plain_table("t", ("n", "name", "what", "value"), 3, [(1, "default@mainline", 13 * "word ", 5)])
    assert table is not None
    assert table.looks == ("left short", "left", "left long", "")


@pytest.mark.parametrize("path", SCENARIOS)
def test_a_scenario_written_as_a_file_is_the_scenario(path, tmp_path):
    scenario, names = beside(load_scenario(str(ROOT / path)))
    (tmp_path / "again.toml").write_text(scenario_toml(scenario))
    again, same = beside(load_scenario(str(tmp_path / "again.toml")))
    assert (again, same) == (scenario, names)
    assert names == {"scenario.toml": ["stranger.toml"], "player.toml": ["player.json"]}.get(Path(path).name, [])


def test_every_kind_of_key_comes_back(tmp_path):
    odd = 'a "b" \\ \x7f \U0001f600 </script>\n'
    scenario = Scenario(
        vms=(VmSpec(policy=None, guest=GuestSpec(workload=odd, perf_groups=((1, 2), (3,)))), VmSpec()),
        background=(), causes=frozenset({"misfit"}), busy_counters=(("pmu.a", 2),),
        live_migrations=(LiveMigration(1_500_000, "set-pmu:x", downtime_ns=1),),
    )  # fmt: skip
    (tmp_path / "again.toml").write_text(scenario_toml(scenario))
    again = load_scenario(str(tmp_path / "again.toml"))
    assert dataclasses.replace(again, vms=scenario.vms) == scenario
    assert [vm.policy for vm in again.vms] == [None, "default"]
    assert again.vms[0].guest.perf_groups == ((1, 2), (3,))
    assert again.vms[0].guest.workload.endswith(odd.rpartition("/")[2])


def test_a_study_written_as_a_file_is_the_study(tmp_path):
    several = make_study(tmp_path, SEVERAL)
    for study in (several, *map(load_study_file, list_studies())):
        (tmp_path / "again.toml").write_text(study_toml(study))
        again = load_study_file(str(tmp_path / "again.toml"))
        assert [again.values(point) for point in range(again.points)] == [study.values(p) for p in range(study.points)]
        assert (again.base, again.stop, again.seeds) == (study.base, study.stop, study.seeds)


def documented(section):
    """Return name and value of what a table of docs/model.md marks as assumed."""
    text = (ROOT / "docs" / "model.md").read_text()
    first, last = (
        ("## Parameters", "Constants in the code") if section == "keys" else ("Constants in the code", "\n## ")
    )
    lines = text.partition(first)[2].partition(last)[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
    return {row[0].strip("`"): row[1] for row in cells if "assumed" in row[-1]}


def test_what_the_model_calls_assumed_is_shown():
    live = (LiveMigration(1, "none"),)
    table = scenario_table(dataclasses.replace(Scenario(), live_migrations=live))
    assert table is not None
    shown = {line.cells[0].text: line.cells for line in table.lines}
    keys = {
        re.sub(r"(vms|background|live_migrations)\.[\d,-]+\.", r"\1.N.", key): cells for key, cells in shown.items()
    }
    expected = documented("keys")
    assert keys.keys() == expected.keys() | {"burst_cv (workload file)"}
    for key, default in expected.items():
        assert keys[key][2].text == default, key
        assert keys[key][1].text == default, "the default scenario has the defaults"


def test_assumed_constants_are_shown():
    table = constants_table()
    assert table is not None
    shown = {line.cells[0].text: line.cells[1].text for line in table.lines}
    assert shown == {name: value for name, value in documented("constants").items() if ".code_" not in name}
    assert shown.keys() == CONSTANTS.keys()
