"""`hetpmu export csv|parquet`: every table of what run, compare, watch and sweep kept, read back by another library."""

import csv
import json
import shutil
from typing import Any

import pyarrow.csv
import pyarrow.parquet
import pytest

from simcore.app.cli import exit_code
from simcore.app.exporting import _flat_rows
from simcore.app.storing import load_result
from simcore.app.study_data import load_study
from simcore.app.sweeping import sweep
from simcore.table_columns import TABLES
from tests.sweeps import make_study

SCENARIO = """\
format = "hetpmu-scenario/1"
seconds = "20ms"
schedule = true
sample = "5ms"
[[vms]]
vcpus = 1
guest = { boot = "5ms" }
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return the directory of a run that kept its schedule."""
    folder = tmp_path_factory.mktemp("export")
    (folder / "scenario.toml").write_text(SCENARIO)
    assert exit_code(["run", str(folder / "scenario.toml"), "--out", str(folder / "run")]) == 0
    return folder / "run"


def exported(form, source, target, *options):
    """Export a directory and return the files."""
    assert exit_code(["export", form, str(source), "-o", str(target), *options]) == 0
    files = sorted(path.relative_to(target).as_posix() for path in target.rglob(f"*.{form}"))
    assert files == sorted(json.loads((target / "export.json").read_text())["rows"])
    return files


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_every_table_of_a_run_has_its_values_under_its_columns(run, tmp_path, form):
    assert exported(form, run, tmp_path / "out") == sorted(f"{name}.{form}" for name in TABLES)
    for name, table in load_result(run).tables.items():
        path = tmp_path / "out" / f"{name}.{form}"
        read = pyarrow.csv.read_csv if form == "csv" else pyarrow.parquet.read_table
        found = read(path)
        assert found.num_rows == len(table)
        for column in table.dtype.names or ():
            lists = table[column].ndim == 2
            if lists and form == "csv":
                for place in range(table[column].shape[1]):
                    assert found[f"{column}_{place}"].to_pylist() == table[column][:, place].tolist()
            elif len(table):
                assert found[column].to_pylist() == table[column].tolist(), (name, column)


def test_a_comparison_has_its_answer_and_a_folder_for_each_run(tmp_path, monkeypatch):
    monkeypatch.setattr("simcore.app.keeping.draw", lambda *_: None)
    short = ["--vcpus", "1", "--seconds", "20ms", "--seeds", "1", "--policies", "default,fixed-counters-only"]
    assert exit_code(["compare", *short, "--workers", "1", "--out", str(tmp_path / "compared")]) == 0
    files = exported("csv", tmp_path / "compared", tmp_path / "out", "--table", "policies,vcpus")
    assert files == ["01-default@mainline/vcpus.csv", "02-fixed-counters-only@v8/vcpus.csv", "policies.csv"]
    rows = list(csv.DictReader((tmp_path / "out" / "policies.csv").read_text().splitlines()))
    answer = json.loads((tmp_path / "compared" / "compare.json").read_text())
    assert [row["policy"] for row in rows] == ["default", "fixed-counters-only"]
    assert [int(row["ledger.counted"]) for row in rows] == [row["ledger"]["counted"] for row in answer["policies"]]
    assert "ledger" not in rows[0]
    assert rows[0]["crash_probability.high"] == repr(answer["policies"][0]["crash_probability"]["high"])


def test_what_watch_kept_has_its_tables_and_its_answer(run, tmp_path):
    assert exit_code(["watch", str(run), "--policies", "fixed-counters-only", "--out", str(tmp_path / "seen")]) == 0
    assert exported("csv", tmp_path / "seen", tmp_path / "out") == ["interrupts.csv", "ledger.csv", "policies.csv"]


def test_a_sweep_has_its_runs_and_its_points(tmp_path):
    study = make_study(tmp_path, "[grid]\nhz = [100, 1000]\n[seeds]\ncount = 2\n")
    sweep(study, tmp_path / "swept", workers=1)
    assert exported("parquet", tmp_path / "swept", tmp_path / "out") == ["points.parquet", "runs.parquet"]
    runs = pyarrow.parquet.read_table(tmp_path / "out" / "runs.parquet")
    assert runs["digest"].to_pylist() == load_study(tmp_path / "swept").runs["digest"].tolist()
    points = pyarrow.parquet.read_table(tmp_path / "out" / "points.parquet").to_pylist()
    assert [(row["values.hz"], row["runs"]) for row in points] == [(100, 2), (1000, 2)]


