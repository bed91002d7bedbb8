"""A scene computed by hand: one LITTLE (1 GHz) and one big (2 GHz) core, two moves, every policy.

The vCPU is initialised on the LITTLE core (CPU 0), runs there until 10 ms, on the big core (CPU 1) until 15 ms, and
on the LITTLE core again until 20 ms. Costs are zero. True cycles: 10e6 + 10e6 + 5e6.
"""

import dataclasses

import numpy as np
import pytest

from simcore.scenario import AffinityChange
from tests.scenes import FREE, MS, Stage, count_and_spin, read_every, scene

MOVES = (AffinityChange(10 * MS, 0, 0, (1,)), AffinityChange(15 * MS, 0, 0, (0,)))
ON_LITTLE = {"init_placement": "small"}


def hand(policy, kernel="mainline", **changes):
    return scene(policy, kernel, vm=ON_LITTLE | changes.pop("vm", {}), affinity_changes=MOVES, **changes)


@pytest.fixture
def stage(monkeypatch):
    return Stage(monkeypatch)


def cycles(result):
    row = result.tables["ledger"]
    return {name: int(row[row["slot"] == 31][name][0]) for name in row.dtype.names[3:]}


EXPECTED = [
    ("default", "mainline", {"counted": 15_000_000, "off_pmu": 10_000_000}),
    ("default", "v6", {"counted": 15_000_000, "off_pmu": 10_000_000}),
    ("set-pmu-unpinned:pmu_little", "mainline", {"counted": 15_000_000}),
    ("set-pmu-unpinned:pmu_big", "mainline", {"counted": 10_000_000}),
    ("fixed-counters-only", "v6", {"counted": 25_000_000}),
    ("fixed-counters-only", "v8", {"counted": 25_000_000}),
    ("fixed-counters-only", "review", {"counted": 25_000_000}),
]


@pytest.mark.parametrize("policy, kernel, expected", EXPECTED)
def test_ledger_of_the_two_moves(stage, policy, kernel, expected):
    result = stage.run(hand(policy, kernel), count_and_spin)
    booked = {name: count for name, count in cycles(result).items() if count}
    assert booked == expected | {"events": sum(expected.values())}
    samples = result.tables["samples"]
    assert int(samples["pmccntr"][-1]) == expected["counted"]


def test_moves_and_stall_are_recorded_at_their_times(stage):
    result = stage.run(hand("default"), count_and_spin)
    moves = result.tables["migrations"]
    assert [tuple(row) for row in moves] == [(10 * MS, 0, 0, 1, 3, 1), (15 * MS, 0, 1, 0, 3, 1)]
    assert [tuple(row) for row in result.tables["stalls"]] == [(10 * MS, 15 * MS, 0, 0, 5 * MS)]


@pytest.mark.parametrize(
    "policy, kernel, reloads, creations",
    [
        ("default", "mainline", 0, 2),
        ("default", "v6", 1, 3),
        ("fixed-counters-only", "v6", 2, 4),
        ("fixed-counters-only", "v8", 2, 4),
    ],
)
def test_which_revision_reloads_whom(stage, policy, kernel, reloads, creations):
    """v6 makes an ordinary VM pay at the foreign core (kvm_vpmu T31); v8 reloads fixed VMs only.

    Two events are created before any move: by the writes of PMCCFILTR_EL0 and PMCCNTR_EL0.
    """
    result = stage.run(hand(policy, kernel), count_and_spin)
    row = result.tables["vpmus"][0]
    assert (int(row["reloads"]), int(row["event_creations"])) == (reloads, creations)


def test_fail_entries_are_the_lost_time_over_their_cost(stage):
    costs = dataclasses.replace(FREE, fail_entry=5_000)
    result = stage.run(hand("set-pmu-unpinned:pmu_little", costs=costs), count_and_spin)
    assert int(result.tables["vcpus"]["fail_entries"][0]) == 5 * MS // 5_000
    assert int(result.tables["vcpus"]["guest_ns"][0]) == 15 * MS


