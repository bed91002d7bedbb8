"""The contract between a guest program and the machine that runs it.

A program object belongs to one VM in one run: what it keeps is that guest's memory.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from workloads.actions import Action, Answer
from workloads.phase import Phase

Steps = Generator[Action, Answer, None]


@dataclass(frozen=True, slots=True)
class GuestCpu:
    """What a program may see of the vCPU it runs on.

    `draw(purpose, index)` gives 64 random bits that depend on nothing but the run's seed, the vCPU,
    the purpose and the index. `uniform(limit, purpose, first, number)` gives an int64 array of what `below` draws for
    `number` indices from `first` on.
    """

    vcpu: int
    vcpus: int
    cntfrq_hz: int
    draw: Callable[[str, int], int]
    uniform: Callable[[int, str, int, int], np.ndarray]

    def ticks(self, ns: int) -> int:
        """Convert nanoseconds to ticks of the architected timer, rounded down."""
        return ns * self.cntfrq_hz // 1_000_000_000

    def below(self, limit: int, purpose: str, index: int) -> int:
        """Draw an integer from 0 to `limit` - 1."""
        return (self.draw(purpose, index) * limit) >> 64


class GuestProgram(Protocol):
    """A guest: its phases, what each vCPU does, and what its PMU interrupt handler does."""

    @property
    def name(self) -> str:
        """Name the guest as the command line does."""

    @property
    def phases(self) -> tuple[Phase, ...]:
        """List the phases that `Run` and `SpinUntil` number."""

    def vcpu(self, cpu: GuestCpu) -> Steps:
        """Yield the actions of one vCPU from its power-on; ends when the vCPU is switched off."""

    def interrupt(self, cpu: GuestCpu) -> Steps | None:
        """Yield the actions of the PMU interrupt handler; None where the guest keeps that interrupt masked."""
