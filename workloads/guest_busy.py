"""The guest of a replay: it works whenever it runs, never sleeps by itself, and counts cycles and events.

It takes no answer to heart: an access that is UNDEFINED, and a counter that stands still, change nothing.
"""

from dataclasses import dataclass
from itertools import count

from workloads.actions import ReadReg, WriteReg
from workloads.guest_base import Guest
from workloads.phase import INST_RETIRED
from workloads.program import GuestCpu, Steps
from workloads.steps import ALL_COUNTERS, PMCR_E, PMCR_LC, quantum
from workloads.steps import CYCLE_COUNTER as CYCLE_INDEX


@dataclass(slots=True)
class Busy(Guest):
    """Enable the cycle counter and a counter for each event, then work a quantum and read PMCCNTR_EL0, for ever."""

    name: str = "busy"

    def life(self, cpu: GuestCpu) -> Steps:
        """Yield what one vCPU does."""
        yield from self._enable_counters()
        for index in count():
            yield ReadReg("PMCCNTR_EL0")
            yield quantum(cpu, self.spec, self.workload, index)

    def _enable_counters(self) -> Steps:
        """Disable whatever the unknown reset values enable, then let the counters from 0 on count the events."""
        events = (INST_RETIRED, *self.spec.perf_events)
        for register in ("PMCNTENCLR_EL0", "PMINTENCLR_EL1", "PMOVSCLR_EL0"):
            yield WriteReg(register, ALL_COUNTERS)
        yield WriteReg("PMCCFILTR_EL0", 0)
        for counter, event in enumerate(events):
            yield WriteReg(f"PMEVTYPER{counter}_EL0", event)
        yield WriteReg("PMCNTENSET_EL0", 1 << CYCLE_INDEX | (1 << len(events)) - 1)
        yield WriteReg("PMCR_EL0", PMCR_E | PMCR_LC)
