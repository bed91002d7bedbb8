"""Contenders for single mechanisms of the virtual PMU: register accesses, a load on another core, a crossing."""

from benchmarks.case import Case
from benchmarks.measure import Contender
from pmu.bank import CounterBank
from pmu.events import CPU_CYCLES
from pmu.host import Host
from pmu.kvm import Vm
from pmu.policies import parse
from pmu.vcpu import Vcpu
from scheduler.vmm import create
from simcore.loader import load_platform

PLATFORM = "rk3588"
POLICY = "fixed-counters-only@v8"


def counting_vcpu() -> tuple[Vcpu, tuple[int, int]]:
    """Return a vCPU whose cycle counter counts, and a pCPU of each of two host PMUs."""
    host = Host.from_platform(load_platform(PLATFORM))
    policy = parse(POLICY, host)
    kvm = Vm(host, policy.revision, CounterBank(1), {CPU_CYCLES: 0})
    first, last = (min(host_pmu.cpus) for host_pmu in (host.pmus[0], host.pmus[-1]))
    create(kvm, policy, [first], [0])
    vcpu = kvm.vcpus[0]
    vcpu.migrate(first)
    vcpu.set_level(1)
    for register, value in (("PMCNTENSET_EL0", 1 << 31), ("PMCR_EL0", 1)):
        vcpu.write(register, value)
    return vcpu, (first, last)


def register_read() -> Contender:
    """Return reads of the running cycle counter, as the guest's trapped access does them."""
    vcpu, _ = counting_vcpu()
    return Contender(lambda: vcpu.read("PMCCNTR_EL0"), 1)


def register_write() -> Contender:
    """Return writes of the running cycle counter, whose host event gets a new sample period each time."""
    vcpu, _ = counting_vcpu()
    return Contender(lambda: vcpu.write("PMCCNTR_EL0", 0), 1)


def loading() -> Contender:
    """Return moves to the next core of the same host PMU and back: put and load, and the counter stays."""
    vcpu, (first, _) = counting_vcpu()
    return between(vcpu, first, first + 1)


def crossing() -> Contender:
    """Return moves to a core of the other host PMU and back, the counter made anew each time."""
    vcpu, (first, last) = counting_vcpu()
    return between(vcpu, first, last)


def between(vcpu: Vcpu, here: int, there: int) -> Contender:
    """Return moves of a vCPU to another pCPU and back."""

    def call() -> None:
        vcpu.migrate(there)
        vcpu.migrate(here)

    return Contender(call, 2)


CASES = (
    Case("register", "mechanism", "reads/s", register_read),
    Case("write", "mechanism", "writes/s", register_write),
    Case("load", "mechanism", "loads/s", loading, {"crossing": crossing}),
    Case("crossing", "mechanism", "crossings/s", crossing),
)
