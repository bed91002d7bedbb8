"""The guest that does anything to its PMU: random writes and reads, work at both exception levels, sleep, wakeups.

What it does depends on the scenario's seed and the vCPU only, never on what it reads, so that two runs can be compared.
"""

from collections.abc import Callable
from dataclasses import dataclass

from simcore.scenario import GuestSpec
from tests.test_laws import COUNTER_VALUES, boot, handler
from workloads import guests
from workloads.actions import (
    Halt,
    ReadReg,
    ReadSteal,
    Report,
    Run,
    RunUntil,
    Sleep,
    SpinUntil,
    Wake,
    WriteReg,
)
from workloads.catalog import Workload
from workloads.guest_base import Guest
from workloads.program import GuestCpu, Steps
from workloads.steps import timer

DRAWN, DRAWN_MASKED = "drawn", "drawn-masked"
ALL = 0xFFFFFFFF
WRITES: tuple[tuple[str, tuple[int, ...]], ...] = (
    ("PMCCNTR_EL0", COUNTER_VALUES),
    ("PMEVCNTR0_EL0", COUNTER_VALUES),
    ("PMEVCNTR1_EL0", COUNTER_VALUES),
    ("PMCNTENSET_EL0", (1, 2, 0xC, 1 << 31, 0x8000000F, ALL)),
    ("PMCNTENCLR_EL0", (1, 4, 1 << 31)),
    ("PMCR_EL0", (0x41, 0x01, 0x41, 0x40, 0x43, 0x45, 0xC1)),
    ("PMCCFILTR_EL0", (0, 0, 1 << 31, 1 << 30)),
    ("PMEVTYPER0_EL0", (0x08, 0x11, 0x10, 0x24, 0x23, 1 << 31 | 0x08)),
    ("PMEVTYPER1_EL0", (0x1E, 0x11, 0x00)),
    ("PMEVTYPER2_EL0", (0x08, 0x11, 0x1B)),
    ("PMSWINC_EL0", (3,)),
    ("PMSELR_EL0", (0, 1, 31)),
    ("PMXEVCNTR_EL0", COUNTER_VALUES),
    ("PMINTENSET_EL1", (1, 1 << 31, ALL)),
    ("PMOVSCLR_EL0", (ALL,)),
    ("PMOVSSET_EL0", (1 << 31, 1)),
    ("PMICNTR_EL0", COUNTER_VALUES),
    ("PMICFILTR_EL0", (0, 1 << 31)),
)
READS = ("PMCCNTR_EL0", "PMCCNTR_EL0", "PMCCNTR_EL0", "PMEVCNTR0_EL0", "PMCR_EL0", "PMICNTR_EL0", "PMOVSSET_EL0")


@dataclass(slots=True)
class Drawn(Guest):
    """Every vCPU arms its counters or not, and then does one drawn thing after another."""

    name: str = DRAWN
    handles: bool = True

    def interrupt(self, cpu: GuestCpu) -> Steps | None:
        """Acknowledge every overflow, or keep the interrupt masked."""
        return handler(cpu) if self.handles else None

    def life(self, cpu: GuestCpu) -> Steps:
        """Yield what one vCPU does; others may wake it before it starts."""
        now = yield from timer()
        yield SpinUntil(1, now + cpu.ticks(self.spec.boot_ns))
        if cpu.below(100, "armed", 0) < 80:
            yield from boot()
        number = 0
        while True:
            number += 1
            yield from STEPS[cpu.below(len(STEPS), "step", number)](self, cpu, number)
            yield Run(number % len(self.phases), 1 + cpu.below(100_000, "least", number))


def _work(guest: Drawn, cpu: GuestCpu, number: int) -> Steps:
    most = 2 * guest.spec.quantum_instructions
    yield Run(cpu.below(len(guest.phases), "phase", number), 1 + cpu.below(most, "work", number))


def _work_until(guest: Drawn, cpu: GuestCpu, number: int) -> Steps:
    now = yield from timer()
    ticks = cpu.ticks(1 + cpu.below(1_000_000, "until", number))
    yield RunUntil(0, 1 + cpu.below(guest.spec.quantum_instructions, "work", number), now + ticks)


def _spin(guest: Drawn, cpu: GuestCpu, number: int) -> Steps:
    now = yield from timer()
    yield SpinUntil(cpu.below(2, "level", number), now + cpu.ticks(cpu.below(500_000, "spin", number)))


def _sleep(guest: Drawn, cpu: GuestCpu, number: int) -> Steps:
    yield Sleep(1 + cpu.below(max(1, guest.spec.sleep_ns), "sleep", number), io=number % 3 == 0)


def _halt(guest: Drawn, cpu: GuestCpu, number: int) -> Steps:
    """Wake the next vCPU and, where there is one that may wake it, wait for a wakeup half of the time."""
    yield Wake((cpu.vcpu + 1) % cpu.vcpus)
    if cpu.vcpus > 1 and cpu.below(2, "halt", number):
        yield Halt()


def _write(guest: Drawn, cpu: GuestCpu, number: int) -> Steps:
    register, values = WRITES[cpu.below(len(WRITES), "register", number)]
    yield WriteReg(register, values[cpu.below(len(values), "value", number)])


def _read(guest: Drawn, cpu: GuestCpu, number: int) -> Steps:
    yield ReadReg(READS[cpu.below(len(READS), "read", number)])


def _look(guest: Drawn, cpu: GuestCpu, number: int) -> Steps:
    yield ReadSteal()
    yield Report("step", number)


Step = Callable[[Drawn, GuestCpu, int], Steps]
STEPS: tuple[Step, ...] = (_work, _work, _work_until, _spin, _sleep, _halt, _write, _write, _write, _read, _read, _look)


def install() -> None:
    """Let scenarios name the drawn guests."""
    guests.GUESTS.update(DRAWN_GUESTS)


DRAWN_GUESTS: dict[str, Callable[[GuestSpec, Workload], Drawn]] = {
    DRAWN: Drawn,
    DRAWN_MASKED: lambda spec, work: Drawn(spec, work, DRAWN_MASKED, handles=False),
}
__all__ = ["DRAWN", "DRAWN_GUESTS", "DRAWN_MASKED", "install"]
