"""The contenders of the whole band ask what they say they ask. No test looks at the clock."""

import sys
from functools import partial

import pytest

from benchmarks import decisions, engine, peer_simso, report, scenes, socs, suite
from benchmarks.case import Case
from benchmarks.measure import Contender, Effort, Unavailable, timed
from scheduler import kernel_state as ks
from simcore.app.running import Machine
from simcore.loader import load_platform

MS = 1_000_000


def ran(scenario):
    """Return the machine of a scenario, run, and the decisions of a second."""
    simulation, count = engine.counted(scenario)
    return simulation.machine, count * 1_000_000_000 / scenario.seconds_ns


def test_interactive_vcpus_wake_up_a_thousand_times_a_second():
    machine, rate = ran(scenes.interactive(seconds_ns=50 * MS))
    assert len(machine.host.vcpus) == 8
    assert 8_000 < rate < 40_000  # a wakeup takes two or three decisions


def test_the_large_machine_has_384_cpus_in_the_clusters_of_rk3588():
    platform, source = load_platform(socs.repeated(48)), load_platform("rk3588")
    assert len(platform.cpus) == 384
    assert platform.capacities() == source.capacities() * 48
    assert len(platform.perf_domains) == 48 * len(source.perf_domains)
    assert [len(pmu.cpus) for pmu in platform.pmus] == [48 * len(pmu.cpus) for pmu in source.pmus]
    assert sum(vm.vcpus for vm in scenes.crowd(384).vms) == 768


def test_every_scene_has_a_policy_and_the_trace_on():
    for scenario in (scenes.interactive(), scenes.crowd(384), scenes.ticking(8), scenes.periodic(8, 4)):
        assert scenario.switches
        assert {vm.policy for vm in scenario.vms} == {"fixed-counters-only"}


def test_a_periodic_set_loads_the_cpus_by_seventy_percent():
    for tasks, cpus in ((8, 4), (32, 8)):
        rows = scenes.periodic_set(tasks, cpus)
        assert len(rows) == tasks
        assert sum(work / period for period, work in rows) == pytest.approx(0.7 * cpus)


def test_our_threads_do_the_work_of_the_set():
    scenario = scenes.periodic(8, 4, 200 * MS)
    machine, _ = ran(scenario)
    cycles = sum(int(row[ks.CYCLES]) for row in machine.host.state.vcpu)
    assert cycles / (socs.KHZ / 1e6) / scenario.seconds_ns == pytest.approx(0.7 * 4, rel=0.1)


def test_a_contender_is_built_anew_for_each_run_outside_the_clock():
    turns: list[str] = []
    contender = Contender(lambda: turns.append("run"), 1, lambda: turns.append("build"))
    timed(contender, 2)
    assert turns == ["build", "run"] * 2


def test_a_machine_runs_once():
    simulation = engine.Simulation(scenes.interactive(seconds_ns=MS))
    with pytest.raises(TypeError):
        simulation.run()
    simulation.build()
    assert isinstance(simulation.machine, Machine)


def test_bare_simpy_handles_as_many_timeouts_as_it_says():
    contender = engine.bare_simpy(8, timeouts=100)
    timed(contender, 1)
    assert contender.work == 100


def test_without_simso_the_reason_is_told(monkeypatch):
    monkeypatch.setenv(peer_simso.VARIABLE, sys.executable)
    with pytest.raises(Unavailable, match="no SimSo in HETPMU_SIMSO_PYTHON="):
        peer_simso.peer(4, [(4.0, 1.0)], MS)


def test_without_python_311_no_environment_is_made(monkeypatch, tmp_path):
    monkeypatch.delenv(peer_simso.VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(peer_simso, "PYTHON", "python-that-is-not-there")
    with pytest.raises(Unavailable, match="is not installed"):
        peer_simso.interpreter()
    assert list(tmp_path.iterdir()) == []


def test_the_same_runs_in_another_unit_have_figures_and_ratios():
    case = Case(
        "case",
        "whole",
        "decisions/s",
        lambda: Contender(lambda: sum(range(500)), 100, also={"simulated s/s": 2.0}),
        {"peer": lambda: Contender(lambda: sum(range(500)), 10, also={"simulated s/s": 1.0}), "bare": bare},
        {"peer": 3, "simulated s/s": 7},
    )
    found = suite.measured(case, Effort(rounds=3, run_s=0.0001))
    also = found["also"]["simulated s/s"]
    assert also["median"] == pytest.approx(found["median"] / 50)
    assert also["ratios"] == {"peer": pytest.approx(found["ratios"]["peer"] / 5)}
    assert found["targets"] == {"peer": 3, "simulated s/s": 7}
    lines = report.case_lines(found)
    assert any("x peer [" in line and "(wanted at least 3: " in line for line in lines)
    assert any("simulated s/s" in line and "(wanted at least 7: " in line for line in lines)


def bare():
    return Contender(lambda: sum(range(500)), 1)


def test_costs_are_measured_at_each_number(monkeypatch):
    monkeypatch.setattr(decisions, "CPUS", (8,))
    monkeypatch.setattr(decisions, "TASKS", (8, 16))
    monkeypatch.setattr(scenes, "crowd", lambda cpus: scenes.interactive(5 * MS))
    monkeypatch.setattr(scenes, "threads", partial(scenes.threads, seconds_ns=20 * MS))
    found = decisions.measure(quick=True)
    assert [point["number"] for point in found["tasks"]] == [8, 16]
    assert all(0 < point["low"] <= point["us"] <= point["high"] for points in found.values() for point in points)
