"""VMMs that choose a PMU by themselves: what they ask of KVM and of sysfs, and what they choose.

Each function yields the calls that it makes and returns the choice.
"""

from typing import Final

from pmu.attributes import FIXED_COUNTERS_ONLY, SET_PMU
from pmu.bank import CounterBank
from pmu.host import HostPmu
from pmu.kvm import Vm
from scheduler.vmm_call import MAIN, SET, VCPU_INIT, Choosing, Made, Situation, Wish, ask

NO_PMU: Final = Wish(has_pmu=False)


def pmu_of_this_cpu(at: Situation) -> Choosing:
    """Choose the PMU whose sysfs ``cpus`` has the pCPU of the main thread (kvmtool, arm64/pmu.c, find_pmu)."""
    answer = ask(at.kvm, at.kvm.vcpus[0], at.cpu, SET_PMU)
    yield answer
    found = at.kvm.host.first_pmu(at.cpu)
    if answer.result < 0 or found is None:
        return Wish(has_pmu=True)
    return Wish(True, ((SET_PMU, found.type_id),))


def backend(at: Situation) -> Choosing:
    """Choose a PMU backend as the QEMU patch "target/arm/kvm: Choose PMU backend" (RFC v2) does.

    What the user named; else a PMU that covers every pCPU, the first by device path (assumed to be the order of
    names); else FIXED_COUNTERS_ONLY if the PMUs together do; else none. Which PMUs KVM takes is tried by SET_PMU on a
    scratch VM.
    """
    host = at.kvm.host
    scratch = Vm(host, at.kvm.revision, CounterBank(1), {}, gic=False)
    vcpu = scratch.create_vcpu(0)
    result = scratch.vcpu_init(vcpu, at.cpu)
    yield Made(MAIN, at.cpu, 0, VCPU_INIT, value=1, result=result, scratch=True, fatal=False)
    if result < 0:
        return NO_PMU
    answer = ask(scratch, vcpu, at.cpu, SET_PMU, scratch=True)
    yield answer
    taken: list[HostPmu] = []
    for host_pmu in host.pmus if answer.result == 0 else ():
        result = scratch.set_attr(vcpu, at.cpu, SET_PMU, host_pmu.type_id)
        yield Made(MAIN, at.cpu, 0, SET, SET_PMU, host_pmu.type_id, result, scratch=True, fatal=False)
        if result == 0:
            taken.append(host_pmu)
    if at.policy.attributes:
        return Wish(True, at.policy.attributes)
    whole = [host_pmu for host_pmu in taken if len(host_pmu.cpus) == host.ncpus]
    if whole:
        return Wish(True, ((SET_PMU, min(whole, key=lambda host_pmu: host_pmu.name).type_id),))
    if len(frozenset().union(*(host_pmu.cpus for host_pmu in taken))) < host.ncpus:
        return NO_PMU
    answer = ask(scratch, vcpu, at.cpu, FIXED_COUNTERS_ONLY, scratch=True)
    yield answer
    return Wish(True, ((FIXED_COUNTERS_ONLY, None),)) if answer.result == 0 else NO_PMU
