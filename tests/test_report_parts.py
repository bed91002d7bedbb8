"""The parts of a report by themselves: sentences, thinning, scenarios as files, what is assumed, numbers to sort by."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simcore.app.aggregating import wilson
from simcore.app.report_assumptions import CONSTANTS, constants_table, replay_table, scenario_table
from simcore.app.report_blocks import Code, Notes, Table
from simcore.app.report_curves import common_step, extremes, kept_points, merged, steps_of, thinned
from simcore.app.report_names import names_of
from simcore.app.report_repeat import replay_repeat, sweep_repeat
from simcore.app.report_scales import decades, ticks
from simcore.app.report_strips import clock_strips, throughput_strips
from simcore.app.report_tables import number_of, plain_table
from simcore.app.report_words import counted, listed, some
from simcore.app.scenario_toml import beside, scenario_toml, study_toml
from simcore.app.tables import interval
from simcore.app.trace_machine import FREE
from simcore.loader import list_studies, load_scenario, load_study_file
from simcore.scenario import GuestSpec, LiveMigration, Scenario, VmSpec
from tests.report_rows import row
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


@pytest.mark.parametrize(
    ("crashes", "runs", "text"),
    [(8, 40, "10-35%"), (0, 16, "0-19%"), (0, 1000, "0-0.4%"), (300, 24000, "1.1-1.4%"), (1000, 1000, "99.6-100%"),
     (0, 24000, "0-0.02%")],
)  # fmt: skip
def test_a_narrow_interval_has_digits(crashes, runs, text):
    low, high = wilson(crashes, runs)
    assert interval({"crash_probability": {"low": low, "high": high}}) == text


def test_a_replay_assumes_what_it_uses():
    scenario = dataclasses.replace(Scenario(), costs=FREE)
    places = [dataclasses.replace(scenario, vms=(VmSpec(init_placement=name),)) for name in ("big", "little", "big")]
    table = replay_table(places)
    assert table is not None
    assert [tuple(cell.text for cell in line.cells[:3]) for line in table.lines] == [
        ("vms.0.init_placement", "big, little", "uniform"), ("costs.event_create", "8us", "8us"),
        ("costs.event_release", "4us", "4us"), ("costs.event_enable", "500ns", "500ns"),
    ]  # fmt: skip


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


def test_a_study_on_a_page_names_its_files_without_a_folder(tmp_path):
    study = make_study(tmp_path, '[grid]\nplatform = ["/srv/mine/a.toml", "rk3588"]\n')
    study = dataclasses.replace(study, base={**study.base, "vms": [{"guest": {"workload": "/srv/mine/b.toml"}}]})
    files = {"/srv/mine/a.toml": "e"}
    blocks = sweep_repeat(study, {"version": "1", "digest": "d", "files": files}, names_of(study, files))
    assert "/srv" not in repr(blocks)
    assert 'platform = ["a.toml", "rk3588"]' in repr(blocks)
    assert 'workload = "b.toml"' in repr(blocks)


def test_two_files_of_one_name_are_told_apart_on_a_page(tmp_path):
    study = make_study(tmp_path, '[grid]\nplatform = ["a.toml", "x/a.toml", "y/a.toml", "2-a.toml"]\n')
    base = {**study.base, "vms": [{"guest": {"name": "rt-app:x/a.toml"}}]}
    study, files = dataclasses.replace(study, base=base), {"y/a.toml": "e", "a.toml": "f", "2-a.toml": "g"}
    found = sweep_repeat(study, {"version": "1", "digest": "d", "files": files}, names_of(study, files))
    text = repr(found)
    assert 'platform = ["a.toml", "3-a.toml", "4-a.toml", "2-a.toml"]' in text
    assert 'name = "rt-app:3-a.toml"' in text
    table = found[-1]
    assert isinstance(table, Table)
    shown = {line.cells[0].text: line.cells[1].text for line in table.lines}
    assert (shown["a.toml"], shown["2-a.toml"], shown["4-a.toml"]) == ("f", "g", "e")


def test_the_command_line_of_a_replay_names_its_files_without_a_folder():
    files = {"trace": "/srv/mine/trace.dat", "platform": "/srv/mine/board.toml", "workload": "./load.toml"}
    answer = files | {"threads": [{"comm": "CPU 0/KVM", "pid": 1}], "policies": [], "seeds": [1]}
    answer["measured"] = {"log": "/srv/mine/probe.csv", "align": "first", "vcpu": 0}
    command, note, *_ = replay_repeat(answer, [])
    assert isinstance(command, Code)
    assert "/srv" not in command.text
    assert " trace.dat " in command.text
    assert " --measured probe.csv " in command.text
    assert note == Notes(("Where it is entered must lie trace.dat, board.toml, load.toml and probe.csv.",))


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
