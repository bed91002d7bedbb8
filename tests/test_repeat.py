"""Law 6 over what a user can vary: ticks, workers, versions of Python and numpy, the clock on the wall.

tests/data/digests.json has the digests that every version and machine must give; after a change that is meant to move
results, `python -m tests.test_repeat` writes it anew.
"""

import ast
import dataclasses
import json
import re
import threading
import time
from pathlib import Path

import pytest

import simcore
from simcore.result import Result
from simcore.scenario import BackgroundTask, CgroupSpec, GuestSpec, LiveMigration, OppChange, Scenario, VmSpec
from tests.sources import calls_in

ROOT = Path(__file__).resolve().parents[1]
RECORDED = ROOT / "tests" / "data" / "digests.json"
NOW = {"time.time", "time.time_ns", "time.localtime", "datetime.now", "datetime.utcnow", "date.today"}

WINDOWS = VmSpec(vcpus=2, guest=GuestSpec(boot_ns=10_000_000), shadows=("fixed-counters-only@v8",))
RECORDER = VmSpec(vcpus=2, guest=GuestSpec(name="linux-perf-record", workload="dhrystone", boot_ns=5_000_000))
STEALER = BackgroundTask(burst_ns=3_000_000, sleep_ns=2_000_000)
SCENARIOS = {
    "a Windows guest that crosses, with a shadow": Scenario(
        seconds_ns=60_000_000, vms=(WINDOWS,), scheduler="random:500", sample_ns=5_000_000
    ),
    "two VMs with a quota on a busy host, with a trace": Scenario(
        platform="rk3399",
        seconds_ns=50_000_000,
        vms=(dataclasses.replace(RECORDER, cgroup=CgroupSpec(quota_ns=10_000_000, period_ns=20_000_000)), WINDOWS),
        background=(STEALER,) * 6,
        opp_changes=(OppChange(20_000_000, 0, 408_000),),
        trace=True,
        seed=7,
    ),
    "a live migration to fixed counters": Scenario(
        seconds_ns=60_000_000,
        vms=(WINDOWS,),
        live_migrations=(LiveMigration(30_000_000, "fixed-counters-only", kernel="v8", downtime_ns=5_000_000),),
    ),
}


def digests() -> dict[str, str]:
    """Return the digest of each scenario."""
    return {name: simcore.run(scenario).digest() for name, scenario in SCENARIOS.items()}


@pytest.fixture(scope="module")
def results() -> dict[str, Result]:
    return {name: simcore.run(scenario) for name, scenario in SCENARIOS.items()}


def test_the_scenarios_show_what_they_are_for(results):
    first, second, third = (result.tables for result in results.values())
    assert first["migrations"]["crossing"].any()
    assert len(first["samples"]) > 0
    assert len(second["switches"]) > 50
    assert len(second["perf_samples"]) > 10
    assert second["cgroups"]["nr_throttled"].any()
    assert len(third["live_migrations"]) == 1


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_version_of_python_and_numpy_gives_the_recorded_digest(results, name):
    assert results[name].digest() == json.loads(RECORDED.read_text())[name]


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_tick_gives_the_same_digest(results, name):
    ticked = dataclasses.replace(SCENARIOS[name], tick_ns=777_777)
    assert simcore.run(ticked).digest() == results[name].digest()


def test_sampling_changes_the_samples_only(results):
    name = next(iter(SCENARIOS))
    finer = simcore.run(dataclasses.replace(SCENARIOS[name], sample_ns=1_000_000))
    skip = frozenset({"samples"})
    assert finer.digest(skip) == results[name].digest(skip)
    assert finer.digest() != results[name].digest()


def test_any_number_of_workers_gives_the_same_figures():
    base = Scenario(seconds_ns=20_000_000, vms=(VmSpec(vcpus=1, guest=GuestSpec(boot_ns=5_000_000)),))
    policies = ("default", "fixed-counters-only")
    one, two = (simcore.compare(base, policies=policies, seeds=(1, 2), workers=workers) for workers in (1, 2))
    assert one.as_json() == two.as_json()


def test_a_digest_is_one_of_values(results):
    name = next(iter(SCENARIOS))
    tables = dict(results[name].tables)
    guests = tables["guests"]
    wider = [(field, "U200" if field == "outcome" else guests.dtype[field]) for field in guests.dtype.names]
    same = dataclasses.replace(results[name], tables=tables | {"guests": guests.astype(wider)})
    assert same.digest() == results[name].digest()
    more = tables | {"switches": guests[:0], "later": guests[:0]}
    assert dataclasses.replace(same, tables=more).digest() == results[name].digest()
    swapped = tables["cpus"].astype(tables["cpus"].dtype.newbyteorder(">"))
    assert dataclasses.replace(same, tables=tables | {"cpus": swapped}).digest() == results[name].digest()
    for column, value in (("died_ns", 1), ("outcome", "other"), ("pmceid0", 0)):
        other = guests.copy()
        other[column] = value
        assert dataclasses.replace(same, tables=tables | {"guests": other}).digest() != results[name].digest()


def test_a_clock_that_jumps_is_not_noticed(results, monkeypatch):
    name = next(iter(SCENARIOS))
    jumps = iter(range(10**9, 0, -(10**6)))
    for clock in ("time", "time_ns"):
        monkeypatch.setattr(time, clock, lambda: next(jumps))
    result = simcore.run(SCENARIOS[name])
    assert result.digest() == results[name].digest()
    assert min(result.timings.values()) >= 0


def test_nothing_asks_for_the_time_of_day():
    packages = ("simcore", "pmu", "scheduler", "workloads")
    for path in (path for package in packages for path in (ROOT / package).rglob("*.py")):
        text = path.read_text()
        if re.search(r"\b(time|datetime)\b", text):
            assert not {call for call in calls_in(ast.parse(text)) for name in NOW if call.endswith(name)}, path


def test_two_threads_may_run_at_once(results):
    names = list(SCENARIOS)[:2]
    found: dict[str, str] = {}
    threads = [
        threading.Thread(target=lambda name=name: found.update({name: simcore.run(SCENARIOS[name]).digest()}))
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {name: results[name].digest() for name in names}


if __name__ == "__main__":
    RECORDED.write_text(json.dumps(digests(), indent=2) + "\n")
