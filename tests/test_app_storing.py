"""Result directories come whole or not at all, and come back as they were."""

import dataclasses
import json
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from simcore.app import storing
from simcore.app.parquet import column_metadata, read_table, write_table
from simcore.errors import InputError
from simcore.result import Result
from simcore.scenario import AffinityChange, GuestSpec, Scenario, VmSpec
from simcore.trace import DTYPES

SCENARIO = Scenario(
    vms=(VmSpec(guest=GuestSpec(name="none"), cpus=(1, 2), shadows=("fixed-counters-only@v8",)), VmSpec(policy=None)),
    affinity_changes=(AffinityChange(5, 0, 1, (3, 4)),),
    causes=frozenset({"wakeup", "misfit"}),
    busy_counters=(("armv8_cortex_a55", 2),),
)


def result():
    reports = np.array([(5, 0, "calibrated_hz", 1 << 40)], np.dtype(DTYPES["reports"]))
    samples = np.zeros(3, np.dtype(DTYPES["samples"]))
    samples["pmccntr"] = [1, 2, (1 << 64) - 1]
    return Result(SCENARIO, {"reports": reports, "samples": samples}, {"ended_ns": 7, "policies": [["default"]]})


def test_a_result_comes_back_as_it_was(tmp_path):
    storing.save_result(result(), tmp_path)
    back = storing.load_result(tmp_path)
    assert back.scenario == SCENARIO
    assert back.digest() == result().digest()
    assert {name: table.dtype for name, table in back.tables.items()} == {
        name: table.dtype for name, table in result().tables.items()
    }
    assert back.summary == result().summary


def test_every_config_survives_json():
    plain = json.loads(json.dumps(dataclasses.asdict(SCENARIO), default=storing._plain))
    assert storing.rebuild(Scenario, plain) == SCENARIO
    assert storing.rebuild(Scenario, plain) != Scenario()


