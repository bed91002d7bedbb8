"""A sweep that is killed again and again leaves the dataset of one that nobody disturbed."""

import os
import random
import time

import pytest

from simcore.app.sweep_run import Runner
from simcore.app.sweeping import sweep
from tests.sweeps import fingerprint, finished, forked, make_study

STUDY = """
[grid]
"vms.0.policy" = ["default", "fixed-counters-only@v8"]
hz = [100, 250, 1000]
[seeds]
count = 12
[stop]
metric = "crossings_per_s"
half_width = 400.0
min_seeds = 4
"""
WORKERS = 2


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("study"), STUDY)


@pytest.fixture(scope="module")
def undisturbed(study, tmp_path_factory):
    """Return the dataset of a sweep that nobody disturbs, and how long it takes."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    sweep(study, tmp_path_factory.mktemp("warm") / "out", workers=1)
    start = time.monotonic()
    done = sweep(study, out, workers=WORKERS)
    assert done.tally.spared, "no point stops early: the scene does not ask what it should"
    return fingerprint(out), time.monotonic() - start


def attempt(study, out, log):
    """Sweep in a process of its own, and note each run that begins."""

    def noting(self, run_id, *more):
        with log.open("a") as sink:
            sink.write(f"{run_id[0]} {run_id[1]}\n")
        return call(self, run_id, *more)

    call, Runner.__call__ = Runner.__call__, noting  # type: ignore[method-assign]
    sweep(study, out, workers=WORKERS)


def begun(log):
    """Return the runs that an attempt began."""
    lines = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return {tuple(map(int, line.split())) for line in lines if len(line.split()) == 2}


def lost(before, after):
    """Return the runs that are gone, but for seeds beyond the one that a point turned out to stand on."""
    last = dict(sorted(after))
    return {run_id for run_id in set(before) - set(after) if run_id[1] <= last.get(run_id[0], run_id[1])}


def kill_often(study, folder, kills, length_s, seed):
    """Sweep into fresh directories, each time killed and resumed until it is whole, until `kills` have hit."""
    moments = random.Random(seed)
    killed = sweeps = 0
    while killed < kills:
        sweeps += 1
        out, log = folder / f"out{sweeps}", folder / "log"
        whole = False
        while not whole:
            before = finished(out)
            assert len(set(before)) == len(before), "counted twice"
            with forked(attempt, study, out, log) as process:
                process.join(moments.uniform(0, length_s) if killed < kills else 60)
                whole = process.exitcode == 0
                process.kill()
            killed += not whole
            assert not lost(before, finished(out)), "lost"
            assert not begun(log) & set(before), "run again"
        yield out


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_few_kills(study, undisturbed, tmp_path):
    whole, length_s = undisturbed
    for out in kill_often(study, tmp_path, 6, length_s / 3, seed=1):
        assert fingerprint(out) == whole


@pytest.mark.slow
def test_fifty_kills(study, undisturbed, tmp_path):
    whole, length_s = undisturbed
    for out in kill_often(study, tmp_path, 50, length_s / 4, seed=2):
        assert fingerprint(out) == whole
