"""The comparison on real, short runs: common seeds, workers that change nothing, interruptions, ranges."""

import dataclasses
import os
import signal

import pytest

from simcore.app.aggregating import run_answer
from simcore.app.comparing import compare, picture_runs, picture_seed, placed, without_pmu
from simcore.app.interrupting import Interruption
from simcore.app.lanes import stalled_most
from simcore.app.metrics import RunMetrics
from simcore.app.pairing import Pair
from simcore.app.running import run
from simcore.app.sensitivity import sensitivity, variants
from simcore.scenario import GuestSpec, Scenario, VmSpec
from tests.app_samples import figures

SHORT = Scenario(seconds_ns=60_000_000, vms=(VmSpec(guest=GuestSpec(boot_ns=20_000_000)),))
TWO = ("default", "fixed-counters-only")


@pytest.fixture(scope="module")
def found():
    return compare(SHORT, policies=TWO, seeds=(1, 2, 3), workers=1)


def test_a_row_for_each_pair(found):
    assert [(row["policy"], row["kernel"], row["runs"]) for row in found.rows] == [
        ("default", "mainline", 3),
        ("fixed-counters-only", "v8", 3),
    ]
    assert (found.finished, found.planned, found.interrupted) == (9, 9, False)


def test_the_json_has_the_specified_head(found):
    answer = found.as_json()
    assert {key: value for key, value in answer.items() if key != "policies"} == {
        "schema": "hetpmu-compare/1",
        "platform": "rk3588",
        "guest": "windows",
        "workload": "429.mcf",
        "vmm": "qemu",
        "vcpus": 4,
        "seconds": 0.06,
        "seeds": [1, 2, 3],
    }


def test_the_number_of_workers_changes_nothing(found):
    again = compare(SHORT, policies=TWO, seeds=(1, 2, 3), workers=2)
    assert again.as_json() == found.as_json()


def test_seeds_are_common_and_other_policies_change_nothing(found):
    alone = compare(SHORT, policies=TWO[:1], seeds=(1, 2, 3), workers=1)
    assert alone.rows[0] == found.rows[0]


def test_the_ledger_covers_every_cycle(found):
    for row in found.rows:
        assert sum(row["ledger"].values()) > 0
        assert row["lost_cycles"] <= sum(row["ledger"].values())


def test_fixed_counters_only_loses_nothing(found):
    fixed = found.rows[1]
    assert (fixed["lost_cycles"], fixed["stalled_fraction"], fixed["zero_deltas"], fixed["crashes"]) == (0, 0, 0, 0)


def test_an_interruption_keeps_the_finished_runs():
    def interrupt_at_four(done, planned):
        if done == 4:
            os.kill(os.getpid(), signal.SIGINT)

    with Interruption() as stop:
        part = compare(SHORT, policies=TWO, seeds=(1, 2, 3), workers=1, progress=interrupt_at_four, stop=stop)
    assert (part.finished, part.planned, part.interrupted) == (4, 9, True)
    assert [row["runs"] for row in part.rows] == [1, 1]
    assert part.as_json()["interrupted"] == {"finished": 4, "planned": 9}


def test_the_picture_shows_the_runs_that_were_compared(found):
    results = [result for _, result in picture_runs(found, 1, None)]
    assert [result.summary["policies"] for result in results] == [[["default@mainline"]], [["fixed-counters-only@v8"]]]
    seed = found.picture_seed
    plain = run(placed(SHORT, found.pairs[0], seed))
    skip = frozenset({"samples"})
    assert results[0].digest(skip) == plain.digest(skip)
    assert len(results[0].tables["samples"]) > len(plain.tables["samples"])


def test_the_baseline_does_the_same_work_without_a_pmu():
    base = Scenario(vms=(VmSpec(cpus=(1,), shadows=("default",)), VmSpec()))
    first, second = placed(base, None, 7).vms
    assert (first.policy, first.cpus, first.shadows, first.guest.name) == (None, None, (), "none")
    assert second == VmSpec()
    assert placed(base, Pair("default", "v6"), 7).vms[0] == dataclasses.replace(base.vms[0], kernel="v6")
    guest = GuestSpec(window_ns=5, boot_ns=7)
    assert without_pmu(guest).boot_ns == 12
    assert without_pmu(dataclasses.replace(guest, name="none")).boot_ns == 7


