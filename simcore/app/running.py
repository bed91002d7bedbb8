"""The composition root: builds the machine of a scenario, runs it, and turns what it left into a Result."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pmu.bank import CounterBank
from pmu.host import Host as PmuHost
from pmu.kvm import Vm
from pmu.policies import BEFORE_INIT, Policy, parse
from pmu.revisions import Revision, ideal
from scheduler import kernel_state as ks
from scheduler import layout, outside, vmm
from scheduler.energy import has_energy_model
from scheduler.guest import Frame, GuestVcpu, GuestVm
from scheduler.host import Host, never
from simcore.app import recording
from simcore.draws import draw, uniform
from simcore.engine import Engine, Process
from simcore.errors import InputError, unknown_name
from simcore.loader import load_platform
from simcore.platform import Platform
from simcore.result import Result
from simcore.scenario import Scenario, VmSpec
from workloads.catalog import load_workload
from workloads.guests import make_guest
from workloads.phase import CPU_CYCLES, INST_RETIRED, TIME_EVENTS, Phase
from workloads.program import GuestCpu, GuestProgram

IRQCHIPS = ("kernel", "user")
SCHEDULERS = ("eas", "eevdf", "random")
REPLAY = "replay"
"""The scheduler of a replay, which makes its own machine (``simcore.app.trace_machine``)."""
DEFAULT_MOVES_PER_S = 100
MAX_SECONDS_NS = 1_000 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class Plan:
    """One VM of a scenario with its names resolved: program, policies (the real one first), places."""

    spec: VmSpec
    program: GuestProgram
    policies: tuple[Policy, ...]
    allowed: tuple[int, ...]
    pinned: tuple[int, ...]
    init_cpus: tuple[int, ...]


def run(scenario: Scenario, stopped: Callable[[], bool] = never) -> Result:
    """Simulate a scenario and return its tables; two calls with equal scenarios return equal tables.

    Raises KeyboardInterrupt once ``stopped`` says so.
    """
    machine = Machine(scenario, stopped)
    machine.run()
    return recording.result_of(machine)


class Machine:
    """All parts of one run, built and wired; ``run`` runs it once."""

    def __init__(self, scenario: Scenario, stopped: Callable[[], bool] = never) -> None:
        self.scenario = scenario
        self.platform = self.make_platform()
        self.plans = [plan_vm(self.platform, scenario, number) for number in range(len(scenario.vms))]
        self.phases: list[Phase] = [phase for plan in self.plans for phase in plan.program.phases]
        self.events = event_streams(self.phases)
        self.engine = Engine()
        vcpus = sum(plan.spec.vcpus for plan in self.plans)
        self.rows_per_vcpu = max((len(plan.policies) for plan in self.plans), default=1)
        self.bank = CounterBank(vcpus * self.rows_per_vcpu, scenario.icntr)
        state = layout.build_state(
            self.platform,
            scenario,
            self.bank,
            self.events,
            TIME_EVENTS,
            INST_RETIRED,
            [phase.level for phase in self.phases],
            vcpus,
            vcpus + self.host_threads(),
        )
        self.vms = self._make_vms(state)
        self.host = self.make_host(state, stopped)
        self._place_background(state, vcpus)

    def make_platform(self) -> Platform:
        """Return the platform of the scenario, which is checked first."""
        check(self.scenario)
        return load_platform(self.scenario.platform)

    def host_threads(self) -> int:
        """Return the number of threads that are no vCPUs."""
        return len(self.scenario.background)

    def make_host(self, state: ks.State, stopped: Callable[[], bool]) -> Host:
        """Make the host of these arrays."""
        return Host(self.engine, self.platform, self.scenario, state, self.vms, self.rates, stopped)

    def init_cpus(self, plan: Plan, number: int) -> Sequence[int]:
        """Return where a VM's vCPUs are initialised under its policy of this number."""
        return plan.init_cpus

    def rates(self, phase: int, core: str, khz: int) -> Sequence[int]:
        """Return the Q32.32 rates of all streams of a phase on a core type at a frequency."""
        return self.phases[phase].quantise(core, khz, self.events, self.platform.cntfrq_hz)

    def run(self) -> None:
        """Start every process and run to the end of the scenario or the last guest's death."""
        self.engine.start(self._opp_changes())
        self.engine.start(self._affinity_changes())
        moves = moves_per_s(self.scenario.scheduler)
        for vm, plan in zip(self.vms, self.plans, strict=True):
            self.engine.start(vmm.boot(self.host, vm, plan.spec, plan.policies[0], plan.pinned))
            if moves:
                for number in range(plan.spec.vcpus):
                    self.engine.start(vmm.move_at_random(self.host, vm, number, moves))
        self.engine.run(self.engine.start(self.host.process()))

    def _make_vms(self, state: ks.State) -> list[GuestVm]:
        vms: list[GuestVm] = []
        first_vcpu = first_phase = 0
        for number, plan in enumerate(self.plans):
            vms.append(self._make_vm(number, plan, first_vcpu, first_phase, state))
            first_vcpu += plan.spec.vcpus
            first_phase += len(plan.program.phases)
        return vms

    def _make_vm(self, number: int, plan: Plan, first: int, first_phase: int, state: ks.State) -> GuestVm:
        host = pmu_host(self.platform, self.scenario)
        streams = {event: index for index, event in enumerate(self.events)}
        gic, icntr = plan.spec.irqchip == "kernel", self.scenario.icntr
        kvms = [Vm(host, self._revision(policy), self.bank, streams, gic=gic, icntr=icntr) for policy in plan.policies]
        for shadow, (kvm, policy) in enumerate(zip(kvms, plan.policies, strict=True)):
            rows = [(first + n) * self.rows_per_vcpu + shadow for n in range(plan.spec.vcpus)]
            vmm.create(kvm, policy, self.init_cpus(plan, shadow), rows)
        retries = vmm.vmm_named(plan.spec.vmm).retries_fail_entry
        vm = GuestVm(number, plan.program, kvms, retries, first_phase)
        for n in range(plan.spec.vcpus):
            vm.vcpus.append(self._make_vcpu(vm, plan, first + n, n, state))
        return vm

    def _revision(self, policy: Policy) -> Revision:
        return policy.revision if self.scenario.quirks else ideal(policy.revision)

    def _make_vcpu(self, vm: GuestVm, plan: Plan, index: int, number: int, state: ks.State) -> GuestVcpu:
        owner = f"vm{vm.number} vcpu{number}"
        seed = self.scenario.seed
        cpu = GuestCpu(
            number,
            plan.spec.vcpus,
            self.platform.cntfrq_hz,
            lambda purpose, index: draw(seed, owner, purpose, index),
            lambda limit, purpose, first, number: uniform(limit, seed, owner, purpose, first, number),
        )
        state.vcpu[index, ks.TASK] = index
        state.vcpu[index, ks.PHASE] = vm.first_phase
        state.vcpu[index, ks.LEVEL] = plan.program.phases[0].level
        state.task[index, ks.VCPU] = index
        state.task[index, ks.CPU] = plan.init_cpus[number]
        state.allowed[index] = 0
        state.allowed[index, list(plan.allowed)] = 1
        vpmus = tuple(kvm.vcpus[number] for kvm in vm.kvms)
        for vpmu in vpmus:
            vpmu.set_level(plan.program.phases[0].level)
        vcpu = GuestVcpu(index, number, index, vm, cpu, vpmus, plan.init_cpus[number], refused=[0] * len(vpmus))
        vcpu.frames.append(Frame(plan.program.vcpu(cpu)))
        return vcpu

    def _place_background(self, state: ks.State, first_task: int) -> None:
        for number, spec in enumerate(self.scenario.background):
            row = state.task[first_task + number]
            cpus = spec.cpus or tuple(range(len(self.platform.cpus)))
            state.allowed[first_task + number] = 0
            state.allowed[first_task + number, list(cpus)] = 1
            row[ks.CPU] = cpus[number % len(cpus)]
            row[ks.WEIGHT] = layout.weight_of(spec.nice)

    def _opp_changes(self) -> Process:
        for change in sorted(self.scenario.opp_changes, key=lambda change: (change.time_ns, change.domain)):
            yield self.engine.wait_until(change.time_ns, outside.order(outside.OPP, change.domain))
            self.host.change_opp(change.domain, change.khz)

    def _affinity_changes(self) -> Process:
        changes = self.scenario.affinity_changes
        for change in sorted(changes, key=lambda change: (change.time_ns, change.vm, change.vcpu)):
            task = self.vms[change.vm].vcpus[change.vcpu].task
            yield self.engine.wait_until(change.time_ns, outside.order(outside.AFFINITY, task))
            self.host.set_affinity(task, change.cpus)


