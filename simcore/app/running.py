"""The composition root: builds the machine of a scenario, runs it, and turns what it left into a Result."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

from pmu.bank import CounterBank
from pmu.events import NOMINAL_CYCLES
from pmu.host import Host as PmuHost
from pmu.kvm import Vm
from pmu.policies import Policy, parse
from pmu.revisions import Revision, ideal
from scheduler import cgroups, choice, layout, live, outside, rtapp_threads, vmm
from scheduler import kernel_state as ks
from scheduler.attributes import check_thread, set_attributes
from scheduler.cgroups import Affinities
from scheduler.energy import has_energy_model
from scheduler.governors import SCHEDUTIL
from scheduler.guest import Frame, GuestVcpu, GuestVm, IoThread
from scheduler.host import Host, never
from scheduler.live import LivePlan
from scheduler.pinning import Places, places_of, vmm_thread_count
from scheduler.vmm_rows import Vmm, vmm_named
from scheduler.vmm_threads import one_by_one
from simcore.app import recording
from simcore.app.live_plans import check_lives, plan_lives
from simcore.draws import draw, uniform
from simcore.engine import Engine, Process
from simcore.errors import InputError, unknown_name
from simcore.loader import load_platform
from simcore.platform import Platform
from simcore.result import Result
from simcore.scenario import AffinityChange, CpusetChange, Scenario, ThreadSpec, VmSpec, check_cpus
from workloads.catalog import load_workload
from workloads.guest_rtapp import RtappGuest
from workloads.guests import make_guest
from workloads.phase import CPU_CYCLES, INST_RETIRED, TIME_EVENTS, TIME_TIED, Phase
from workloads.program import GuestCpu, GuestProgram
from workloads.rtapp_file import RtApp
from workloads.rtapp_parsing import load_rtapp

IRQCHIPS = ("kernel", "user")
MAX_HALT_POLL_NS = 1_000_000_000
MAX_SECONDS_NS = 1_000 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class Plan:
    """One VM of a scenario with its names resolved: program, policies (the real one first), places of its threads.

    ``first_cpus`` is where each thread is before the first KVM_RUN.
    """

    spec: VmSpec
    program: GuestProgram
    policies: tuple[Policy, ...]
    places: Places
    first_cpus: tuple[int, ...]
    lives: tuple[LivePlan, ...] = ()

    @property
    def timed(self) -> bool:
        """Return whether a cycle counter of the VM follows the architected timer, at some time or as a shadow."""
        return any(policy.timed for policy in (*self.policies, *(live.policy for live in self.lives)))

    @property
    def init_cpus(self) -> tuple[int, ...]:
        """Return the pCPU on which each vCPU is initialised."""
        if vmm.initialises_in_main(self.vmm):
            return self.first_cpus[:1] * self.spec.vcpus
        return self.start_cpus

    @property
    def start_cpus(self) -> tuple[int, ...]:
        """Return the pCPU on which each vCPU thread starts."""
        return self.first_cpus[: self.spec.vcpus]

    @property
    def vmm(self) -> Vmm:
        """Return the VMM."""
        return vmm_named(self.spec.vmm)


def run(scenario: Scenario, stopped: Callable[[], bool] = never) -> Result:
    """Simulate a scenario and return its tables; two calls with equal scenarios return equal tables.

    Raises KeyboardInterrupt once ``stopped`` says so.
    """
    started = perf_counter()
    machine = Machine(scenario, stopped)
    built = perf_counter()
    machine.run()
    ran = perf_counter()
    result = recording.result_of(machine)
    timings = {"build_s": built - started, "run_s": ran - built, "record_s": perf_counter() - ran}
    return replace(result, timings=timings)


class Machine:
    """All parts of one run, built and wired; ``run`` runs it once."""

    def __init__(self, scenario: Scenario, stopped: Callable[[], bool] = never) -> None:
        self.scenario = scenario
        self.platform = self.make_platform()
        check_changes(scenario, len(self.platform.cpus))
        self.plans = [plan_vm(self.platform, scenario, number) for number in range(len(scenario.vms))]
        self.rtapp = load_host_rtapp(scenario, len(self.platform.cpus))
        self.rtapp_places = rtapp_threads.places_of(self.rtapp) if self.rtapp is not None else []
        self.phases: list[Phase] = [phase for plan in self.plans for phase in plan.program.phases]
        self.events = event_streams(self.phases, any(plan.timed for plan in self.plans))
        self.engine = Engine()
        vcpus = sum(plan.spec.vcpus for plan in self.plans)
        self.rows_per_vcpu = max((len(plan.policies) for plan in self.plans), default=1)
        self.bank = CounterBank(vcpus * self.rows_per_vcpu, scenario.icntr)
        state = layout.build_state(
            self.platform,
            scenario,
            self.bank,
            self.events,
            TIME_TIED,
            INST_RETIRED,
            [phase.level for phase in self.phases],
            vcpus,
            vcpus + self.host_threads(),
        )
        self.affinities = Affinities([vm.cgroup.cpus for vm in scenario.vms])
        self.vms = self._make_vms(state)
        self._make_vmm_threads(state, vcpus + len(scenario.background) + len(self.rtapp_places))
        self.host = self.make_host(state, stopped)
        if self.rtapp is not None:
            self.host.threads += rtapp_threads.host_threads(self.rtapp, self.platform, vcpus + len(scenario.background))
        self._place_background(state, vcpus)

    def make_platform(self) -> Platform:
        """Return the platform of the scenario, which is checked first."""
        check(self.scenario)
        return load_platform(self.scenario.platform)

    def host_threads(self) -> int:
        """Return the number of threads that are no vCPUs."""
        own = len(self.scenario.background) + len(self.rtapp_places)
        return own + sum(vmm_thread_count(vm) for vm in self.scenario.vms)

    def make_host(self, state: ks.State, stopped: Callable[[], bool]) -> Host:
        """Make the host of these arrays."""
        return Host(self.engine, self.platform, self.scenario, state, self.vms, self.rates, self.affinities, stopped)

    def init_cpus(self, plan: Plan, number: int) -> Sequence[int]:
        """Return where a VM's vCPU threads are before KVM_RUN, under its policy of this number."""
        return plan.start_cpus

    def rates(self, phase: int, core: str, khz: int) -> Sequence[int]:
        """Return the Q32.32 rates of all streams of a phase on a core type at a frequency."""
        return self.phases[phase].quantise(core, khz, self.events, self.platform.cntfrq_hz)

    def run(self) -> None:
        """Start every process and run to the end of the scenario or the last guest's death."""
        self.engine.start(self._opp_changes())
        self.engine.start(self._affinity_changes())
        self.engine.start(self._cpuset_changes())
        moves = choice.moves_per_s(self.scenario.scheduler)
        for vm, plan in zip(self.vms, self.plans, strict=True):
            if plan.spec.cgroup.quota_ns:
                self.engine.start(cgroups.refill_quota(self.host, vm.number, plan.spec.cgroup))
            self.engine.start(vmm.boot(self.host, vm, plan.spec, plan.places))
            if plan.lives:
                make = functools.partial(self._make_kvm, plan.spec)
                self.engine.start(live.migrate(self.host, vm, plan.lives, plan.vmm, make, self.scenario.seed))
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
        kvms = [self._make_kvm(plan.spec, policy) for policy in plan.policies]
        for shadow, (kvm, policy) in enumerate(zip(kvms, plan.policies, strict=True)):
            rows = [(first + n) * self.rows_per_vcpu + shadow for n in range(plan.spec.vcpus)]
            vmm.create(kvm, policy, self.init_cpus(plan, shadow), rows, plan.vmm)
        vm = GuestVm(number, plan.program, kvms, plan.vmm.retries_fail_entry, first_phase)
        for n in range(plan.spec.vcpus):
            vm.vcpus.append(self._make_vcpu(vm, plan, first + n, n, state))
        return vm

    def _make_kvm(self, spec: VmSpec, policy: Policy) -> Vm:
        host = pmu_host(self.platform, self.scenario)
        streams = {event: index for index, event in enumerate(self.events)}
        gic, icntr = spec.irqchip == "kernel", self.scenario.icntr
        return Vm(host, self._revision(policy), self.bank, streams, gic=gic, icntr=icntr)

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
        self._admit(state, index, vm, plan, number, plan.spec.sched)
        vpmus = tuple(kvm.vcpus[number] for kvm in vm.kvms)
        for vpmu in vpmus:
            vpmu.set_level(plan.program.phases[0].level)
        row = index * self.rows_per_vcpu
        vcpu = GuestVcpu(index, number, index, vm, cpu, vpmus, plan.init_cpus[number], row, refused=[0] * len(vpmus))
        vcpu.frames.append(Frame(plan.program.vcpu(cpu)))
        return vcpu

    def _admit(self, state: ks.State, task: int, vm: GuestVm, plan: Plan, number: int, attributes: ThreadSpec) -> None:
        """Give thread ``number`` of a VM its place, attributes and cgroup."""
        state.task[task, ks.CPU] = plan.first_cpus[number]
        state.allowed[task] = 0
        state.allowed[task, list(self.affinities.admit(task, vm.number, plan.places.first[number]))] = 1
        self._set_attributes(state, task, attributes)
        cgroups.join(state, task, vm.number, plan.spec.cgroup)

    def _make_vmm_threads(self, state: ks.State, first_task: int) -> None:
        """Make the VMMs' own threads, which sleep at first; without I/O threads the main thread does the I/O."""
        for vm, plan in zip(self.vms, self.plans, strict=True):
            threads = plan.spec.vmm_threads
            vm.vmm_tasks = tuple(range(first_task, first_task + vmm_thread_count(plan.spec)))
            first_task += len(vm.vmm_tasks)
            for number, task in enumerate(vm.vmm_tasks, plan.spec.vcpus):
                self._admit(state, task, vm, plan, number, ThreadSpec())
            work = layout.burst_work(self.platform, threads.io_burst_ns)
            busy = vm.vmm_tasks[threads.main :] or vm.vmm_tasks
            vm.io_threads = [IoThread(task, work) for task in busy]
            for vcpu in vm.vcpus if busy else ():
                vcpu.frames[-1].steps = one_by_one(vcpu.frames[-1].steps)

    def _set_attributes(self, state: ks.State, task: int, spec: ThreadSpec) -> None:
        set_attributes(state, task, choice.attributes_under(self.scenario.scheduler, spec), self.scenario.hz)

    def _place_background(self, state: ks.State, first_task: int) -> None:
        background = [(spec, spec.cpus) for spec in self.scenario.background]
        for number, (spec, allowed) in enumerate([*background, *self.rtapp_places]):
            row = state.task[first_task + number]
            cpus = allowed or tuple(range(len(self.platform.cpus)))
            state.allowed[first_task + number] = 0
            state.allowed[first_task + number, list(cpus)] = 1
            row[ks.CPU] = cpus[number % len(cpus)]
            self._set_attributes(state, first_task + number, spec)

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

    def _cpuset_changes(self) -> Process:
        for change in sorted(self.scenario.cpuset_changes, key=lambda change: (change.time_ns, change.vm)):
            yield self.engine.wait_until(change.time_ns, outside.order(outside.CPUSET, change.vm))
            self.host.set_cpuset(change.vm, change.cpus)


