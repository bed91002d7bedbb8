"""The guest that never sleeps: it works, and its own timer interrupts that at a fixed rate."""

from dataclasses import dataclass
from itertools import count

import numpy as np

from workloads.actions import RUN, SPIN, Script
from workloads.guest_base import Guest
from workloads.program import GuestCpu, Steps
from workloads.steps import boot, start_others, timer

TICKS_AT_ONCE = 64


@dataclass(slots=True)
class Ticking(Guest):
    """Boot, start the other vCPUs, then work for ever but for a tick handler at the multiples of the tick's period.

    A tick that comes while the vCPU does not run is handled when it runs again, each by itself.
    """

    name: str = "ticking"

    def life(self, cpu: GuestCpu) -> Steps:
        """Yield what one vCPU does."""
        yield from boot(cpu, self.spec, len(self.workload.phases))
        yield from start_others(cpu)
        now = yield from timer()
        next_tick = now * self.spec.tick_hz // cpu.cntfrq_hz + 1
        for first in count(next_tick, TICKS_AT_ONCE):
            yield self._ticks(cpu, np.arange(first, first + TICKS_AT_ONCE))

    def _ticks(self, cpu: GuestCpu, number: np.ndarray) -> Script:
        """Make work until each of these ticks of the guest's clock, each followed by its handler."""
        phases = len(self.workload.phases)
        at = -(-number * cpu.cntfrq_hz // self.spec.tick_hz)
        work = np.stack([np.full(len(number), SPIN), number % phases, at], axis=1)
        handler = np.tile([RUN, phases, self.spec.tick_instructions], (len(number), 1))
        return Script(np.stack([work, handler], axis=1).reshape(-1, 3))
