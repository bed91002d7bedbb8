"""The guest that uses no PMU feature: work, sleep, repeat."""

from dataclasses import dataclass
from itertools import count

from simcore.scenario import GuestSpec
from workloads.catalog import Workload
from workloads.phase import Phase
from workloads.program import GuestCpu, Steps
from workloads.steps import boot, pause, quantum, start_others


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
        for wake in count():
            for turn in range(self.spec.quanta_per_wake):
                yield quantum(cpu, self.spec, self.workload, wake * self.spec.quanta_per_wake + turn)
            yield from pause(cpu, self.spec, wake)

    def interrupt(self, cpu: GuestCpu) -> None:
        """Keep the PMU interrupt masked."""