def check(scenario: Scenario) -> None:
    """Raise InputError for what no run can be made of, before anything is built."""
    if not 0 < scenario.seconds_ns <= MAX_SECONDS_NS:
        raise InputError(f"cannot simulate {scenario.seconds_ns} ns", "seconds", valid="above 0 and at most 1000s")
    if scenario.tick_ns < 0 or scenario.sample_ns < 0:
        raise InputError("a tick or sample length is negative", "tick, sample", valid="0 or more")
    for spec in scenario.vms:
        if spec.irqchip not in IRQCHIPS:
            raise unknown_name("irqchip", spec.irqchip, IRQCHIPS, "vms.N.irqchip")
    for number, spec in enumerate(scenario.vms):
        check_thread(spec.sched, f"vms.{number}.sched")
    for number, task in enumerate(scenario.background):
        check_thread(task, f"background.{number}")
    if any(spec.vcpus < 1 for spec in scenario.vms):
        raise InputError("a VM has no vCPU", "vcpus", valid="at least 1")
    if not 0 <= scenario.halt_poll_ns <= MAX_HALT_POLL_NS:
        raise InputError("a vCPU may poll for 1 s at most", "halt_poll", valid="a time with its unit, such as 200us")
    if not 1 <= scenario.margin <= 100:
        raise InputError(f"cannot keep a margin of {scenario.margin} %", "margin", valid="1 to 100")
    check_lives(scenario)
    sched = choice.name_of(scenario.scheduler)
    if sched == choice.REPLAY:
        raise InputError("scheduler 'replay' needs a recording", valid="hetpmu replay TRACE --threads REGEX")
    if sched == choice.PINNED and (scenario.affinity_changes or scenario.cpuset_changes):
        where = "affinity_changes" if scenario.affinity_changes else "cpuset_changes"
        raise InputError("scheduler pinned moves no thread", where, valid="another scheduler, or none")


