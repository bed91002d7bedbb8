"""Scenario files: every key, the defaults, changed keys, and every malformed file with file and key in three lines."""

from dataclasses import fields
from pathlib import Path

import pytest

from simcore.costs import Costs
from simcore.errors import InputError
from simcore.loader import load_platform, load_scenario, validate_file
from simcore.scenario import (
    AffinityChange,
    BackgroundTask,
    CgroupSpec,
    CpusetChange,
    GuestSpec,
    OppChange,
    PinSpec,
    Scenario,
    ThreadSpec,
    VmmThreadsSpec,
    VmSpec,
)
from simcore.schema_scenario import (
    BackgroundTable,
    CgroupTable,
    CostsTable,
    GuestTable,
    PinTable,
    ScenarioFile,
    ThreadTable,
    VmmThreadsTable,
    VmTable,
)

DATA = Path(__file__).parent / "data"
FULL = DATA / "scenario.toml"
MALFORMED = sorted((DATA / "malformed").glob("scenario_*.toml"))


def test_every_key_arrives():
    guest = GuestSpec(
        "linux-perf-stat", "429.mcf", 1_000_000, 2_000_000, 1000, 2, 1_000_000, (0x08,), perf_groups=((0x11, 0x10),)
    )
    sched = ThreadSpec(policy="batch", nice=3, slice_ns=1_000_000, uclamp_min=100, uclamp_max=900)
    cgroup = CgroupSpec(50, 20_000_000, 40_000_000, (0, 3))
    threads = VmmThreadsSpec(main=True, io=2, io_burst_ns=30_000)
    pin = PinSpec(vcpu=((0,), (3,)), emulator=(0, 3), io=((0, 3),))
    shadows = ("fixed-counters-only",)
    first = VmSpec(
        guest, 2, "set-pmu:tiny_pmu", "v8", "qemu", "user", (0, 3), "uniform", 0, shadows, sched, cgroup, threads, pin
    )
    assert load_scenario(str(FULL)) == Scenario(
        platform=str(DATA / "platforms" / "stranger.toml"),
        vms=(first, VmSpec(policy=None)),
        seconds_ns=200_000_000,
        seed=7,
        scheduler="random:50",
        hz=1000,
        tick_ns=1000,
        sample_ns=5_000_000,
        quirks=False,
        icntr=True,
        background=(
            BackgroundTask(3_000_000, 5_000_000, (2,), nice=-5),
            BackgroundTask(policy="rr", priority=7, slice_ns=20_000_000),
        ),
        opp_changes=(OppChange(50_000_000, 0, 500_000),),
        affinity_changes=(AffinityChange(60_000_000, 0, 1, (1,)),),
        cpuset_changes=(CpusetChange(70_000_000, 0, (3,)),),
        causes=frozenset({"wakeup", "affinity"}),
        costs=Costs(trap=2_000, wfi=1_000, user_exit=7_000),
        busy_counters=(("tiny_pmu", 1),),
        switches=True,
    )


def test_the_platform_of_a_scenario_is_found_from_its_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert load_platform(load_scenario(str(FULL)).platform).id == "stranger"


@pytest.mark.parametrize(
    ("table", "spec"),
    [
        (ScenarioFile, Scenario),
        (VmTable, VmSpec),
        (GuestTable, GuestSpec),
        (ThreadTable, ThreadSpec),
        (CgroupTable, CgroupSpec),
        (VmmThreadsTable, VmmThreadsSpec),
        (PinTable, PinSpec),
        (BackgroundTable, BackgroundTask),
        (CostsTable, Costs),
    ],
)
def test_the_format_has_every_field_and_no_other(table, spec):
    assert set(table.model_fields) - {"format"} == {field.name.removesuffix("_ns") for field in fields(spec)}


def test_a_file_without_keys_is_the_default_scenario(tmp_path):
    path = tmp_path / "least.toml"
    path.write_text('format = "hetpmu-scenario/1"\n')
    assert load_scenario(str(path)) == Scenario()
    assert load_scenario(str(path), {"vms.0.vcpus": "2"}) == Scenario(vms=(VmSpec(vcpus=2),))


def test_changed_keys():
    changes = {
        "seed": "8",
        "tick": "2us",
        "platform": "rk3588",
        "vms.1.guest.window": "3ms",
        "vms.2.policy": "default@v6",
        "costs.migration": "1us",
        "causes": '["misfit"]',
        "background.0.nice": "0",
        "vms.0.cpus": "[1]",
    }
    scenario = load_scenario(str(FULL), changes)
    assert (scenario.seed, scenario.tick_ns, scenario.platform) == (8, 2000, "rk3588")
    assert scenario.vms[1].guest.window_ns == 3_000_000
    assert scenario.vms[2].policy == "default@v6"
    assert scenario.costs == Costs(trap=2_000, wfi=1_000, user_exit=7_000, migration=1_000)
    assert scenario.causes == {"misfit"}
    assert scenario.background[0].nice == 0
    assert scenario.vms[0].cpus == (1,)


@pytest.mark.parametrize(
    ("key", "value", "fragment"),
    [
        ("vms.9.vcpus", "1", "--set vms.9.vcpus: '9' is no index here"),
        ("vms.x.vcpus", "1", "'x' is no index here"),
        ("seed.low", "1", "there is nothing below 'low'"),
        ("seeds", "1", "unknown key"),
        ("seed", "many", "a whole number"),
        ("seconds", "0", "a time above zero"),
    ],
)
def test_impossible_changes_are_refused(key, value, fragment):
    with pytest.raises(InputError) as caught:
        load_scenario(str(FULL), {key: value})
    assert fragment in str(caught.value)


@pytest.mark.parametrize("path", MALFORMED, ids=lambda path: path.stem.removeprefix("scenario_"))
def test_a_malformed_scenario_is_refused_with_file_and_key(path):
    first = path.read_text().splitlines()[0]
    with pytest.raises(InputError) as caught:
        load_scenario(str(path))
    message = str(caught.value)
    assert message.startswith(str(path))
    assert len(message.splitlines()) <= 3
    for fragment in first.removeprefix("# expect: ").split(" | "):
        assert fragment in message


def test_any_input_file_is_known_by_its_format(tmp_path):
    assert validate_file(str(FULL)) == "scenario"
    assert validate_file(str(DATA / "platforms" / "stranger.toml")) == "soc"
    path = tmp_path / "core.toml"
    path.write_text('format = "hetpmu-core/1"\nid = "mine"\n')
    assert validate_file(str(path)) == "core"
    path.write_text('id = "mine"\n')
    with pytest.raises(InputError, match=r"core\.toml: format: the format is missing or unknown"):
        validate_file(str(path))
