"""Results keep copies of the files that their scenario names: what reads a result needs nothing outside of it."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from simcore.app.cli import exit_code
from simcore.app.running import run as run_scenario
from simcore.app.storing import about_digest, load_result, load_runs, save_result
from simcore.errors import InputError

SCENARIO = """\
format = "hetpmu-scenario/1"
seconds = "20ms"
trace = true
schedule = true
sample = "5ms"
[rtapp]
file = "app.json"
[[vms]]
vcpus = 1
guest = { boot = "5ms", workload = "loads/mine.toml" }
vmm_threads = { main = true }
[[vms]]
vcpus = 2
guest = { name = "rt-app:guest/app.json", workload = "mine.toml" }
"""
WORKLOAD = """\
format = "hetpmu-workload/1"
name = "mine"
title = "TITLE"
burst_cv = 0.5
[[rates]]
core = "cortex-a55"
core_cpi = 1.5
stall_ns_per_inst = 0.1
stall_source = "assumed"
events = { "0x0008" = 1000.0 }
[[rates]]
core = "cortex-a76"
core_cpi = 0.5
stall_ns_per_inst = 0.0
stall_source = "assumed"
events = { "0x0008" = 1000.0, "0x0010" = 3.0 }
"""


def app(*names, instances=1):
    """Return the text of an rt-app file with a thread of each name, the last of which never ends a phase."""
    tasks = {name: {"loop": -1, "run": 400, "timer": {"ref": "tick", "period": 2000}} for name in names[:-1]}
    tasks[names[-1]] = {"loop": -1, "run": 900_000, "instance": instances}
    return json.dumps({"tasks": tasks, "global": {"duration": 1}})


FILES = {
    "scenario.toml": SCENARIO,
    "app.json": app("player", "endless", instances=3),
    "guest/app.json": app("inside", "whole"),
    "loads/mine.toml": WORKLOAD.replace("TITLE", "one"),
    "mine.toml": WORKLOAD.replace("TITLE", "other").replace("1.5", "1.0"),
}
NAMED = [name for name in FILES if name != "scenario.toml"]


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Return a folder with the files and a result `run` of their scenario."""
    folder = tmp_path_factory.mktemp("kept")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    assert exit_code(["run", str(folder / "scenario.toml"), "--out", str(folder / "run")]) == 0
    return folder


@pytest.fixture
def place(kept, tmp_path, monkeypatch):
    """Return a copy of that folder; the scenario in the result names the files by their paths in the first one."""
    shutil.copytree(kept, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


COMMANDS = {
    "ftrace": ["export", "ftrace", "run", "-o"],
    "perfetto": ["export", "perfetto", "run", "-o"],
    "report": ["report", "run", "-o"],
}


def written(command, name):
    """Return the digest of what a command writes."""
    assert exit_code([*COMMANDS[command], name]) == 0
    return hashlib.sha256(Path(name).read_bytes()).hexdigest()


@pytest.fixture
def originals(kept):
    """Return the folder of the files, which are put there again at the end."""
    yield kept
    for name in NAMED:
        (kept / name).write_text(FILES[name])


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("fate", ["deleted", "edited"])
def test_exports_are_the_same_bytes_whatever_becomes_of_the_files(place, originals, command, fate):
    before = written(command, "before")
    for name in NAMED:
        if fate == "deleted":
            (originals / name).unlink()
        else:
            (originals / name).write_text(app("new") if name.endswith("json") else WORKLOAD.replace("0.5", "0.25"))
    assert written(command, "after") == before


@pytest.mark.parametrize("command", COMMANDS)
def test_exports_are_the_same_bytes_wherever_the_directory_lies(place, monkeypatch, command):
    before = written(command, "before")
    there = place / "far:away" / "12:30"
    shutil.copytree("run", there / "run")
    monkeypatch.chdir(place / "far:away")
    monkeypatch.setitem(COMMANDS, command, [word.replace("run", "12:30/run") for word in COMMANDS[command]])
    assert written(command, "after") == before


def test_a_result_runs_again_wherever_it_goes(place, originals):
    for name in NAMED:
        (originals / name).unlink()
    shutil.move("run", "moved")
    found = load_result(place / "moved")
    assert run_scenario(found.scenario).digest() == found.digest()
    files = {"app.json", "2-app.json", "mine.toml", "2-mine.toml"}
    assert {path.name for path in (place / "moved" / "files").iterdir()} == files
    assert load_result(place / "moved").scenario.vms[1].guest.name == f"rt-app:{place}/moved/files/app.json"


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.write_text("")])
def test_a_copy_that_is_gone_or_edited_is_a_damaged_result(place, spoil):
    spoil(place / "run" / "files" / "mine.toml")
    with pytest.raises(InputError, match="damaged result directory"):
        load_result(place / "run")


def test_a_copy_lies_in_the_result(place):
    meta = json.loads((place / "run" / "meta.json").read_text())
    next(iter(meta["files"].values()))["copy"] = "../app.json"
    meta["about_digest"] = about_digest(meta)
    (place / "run" / "meta.json").write_text(json.dumps(meta))
    with pytest.raises(InputError, match="leads out of the directory"):
        load_result(place / "run")


def test_a_result_that_was_read_keeps_its_files_again(place, originals):
    (place / "again").mkdir()
    save_result(load_result(place / "run"), place / "again")
    shutil.rmtree("run")
    found = load_runs(place / "again")[0]
    assert run_scenario(found.scenario).digest() == found.digest()


def bare(place):
    """Make the result one whose files were gone when it was written."""
    meta = json.loads((place / "run" / "meta.json").read_text())
    meta["files"] = {}
    meta["about_digest"] = about_digest(meta)
    (place / "run" / "meta.json").write_text(json.dumps(meta))
    shutil.rmtree(place / "run" / "files")


def test_a_result_without_copies_reads_the_files_that_are_still_there(place):
    before = written("ftrace", "before")
    bare(place)
    assert written("ftrace", "after") == before
    assert written("report", "page")


@pytest.mark.parametrize("command", ["ftrace", "perfetto"])
@pytest.mark.parametrize(
    "text, why",
    [
        (None, "No such file"),
        (app("other", "endless"), "it has no thread 0 'player', as this run did"),
        (app("player", "endless"), "this run had 11 threads, and with it there are 10"),
        ("{", "double quotes"),
    ],
)
def test_a_result_without_copies_and_files_is_one_message(place, originals, capsys, command, text, why):
    bare(place)
    if text is None:
        (originals / "app.json").unlink()
    else:
        (originals / "app.json").write_text(text)
    assert exit_code([*COMMANDS[command], "after"]) == 2
    found = capsys.readouterr().err
    assert "the rt-app file of this run is not there" in found
    assert why in found
    assert "run its scenario again" in found
