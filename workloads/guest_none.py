"""The guest that uses no PMU feature: work, sleep, repeat."""

from dataclasses import dataclass
from itertools import count

from simcore.scenario import GuestSpec
from workloads.catalog import Workload
from workloads.phase import Phase
from workloads.program import GuestCpu, Steps
from workloads.steps import boot, rounds, start_others

ROWS_AT_ONCE = 256


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
        number = max(1, ROWS_AT_ONCE // (self.spec.quanta_per_wake + 1))
        for first in count(0, number):
            yield rounds(cpu, self.spec, self.workload, first, number)

    def interrupt(self, cpu: GuestCpu) -> None:
        """Keep the PMU interrupt masked."""
