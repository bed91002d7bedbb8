"""The Linux guest that boots: what the kernel does to the PMU until it says what it found, then work and sleep.

What is known of it and what is assumed stands in docs/guests.md.
"""

from dataclasses import dataclass, field

from simcore.scenario import GuestSpec
from simcore.units import NS_PER_S
from workloads.actions import Halt, Report, Wake
from workloads.findings import Finding
from workloads.guest_base import Guest
from workloads.linux_pmu import GuestPmu, probe, read_pmuver, reset
from workloads.program import GuestCpu, Steps
from workloads.steps import Part, boot, endless_rounds, timer, write

ABSENT, PRESENT = 0, 1


@dataclass(slots=True)
class LinuxBoot(Guest):
    """Linux with the armv8_pmuv3 driver and nobody who uses it.

    One object for one VM and run: what the driver found is the VM's memory, written by vCPU 0.
    """

    name: str = "linux-boot"
    found: GuestPmu | None = field(default=None, init=False)

    def interrupt(self, cpu: GuestCpu) -> None:
        """Keep the PMU interrupt masked: no event is on the PMU."""

    def life(self, cpu: GuestCpu) -> Steps:
        """Yield what one vCPU does."""
        yield from boot(cpu, self.spec, len(self.workload.phases))
        yield from _cpu_setup()
        yield from self._first(cpu) if cpu.vcpu == 0 else self._other()
        yield from endless_rounds(cpu, self.spec, self.workload)

    def _first(self, cpu: GuestCpu) -> Steps:
        """Bring the other CPUs up, then let the driver probe here and reset every CPU's PMU, one after another."""
        yield from _call_others(cpu)
        began = yield from timer()
        self.found = yield from probe()
        if self.found is not None:
            yield from reset(self.found)
        yield from _call_others(cpu)
        yield from self._log(((yield from timer()) - began) * NS_PER_S // cpu.cntfrq_hz)

    def _other(self) -> Steps:
        """Say that this CPU is up, be idle until the driver calls it, and say that its PMU is reset."""
        yield Wake(0)
        yield Halt()
        if self.found is not None:
            yield from reset(self.found)
        yield Wake(0)

    def _log(self, setup_ns: int) -> Steps:
        """Report what the boot log says, if there is a driver to say it."""
        yield Report("boot:driver", PRESENT if self.found else ABSENT)
        if self.found is not None:
            yield Report("boot:counters", self.found.counters + 1)
            yield Report("boot:events", self.found.events)
            yield Report("boot:setup_ns", setup_ns)


def _call_others(cpu: GuestCpu) -> Steps:
    """Start or call every other CPU, and wait for each to answer."""
    for other in range(1, cpu.vcpus):
        yield Wake(other)
        yield Halt()


def _cpu_setup() -> Part[None]:
    """Forbid EL0 the PMU as a CPU comes up, if there is one (`reset_pmuserenr_el0` in `__cpu_setup`)."""
    if (yield from read_pmuver()):
        yield from write("PMUSERENR_EL0", 0)


def linux_boot_findings(spec: GuestSpec) -> list[Finding]:
    """List what the boot log says."""
    return [
        Finding(
            name="driver",
            key="boot:driver",
            heading=("PMU", "driver"),
            meaning="whether the driver found a PMU",
            words={ABSENT: "absent", PRESENT: "present"},
        ),
        Finding(
            name="counters",
            key="boot:counters",
            heading=("counters", "available"),
            meaning="counters that the boot log tells, the cycle counter included; fewest over runs",
            runs="min",
        ),
        Finding(
            name="events",
            key="boot:events",
            heading=("common", "events"),
            meaning="common events that PMCEID0_EL0 and PMCEID1_EL0 show; fewest over runs",
            runs="min",
        ),
        Finding(
            name="setup_ns",
            key="boot:setup_ns",
            heading=("probe", "and reset"),
            meaning="time from the driver's probe until every CPU's PMU is reset; median over runs",
            runs="median",
            unit="ns",
        ),
    ]
