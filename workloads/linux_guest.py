"""Linux with the driver of its PMU, which has probed before the other CPUs start: what its users share."""

from abc import abstractmethod
from dataclasses import dataclass, field

from workloads.guest_base import Guest
from workloads.linux_pmu import CpuPmu, GuestPmu, probe
from workloads.program import GuestCpu, Steps
from workloads.steps import boot, start_others


@dataclass(slots=True)
class LinuxGuest(Guest):
    """Linux on every vCPU; `after_boot` of each kind yields what one vCPU does then.

    `pmu`: what the driver found, None where there is no PMU. `cpus`: the driver's state of each CPU that uses it.
    """

    pmu: GuestPmu | None = field(default=None, init=False)
    cpus: dict[int, CpuPmu] = field(default_factory=dict, init=False)

    def interrupt(self, cpu: GuestCpu) -> Steps | None:
        """Yield the driver's overflow handler."""
        return self.cpus[cpu.vcpu].interrupt() if cpu.vcpu in self.cpus else None

    def life(self, cpu: GuestCpu) -> Steps:
        """Boot, probe on the boot CPU, start the others."""
        yield from boot(cpu, self.spec, len(self.workload.phases))
        if cpu.vcpu == 0:
            self.pmu = yield from probe()
        yield from start_others(cpu)
        yield from self.after_boot(cpu)

    @abstractmethod
    def after_boot(self, cpu: GuestCpu) -> Steps:
        """Yield what one vCPU does once Linux is up."""
