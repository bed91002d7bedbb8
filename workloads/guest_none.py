"""The guest that uses no PMU feature: work, sleep, repeat."""

from dataclasses import dataclass

from simcore.scenario import GuestSpec
from workloads.catalog import Workload
from workloads.phase import Phase
from workloads.program import GuestCpu, Steps
from workloads.steps import boot, endless_rounds, start_others


@dataclass(frozen=True, slots=True)
class Plain:
    """Boot, start the other vCPUs, then work and sleep for ever."""

    spec: GuestSpec
    workload: Workload
    name: str = "none"

    @property
    def phases(self) -> tuple[Phase, ...]:
        """List the workload's phases, then the kernel's."""
        return (*self.workload.phases, self.workload.kernel)

    def vcpu(self, cpu: GuestCpu) -> Steps:
        """Yield what one vCPU does."""
        yield from boot(cpu, self.spec, len(self.workload.phases))
        yield from start_others(cpu)
        yield from endless_rounds(cpu, self.spec, self.workload)

    def interrupt(self, cpu: GuestCpu) -> None:
        """Keep the PMU interrupt masked."""
