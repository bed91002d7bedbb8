"""The contenders of the mechanism and whole bands do what their names say."""

import numpy as np

from benchmarks import crossing, engine
from simcore.result import Result


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


def test_the_engine_decides_often_and_for_all_pcpus():
    contender = engine.ours(seconds_ns=20_000_000)
    assert contender.work > 300
    result = contender.call()
    assert isinstance(result, Result)
    assert len(result.tables["vcpus"]) == engine.PCPUS


def test_bare_simpy_handles_as_many_timeouts_as_it_says():
    contender = engine.bare_simpy(timeouts=100)
    contender.call()
    assert contender.work == 100
