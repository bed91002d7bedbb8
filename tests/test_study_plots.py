"""The pictures of studies: what is in the figure, by its lines, bars, cells and texts, not by its pixels."""

import re
from typing import Any

import numpy as np
import pytest

from simcore.app import plotting_matrices, plotting_shares, plotting_studies, study_pictures
from simcore.app.cli import exit_code
from simcore.app.plotting import save
from simcore.app.study_series import Series
from simcore.run_columns import CATEGORIES
from tests.sweeps import write_study

LABELS = ["default@mainline", "fixed-counters-only@v8"]


def series(label, x, y, names=()):
    y = np.array(y, dtype=float)
    return Series(label, np.array(x, dtype=float), y, np.maximum(y - 0.1, 0), y + 0.1, tuple(names))


def axes_of(figure, number=0) -> Any:
    return figure.axes[number]


def drawn_lines(axes):
    """Return (x, y) of each curve of error bars, by label."""
    return {
        bars.get_label(): (bars.lines[0].get_xdata().tolist(), bars.lines[0].get_ydata().tolist())
        for bars in axes.containers
    }


def legend_of(figure):
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def texts(figure, tmp_path):
    """Return the texts of a figure as its SVG has them; that also tells that it can be drawn."""
    save(figure, tmp_path / "picture.svg")
    return re.findall(r"<!-- (.*?) -->", (tmp_path / "picture.svg").read_text())


def test_crash_curves_are_drawn_in_percent_with_intervals(tmp_path):
    curves = [series(LABELS[0], [3, 300], [0.1, 0.4]), series(LABELS[1], [3, 300], [0, 0])]
    figure = plotting_studies.crash_probability(curves, "title", "subtitle")
    axes = axes_of(figure)
    assert drawn_lines(axes) == {LABELS[0]: ([3, 300], [10, 40]), LABELS[1]: ([3, 300], [0, 0])}
    spans = axes.containers[0].lines[2][0].get_segments()
    assert np.allclose(spans[1], [[300, 30], [300, 50]])
    assert axes.get_xscale() == "log"
    assert axes.get_ylim()[1] > 50
    assert legend_of(figure) == LABELS
    assert {"title", "subtitle", "migrations per vCPU and second", "guests that died, %"} <= set(
        texts(figure, tmp_path)
    )


def test_rates_with_zero_keep_zero_on_the_axis():
    figure = plotting_studies.crash_probability([series("a", [0, 5, 500], [0, 0, 0])], "", "")
    assert figure.axes[0].get_xscale() == "symlog"


def test_throughput_has_a_row_for_each_policy_and_a_line_at_one(tmp_path):
    curves = [series("vcpus 1", [0, 1], [1.0, 0.2], LABELS), series("vcpus 8", [0, 1], [0.9, 0.1], LABELS)]
    figure = plotting_studies.throughput(curves, "title", "subtitle")
    axes = axes_of(figure)
    assert [label.get_text() for label in axes.get_yticklabels()] == LABELS
    assert drawn_lines(axes)["vcpus 8"][0] == [0.9, 0.1]
    assert [1, 1] in [list(line.get_xdata()) for line in axes.lines]
    assert any("unpinned VM without a PMU" in text for text in texts(figure, tmp_path))


def test_a_comparison_alone_needs_no_legend():
    assert legend_of(plotting_studies.throughput([series("", [0], [1], LABELS[:1])], "", "")) == []


def test_overhead_is_in_microseconds_per_second_beside_lines_of_equal_cost(tmp_path):
    figure = plotting_studies.overhead([series("default@v6", [10, 100], [1e-4, 1e-3])], "", "")
    axes = axes_of(figure)
    assert drawn_lines(axes)["default@v6"] == ([10, 100], pytest.approx([100, 1000]))
    costs = [line for line in axes.lines if line.get_linestyle() != "None" and len(line.get_xdata()) == 50]
    assert [line.get_ydata()[0] for line in costs] == pytest.approx([1, 10, 100])
    assert "10 us a crossing" in texts(figure, tmp_path)


def test_a_ledger_fills_each_bar_and_leaves_out_what_is_nowhere(tmp_path):
    assert list(plotting_shares.PARTS) == list(CATEGORIES)
    shares = np.zeros((2, len(CATEGORIES)))
    shares[0, [0, 5]] = 0.25, 0.75
    shares[1, 0] = 1
    figure = plotting_shares.ledger(LABELS, shares, "", "")
    bars = {container.get_label(): [bar.get_width() for bar in container] for container in figure.axes[0].containers}
    assert bars == {"counted": [25, 100], "off_pmu": [75, 0]}
    assert [bar.get_x() for bar in axes_of(figure).containers[1]] == [25, 100]
    assert legend_of(figure) == ["counted", "off_pmu"]
    assert set(LABELS) <= set(texts(figure, tmp_path))


