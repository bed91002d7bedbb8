"""`perf stat` in a two-core scene under every policy, computed by hand.

One vCPU, initialised on the LITTLE core (1 GHz, 6 counters), is on the big one (2 GHz, 4 counters) from 51 to 76 ms.
Costs are zero. perf counts from the end of the boot, 1 ms, and reports at the end of the first quantum after 101 ms.
"""

import dataclasses

import pytest

from simcore.app.aggregating import run_answer
from simcore.app.running import run
from simcore.scenario import AffinityChange, GuestSpec
from tests.scenes import MS, guest_scene

GUEST = GuestSpec("linux-perf-stat", "dhrystone", boot_ns=MS, quantum_instructions=100_000, sleep_ns=0, perf_events=())
MOVES = (AffinityChange(51 * MS, 0, 0, (1,)), AffinityChange(76 * MS, 0, 0, (0,)))
AWAY = 25 * MS
LITTLE_CPI, BIG_CPI = 1.0464, 0.354


def found(policy, kernel="mainline", guest=GUEST, moves=MOVES, **changes):
    """Return the findings and the time of the report."""
    result = run(guest_scene(guest, policy, kernel, affinity_changes=moves, seconds_ns=103 * MS, **changes))
    reports = result.tables["reports"]
    return run_answer(result)["policies"][0]["guest_findings"], int(reports["t_ns"][-1])


def on_little(at_ns):
    return at_ns - 1 * MS - AWAY


@pytest.mark.parametrize("policy", ["default", "set-pmu-unpinned:pmu_little"])
def test_cycles_stand_still_off_the_pmu(policy):
    """Under set-pmu-unpinned the vCPU does not run there either, so nothing is missing from what it executed."""
    figures, at = found(policy)
    assert figures["cycles"] == on_little(at)
    assert figures["instructions"] == pytest.approx(on_little(at) / LITTLE_CPI, rel=1e-3)
    away = 2 * AWAY / BIG_CPI if policy == "default" else 0
    share = figures["instructions"] / (figures["instructions"] + away)
    assert figures["instructions/executed"] == pytest.approx(share, rel=1e-2)
    assert figures["cycles running"] == figures["instructions running"] == 1


def test_a_pmu_that_is_chosen_and_pinned_to_counts_all():
    figures, at = found("set-pmu:pmu_little", moves=(), vm={"init_placement": "uniform"})
    assert figures["cycles"] == at - 1 * MS
    assert figures["instructions/executed"] == pytest.approx(1, abs=1e-5)


def test_pinned_to_the_other_cluster_counts_nothing():
    """The PMU of the LITTLE core backs it, but it is pinned to the big one: 0 and not `<not counted>`."""
    figures, _ = found("default-pinned:pmu_big", moves=())
    assert (figures["cycles"], figures["instructions"], figures["instructions/executed"]) == (0, 0, 0)
    assert figures["cycles running"] == 1


@pytest.mark.parametrize("policy, kernel", [("fixed-counters-only", "v8"), (None, "mainline")])
def test_without_event_bits_nothing_is_supported(policy, kernel):
    """Cycles neither: the driver asks PMCEID0_EL0, which is 0, although PMCCNTR_EL0 works."""
    result = run(guest_scene(GUEST, policy, kernel, affinity_changes=MOVES, seconds_ns=2 * MS))
    figures = run_answer(result)["policies"][0]["guest_findings"]
    assert figures["cycles"] == figures["instructions"] == "<not supported>"
    assert figures["cycles running"] is None


def test_groups_that_take_turns_are_scaled():
    """Two groups of four on six counters, cycles in the first: a turn is 4 ms, half of the time each.

    Instructions are counted in one group; scaled, they are right to a turn in a hundred where the vCPU stays.
    """
    events = ((0x11, 0x08, 0x10, 0x24, 0x00), (0x1001, 0x1002, 0x1003, 0x1004))
    guest = dataclasses.replace(GUEST, perf_groups=events)
    figures, at = found("set-pmu:pmu_little", guest=guest, moves=(), vm={"init_placement": "uniform"})
    assert figures["instructions running"] == pytest.approx(figures["cycles running"])
    assert figures["instructions running"] + figures["r1001 running"] == pytest.approx(1)
    assert figures["instructions running"] == pytest.approx(0.5, abs=0.03)
    assert figures["cycles"] == pytest.approx(at - 1 * MS, abs=2)
    assert figures["instructions/executed"] == pytest.approx(1, abs=1e-4)
    away, _ = found("default", guest=guest)
    assert away["instructions/executed"] < 0.5


def test_the_periods_of_a_long_run_fold():
    """2^31 - 1 cycles last 2.1 s at 1 GHz: an overflow interrupt in between changes no count."""
    guest = dataclasses.replace(GUEST, quantum_instructions=50_000_000)
    result = run(guest_scene(guest, "default", seconds_ns=2_400 * MS))
    figures = run_answer(result)["policies"][0]["guest_findings"]
    at = int(result.tables["reports"]["t_ns"][-1])
    assert len(result.tables["interrupts"]) >= 1
    assert figures["cycles"] == at - 1 * MS > 1 << 31
