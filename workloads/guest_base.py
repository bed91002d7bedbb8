"""What guest programs share: the phases of their workload, a masked interrupt, death of what is UNDEFINED."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from simcore.scenario import GuestSpec
from workloads.catalog import Workload
from workloads.phase import Phase
from workloads.program import GuestCpu, Steps
from workloads.steps import survive


@dataclass(slots=True)
class Guest(ABC):
    """A guest with its workload; `life` of each kind yields what one vCPU does.

    One object for one VM and run: what it keeps is that VM's memory.
    """

    spec: GuestSpec
    workload: Workload
    name: str = ""

    @property
    def phases(self) -> tuple[Phase, ...]:
        """List the workload's phases, then the kernel's."""
        return (*self.workload.phases, self.workload.kernel)

    def vcpu(self, cpu: GuestCpu) -> Steps:
        """Yield what one vCPU does; an access that is UNDEFINED ends the guest."""
        return survive(self.life(cpu))

    def interrupt(self, cpu: GuestCpu) -> Steps | None:
        """Keep the PMU interrupt masked."""
        return None

    @abstractmethod
    def life(self, cpu: GuestCpu) -> Steps:
        """Yield what one vCPU does from its power-on."""
