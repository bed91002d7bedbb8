"""A sweep that is killed again and again leaves the dataset of one that nobody disturbed."""

import contextlib
import os
import random
import time
from pathlib import Path

import pytest

from simcore.app import sweep_files, sweeping
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


@contextlib.contextmanager
def noted(log):
    """Note each run that begins inside the block."""

    def noting(self, run_id, *more):
        with log.open("a") as sink:
            sink.write(f"{run_id[0]} {run_id[1]}\n")
        return call(self, run_id, *more)

    call = Runner.__call__
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Runner, "__call__", noting)
        yield


def attempt(study, out, log):
    """Sweep in a process of its own, and note each run that begins."""
    with noted(log):
        sweep(study, out, workers=WORKERS)


def begun(log):
    """Return the runs that an attempt began, in order."""
    lines = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return [tuple(map(int, line.split())) for line in lines if len(line.split()) == 2]


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
            assert not set(begun(log)) & set(before), "run again"
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


class Killed(BaseException):
    """Stands for a process that is gone at this very moment."""


OPERATIONS = ((os, "replace"), (os, "write"), (os, "fsync"), (Path, "unlink"), (sweep_files, "write_table"))


def killed_at(moment, study, out):
    """Sweep until just before a file operation of this number; tell whether it came to that."""
    left = iter(range(moment))

    def instead(real):
        def operation(*arguments, **more):
            if next(left, None) is None:
                raise Killed
            return real(*arguments, **more)

        return operation

    with pytest.MonkeyPatch.context() as patch:
        for owner, name in OPERATIONS:
            patch.setattr(owner, name, instead(getattr(owner, name)))
        try:
            sweep(study, out, workers=1)
        except Killed:
            return True
    return False


def test_it_may_end_before_any_operation_on_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(sweeping, "_load_kernels", lambda study: None)  # once is enough for a hundred sweeps
    study = make_study(tmp_path, '[grid]\n"vms.0.policy" = ["default", "none"]\nhz = [100]\n[seeds]\ncount = 2\n')
    sweep(study, tmp_path / "whole", workers=1)
    moment, killed = 0, True
    while killed:
        out, log = tmp_path / str(moment), tmp_path / "log"
        with noted(log):
            killed = killed_at(moment, study, out)
        first = begun(log)
        with noted(log):
            sweep(study, out, workers=1)
        assert not set(first[:-1]) & set(begun(log)), "run again"
        assert fingerprint(out) == fingerprint(tmp_path / "whole")
        assert not list((out / "open").iterdir())
        moment += 1
    assert moment > 16
