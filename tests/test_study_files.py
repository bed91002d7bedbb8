"""Studies by themselves: points, columns, files, when a point has enough seeds; nothing is simulated."""

import json
import math
import random
import statistics

import pytest

from scheduler.kernel_state import CAUSE_NAMES
from simcore.app.aggregating import Z_95, wilson
from simcore.app.sweep_blocks import ROWS, Blocks
from simcore.app.sweep_journal import Journal
from simcore.app.sweep_stopping import PointProgress, figure_of
from simcore.run_columns import CAUSES, COLUMN_NAMES
from simcore.study import Axis, Stop, Study, kind_of, short_names, study_of
from simcore.study_build import scenario_of
from tests.sweeps import make_study


def study(*sizes, seeds=20, stop=None):
    """Return a study with an axis of numbers of each size."""
    axes = tuple(Axis((f"key{n}",), tuple((value,) for value in range(size))) for n, size in enumerate(sizes))
    return Study("made", "?", {}, axes, seed_count=seeds, stop=stop)


def test_points_count_along_the_axes_the_first_one_slowest(tmp_path):
    made = make_study(
        tmp_path,
        '[grid]\nvms.0.policy = ["default", "none"]\n[zip]\nhz = [100, 250]\nmargin = [80, 90]\n'
        "[[points]]\nvms.0.vcpus = 1\n[[points]]\nvms.0.vcpus = 2\n",
    )
    assert (made.points, made.runs) == (8, 160)
    assert made.keys == ("vms.0.policy", "hz", "margin", "vms.0.vcpus")
    assert made.values(5) == {"vms.0.policy": "none", "hz": 100, "margin": 80, "vms.0.vcpus": 2}
    scenario = scenario_of(made, 6, seed=9)
    assert (scenario.hz, scenario.margin, scenario.vms[0].vcpus, scenario.seed) == (250, 90, 1, 9)
    assert scenario.vms[0].policy is None
    assert scenario_of(made, 0).vms[0].guest.boot_ns == 100_000
    assert study_of(json.loads(json.dumps(made.as_json()))).digest() == made.digest()


def test_names_are_as_short_as_they_can_be():
    keys = ["vms.0.policy", "vms.1.vcpus", "vms.0.vcpus", "seed", "scheduler", "vms.0.guest.sleep"]
    assert short_names(keys, ("seed",)) == ["policy", "1_vcpus", "0_vcpus", "key_seed", "scheduler", "sleep"]


@pytest.mark.parametrize(
    "values, kind",
    [
        (["1ms", "2.5us"], "ns"),
        ([1, 2], "integer"),
        ([1, 2.5], "number"),
        ([True, False], "bool"),
        ([True, 1], "text"),
        (["1ms", 2], "text"),
        ([[0, 1], [2]], "text"),
        ([1 << 63], "number"),
    ],
)
def test_kinds_of_values(values, kind):
    assert kind_of(values) == kind


@pytest.mark.parametrize("sizes", [(1,), (3, 5), (64, 200), (65, 7), (7000,), (2, 1, 999)])
@pytest.mark.parametrize("seeds", [1, 20, 3000])
def test_every_point_lies_in_one_block_and_blocks_share_no_directory(sizes, seeds):
    blocks = Blocks(study(*sizes, seeds=seeds))
    points = [point for block in range(len(blocks)) for point in blocks.points(block)]
    assert points == list(range(math.prod(sizes)))
    for block in range(len(blocks)):
        inside = blocks.points(block)
        assert {blocks.block_of(point) for point in inside} == {block}
        assert len(inside) * seeds <= ROWS or len(inside) == 1
        if sizes[0] <= 64:
            value = blocks.study.values(inside[0])["key0"]
            assert {blocks.study.values(point)["key0"] for point in inside} == {value}
            assert blocks.folder(block) == f"key0={value}"
        else:
            assert blocks.folder(block) == ""


@pytest.mark.parametrize("metric", ["crash_probability", "instructions"])
def test_a_point_stops_at_the_first_seed_that_is_enough_in_whatever_order_they_come(metric):
    draws = random.Random(1)
    values = [float(draws.random() < 0.1) if metric == "crash_probability" else draws.gauss(10, 2) for _ in range(40)]
    values[3] = math.nan

    def width(prefix):
        known = [value for value in prefix if not math.isnan(value)]
        if metric == "crash_probability":
            low, high = wilson(int(sum(known)), len(known))
            return (high - low) / 2
        return Z_95 * statistics.stdev(known) / len(known) ** 0.5

    limit = 0.15 if metric == "crash_probability" else 0.8
    enough = next(n for n in range(6, 40) if width(values[:n]) <= limit)  # 5 seeds and the failed one
    for _ in range(20):
        order = list(range(40))
        draws.shuffle(order)
        progress = PointProgress(40, Stop(metric, limit, 5))
        for place in order:
            progress.add(place, values[place])
        assert progress.ended == enough
    assert 6 < enough < 40


def test_without_a_rule_all_seeds_run():
    progress = PointProgress(3, None)
    assert [progress.next_place() for _ in range(4)] == [0, 1, 2, None]
    for place in (2, 0):
        progress.add(place, 0.0)
        assert progress.ended is None
    progress.add(1, math.nan)
    assert progress.ended == 3


def test_figures_of_a_row():
    row = [0] * len(COLUMN_NAMES)
    row[COLUMN_NAMES.index("stalled_ns")], row[COLUMN_NAMES.index("enabled_ns")] = 1, 4
    assert figure_of("stalled_fraction")(tuple(row)) == 0.25
    assert math.isnan(figure_of("instructions_per_s")(tuple(row)))
    assert figure_of("stalled_ns")(tuple(row)) == 1.0


def test_the_journal_leaves_out_what_was_cut_off(tmp_path):
    journal = Journal(tmp_path)
    journal.append(7, [(1, 2, 3, ["a"]), (1, 3, 3, ["b"])])
    path = journal.path(7)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        known = [entry[1] for entry in journal.read(7)]
        assert known == [2] * (length >= whole.index(b"\n") + 1)
        journal.append(7, [(9, 9, 9, [])])
        assert [entry[1] for entry in journal.read(7)] == [*known, 9]
    path.write_bytes(whole.replace(b"a", b"c"))
    assert [entry[1] for entry in journal.peek(7)] == [3]
    journal.remove(7)
    assert journal.read(7) == []


def test_causes_are_those_of_the_scheduler():
    assert CAUSES == CAUSE_NAMES
