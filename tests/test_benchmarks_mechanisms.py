"""The contenders of the mechanism band do what their names say."""

import numpy as np

from benchmarks import crossing, recorded, report, scheduling, suite
from benchmarks.measure import Effort
from simcore.loader import load_platform


def test_a_crossing_makes_the_cycle_counter_anew():
    vcpu, (first, last) = crossing.counting_vcpu()
    creations, releases = vcpu.work.creations, vcpu.work.releases
    vcpu.migrate(last)
    vcpu.migrate(first)
    assert (vcpu.work.creations, vcpu.work.releases) == (creations + 2, releases + 2)


def test_a_move_within_a_host_pmu_does_not():
    vcpu, (first, _) = crossing.counting_vcpu()
    creations = vcpu.work.creations
    vcpu.migrate(first + 1)
    assert vcpu.work.creations == creations


def test_register_read_reads_the_cycle_counter():
    vcpu, _ = crossing.counting_vcpu()
    values = [vcpu.read("PMCCNTR_EL0")]
    vcpu.vm.bank.add(0, 31, 1000)
    values.append(vcpu.read("PMCCNTR_EL0"))
    assert np.diff(np.array(values, np.uint64)).tolist() == [1000]
    assert crossing.register_read().work == 1


def test_a_write_gives_the_counter_its_value():
    contender = crossing.register_write()
    contender.call()
    assert contender.work == 1


def test_a_load_within_a_host_pmu_keeps_the_host_event():
    vcpu, (first, _) = crossing.counting_vcpu()
    before = (vcpu.work.creations, vcpu.work.releases)
    contender = crossing.between(vcpu, first, first + 1)
    contender.call()
    assert (vcpu.work.creations, vcpu.work.releases) == before
    assert contender.work == 2


def test_threads_are_placed_as_often_as_it_says():
    """The heaviest thread fits no little core, and placing one changes nothing for the next."""
    contender = scheduling.placements()
    platform = load_platform("rk3588")
    chosen = contender.call()
    assert len(chosen) == contender.work == len(platform.cpus)
    assert platform.capacities()[chosen[-1]] == 1024
    assert chosen == contender.call()


def test_a_thread_that_always_runs_gets_a_utilisation_of_nearly_all():
    contender = scheduling.updates()
    assert 900 < contender.call() <= 1024
    assert contender.work == scheduling.CALLS


def test_conformance_replays_every_sequence_without_a_mismatch():
    contender = recorded.conformance()
    found = contender.call()
    assert len(found) == contender.work > 300
    assert not any(found)


def test_the_replay_counts_the_seconds_of_the_trace():
    assert 0.5 < recorded.schedule().work < 60


def test_recordings_that_are_not_shipped_are_skipped_with_the_reason(monkeypatch, tmp_path):
    monkeypatch.setattr(recorded, "DATA", tmp_path)
    row = suite.measured(recorded.CASES[0], Effort(rounds=1, run_s=0.0))
    assert row["median"] is None
    assert row["skipped"] == {"": "kvm_uapi.json.gz is in a checkout of hetpmu only"}
    assert "skipped: kvm_uapi.json.gz is in a checkout" in "\n".join(report.case_lines(row))