def check(scenario: Scenario) -> None:
    """Raise InputError for what no run can be made of, before anything is built."""
    if not 0 < scenario.seconds_ns <= MAX_SECONDS_NS:
        raise InputError(f"cannot simulate {scenario.seconds_ns} ns", "seconds", valid="above 0 and at most 1000s")
    if scenario.tick_ns < 0 or scenario.sample_ns < 0:
        raise InputError("a tick or sample length is negative", "tick, sample", valid="0 or more")
    for spec in scenario.vms:
        if spec.irqchip not in IRQCHIPS:
            raise unknown_name("irqchip", spec.irqchip, IRQCHIPS, "vms.N.irqchip")
    if any(spec.vcpus < 1 for spec in scenario.vms):
        raise InputError("a VM has no vCPU", "vcpus", valid="at least 1")
    if scenario.governor not in layout.GOVERNORS:
        raise unknown_name("governor", scenario.governor, layout.GOVERNORS)
    moves_per_s(scenario.scheduler)


def moves_per_s(sched: str) -> int:
    """Return the moves of each vCPU a second under ``random[:MOVES_PER_S]``, 0 under any other scheduler."""
    name, _, rate = sched.partition(":")
    if name == REPLAY:
        raise InputError(f"scheduler {REPLAY!r} needs a recording", valid="hetpmu replay TRACE --threads REGEX")
    if name not in SCHEDULERS:
        raise unknown_name("scheduler", name, SCHEDULERS)
    if name != "random":
        return 0
    if rate and not (rate.isdigit() and 0 < int(rate) <= 1_000_000):
        raise InputError(f"bad rate {rate!r}", f"scheduler {sched}", valid="moves a second, 1 to 1000000")
    return int(rate or DEFAULT_MOVES_PER_S)


