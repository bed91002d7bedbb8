"""`hetpmu export perfetto` as a user types it: which run, which file, what is missing, what is refused."""

import dataclasses
import gzip
import json

import pytest

from benchmarks import exporting
from simcore.app.cli import exit_code
from simcore.app.export_runs import first_run
from simcore.app.exporting_perfetto import trace_of
from simcore.app.running import run as simulate
from simcore.app.storing import save_result
from simcore.app.trace_replay import replay
from simcore.scenario import GuestSpec, Scenario, VmSpec
from tests.perfetto_reader import read
from tests.perfetto_scene import MS, SCENARIO
from tests.report_dirs import made


@pytest.fixture(scope="module")
def result():
    """Return a run."""
    return simulate(SCENARIO)


@pytest.fixture(scope="module")
def data(result):
    """Return the bytes of its trace."""
    return b"".join(trace_of(result, result.digest()))


@pytest.fixture
def kept(result, tmp_path):
    """Return the directory of the run."""
    (tmp_path / "kept").mkdir()
    save_result(result, tmp_path / "kept")
    return tmp_path / "kept"


def test_the_command_writes_a_file_and_compresses_it_by_its_name(kept, data, tmp_path, capsys):
    assert exit_code(["export", "perfetto", str(kept), "-o", str(tmp_path / "t.pftrace")]) == 0
    assert capsys.readouterr() == (f"written: kept in {tmp_path}/t.pftrace\n", "")
    assert (tmp_path / "t.pftrace").read_bytes() == data
    assert exit_code(["export", "perfetto", str(kept), "-o", str(tmp_path / "t.gz")]) == 0
    compressed = (tmp_path / "t.gz").read_bytes()
    assert gzip.decompress(compressed) == data
    assert compressed[3:8] == bytes(5)  # neither a name nor a time


def test_a_file_that_exists_is_replaced_with_force_only(kept, tmp_path, capsys):
    (tmp_path / "t").write_text("mine")
    command = ["export", "perfetto", str(kept), "-o", str(tmp_path / "t")]
    assert exit_code(command) == 2
    assert "will not overwrite a file" in capsys.readouterr().err
    assert (tmp_path / "t").read_text() == "mine"
    assert exit_code([*command, "--force"]) == 0
    assert read((tmp_path / "t").read_bytes()).slices


def test_a_run_without_a_trace_gives_what_it_has_and_says_what_is_missing(result, tmp_path, capsys):
    names = ("switches", "wakings", "moves", "entries", "frequencies", "pmu_work")
    tables = {**result.tables, **{name: result.tables[name][:0] for name in names}}
    plain = dataclasses.replace(SCENARIO, trace=False)
    (tmp_path / "kept").mkdir()
    save_result(dataclasses.replace(result, tables=tables, scenario=plain), tmp_path / "kept")
    assert exit_code(["export", "perfetto", str(tmp_path / "kept"), "-o", str(tmp_path / "t")]) == 0
    assert capsys.readouterr().err == "not recorded: the host (--set trace=true)\n"
    trace = read((tmp_path / "t").read_bytes())
    assert not trace.ftrace
    rows = result.tables["segments"]
    executed = int((rows["end_ns"] - rows["start_ns"]).sum())
    for slices in (
        [row for row in trace.slices if row.name == "guest"],
        [r for r in trace.slices if "on pCPU" in r.track],
    ):
        assert sum(row.end_ns - row.start_ns for row in slices) == executed


def test_a_run_that_kept_nothing_is_a_trace_still(tmp_path, capsys):
    result = simulate(Scenario(vms=(VmSpec(GuestSpec("none"), vcpus=1),), seconds_ns=MS, sample_ns=0, background=()))
    (tmp_path / "kept").mkdir()
    save_result(result, tmp_path / "kept")
    assert exit_code(["export", "perfetto", str(tmp_path / "kept"), "-o", str(tmp_path / "t")]) == 0
    missing = "not recorded: the host (--set trace=true); phases (--set schedule=true); counters (--sample 1ms)\n"
    assert capsys.readouterr().err == missing
    assert [row.name for row in read((tmp_path / "t").read_bytes()).slices] == ["hetpmu run"]


def test_a_replay_that_kept_a_trace_is_exported_a_policy_a_file(data, tmp_path):
    (tmp_path / "run.pftrace").write_bytes(data)
    policies = ("default", "fixed-counters-only")
    seen = replay(str(tmp_path / "run.pftrace"), "CPU [0-9]+/KVM-1", "rk3588", policies=policies, history=True)
    for found in seen.results:
        trace = read(b"".join(trace_of(found, found.digest())))
        assert len(trace.of("sched_switch")) == len(found.tables["switches"])
        assert len(trace.on("vCPUs on pCPUs/pCPU 5 Arm Cortex-A76")) > 2
        work = [row for row in trace.instants if row.track.endswith("/Host events")]
        assert sum(row.notes.get("reloads", 0) for row in work) == found.tables["vpmus"]["reloads"].sum()
        assert len(work) == len(found.tables["pmu_work"]) > 2


def test_the_benchmark_exports_what_it_has_kept():
    contender = exporting.exported(dataclasses.replace(exporting.EXPORTED, seconds_ns=2 * MS))
    contender.call()
    assert contender.work == 0.002


def test_of_a_comparison_one_run_is_written_by_name(result, tmp_path, capsys):
    for name, scenario in (
        ("00-default@mainline", dataclasses.replace(SCENARIO, trace=False)),
        ("01-other@v8", SCENARIO),
    ):
        (tmp_path / "demo" / "runs" / name).mkdir(parents=True)
        save_result(dataclasses.replace(result, scenario=scenario), tmp_path / "demo" / "runs" / name)
    (tmp_path / "demo" / "compare.json").write_text(json.dumps({"policies": []}))
    assert first_run(tmp_path / "demo", None).name == "runs/01-other@v8"
    command = ["export", "perfetto", str(tmp_path / "demo"), "-o", str(tmp_path / "t"), "--run"]
    assert exit_code([*command, "00-default@mainline"]) == 0
    assert "written: runs/00-default@mainline in" in capsys.readouterr().out
    assert exit_code([*command, "nope", "--force"]) == 2
    assert "valid: 00-default@mainline, 01-other@v8" in capsys.readouterr().err


def test_without_the_extra_the_command_says_what_to_install(kept, tmp_path, capsys, monkeypatch):
    from simcore.app import perfetto_protos

    for name in ("perfetto", "perfetto.protos", "perfetto.protos.perfetto", "perfetto.protos.perfetto.trace"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    perfetto_protos.messages.cache_clear()
    assert exit_code(["export", "perfetto", str(kept), "-o", str(tmp_path / "t")]) == 2
    assert "valid: pip install 'hetpmu[trace]'" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept"]


def test_a_replay_says_which_of_its_own_options_record_more(tmp_path, capsys):
    assert exit_code(["export", "perfetto", str(made("replay")), "-o", str(tmp_path / "t")]) == 0
    assert capsys.readouterr().err == "not recorded: the host (--trace); phases (--schedule)\n"
