"""The contenders of the mechanism band do what their names say."""

import numpy as np

from benchmarks import crossing


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