def test_load_runs_finds_the_runs_of_a_comparison_in_order(tmp_path):
    for name in ("02-b", "01-a"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        changed = dataclasses.replace(SCENARIO, seed=int(name[:2]))
        storing.save_result(dataclasses.replace(result(), scenario=changed), tmp_path / "runs" / name)
    assert [run.scenario.seed for run in storing.load_runs(tmp_path)] == [1, 2]


def test_a_table_is_a_parquet_file_that_says_what_it_means(tmp_path):
    storing.save_result(result(), tmp_path)
    files = {"meta.json", "tables/reports.parquet", "tables/samples.parquet"}
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")} == files
    said = column_metadata(tmp_path / "tables" / "samples.parquet")
    assert list(said) == [name for name, _ in DTYPES["samples"]]
    assert said["guest_ns"] == {"unit": "ns", "meaning": "time in the guest so far"}


def edited_json(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def other_table(path, **changes):
    array = read_table(path)
    for name, value in changes.items():
        array[name] = value
    write_table(array, path)


def edited_scenario(path, **changes):
    """Change keys of the scenario, and the digest with them, as a stranger could."""
    meta = json.loads(path.read_text())
    meta["scenario"] |= changes
    path.write_text(json.dumps(meta | {"about_digest": storing.about_digest(meta)}))


DAMAGE = {
    "no JSON": lambda path: (path / "meta.json").write_text("{"),
    "no object": lambda path: (path / "meta.json").write_text("[]"),
    "an older version": lambda path: edited_json(path / "meta.json", schema="hetpmu-result/2"),
    "nothing in it": lambda path: (path / "meta.json").write_text('{"schema": "hetpmu-result/3"}'),
    "other files": lambda path: edited_json(path / "meta.json", files={"a.toml": {"copy": "meta.json", "sha256": ""}}),
    "a platform that it has not": lambda path: edited_json(path / "meta.json", platform_digest="0" * 64),
    "a length that is a text": lambda path: edited_scenario(path / "meta.json", seconds_ns="5"),
    "a platform that is a number": lambda path: edited_scenario(path / "meta.json", platform=5),
    "no Parquet file": lambda path: (path / "tables" / "samples.parquet").write_bytes(b"PAR1 not a table"),
    "a file cut off": lambda path: os.truncate(path / "tables" / "samples.parquet", 500),
    "no file": lambda path: (path / "tables" / "samples.parquet").unlink(),
    "an edited value": lambda path: other_table(path / "tables" / "samples.parquet", pmccntr=[1, 2, 4]),
    "an edited text": lambda path: other_table(path / "tables" / "reports.parquet", key="calibrated_h"),
    "another table": lambda path: shutil.copy(path / "tables" / "reports.parquet", path / "tables" / "samples.parquet"),
    "a table less": lambda path: edited_json(path / "meta.json", tables={"samples": 3}),
    "a table elsewhere": lambda path: edited_json(path / "meta.json", tables={"../../reports": 1, "samples": 3}),
    "another summary": lambda path: edited_json(path / "meta.json", summary={"ended_ns": 8}),
    "another digest": lambda path: edited_json(path / "meta.json", digest="0" * 64),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_result_is_bad_input(tmp_path, damage):
    storing.save_result(result(), tmp_path)
    damage(tmp_path)
    with pytest.raises(InputError, match=str(tmp_path)) as caught:
        storing.load_result(tmp_path)
    assert len(str(caught.value).splitlines()) <= 3


def test_there_must_be_a_result(tmp_path):
    with pytest.raises(InputError, match="no such result"):
        storing.load_runs(tmp_path / "none")
    with pytest.raises(InputError, match="no run"):
        storing.load_runs(tmp_path)


def test_a_directory_appears_only_when_its_block_ends_well(tmp_path):
    target = tmp_path / "deep" / "result"
    with storing.result_directory(target) as temporary:
        (temporary / "meta.json").write_text("{}")
        assert not target.exists()
    assert [path.name for path in target.iterdir()] == ["meta.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep"]
    assert target.stat().st_mode & 0o077 == tmp_path.joinpath("deep").stat().st_mode & 0o077


def test_nothing_stays_of_a_block_that_fails(tmp_path):
    def interrupted():
        with storing.result_directory(tmp_path / "result") as temporary:
            (temporary / "meta.json").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_a_result_is_replaced_only_by_force(tmp_path):
    target = tmp_path / "result"
    for text in ("old", "new"):
        with storing.result_directory(target, force=text == "new") as temporary:
            (temporary / "meta.json").write_text(text)
    assert (target / "meta.json").read_text() == "new"
    with pytest.raises(InputError, match="--force"), storing.result_directory(target):
        pass
    assert (target / "meta.json").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


def test_a_failed_replacement_keeps_the_old_result(tmp_path):
    target = tmp_path / "result"
    with storing.result_directory(target) as temporary:
        (temporary / "meta.json").write_text("old")
    with pytest.raises(ZeroDivisionError), storing.result_directory(target, force=True):
        raise ZeroDivisionError
    assert (target / "meta.json").read_text() == "old"


def test_strangers_files_are_never_replaced(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="not a result"), storing.result_directory(tmp_path, force=True):
        pass
    with pytest.raises(InputError, match="is a file"), storing.result_directory(tmp_path / "thesis.tex", force=True):
        pass
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_a_place_that_cannot_be_written_is_bad_input(tmp_path):
    (tmp_path / "file").write_text("")
    for target in (tmp_path / "file" / "result", tmp_path / "file" / "deep" / "result"):
        with pytest.raises(InputError, match="cannot write"), storing.result_directory(target):
            pass


def test_a_file_is_replaced_whole(tmp_path):
    target = tmp_path / "answer.json"
    target.write_text("old")

    def failing():
        with storing.replaced_file(target) as temporary:
            temporary.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    assert target.read_text() == "old"
    with storing.replaced_file(target) as temporary:
        assert temporary.suffix == ".json"
        temporary.write_text("new")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("answer.json", "new")]


def test_a_file_needs_a_directory_and_a_name(tmp_path):
    for target in (tmp_path, tmp_path / "none" / "file"):
        with pytest.raises(InputError, match="cannot write"), storing.replaced_file(target):
            pass


def test_a_link_stays_and_its_target_is_replaced(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    with storing.replaced_file(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_fifo_is_written_to(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    seen: list[str] = []
    reader = threading.Thread(target=lambda: seen.append(fifo.read_text()), daemon=True)
    reader.start()
    with storing.replaced_file(fifo) as temporary:
        temporary.write_text("text")
    reader.join(10)
    assert seen == ["text"]
    assert fifo.is_fifo()


def test_a_device_stays_a_device():
    with storing.replaced_file(Path("/dev/null")) as temporary:
        temporary.write_text("text")
    assert Path("/dev/null").is_char_device()
