"""Hosts and VMs for tests of the virtual PMU: the platforms of the case tables, and a driver of one VM."""

import errno
from typing import Any

from pmu.bank import CounterBank
from pmu.host import Host, HostPmu
from pmu.kernel import CATEGORIES, COUNTED, CYCLE_SLOT
from pmu.kvm import Vm
from pmu.register import Fault
from pmu.revisions import Revision, ideal
from pmu.vcpu import Entry, Vcpu
from pmu.versions import KERNELS

STREAMS = {0x11: 0, 0x08: 1, 0x03: 2, 0x21: 3}
CYCLES = 0x11


def pmu(name: str, type_id: int, cpus: range, counters: int, **more: Any) -> HostPmu:
    return HostPmu(name, type_id, frozenset(cpus), counters, **{"pmceid0": 0x7FFF0F3F, "pmceid1": 0xF2AE7F, **more})


A = pmu("a", 8, range(4), 6)
B = pmu("b", 9, range(4, 8), 4)
WIDE = pmu("a", 8, range(8), 6)


def host(kind: str, pmuver: int = 4, el0_aarch32: bool = True) -> Host:
    pmus = {"HET": (A, B), "HOM": (WIDE,), "GAP": (A,)}[kind]
    return Host(8, pmus, pmuver, el0_aarch32)


def error_name(result: int) -> str | int:
    return f"-{errno.errorcode[-result]}" if result < 0 else result


class Machine:
    """One VM, its vCPUs initialised on pCPU 0, and short words for what tests do with it."""

    def __init__(
        self,
        where: Host | str = "HET",
        kernel: str | Revision = "mainline",
        vcpus: int = 1,
        init: int | None = 0,
        feature: bool = True,
        quirks: bool = True,
        icntr: bool = False,
        strict: bool = False,
        **more: Any,
    ) -> None:
        self.bank = CounterBank(vcpus, icntr)
        self.strict = strict
        revision = kernel if isinstance(kernel, Revision) else KERNELS[kernel]
        revision = revision if quirks else ideal(revision)
        there = host(where) if isinstance(where, str) else where
        self.vm = Vm(there, revision, self.bank, STREAMS, icntr=icntr, **more)
        self.vcpus = [self.vm.create_vcpu(row) for row in range(vcpus)]
        self.inits = [self.init(v, init, feature) for v in range(vcpus)] if init is not None else []

    def init(self, v: int = 0, cpu: int = 0, feature: bool = True) -> str | int:
        return error_name(self.vm.vcpu_init(self.vcpus[v], cpu, feature, self.strict))

    def set(self, name: str | int, value: Any = None, v: int = 0) -> str | int:
        return error_name(self.vm.set_attr(self.vcpus[v], 0, name, value))

    def get(self, name: str | int, v: int = 0) -> str | int:
        error, value = self.vm.get_attr(self.vcpus[v], name)
        return error_name(error) if error else value

    def has(self, name: str | int, v: int = 0) -> str | int:
        return error_name(self.vm.has_attr(self.vcpus[v], name))

    def gic(self) -> str | int:
        return error_name(self.vm.gic_init())

    def prep(self, v: int = 0) -> "Machine":
        """Initialise the vGIC, set the interrupt, create the PMU; each must succeed."""
        if self.vm.gic:
            assert (self.gic(), self.set("IRQ", 23, v)) == (0, 0)
        assert self.set("INIT", None, v) == 0
        return self

    def run(self, cpu: int = 0, cycles: int = 0, v: int = 0, level: int = 1) -> str | int:
        """KVM_RUN on a pCPU with so many guest cycles, then back to user space."""
        ended = self.vm.run(self.vcpus[v], cpu)
        if not isinstance(ended, Entry):
            return error_name(ended)
        if ended is Entry.GUEST:
            self.execute({CYCLES: cycles}, v, level)
            self.vcpus[v].leave()
        return ended.value

    def enter(self, cpu: int = 0, v: int = 0) -> Vcpu:
        """Bring a prepared vCPU into the guest and leave it there."""
        assert self.vm.run(self.vcpus[v], cpu) is Entry.GUEST
        return self.vcpus[v]

    def cycles_on(self, v: int = 0) -> None:
        """Let the guest start its cycle counter from 0."""
        for name, value in (("PMCCFILTR", 0), ("PMCCNTR", 0), ("PMCR", 1), ("PMCNTENSET", 1 << 31)):
            assert self.write(name, value, v) is None

    def read(self, name: str, v: int = 0, level: int = 1) -> int | Fault:
        return self.vcpus[v].read(full_name(name), level)

    def write(self, name: str, value: int, v: int = 0, level: int = 1) -> Fault | None:
        return self.vcpus[v].write(full_name(name), value, level)

    def get_reg(self, name: str, v: int = 0) -> str | int:
        return error_name(self.vm.get_reg(self.vcpus[v], full_name(name)))

    def set_reg(self, name: str, value: int, v: int = 0) -> str | int:
        return error_name(self.vm.set_reg(self.vcpus[v], full_name(name), value))

    def quiet(self, v: int = 0) -> None:
        """Let the guest clear what a reset leaves behind: enables, interrupts, overflows."""
        for name in ("PMCNTENCLR", "PMINTENCLR", "PMOVSCLR"):
            assert self.write(name, 0xFFFFFFFF, v) is None

    def execute(self, events: dict[int, int], v: int = 0, level: int = 1) -> int:
        """Let the guest cause events at an exception level; return how often a sample period ended."""
        vcpu = self.vcpus[v]
        vcpu.set_level(level)
        by_stream = {STREAMS[event]: count for event, count in events.items()}
        fired = sum(self._advance(vcpu, v, slot, by_stream) for slot in range(self.bank.slots))
        if fired:
            vcpu.resume()
        return fired

    def _advance(self, vcpu: Vcpu, row: int, slot: int, by_stream: dict[int, int]) -> int:
        events = by_stream.get(int(self.bank.stream[row, slot]), 0)
        fired = 0
        while events:
            left = int(self.bank.left[row, slot]) if self.bank.category[row, slot] == COUNTED else 0
            step = min(events, left) if left else events
            events -= step
            if self.bank.add(row, slot, step):
                vcpu.overflow(slot)
                fired += 1
        return fired

    def ledger(self, slot: int = CYCLE_SLOT, v: int = 0) -> tuple[int, ...]:
        return tuple(int(self.bank.ledger[v, slot, category]) for category in range(CATEGORIES))

    def category(self, slot: int = CYCLE_SLOT, v: int = 0) -> int:
        return int(self.bank.category[v, slot])


def full_name(name: str) -> str:
    """Return a register's name from its short form (PMCR, PMINTENSET)."""
    if "_EL" in name:
        return name
    return f"{name}_EL1" if name.startswith(("PMINTEN", "PMMIR")) else f"{name}_EL0"
