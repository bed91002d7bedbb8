"""What a machine for real code is made from: the host, the policy, where the vCPUs begin and move, its limits."""

from dataclasses import dataclass, field
from typing import Final

from pmu.host import Host
from pmu.policies import BEFORE_INIT, Policy
from simcore.app.code_plan import Plan
from simcore.costs import Costs
from simcore.draws import below
from simcore.platform import Platform
from workloads.phase import Phase

QUANTUM_NS: Final = 1_000
"""How far a vCPU may run ahead of another (assumed)."""
READ_CYCLES: Final = 1
"""Guest cycles that a read of a counter takes beside its own (assumed; 0 lets two reads in a row be equal where CPI is
below 1)."""
TURN_NS: Final = 3_000_000
"""How long a vCPU has a pCPU for which others wait (assumed: about a slice of EEVDF)."""


@dataclass(frozen=True, slots=True)
class CodeRun:
    """What to run.

    ``khz``: frequency by pCPU. ``cpus``: the pCPUs that the VMM gives the vCPUs, empty for all.
    ``slice_instructions``: the most that the engine executes at once.
    """

    platform: Platform
    host: Host
    policy: Policy
    phase: Phase
    khz: tuple[int, ...]
    plan: Plan = field(default_factory=Plan)
    vcpus: int = 1
    seed: int = 1
    init_cpu: int | None = None
    cpus: tuple[int, ...] = ()
    cpi_q32: int | None = None
    costs: Costs = field(default_factory=Costs)
    quantum_ns: int = QUANTUM_NS
    turn_ns: int = TURN_NS
    read_cycles: int = READ_CYCLES
    ram_bytes: int = 64 << 20
    limit_instructions: int = 2_000_000_000
    limit_ns: int = 60_000_000_000
    slice_instructions: int = 1_000_000

    @property
    def allowed(self) -> list[int]:
        """Return the pCPUs on which VMM and policy let the vCPUs run."""
        given = self.cpus or range(self.host.ncpus)
        pinned = self.policy.pinned_cpus
        return sorted(cpu for cpu in given if not pinned or cpu in pinned)

    def init_cpus(self) -> list[int]:
        """Return the pCPU on which each vCPU's KVM_ARM_VCPU_INIT runs."""
        pool = self.allowed if self.policy.pins == BEFORE_INIT else list(self.cpus or range(self.host.ncpus))
        if self.init_cpu is not None and self.init_cpu in pool:
            return [self.init_cpu] * self.vcpus
        return [pool[below(len(pool), self.seed, "vm0", "init placement", n)] for n in range(self.vcpus)]

    def cpi_on(self, cpu: int) -> int:
        """Return the cycles per instruction on a pCPU in Q32."""
        if self.cpi_q32 is not None:
            return self.cpi_q32
        return self.phase.cpi_q32(self.platform.cpus[cpu].core, self.khz[cpu])