def scheduler_in_words(scenario: Scenario) -> str:
    """Return the scheduler's name, and why EAS is off where it is."""
    if scenario.scheduler != layout.EAS:
        return scenario.scheduler
    if scenario.governor != layout.SCHEDUTIL:
        return f"{layout.EAS} (off: governor {scenario.governor})"
    platform = load_platform(scenario.platform)
    if not has_energy_model(platform):
        return f"{layout.EAS} (off: no energy model)"
    return layout.EAS if len(set(platform.capacities())) > 1 else f"{layout.EAS} (off: one capacity)"


def plan_vm(platform: Platform, scenario: Scenario, number: int) -> Plan:
    """Resolve the names of one VM: program, policies, and the pCPUs of its threads."""
    spec = scenario.vms[number]
    vmm.vmm_named(spec.vmm)
    host = pmu_host(platform, scenario)
    policies = tuple(parse(name, host, spec.kernel) for name in (spec.policy or "none", *spec.shadows))
    everywhere = tuple(range(len(platform.cpus)))
    asked = everywhere if spec.cpus is None else spec.cpus
    if not asked or not set(asked) <= set(everywhere):
        raise InputError(
            f"impossible affinity {list(asked)}", f"vms.{number}.cpus", valid=f"0 to {len(everywhere) - 1}"
        )
    pinned = tuple(sorted(set(asked) & policies[0].pinned_cpus)) if policies[0].pins else tuple(asked)
    if not pinned:
        raise InputError(f"policy {policies[0].name} leaves no allowed pCPU", f"vms.{number}.cpus")
    allowed = pinned if policies[0].pins == BEFORE_INIT else tuple(asked)
    workload = load_workload(spec.guest.workload, platform.core_types)
    return Plan(
        spec,
        make_guest(spec.guest, workload),
        policies,
        allowed,
        pinned,
        tuple(vmm.init_cpus(platform, spec, allowed, scenario.seed, number)),
    )


def pmu_host(platform: Platform, scenario: Scenario) -> PmuHost:
    """Return the host PMUs of a platform, with the counters that the scenario's host users have pinned."""
    return PmuHost.from_platform(platform, busy_counters=dict(scenario.busy_counters))


def event_streams(phases: Sequence[Phase]) -> tuple[int, ...]:
    """Return the events that have a stream: all that some phase causes, cycles and instructions included."""
    events = {CPU_CYCLES, INST_RETIRED, *TIME_EVENTS}
    for phase in phases:
        for rates in phase.rates:
            events |= {event for event, _ in rates.per_kinst}
    return tuple(sorted(events))
