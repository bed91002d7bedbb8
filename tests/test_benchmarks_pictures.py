"""What ``bench --plot`` measures: points at the numbers and sizes that the axes name. No test looks at the clock."""

import json

import pytest

from benchmarks import pictures, roofline, scaling, threads
from benchmarks.measure import Effort
from simcore.app.cli import exit_code
from simcore.app.cli_bench import PICTURES

EFFORT = Effort(rounds=1, run_s=0.0)


@pytest.fixture
def small(monkeypatch):
    for module in (roofline, scaling):
        monkeypatch.setattr(module, "QUICK", EFFORT)
    monkeypatch.setattr(roofline, "RECORDED_TICKS", (8, 16, 32))
    monkeypatch.setattr(roofline, "ADVANCED_ROWS", (1, 2, 4))
    monkeypatch.setattr(roofline, "ADVANCED_TICKS", 8)
    monkeypatch.setattr(scaling, "VCPUS", (1, 2))
    monkeypatch.setattr(scaling, "COUNTERS", (1, 32))
    monkeypatch.setattr(scaling, "TICKS", (1, 8))
    monkeypatch.setattr(scaling, "LENGTH", 8)
    monkeypatch.setattr(scaling, "SHORT", 8)
    monkeypatch.setattr(threads, "ROWS", 4)
    monkeypatch.setattr(threads, "TICKS", 8)


def test_the_roofline_has_points_at_working_sets(small):
    curves = roofline.measure(quick=True)["curves"]
    assert [point["number"] for point in curves["record"]] == [4 * 32 * 8 * ticks for ticks in (8, 32)]
    assert len(curves["fill"]) == len(curves["copy"]) == 2
    assert curves["tick"][1]["number"] == 4 * curves["tick"][0]["number"]
    assert all(0 < point["low"] <= point["median"] <= point["high"] for points in curves.values() for point in points)


def test_scaling_has_points_on_every_axis(small):
    found = scaling.measure(quick=True)
    numbers = {panel: [point["number"] for point in curves["tick"]] for panel, curves in found.items()}
    assert numbers == {"vcpus": [1, 2], "counters": [1, 32], "ticks": [1, 8], "threads": scaling.numbers_of_threads()}


def test_a_state_of_fewer_counters_does_less_work(small):
    assert scaling.with_counters(1).updates * 32 == scaling.with_counters(32).updates
    assert scaling.with_counters(4).record.shape == (scaling.ROWS, 4, 8)


def test_threads_share_the_vcpus(small):
    assert threads.in_threads(2).work == threads.in_threads(1).work == threads.ROUNDS * 4 * 32 * 8


def test_the_command_knows_every_picture():
    assert tuple(pictures.PICTURES) == PICTURES


@pytest.mark.parametrize("kind", ["roofline", "scaling"])
def test_a_picture_alone_measures_no_case(small, tmp_path, kind, capsys):
    arguments = ["bench", "--quick", "--plot", str(tmp_path / "x.png"), "--plot-kind", kind, "--json", "-"]
    assert exit_code(arguments) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["cases"] == []
    assert answer["plot"]["kind"] == kind
    assert (tmp_path / "x.png").stat().st_size > 10_000