def test_samples_stand_beside_cycles_and_time_in_a_panel_for_each_host_pmu(tmp_path):
    shares = np.array([[[1, 0.25, 0.5], [0, 0.75, 0.5]], [[np.nan, 0.25, 0.5], [np.nan, 0.75, 0.5]]])
    figure = plotting_shares.sampling_bias(LABELS, ["armv8_cortex_a55", ""], shares, "", "")
    widths = [[[bar.get_width() for bar in bars] for bars in axes.containers] for axes in figure.axes]
    assert widths == [[[100, 0], [25, 25], [50, 50]], [[0, 0], [75, 75], [50, 50]]]
    assert {"on CPUs of armv8_cortex_a55", "on CPUs without a PMU", "no sample"} <= set(texts(figure, tmp_path))


def test_event_sets_are_cells_with_names_and_hatches_where_the_lottery_decides(tmp_path):
    cells = np.array([[2, 1, 0], [2, 2, 1]])
    figure = plotting_matrices.event_sets(["rk3588", "juno-r0"], ["CPU_CYCLES", "LD_RETIRED", "CHAIN"], cells, "", "")
    axes = axes_of(figure)
    assert axes.images[0].get_array().tolist() == cells.tolist()
    assert sorted((patch.get_x(), patch.get_y()) for patch in axes.patches) == [(0.5, -0.5), (1.5, 0.5)]
    assert {"rk3588", "LD_RETIRED"} <= set(texts(figure, tmp_path))


def test_a_matrix_of_moves_has_numbers_and_shares(tmp_path):
    panels = {LABELS[0]: np.array([[1, 3], [4, 0]]), LABELS[1]: np.zeros((2, 2), dtype=np.int64)}
    found = texts(plotting_matrices.crossings(panels, ["cortex-a55", "cortex-a76"], "", ""), tmp_path)
    joined = " ".join(found)
    for part in (LABELS[0], "8 moves", "0 moves", "50 %", "cortex-a76"):
        assert part in joined, part


def test_colours_and_marks_differ():
    assert len(set(plotting_studies.MARKS)) == len({mark for _, mark in plotting_studies.MARKS}) == 8
    assert len(set(plotting_shares.PARTS.values())) == len(CATEGORIES)


STUDY = """
[grid]
scheduler = ["random:300", "random:3000"]
"vms.0.policy" = ["none", "default@v6", "fixed-counters-only@v8"]
[seeds]
count = 2
"""


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("swept")
    assert exit_code(["sweep", write_study(folder, STUDY), "--out", str(folder / "out"), "--workers", "1"]) == 0
    return folder / "out"


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ran")
    vm = '[[vms]]\nvcpus = 1\nguest = { boot = "100us", window = "200us" }\n'
    (folder / "s.toml").write_text(f'format = "hetpmu-scenario/1"\nseconds = "2ms"\n{vm}')
    assert exit_code(["run", str(folder / "s.toml"), "--out", str(folder / "out")]) == 0
    return folder / "out"


@pytest.mark.parametrize("kind", ["crash", "throughput", "overhead", "events", "ledger"])
def test_a_sweep_is_drawn(swept, tmp_path, kind, capsys):
    assert exit_code(["plot", str(swept), "--kind", kind, "-o", str(tmp_path / "x.svg")]) == 0
    drawn = (tmp_path / "x.svg").read_text()
    assert "rk3588" in drawn if kind == "events" else "fixed-counters-only@v8" in drawn
    assert "written" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["overhead", "ledger", "crossings"])
def test_a_run_is_drawn(ran, tmp_path, kind):
    assert exit_code(["plot", str(ran), "--kind", kind, "-o", str(tmp_path / "x.svg")]) == 0
    assert "rk3588" in (tmp_path / "x.svg").read_text()


@pytest.mark.parametrize(
    "kind, where, part",
    [
        ("sampling", "swept", "linux-perf-record"),
        ("crossings", "swept", "run or compare"),
        ("crash", "ran", "crash-by-migration-rate"),
        ("throughput", "ran", "throughput-by-pinning"),
        ("sampling", "ran", "sampling-bias"),
        ("continuity", "swept", "run"),
    ],
)
def test_a_directory_without_the_data_is_said_to_be_one(kind, where, part, request, tmp_path, capsys):
    directory = request.getfixturevalue(where)
    assert exit_code(["plot", str(directory), "--kind", kind, "-o", str(tmp_path / "x.png")]) == 2
    error = capsys.readouterr().err
    assert part in error
    assert len(error.strip().splitlines()) <= 3
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", ["--kind crash", "", "{ran} --kind ledger --vcpu 1"])
def test_what_makes_no_sense_is_refused(arguments, ran, tmp_path, capsys):
    words = arguments.format(ran=ran).split()
    assert exit_code(["plot", *words, "-o", str(tmp_path / "x.png")]) == 2
    assert not any(tmp_path.iterdir())


def test_events_need_no_directory(tmp_path, monkeypatch):
    monkeypatch.setattr(study_pictures, "list_platforms", lambda: ("rk3588", "sm8550", "hikey620"))
    assert exit_code(["plot", "--kind", "events", "-o", str(tmp_path / "x.svg")]) == 0
    drawn = (tmp_path / "x.svg").read_text()
    assert "sm8550 (4 PMUs)" in drawn
    assert "no vPMU on hikey620" in drawn
