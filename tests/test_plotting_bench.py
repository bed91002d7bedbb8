"""The pictures of ``bench``: each measured point, limit and axis is in them, from made-up figures."""

import re

import pytest

from simcore.app import plotting, plotting_bench


def points(*numbers, value=1e9):
    return [{"number": n, "median": value, "low": value / 2, "high": 2 * value} for n in numbers]


def texts(figure, path):
    plotting.save(figure, path)
    return set(re.findall(r"<!-- (.*?) -->", path.read_text()))


def test_the_roofline_shows_curves_limits_and_caches(tmp_path):
    curves = {name: points(1 << 15, 1 << 20, 1 << 28) for name in plotting_bench.CURVES}
    figure = plotting_bench.roofline(curves, 5e9, {"L1": 48 << 10, "L2": 2 << 20}, "a machine")
    found = texts(figure, tmp_path / "roofline.svg")
    assert {*plotting_bench.CURVES.values(), plotting_bench.ARITHMETIC} <= found
    assert {"L1: 48 KiB", "L2: 2 MiB", "64 KiB", "4 MiB", "working set", "counter updates a second"} <= found
    assert "The counter kernels and what the machine allows: a machine" in found


def test_the_roofline_without_a_compiler_has_no_limit_of_arithmetic(tmp_path):
    figure = plotting_bench.roofline({"record": points(1 << 15, 1 << 20)}, None, {}, "a machine")
    assert plotting_bench.ARITHMETIC not in texts(figure, tmp_path / "roofline.svg")


@pytest.mark.parametrize("arithmetic", [1e10, 5e6])
def test_the_limits_are_within_the_picture(arithmetic):
    figure = plotting_bench.roofline({"record": points(1 << 15, 1 << 20)}, arithmetic, {}, "a machine")
    low, high = figure.axes[0].get_ylim()
    assert low < arithmetic < high


def test_the_legend_is_within_the_picture():
    curves = {name: points(1 << 15, 1 << 28) for name in plotting_bench.CURVES}
    figure = plotting_bench.roofline(curves, 5e9, {"L1": 48 << 10}, "a machine")
    figure.canvas.draw()
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1


def test_scaling_has_a_panel_an_axis(tmp_path):
    both = {"tick": points(1, 4, 16), "record": points(1, 4, 16, value=5e8)}
    panels = {"vcpus": both, "counters": both, "ticks": both, "threads": {"tick": points(1, 2)}}
    figure = plotting_bench.scaling(panels, "a machine")
    assert len(figure.axes) == 4
    assert {*plotting_bench.AXES.values(), "16", "2"} <= texts(figure, tmp_path / "scaling.svg")


def test_the_picture_of_costs_has_a_panel_an_axis_and_each_figure(tmp_path):
    rows = [{"number": 8, "us": 2.5, "low": 2.4, "high": 2.75}, {"number": 384, "us": 6.25, "low": 6, "high": 7}]
    figure = plotting_bench.decisions({"cpus": rows, "tasks": rows[:1]}, "a machine")
    assert len(figure.axes) == 2
    assert {"2.5", "6.25", "384"} <= texts(figure, tmp_path / "costs.svg")