@pytest.mark.parametrize(
    "options, what",
    [(["--table", "nope"], "unknown table 'nope'"), (["-o", "."], "will not write into this directory")],
)
def test_bad_input_is_one_message_and_nothing_is_written(run, tmp_path, capsys, monkeypatch, options, what):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").write_text("mine")
    assert exit_code(["export", "csv", str(run), "-o", "out", *options]) == 2
    assert what in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_only_an_export_is_replaced_and_only_with_force(run, tmp_path):
    exported("csv", run, tmp_path / "out")
    assert exit_code(["export", "csv", str(run), "-o", str(tmp_path / "out")]) == 2
    assert exported("csv", run, tmp_path / "out", "--force", "--table", "cpus") == ["cpus.csv"]


@pytest.fixture
def places(run, tmp_path):
    """Return a folder with a copy of the run, named `run`, and one more, named `other`."""
    for name in ("run", "other"):
        shutil.copytree(run, tmp_path / name)
    return tmp_path


def all_files(folder):
    """Return the bytes of every file below a folder."""
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("command", ["csv", "parquet", "watch"])
@pytest.mark.parametrize("out", ["run", "run/deep", "run/tables", ".", "run/../run", "link"])
def test_an_output_never_touches_the_result_that_it_is_made_of(places, capsys, command, out):
    (places / "link").symlink_to(places / "run")
    (places / "watch.json").write_text("{}")  # the folder above has the mark of a result
    before = all_files(places)
    source, target = str(places / "run"), str(places / out)
    watching = ["watch", source, "--policies", "fixed-counters-only", "--out", target, "--force"]
    assert exit_code(watching if command == "watch" else ["export", command, source, "-o", target, "--force"]) == 2
    assert "it is, holds or lies in what is read" in capsys.readouterr().err
    assert all_files(places) == before


@pytest.mark.parametrize("out", ["run/meta.json", "run/new", "link/meta.json"])
@pytest.mark.parametrize("command", [["export", "ftrace"], ["export", "perfetto"], ["report"]], ids=" ".join)
def test_no_file_is_written_into_the_result_that_it_is_made_of(places, capsys, command, out):
    (places / "link").symlink_to(places / "run")
    before = all_files(places)
    assert exit_code([*command, str(places / "run"), "-o", str(places / out), "--force"]) == 2
    assert capsys.readouterr().err.splitlines()[1] == "it is, holds or lies in what is read"
    assert all_files(places) == before


def test_an_export_never_replaces_a_result(places, capsys):
    before = all_files(places)
    assert exit_code(["export", "csv", str(places / "run"), "-o", str(places / "other"), "--force"]) == 2
    assert "it has files that are not an export of hetpmu" in capsys.readouterr().err
    assert all_files(places) == before


def test_a_run_never_replaces_the_folder_of_its_scenario(places, capsys):
    (places / "run" / "scenario.toml").write_text(SCENARIO)
    before = all_files(places)
    assert exit_code(["run", str(places / "run" / "scenario.toml"), "--out", str(places / "run"), "--force"]) == 2
    assert "it is, holds or lies in what is read" in capsys.readouterr().err
    assert all_files(places) == before


def test_a_group_that_is_null_in_some_rows_has_the_columns_of_the_others():
    rows: list[dict[str, Any]] = [
        {"policy": "none", "ledger": None},
        {"policy": "default", "ledger": {"counted": 5, "of": {"all": [1, 2]}}},
    ]
    flat = _flat_rows(rows)
    assert flat[0] == {"policy": "none", "ledger.counted": None, "ledger.of.all": None}
    assert flat[1] == {"policy": "default", "ledger.counted": 5, "ledger.of.all": "[1, 2]"}
    assert _flat_rows(rows[:1]) == rows[:1]
