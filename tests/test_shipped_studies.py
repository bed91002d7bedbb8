"""The studies that come with hetpmu: each loads, its points are scenarios, its runs go through in quick form."""

import dataclasses
import re
from pathlib import Path

import pytest

from simcore.app.running import Machine
from simcore.app.study_data import load_study
from simcore.app.sweeping import sweep
from simcore.loader import list_studies, load_study_file, validate_file
from simcore.study import Study
from simcore.study_build import scenario_of

ROOT = Path(__file__).resolve().parents[1]
FILES = ROOT / "simcore" / "data" / "studies"
PAGE = (ROOT / "docs" / "studies.md").read_text()
MOST_RUNS = 1500
QUICK = "2ms"
TIMES = ("boot", "window")


def quick(study: Study) -> Study:
    """Return the study with its first and last point of each axis only, two seeds and very short runs."""
    axes = tuple(dataclasses.replace(axis, rows=_ends(axis)) for axis in study.axes)
    base = {**study.base, "seconds": QUICK, "background": []}
    base["vms"] = [
        {**vm, "vcpus": 2, "guest": {**vm.get("guest", {}), "boot": "100us", "window": "100us"}} for vm in base["vms"]
    ]
    if "live_migrations" in base:
        base["live_migrations"] = [{**row, "time": "1100us", "downtime": "100us"} for row in base["live_migrations"]]
    return dataclasses.replace(study, base=base, axes=axes, seed_count=2, stop=None)


def _ends(axis):
    """Return the first and the last row of an axis, with short times for the guest."""
    rows = [axis.rows[0], axis.rows[-1]][: len(axis.rows)]
    return tuple(tuple(map(_short, axis.keys, row)) for row in rows)


def _short(key, value):
    return "100us" if key.rpartition(".")[2] in TIMES else value


@pytest.mark.parametrize("name", list_studies())
def test_a_study_is_valid_small_and_on_the_page(name):
    study = load_study_file(name)
    assert validate_file(str(FILES / f"{name}.toml")) == "study"
    assert study.name == name
    assert study.runs <= MOST_RUNS
    assert f"`{name}`" in PAGE
    assert f"hetpmu sweep {name}" in PAGE
    assert f"hetpmu sweep {name}" in (FILES / f"{name}.toml").read_text()


def test_there_are_studies():
    assert len(list_studies()) == 11


@pytest.mark.parametrize("name", list_studies())
def test_each_point_is_a_scenario_that_can_be_built(name):
    study = load_study_file(name)
    for point in (0, study.points // 2, study.points - 1):
        assert Machine(scenario_of(study, point))


@pytest.mark.parametrize("name", list_studies())
def test_the_quick_form_runs(name, tmp_path):
    study = quick(load_study_file(name))
    sweep(study, tmp_path / "out", workers=1)
    runs = load_study(tmp_path / "out").runs
    assert len(runs) == study.runs
    assert (runs["guest_ns"] > 0).any()


def test_the_page_shows_pictures_that_fit_into_a_mail():
    pictures = re.findall(r"\]\((images/gallery/[^)]*)\)", PAGE)
    assert len(pictures) == 2
    for picture in pictures:
        assert 10_000 < (ROOT / "docs" / picture).stat().st_size < 300_000
