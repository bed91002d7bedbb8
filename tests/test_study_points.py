"""Estimates, points and series of a study by hand-computed numbers; nothing is simulated or drawn."""

import math

import numpy as np
import pytest

from pmu.events import CPU_CYCLES
from simcore.app.estimating import Estimate, probability, ratio_of_sums, student
from simcore.app.event_sets import event_sets
from simcore.app.study_points import point_of, setting, short_policy, varied
from simcore.app.study_series import crash_series, overhead_series, throughput_series
from simcore.app.study_table import table_rows, table_text
from simcore.loader import load_platform
from simcore.run_columns import RUN_COLUMNS


def runs(**columns):
    """Return runs of one second with two billion instructions each, but for the columns given."""
    number = max((len(values) for values in columns.values()), default=2)
    table = np.zeros(number, [(c.name, c.dtype if c.dtype != "U" else "U8") for c in RUN_COLUMNS])
    usual = {"seed": range(1, number + 1), "lived_ns": 1_000_000_000, "instructions": 2_000_000_000}
    for name, values in (usual | columns).items():
        table[name] = values
    return table


def point(policy="default", kernel="mainline", keys=None, baseline=None, vcpus=2, **columns):
    return point_of(policy, kernel, vcpus, keys or {}, runs(**columns), baseline)


def test_a_ratio_of_sums_has_the_interval_of_the_mean_where_the_divisor_is_constant():
    found = ratio_of_sums([np.array([1, 2, 3, 6])], [np.array([10, 10, 10, 10])], 10)
    half = 3.182 * math.sqrt(14 / 3 / 4)  # Student's t at 3 degrees of freedom, standard error of 1, 2, 3, 6
    assert found.value == 3
    assert (found.low, found.high) == pytest.approx((max(0, 3 - half), 3 + half))


def test_what_runs_of_a_seed_have_in_common_cancels():
    own, other = np.array([10, 40, 25]), np.array([20, 80, 50])
    assert ratio_of_sums([own], [other]) == pytest.approx((0.5, 0.5, 0.5))


def test_one_run_tells_no_interval_and_nothing_divides_by_zero():
    one = ratio_of_sums([np.array([3])], [np.array([2])])
    assert one.value == 1.5
    assert math.isnan(one.low)
    assert math.isnan(ratio_of_sums([np.array([3, 4])], [np.array([0, 0])]).value)
    assert ratio_of_sums([np.array([0, 0])], [np.array([2, 2])]) == (0, 0, 0)


@pytest.mark.parametrize("freedom, value", [(1, 12.706), (30, 2.042), (60, 2.000), (1000, 1.962)])
def test_students_t_is_that_of_the_tables(freedom, value):
    assert student(freedom) == pytest.approx(value, rel=1e-3)


def test_a_point_has_rates_per_second_lived():
    found = point(crashed=[1, 0], lived_ns=[500_000_000, 1_500_000_000], migrations=[4, 12], crossings=[2, 4],
                  overhead_ns=[20_000, 100_000], event_creations=[3, 7], counted=[5, 6], off_pmu=[1, 2])  # fmt: skip
    assert found.crash == probability(1, 2)
    assert found.crash.low == pytest.approx(0.0945, abs=1e-4)
    assert found.moves_hz.value == 4  # 16 moves in 2 s on 2 vCPUs
    assert found.crossings_hz.value == 3
    assert found.overhead.value == pytest.approx(60e-6)
    assert found.crossing_ns.value == 20_000
    assert (found.creations, found.ledger) == (10, (11, 0, 0, 0, 0, 3, 0, 0))
    assert found.throughput is None


def test_throughput_is_over_the_baseline_of_the_same_seeds():
    baseline = runs(seed=[3, 2, 1], instructions=[400, 200, 100])
    found = point(baseline=baseline, seed=[1, 2], instructions=[50, 100])
    assert found.throughput == pytest.approx((0.5, 0.5, 0.5))


