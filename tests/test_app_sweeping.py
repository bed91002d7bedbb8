"""Sweeps from Python: what is run, what is kept of it, and how one goes on."""

import dataclasses
import json
import os
import select
import shutil
import signal

import numpy as np
import pytest
from pyarrow import parquet

from simcore.app import sweep_run, sweep_scenarios, sweeping
from simcore.app.aggregating import compare_row
from simcore.app.crew import QUEUED, Processes
from simcore.app.interrupting import Interruption
from simcore.app.metrics import run_metrics
from simcore.app.run_rows import row_metrics
from simcore.app.running import run
from simcore.app.storing import load_result
from simcore.app.study_data import load_study
from simcore.app.sweep_text import answer_text, sweep_answer
from simcore.app.sweeping import sweep
from simcore.errors import InputError
from simcore.study_build import scenario_of
from tests.sweeps import GRID, fingerprint, finished, forked, make_study

STOP = '[stop]\nmetric = "crossings_per_s"\nhalf_width = 400.0\nmin_seeds = 3\n'


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def whole(study, tmp_path_factory):
    """Return the directory of a finished sweep."""
    out = tmp_path_factory.mktemp("whole") / "out"
    done = sweep(study, out, workers=1)
    assert (done.tally.finished, done.tally.failed, done.interrupted) == (24, 0, False)
    return out


class After(Interruption):
    """Asks a sweep to end once a number of runs are done."""

    def __init__(self, runs):
        super().__init__()
        self.runs = runs

    def watch(self, tally):
        self.requested = tally.finished >= self.runs


def test_a_row_has_the_figures_of_its_run(study, whole):
    data = load_study(whole)
    assert finished(whole) == [(point, seed) for point in range(6) for seed in range(1, 5)]
    result = run(scenario_of(study, 4, seed=3))
    row = data.at(4)[2]
    figures = run_metrics(result)
    assert (row["policy"], row["hz"], row["seed"]) == ("fixed-counters-only@v8", 250, 3)
    assert row["digest"] == result.digest()
    assert row["ended_ns"] == result.summary["ended_ns"] == 2_000_000
    assert row["instructions"] == figures.instructions > 0
    assert [row[name] for name in ("counted", "off_pmu", "other")] == [figures.ledger[n] for n in (0, 5, 7)]
    again = compare_row("default", "mainline", [row_metrics(row)], None)
    assert again == compare_row("default", "mainline", [figures], None)


def test_a_column_of_choice(whole):
    few = load_study(whole, ["hz", "crashed"])
    assert few.runs.dtype.names == ("point", "hz", "crashed")
    assert np.array_equal(few.runs["hz"], load_study(whole).runs["hz"])


def test_workers_change_no_byte(study, whole, tmp_path):
    sweep(study, tmp_path / "out", workers=2)
    assert fingerprint(tmp_path / "out") == fingerprint(whole)
    assert set(fingerprint(whole)) == {
        "runs/policy=default/part-00000.parquet",
        "runs/policy=fixed-counters-only%40v8/part-00001.parquet",
    }


def test_a_sweep_goes_on_where_it_was_interrupted(study, whole, tmp_path):
    out = tmp_path / "out"
    for runs in (5, 9):
        stop = After(runs)
        done = sweep(study, out, workers=1, watch=stop.watch, stop=stop)
        assert done.interrupted
    assert len(finished(out)) == 14
    done = sweep(study, out, workers=2)
    assert (done.tally.found, done.tally.finished) == (14, 10)
    assert fingerprint(out) == fingerprint(whole)


def test_a_finished_sweep_runs_nothing(study, whole, monkeypatch):
    monkeypatch.setattr(sweeping, "_crew", lambda *_: pytest.fail("runs again"))
    before = fingerprint(whole)
    assert sweep(study, whole).tally.found == 24
    assert fingerprint(whole) == before


def test_points_stop_at_the_same_seed_whoever_runs_them(tmp_path):
    study = make_study(tmp_path, GRID.replace("count = 4", "count = 12") + STOP)
    for name, workers in (("one", 1), ("three", 3)):
        done = sweep(study, tmp_path / name, workers=workers)
        tally = done.tally
        assert 0 < tally.spared == 72 - (tally.finished - tally.surplus)
        under_way = QUEUED * workers
        assert tally.surplus <= study.points * under_way, "of a point only what was under way when it stood"
    stop = After(30)
    sweep(study, tmp_path / "two", workers=2, watch=stop.watch, stop=stop)
    sweep(study, tmp_path / "two", workers=2)
    assert fingerprint(tmp_path / "one") == fingerprint(tmp_path / "two") == fingerprint(tmp_path / "three")
    runs = sweep_answer(tmp_path / "one")["runs"]
    assert (runs["finished"], runs["spared"]) == (tally.finished - tally.surplus, tally.spared)
    assert f"{tally.spared} not needed" in answer_text(sweep_answer(tmp_path / "one"))
    seeds = [run_id[1] for run_id in finished(tmp_path / "one") if run_id[0] == 0]
    assert seeds == list(range(1, len(seeds) + 1))
    values = [row["crossings"] / row["lived_ns"] * 1e9 for row in load_study(tmp_path / "one").at(0)]
    widths = [1.959963984540054 * np.std(values[:n], ddof=1) / n**0.5 for n in range(3, len(values) + 1)]
    assert widths[-1] <= 400 or len(seeds) == 12
    assert all(width > 400 for width in widths[:-1])


