"""The guest that uses no PMU feature: work, sleep, repeat."""

from dataclasses import dataclass

from workloads.guest_base import Guest
from workloads.program import GuestCpu, Steps
from workloads.steps import boot, endless_rounds, start_others


@dataclass(slots=True)
class Plain(Guest):
    """Boot, start the other vCPUs, then work and sleep for ever."""

    name: str = "none"

    def life(self, cpu: GuestCpu) -> Steps:
        """Yield what one vCPU does."""
        yield from boot(cpu, self.spec, len(self.workload.phases))
        yield from start_others(cpu)
        yield from endless_rounds(cpu, self.spec, self.workload)