def test_labels_are_short_and_settings_name_what_varies():
    assert short_policy("set-pmu:armv8_cortex_a76@mainline") == "set-pmu:a76@mainline"
    assert short_policy("default-pinned:apple_icestorm_pmu@v6>default@v8") == "default-pinned:icestorm@v6>default@v8"
    points = [point(keys={"hz": 250, "vms.0.guest.window": text}) for text in ("1ms", "10ms")]
    assert varied(points) == ["vms.0.guest.window"]
    assert setting(points[1].keys, varied(points)) == "window 10ms"


def curve_points():
    return [
        point(policy, keys={"scheduler": f"random:{rate}", "vms.0.policy": policy}, crashed=[dead, 0],
              migrations=[2 * rate] * 2, crossings=[rate] * 2, overhead_ns=[1000 * rate] * 2)
        for rate, dead in ((100, 1), (10, 0)) for policy in ("default", "fixed-counters-only")
    ]  # fmt: skip


def test_a_crash_curve_runs_along_the_rates_one_for_each_policy():
    series = crash_series(curve_points())
    assert [curve.label for curve in series] == ["default@mainline", "fixed-counters-only@mainline"]
    assert series[0].x.tolist() == [10, 100]
    assert series[0].y.tolist() == [0, 0.5]
    assert series[0].high.tolist() == [probability(0, 2).high, probability(1, 2).high]


def test_policies_that_cost_the_same_are_one_series():
    equal = [point("default", kernel, crossings=[5, 5], overhead_ns=[9, 9]) for kernel in ("v4", "v6")]
    other = point("default", "mainline", crossings=[5, 5], overhead_ns=[8, 9])
    assert [curve.label for curve in overhead_series([*equal, other])] == ["default@v4, @v6", "default@mainline"]
    assert overhead_series([point("none", crossings=[5, 5])]) == []


def test_throughput_has_a_series_for_each_setting_and_leaves_the_baseline_out():
    keys = [{"vms.0.vcpus": number, "vms.0.policy": name} for number in (1, 4) for name in ("a", "b")]
    points = [point(row["vms.0.policy"], keys=row, baseline=runs()) for row in keys]
    series = throughput_series([*points, point("none", keys={"vms.0.vcpus": 1, "vms.0.policy": "none"})])
    assert [(curve.label, curve.names) for curve in series] == [
        ("vcpus 1", ("a@mainline", "b@mainline")),
        ("vcpus 4", ("a@mainline", "b@mainline")),
    ]


def test_the_table_has_each_figure_with_its_interval_and_fits_a_mail():
    points = [point("set-pmu-unpinned:armv8_cortex_a76", "v6", overhead_ns=[20_000, 40_000], reloads=[3, 4])]
    row = table_rows(points)[0]
    assert (row["reloads"], row["throughput"], row["crossing_ns"]) == (7, None, None)
    assert row["overhead"][0] == pytest.approx(30e-6)
    text = table_text(points, [4])
    assert "30.0~127.1" in text  # 12.706 * 10 us
    assert "set-pmu-unpinned:a76@v6" in text
    assert max(map(len, text.splitlines())) <= 120


def test_event_sets_say_which_events_depend_on_the_lottery():
    found = event_sets(map(load_platform, ("rk3588", "mt8192", "rk3568", "hikey620")))
    assert found.groups == (("rk3568",), ("mt8192", "rk3588")) or set(found.groups) == {
        ("rk3568",),
        ("rk3588", "mt8192"),
    }
    assert found.without == ("hikey620",)
    names = found.event_names
    both = found.cells[[group[0] for group in found.groups].index("rk3588")]
    assert both[found.events.index(CPU_CYCLES)] == 2
    assert both[names.index("LD_RETIRED")] == 1  # Cortex-A55 only
    assert (both == 2).sum() == 41
    assert "(2 PMUs)" in found.names[1]


def test_estimates_without_runs_have_no_value():
    assert math.isnan(Estimate(math.nan).low)
    assert math.isnan(probability(0, 0).value)