def failing(scenario, *more):
    if scenario.seed == 2:
        raise ZeroDivisionError("a bug of ours")
    return run(scenario, *more)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failed_run_is_written_down_and_the_rest_goes_on(study, whole, tmp_path, monkeypatch, workers):
    monkeypatch.setattr(sweep_scenarios, "run", failing)
    out = tmp_path / "out"
    done = sweep(study, out, workers=workers)
    assert (done.tally.finished, done.tally.failed) == (18, 6)
    assert not [run_id for run_id in finished(out) if run_id[1] == 2]
    account = json.loads((out / "failures" / "point-00004-seed-2.json").read_text())
    assert account["error"].splitlines()[-1] == "ZeroDivisionError: a bug of ours"
    assert (account["scenario"]["seed"], account["scenario"]["hz"]) == (2, 250)
    assert [row["failed"] for row in sweep_answer(out)["points"]] == [1] * 6

    monkeypatch.undo()
    again = sweep(study, out, workers=workers)
    assert (again.tally.found, again.tally.finished, again.tally.failed) == (18, 0, 6)
    retried = sweep(study, out, workers=workers, retry=True)
    assert (retried.tally.found, retried.tally.finished, retried.tally.failed) == (18, 6, 0)
    assert fingerprint(out) == fingerprint(whole)


def dying(where):
    """Return a run function that takes its process along, in the first attempt or whenever."""

    def work(scenario, *more):
        if scenario.seed == 3 and scenario.hz == 250 and not where.exists():
            if where.suffix:
                where.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return run(scenario, *more)

    return work


def test_a_worker_that_dies_is_replaced_and_its_run_repeated(study, whole, tmp_path, monkeypatch):
    monkeypatch.setattr(sweep_scenarios, "run", dying(tmp_path / "died.once"))
    done = sweep(study, tmp_path / "out", workers=2)
    assert (done.tally.finished, done.tally.failed) == (24, 0)
    assert fingerprint(tmp_path / "out") == fingerprint(whole)


def test_a_run_that_kills_every_worker_fails(study, tmp_path, monkeypatch):
    monkeypatch.setattr(sweep_scenarios, "run", dying(tmp_path / "never"))
    done = sweep(study, tmp_path / "out", workers=2)
    assert (done.tally.finished, done.tally.failed) == (22, 2)
    account = json.loads((tmp_path / "out" / "failures" / "point-00001-seed-3.json").read_text())
    assert "died" in account["error"]


def test_workers_end_with_the_process_that_has_them(study):
    def employ(sink):
        Processes(sweep_run.Runner(study), 2)
        os.write(sink, b"at work")
        signal.pause()

    source, sink = os.pipe()
    with forked(employ, sink):
        os.close(sink)
        assert os.read(source, 100) == b"at work"
    readable, _, _ = select.select([source], [], [], 60)
    assert readable, "somebody still holds the pipe"
    assert os.read(source, 100) == b""
    os.close(source)


def test_a_second_process_is_refused(study, tmp_path):
    out = tmp_path / "out"

    class Second(Exception):
        pass

    def watch(tally):
        with pytest.raises(InputError, match="another process is at work"):
            sweep(study, out)
        raise Second

    with pytest.raises(Second):
        sweep(study, out, workers=1, watch=watch)
    assert not sweep(study, out, workers=1).interrupted


def test_a_changed_study_is_refused_with_what_differs(study, whole):
    before = fingerprint(whole)
    with pytest.raises(InputError, match=r"seeds\.count was 4 and is 5"):
        sweep(dataclasses.replace(study, seed_count=5), whole)
    with pytest.raises(InputError, match=r"base\.seconds was \"2ms\" and is \"3ms\""):
        sweep(dataclasses.replace(study, base={**study.base, "seconds": "3ms"}), whole)
    assert fingerprint(whole) == before


def test_a_directory_of_something_else_is_refused(study, tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match=r"letter\.txt"):
        sweep(study, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
    with pytest.raises(InputError, match="no sweep"):
        load_study(tmp_path)


def test_a_damaged_part_is_an_error(whole, tmp_path):
    copy = shutil.copytree(whole, tmp_path / "copy")
    part = next(iter(sorted(copy.glob("runs/**/*.parquet"))))
    column = parquet.read_metadata(part).row_group(0).column(0)
    data = bytearray(part.read_bytes())
    data[column.data_page_offset + column.total_compressed_size // 2] ^= 0x55
    part.write_bytes(data)
    with pytest.raises(InputError, match="unreadable table"):
        load_study(copy)


def test_tables_are_kept_on_demand(study, tmp_path):
    stop = After(2)
    sweep(study, tmp_path / "out", workers=1, keep_tables=True, watch=stop.watch, stop=stop)
    kept = sorted(path.name for path in (tmp_path / "out" / "kept").iterdir())
    assert kept == ["point-00000-seed-1", "point-00001-seed-1"]
    assert load_result(tmp_path / "out" / "kept" / kept[1]).digest() == load_study(tmp_path / "out").at(1)[0]["digest"]


def test_the_table_has_a_line_for_each_point(whole):
    text = answer_text(sweep_answer(whole))
    assert text.startswith("tiny: What do very short runs show?\n6 points, 4 seeds from 1 on: 24 runs\n")
    assert len(text.splitlines()) == 3 + 3 + 6
    assert max(map(len, text.splitlines())) <= 120