def test_every_assumption_is_varied_both_ways():
    cases = variants(Scenario())
    names = [case.parameter for case in cases]
    assert names.count("cost event_create") == 2
    assert {case.scenario.costs.event_create for case in cases} == {2_000, 8_000, 32_000}
    assert {case.scenario.idle.sleep_power for case in cases} == {2, 10, 40}
    assert {case.scenario.vms[0].guest.window_ns for case in cases} == {2_500_000, 10_000_000, 40_000_000}
    places = {case.scenario.vms[0].init_placement for case in cases}
    assert places == {"uniform", "cluster0", "cluster1", "cluster2"}
    assert cases[0].scenario == Scenario()


def test_sensitivity_gives_a_range_for_each_pair_and_parameter(monkeypatch):
    monkeypatch.setattr("simcore.app.sensitivity.COST_NAMES", ("event_create",))
    monkeypatch.setattr("simcore.app.sensitivity.IDLE_POWERS", ("wfi_power",))
    pinned = ("default-pinned:armv8_cortex_a55", "set-pmu:armv8_cortex_a76")
    plain = compare(SHORT, policies=pinned, seeds=(1, 2), workers=1)
    found = sensitivity(plain, 1, None, None)
    assert found.sensitivity is not None
    assert found.rows == plain.rows
    spans = {row["parameter"]: row for row in found.sensitivity["rows"] if row["policy"] == pinned[0]}
    wanted = ["nothing", "calibration window", "boot before it", "wake rate", "core of VCPU_INIT", "cost event_create"]
    assert list(spans) == [*wanted, "idle wfi_power"]
    assert spans["core of VCPU_INIT"]["crash_probability"] == {"low": 0.0, "high": 1.0}
    assert spans["idle wfi_power"]["energy_j"]["low"] < spans["nothing"]["energy_j"]["low"]
    for row in spans.values():
        for figure in ("crash_probability", "stalled_fraction", "throughput", "energy_j"):
            assert row[figure]["low"] <= spans["nothing"][figure]["low"]
            assert row[figure]["high"] >= spans["nothing"][figure]["high"]


def test_a_single_run_is_answered_in_the_same_form(found):
    result = run(placed(SHORT, Pair("fixed-counters-only", "v8"), 1))
    answer = run_answer(result)
    assert answer["schema"] == "hetpmu-run/1"
    assert set(answer["policies"][0]) == {"vm", *found.rows[0]}
    assert answer["policies"][0]["kernel"] == "v8"
    steal_ns = int(result.tables["vcpus"]["steal_ns"].sum())
    assert answer["guests"] == [{"vm": 0, "outcome": "alive", "died_ns": None, "steal_ns": steal_ns}]


def test_the_picture_shows_the_worst_life_under_default():
    pairs = (Pair("fixed-counters-only", "v8"), Pair("default", "mainline"))

    def picked(*stalls):
        found: dict[int, RunMetrics] = {}
        for row, (stalled_ns, crashed) in enumerate(stalls):
            found |= {3 * row + 1: figures(stalled_ns=99), 3 * row + 2: figures(stalled_ns=stalled_ns, crashed=crashed)}
        return picture_seed(found, pairs, (7, 8, 9))

    assert picked((0, False), (5, False), (6, False)) == 9
    assert picked((50, True), (5, False), (0, False)) == 8
    assert picked((50, True), (0, False), (60, True)) == 9
    assert picked((0, False), (0, False), (0, False)) == 7


def test_the_picture_shows_the_vcpu_that_stalls_most():
    result = run(placed(SHORT, Pair("default", "mainline"), 1))
    result.tables["vpmus"]["stalled_ns"] = [1, 5, 9, 9]
    assert stalled_most(result) == 2


def test_each_vm_of_a_run_has_its_own_figures():
    """Two VMs on one host: the moves, cycles and reloads of one are not those of the other."""
    first = dataclasses.replace(SHORT.vms[0], policy="default", kernel="mainline", vcpus=2)
    second = dataclasses.replace(first, policy="fixed-counters-only", kernel="v8", vcpus=6)
    result = run(dataclasses.replace(SHORT, vms=(first, second), scheduler="random:500"))
    rows = run_answer(result)["policies"]
    assert [row["policy"] for row in rows] == ["default", "fixed-counters-only"]
    assert rows[0]["reloads"] == 0 < rows[1]["reloads"]
    assert sum(row["migrations"] for row in rows) == len(result.tables["migrations"])
    assert sum(sum(row["ledger"].values()) for row in rows) == int(result.tables["vcpus"]["guest_cycles"].sum())
