"""Small things on a report page that no other test would miss: what is chosen, in which order, on which scale."""

import html
import json
import re

import pytest

from simcore.app import report_lanes
from simcore.app.report_blocks import Page, Plot, Section
from simcore.app.report_lanes import plot_of
from simcore.app.report_page import page_html
from simcore.app.report_rates import rates_of
from simcore.app.report_tables import number_of
from simcore.app.report_trade import trade_picture
from simcore.app.report_verdict_other import watch_verdict
from simcore.app.running import run
from simcore.app.storing import load_runs
from simcore.loader import load_platform, load_scenario
from simcore.scenario import AffinityChange, GuestSpec, LiveMigration, Scenario, VmSpec
from tests.report_dirs import made, page
from tests.scenes import DUO, MS, Stage, count_and_spin, scene

STOPPED = ("band-stopped", "VM stopped: live migration")
WAYS_OUT = ["</script x", "</script\n>", "<!--<script", "]]>", "&lt;'", "\u2028\u2029"]


def test_no_character_of_the_plot_s_data_can_end_its_element():
    plot = Plot({"policies": WAYS_OUT}, (("a", True),), (0,), 0, (), (), ())
    found = page_html(Page("a", (), (), (Section("figures", "a", "a", (plot,)),), ()))
    [data] = re.findall(r'<script[^>]* id="plot-data"[^>]*>(.*?)</script>', found, re.DOTALL)
    assert not set(data) & set("<>&'\u2028\u2029")
    assert json.loads(data)["policies"] == WAYS_OUT


def test_of_many_vcpus_those_that_stall_longest_are_drawn(monkeypatch):
    [result] = load_runs(made("run"))
    monkeypatch.setattr(report_lanes, "MOST_LANES", 2)
    vpmus = result.tables["vpmus"]
    stalled = vpmus["stalled_ns"][vpmus["policy"] == 0].tolist()
    assert stalled[0] != stalled[1]
    plot, _ = plot_of([result], load_platform("rk3588"))
    assert plot is not None
    assert plot.vcpus == (stalled.index(max(stalled)),)


@pytest.mark.parametrize(
    "live", [(), (LiveMigration(20 * MS, "fixed-counters-only", kernel="v8", downtime_ns=5 * MS),)]
)
def test_the_legend_names_the_stops_of_a_live_migration_where_there_is_one(live):
    vm = VmSpec(vcpus=1, guest=GuestSpec(boot_ns=5 * MS))
    result = run(Scenario(seconds_ns=40 * MS, vms=(vm,), live_migrations=live, sample_ns=MS))
    plot, _ = plot_of([result], load_platform("rk3588"))
    assert plot is not None
    assert (STOPPED in plot.legend) == bool(live)


def test_a_window_that_ends_as_the_vcpu_moves_is_of_where_it_was(monkeypatch):
    """Of its three windows the first begins before the counter is enabled."""
    there = {"vm": {"init_placement": "small"}, "affinity_changes": (AffinityChange(20 * MS, 0, 0, (1,)),)}
    moved = scene("fixed-counters-only", "v8", seconds_ns=30 * MS, **there)
    result = Stage(monkeypatch).run(moved, count_and_spin)
    assert result.tables["migrations"]["t_ns"].tolist() == [20 * MS]
    assert rates_of(result, "a", load_platform(DUO)).by_core == {"little": (1000.0,), "big": (2000.0,)}


def test_the_scenario_of_a_comparison_has_not_the_dense_samples_of_its_pictures(tmp_path):
    kept = load_runs(made("compare"))[0].scenario
    [scenario] = re.findall(r"<pre[^>]*>(format = .*?)</pre>", page("compare").read_text(), re.DOTALL)
    (tmp_path / "scenario.toml").write_text(html.unescape(scenario))
    assert load_scenario(str(tmp_path / "scenario.toml")).sample_ns == Scenario().sample_ns != kept.sample_ns


def test_what_loses_most_cycles_is_told_first():
    rows = [
        {"policy": name, "kernel": "v8", "init_pmu": None, "cycles": 100, "lost_cycles": lost, "interrupts": 0}
        for name, lost in (("a", 10), ("b", 30), ("c", 20), ("d", 0))
    ]
    text = dict(watch_verdict({"policies": rows}))["Cycles"]
    assert re.findall(r"under (\w)@", text) == ["b", "c", "a", "d"]


def test_less_than_a_number_is_sorted_before_it():
    less, number = number_of("<0.01%"), number_of("0.01%")
    assert less is not None
    assert number is not None
    assert 0 < less < number


@pytest.mark.parametrize("ratio, logarithmic", [(1.5, False), (4.9, False), (5.1, True), (100, True)])
def test_energies_that_differ_by_more_than_five_times_are_drawn_by_decades(ratio, logarithmic):
    rows = [{"instructions": 10**9, "energy_j": energy, "crashes": 0} for energy in (1.1, 1.1 * ratio)]
    pictures = trade_picture(rows, lambda _: "a", "throughput", lambda _: 1.0, 1.0)
    assert pictures is not None
    assert ("logarithmic" in pictures.pictures[0].y_title) == logarithmic