def test_a_reload_delays_the_entry_by_its_cost(stage):
    costs = dataclasses.replace(FREE, event_create=8_000, event_release=4_000)
    result = stage.run(hand("fixed-counters-only", "v8", costs=costs), count_and_spin)
    vcpu = result.tables["vcpus"][0]
    row = result.tables["vpmus"][0]
    overhead = 8_000 * int(row["event_creations"]) + 4_000 * int(row["event_releases"])
    assert int(vcpu["pmu_overhead_ns"]) == overhead > 2 * 12_000
    assert int(vcpu["guest_ns"]) == 20 * MS - overhead


def test_the_guest_reads_what_was_counted_so_far(stage):
    result = stage.run(hand("default"), read_every(1 * MS))
    values = result.tables["reads"]["value"].astype(np.int64)
    expected = [min(ms, 10) for ms in range(1, 16)] + [10 + ms for ms in range(1, 6)]
    assert values.tolist() == [1_000_000 * value for value in expected]
    result = stage.run(hand("fixed-counters-only", "v8"), read_every(1 * MS))
    values = result.tables["reads"]["value"].astype(np.int64)
    expected = [*range(1, 11), 12, 14, 16, 18, 20, 21, 22, 23, 24, 25]
    assert values.tolist() == [1_000_000 * value for value in expected]


def test_each_failed_attempt_under_v6_reloads_and_pays(stage):
    """kvm_vpmu 1.7 and 3.6: every KVM_RUN does vcpu_load and handles the reload before the CPU check fails it.

    5 ms off the PMU; an attempt is 6 us of KVM_RUN plus one release and one creation of 2 us each.
    """
    costs = dataclasses.replace(FREE, fail_entry=6_000, event_create=2_000, event_release=2_000)
    result = stage.run(hand("set-pmu-unpinned:pmu_little", "v6", costs=costs), count_and_spin)
    vcpu, vpmu = result.tables["vcpus"][0], result.tables["vpmus"][0]
    attempts = 5 * MS // 10_000
    assert int(vcpu["fail_entries"]) == attempts
    assert int(vpmu["reloads"]) == attempts
    boot = 2  # the writes of PMCCFILTR_EL0 and PMCCNTR_EL0, before the move
    assert int(vpmu["event_creations"]) == boot + attempts
    assert int(vcpu["pmu_overhead_ns"]) == 2_000 * (int(vpmu["event_creations"]) + int(vpmu["event_releases"]))
    mainline = stage.run(hand("set-pmu-unpinned:pmu_little", "mainline", costs=costs), count_and_spin)
    assert int(mainline.tables["vcpus"]["fail_entries"][0]) == -(-5 * MS // 6_000)
    assert int(mainline.tables["vpmus"]["reloads"][0]) == 0


def test_attempts_that_cost_nothing_are_one_a_stretch(stage):
    result = stage.run(hand("set-pmu-unpinned:pmu_little"), count_and_spin)
    assert int(result.tables["vcpus"]["fail_entries"][0]) == 1


def test_a_vmm_that_does_not_retry_ends_its_guest(stage):
    result = stage.run(hand("default", vm={"vmm": "kvmtool"}), count_and_spin)
    guest = result.tables["guests"][0]
    assert int(guest["died_ns"]) == 10 * MS
    assert "FAIL_ENTRY" in str(guest["outcome"])


def test_streams_go_on_whatever_the_counters_do(stage):
    """The table `events` has the true events: cycles of 10, 5 and 5 ms, and as many instructions as were retired."""
    for policy in ("default", "set-pmu-unpinned:pmu_little"):
        result = stage.run(hand(policy), count_and_spin)
        events = {int(row["event"]): int(row["total"]) for row in result.tables["events"]}
        assert events[0x11] == int(result.tables["vcpus"]["guest_cycles"][0])
        assert events[0x08] == int(result.tables["vcpus"]["instructions"][0]) > 0
