"""The machine of a replay: one VM without a PMU on the recorded schedule, and a shadow of it for each policy."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pmu.host import Host as PmuHost
from pmu.policies import parse
from scheduler import kernel_state as ks
from scheduler.choice import EAS, REPLAY
from scheduler.governors import PERFORMANCE
from scheduler.host import never
from scheduler.replaying import ReplayHost
from simcore.app.pairing import Pair, expand, no_policy
from simcore.app.running import Machine, Plan, check
from simcore.app.trace_steps import Recording
from simcore.costs import COST_NAMES, Costs
from simcore.platform import Platform
from simcore.scenario import GuestSpec, Scenario, VmSpec

LOTTERY = ("default", "default-pinned")
"""Policies under which it is chance which host PMU backs the VM: there is a seat for each."""

FREE = Costs(**dict.fromkeys(COST_NAMES, 0))
"""The recording has every cost in it already."""


@dataclass(frozen=True, slots=True)
class Seat:
    """A policy from which the recorded VM is looked at; `init_pmu`: what VCPU_INIT draws, where that decides."""

    pair: Pair
    init_pmu: str
    init_cpu: int
    allowed: frozenset[int]
    """The pCPUs on which the policy lets the VM run."""


def seats(platform: Platform, policies: Sequence[str], kernels: Sequence[str]) -> tuple[list[Seat], list[str]]:
    """Return the policies to look from (with none named: all that do not only pin), and a line for each left out.

    Raises InputError where no PMU of the platform can back a guest.
    """
    pairs, left_out = expand(platform, policies, kernels)
    if not policies:
        pairs = [pair for pair in pairs if not pair.policy.startswith("default-pinned")]
    host = PmuHost.from_platform(platform)
    found = [seat for pair in pairs for seat in _seats_of(pair, host, len(platform.cpus))]
    if not found:
        raise no_policy(platform)
    return found, left_out


def _seats_of(pair: Pair, host: PmuHost, cpus: int) -> list[Seat]:
    policy = parse(pair.policy, host, pair.kernel)
    name, _, pmu_name = pair.policy.partition(":")
    usable = list(host.usable_pmus)
    named = next((node for node in usable if node.name == pmu_name), None)
    everywhere = frozenset(range(cpus))
    allowed = policy.pinned_cpus if policy.pins else named.cpus if named else everywhere
    drawn = usable if name in LOTTERY else usable[:1]
    return [Seat(pair, node.name, min(node.cpus), allowed) for node in drawn]


def scenario_of(
    recording: Recording,
    seats: Sequence[Seat],
    platform: str,
    workload: str,
    seed: int,
    sample_ns: int,
    schedule: bool = False,
    trace: bool = False,
) -> Scenario:
    """Return the scenario of a replay on the platform of this name; nothing in it decides about the schedule."""
    vm = VmSpec(
        guest=GuestSpec(name="busy", workload=workload),
        vcpus=len(recording.schedule.threads),
        policy=None,
        shadows=tuple(seat.pair.label for seat in seats),
    )
    return Scenario(
        platform=platform,
        vms=(vm,),
        seconds_ns=recording.seconds_ns,
        seed=seed,
        scheduler=REPLAY,
        governor=PERFORMANCE,
        sample_ns=sample_ns,
        background=(),
        costs=FREE,
        schedule=schedule,
        trace=trace,
    )


class ReplayMachine(Machine):
    """All parts of one replay."""

    def __init__(
        self,
        scenario: Scenario,
        recording: Recording,
        seats: Sequence[Seat],
        stopped: Callable[[], bool] = never,
    ) -> None:
        self.recording = recording
        self.seats = seats
        self.host: ReplayHost
        super().__init__(scenario, stopped)

    def make_platform(self) -> Platform:
        """Return the platform with the recorded frequencies among its OPPs."""
        check(dataclasses.replace(self.scenario, scheduler=EAS))
        return self.recording.platform

    def host_threads(self) -> int:
        """Return the number of threads that are no vCPUs: all others, one for each pCPU."""
        return len(self.platform.cpus)

    def make_host(self, state: ks.State, stopped: Callable[[], bool]) -> ReplayHost:
        """Make the host that does what the recording says."""
        return ReplayHost(
            self.engine,
            self.platform,
            self.scenario,
            state,
            self.vms,
            self.rates,
            self.affinities,
            self.recording.steps,
            stopped,
        )

    def init_cpus(self, plan: Plan, number: int) -> Sequence[int]:
        """Return where the vCPUs are initialised as seen from a seat; the VM itself, number 0, has no PMU."""
        seat = self.seats[max(number - 1, 0)]
        return [seat.init_cpu] * plan.spec.vcpus

    def run(self) -> None:
        """Run from the first event of the recording to its last."""
        self.engine.run(self.engine.start(self.host.process()))