def check_changes(scenario: Scenario, cpus: int) -> None:
    """Raise InputError for a change of a VM, vCPU or pCPU that there is not; ``cpus`` is the number of pCPUs."""
    kinds: tuple[tuple[str, Sequence[AffinityChange | CpusetChange]], ...] = (
        ("affinity_changes", scenario.affinity_changes),
        ("cpuset_changes", scenario.cpuset_changes),
    )
    for kind, changes in kinds:
        for number, change in enumerate(changes):
            where = f"{kind}.{number}"
            if change.vm >= len(scenario.vms):
                raise InputError(f"no VM {change.vm}", f"{where}.vm", valid=f"0 to {len(scenario.vms) - 1}")
            vcpus = scenario.vms[change.vm].vcpus
            if isinstance(change, AffinityChange) and change.vcpu >= vcpus:
                raise InputError(f"no vCPU {change.vcpu}", f"{where}.vcpu", valid=f"0 to {vcpus - 1}")
            check_cpus(change.cpus, cpus, f"{where}.cpus", "pCPUs")


def load_host_rtapp(scenario: Scenario, cpus: int) -> RtApp | None:
    """Return the rt-app file that runs on the host, if there is one, checked for a host of this number of pCPUs."""
    if scenario.rtapp.file is None:
        return None
    app = load_rtapp(scenario.rtapp.file, scenario.rtapp.ignore)
    rtapp_threads.check_threads(app, scenario.rtapp.file, cpus)
    return app


