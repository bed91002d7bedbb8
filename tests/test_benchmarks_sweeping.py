"""The contenders around sweeps do what they say they do. No test looks at the clock."""

import dataclasses

from benchmarks.measure import timed
from benchmarks.sweeping import CASES, Bookkeeping, alone, study, swept
from simcore.app.sweep_files import SweepFiles


def test_bookkeeping_writes_every_run_and_simulates_one():
    small = study(3)
    made = Bookkeeping(dataclasses.replace(small, base={**small.base, "seconds": "1ms"}))
    made.prepare()
    made.call()
    files = SweepFiles(made.folder, made.study)
    runs = [row for block in range(len(files.blocks)) for row in files.table(block)]
    assert len(runs) == made.study.runs == 30
    assert len({row["digest"] for row in runs}) == 1


def test_a_sweep_and_its_runs_alone_are_as_many():
    assert swept(1, 1).work == alone(1).work == 10
    assert timed(alone(1), 1) > 0


def test_cases_are_of_the_whole():
    assert {case.band for case in CASES} == {"whole"}