def scheduler_in_words(scenario: Scenario) -> str:
    """Return the scheduler's name, and why EAS is off where it is."""
    if scenario.scheduler != layout.EAS:
        return scenario.scheduler
    if scenario.governor != SCHEDUTIL:
        return f"{layout.EAS} (off: governor {scenario.governor})"
    platform = load_platform(scenario.platform)
    if not has_energy_model(platform):
        return f"{layout.EAS} (off: no energy model)"
    return layout.EAS if len(set(platform.capacities())) > 1 else f"{layout.EAS} (off: one capacity)"


def plan_vm(platform: Platform, scenario: Scenario, number: int) -> Plan:
    """Resolve the names of one VM: program, policies, and the pCPUs of its threads."""
    spec = scenario.vms[number]
    chosen = vmm_named(spec.vmm)
    host = pmu_host(platform, scenario)
    policies = tuple(parse(name, host, spec.kernel) for name in (spec.policy or "none", *spec.shadows))
    for policy in policies:
        vmm.check_vm(chosen, policy, spec, f"vms.{number}")
    everywhere = tuple(range(len(platform.cpus)))
    cgroups.check_cgroup(spec.cgroup, len(everywhere), f"vms.{number}.cgroup")
    pinned = choice.name_of(scenario.scheduler) == choice.PINNED
    places = places_of(spec, policies[0], everywhere, pinned, f"vms.{number}", chosen.starts_anywhere)
    workload = load_workload(spec.guest.workload, platform.core_types)
    program = make_guest(spec.guest, workload)
    if isinstance(program, RtappGuest):
        program.check_vcpus(spec.vcpus, f"vms.{number}.guest")
    first = tuple(vmm.init_cpus(platform, spec, places.first, scenario.seed, number))
    return Plan(
        spec,
        program,
        policies,
        places,
        first,
        plan_lives(platform, scenario, host, number, policies[0], first[: spec.vcpus]),
    )


def pmu_host(platform: Platform, scenario: Scenario) -> PmuHost:
    """Return the host PMUs of a platform, with the counters that the scenario's host users have pinned."""
    return PmuHost.from_platform(platform, busy_counters=dict(scenario.busy_counters))


def event_streams(phases: Sequence[Phase], timed: bool = False) -> tuple[int, ...]:
    """Return the events that have a stream: all that some phase causes, cycles and instructions included.

    ``timed``: and nominal cycles, for a cycle counter that follows the architected timer.
    """
    events = {CPU_CYCLES, INST_RETIRED, *TIME_EVENTS, *({NOMINAL_CYCLES} if timed else ())}
    for phase in phases:
        for rates in phase.rates:
            events |= {event for event, _ in rates.per_kinst}
    return tuple(sorted(events))
