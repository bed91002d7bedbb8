"""The host at run time: the one SimPy process that runs the compiled host ahead and decides what it cannot."""

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from pmu.vcpu import Vcpu
from pmu.work import PmuWork, difference
from scheduler import acting, kernel_entry, kernel_host, layout, outside, vmm_threads
from scheduler import kernel_state as ks
from scheduler.background import Bursts, HostThread
from scheduler.cgroups import Affinities
from scheduler.failing import pmu_cost_ns
from scheduler.guest import GuestVcpu, GuestVm
from scheduler.kernel_handle import handle_of
from scheduler.work_log import WorkLog
from simcore.engine import Engine, Process
from simcore.platform import Platform
from simcore.scenario import Scenario
from simcore.trace import Log

RateSource = Callable[[int, str, int], Sequence[int]]
"""(phase number, core type, kHz) -> the Q32.32 rates of all streams."""


def never() -> bool:
    """Tell that nobody wants the run to stop."""
    return False


GROWING = {
    "moves": ks.N_MOVES,
    "stalls": ks.N_STALLS,
    "history": ks.N_HISTORY,
    "segments": ks.N_SEGMENTS,
    "loads": ks.N_LOADS,
}
"""The logs of a State, and where it has the number of their rows; half of one is always more than an event may need."""
LOGGED = (
    "reads", "reports", "perf_samples", "perf_reads", "interrupts", "pmu_work", "rtapp", "live_migrations", "writes",
)  # fmt: skip
"""The tables that grow while the host runs."""


class Host:
    """The pCPUs, threads and guests of one run."""

    def __init__(
        self,
        engine: Engine,
        platform: Platform,
        scenario: Scenario,
        state: ks.State,
        vms: Sequence[GuestVm],
        rates: RateSource,
        affinities: Affinities,
        stopped: Callable[[], bool] = never,
    ) -> None:
        self.engine = engine
        self.platform = platform
        self.scenario = scenario
        self.state = state
        self.handle = handle_of(state)
        self.vms = vms
        self.vcpus = [vcpu for vm in vms for vcpu in vm.vcpus]
        self.affinities = affinities
        self.io_threads = {thread.task: thread for vm in vms for thread in vm.io_threads}
        self.logs = {name: Log(name) for name in LOGGED}
        self.actions = acting.HANDLERS
        self._stopped = stopped
        self._running = True
        self._work = WorkLog() if scenario.trace else None
        self.threads: list[HostThread] = [
            Bursts(spec, layout.burst_work(platform, spec.burst_ns), scenario.seed, number)
            for number, spec in enumerate(scenario.background)
        ]
        self._handlers: dict[int, Callable[[], None]] = {
            ks.FULL: self._grow_logs,
            ks.LOAD: self._load,
            ks.ACTION: self._action,
            ks.OVERFLOW: self._overflow,
            ks.INTERRUPT: self._interrupt,
        }
        self._fill_rates(rates)
        for vcpu in self.vcpus:
            for vpmu in vcpu.vpmus:
                self.tell_time(vcpu, vpmu)

    @property
    def now_ns(self) -> int:
        """Return the time up to which the host has run."""
        return int(self.state.glob[ks.NOW])

    def tell_time(self, vcpu: GuestVcpu, vpmu: Vcpu) -> None:
        """Let a virtual PMU of a vCPU know the time in which its guest does not execute."""
        vpmu.follow(partial(self.outside_ns, vcpu.index))

    def outside_ns(self, vcpu: int) -> int:
        """Return how long the guest of a vCPU, which does not execute now, has not executed since the start."""
        return self.now_ns - int(self.state.vcpu[vcpu, ks.GUEST_NS])

    def process(self) -> Process:
        """Run the host ahead to SimPy's next event, again and again, until the end or the last guest's death."""
        end = self.scenario.seconds_ns
        self.start_background()
        while True:
            until = self.engine.next_ns(end)
            self._run_to(until)
            if not self._running or self.engine.now_ns == end:
                break
            yield self.engine.wait_until(until, outside.order(outside.HOST))
        self.make_room()
        kernel_entry.finish(self.handle)
        for vcpu in self.vcpus:
            self._end_attempts(vcpu)
            self.settle_shadows(vcpu)
            self._note_work(vcpu)

    def _run_to(self, until: int) -> None:
        """Run the host ahead to ``until``, doing what it hands back on the way; stop when the last guest is dead."""
        while self._running:
            reason = self._ahead(until)
            if self._stopped():
                raise KeyboardInterrupt
            if reason == ks.REACHED:
                return
            self._handlers[reason]()
            if (vcpu := int(self.state.task[self.state.glob[ks.STOP_TASK], ks.VCPU])) >= 0:
                self._note_work(self.vcpus[vcpu])

    def _note_work(self, vcpu: GuestVcpu) -> None:
        """Note what was done for the virtual PMUs of a vCPU since the last time, where a trace is kept."""
        if self._work is not None:
            for row in self._work.rows(self.now_ns, vcpu):
                self.logs["pmu_work"].add(*row)

    def _ahead(self, until: int) -> int:
        return int(kernel_host.run_ahead(self.handle, until))

    # --- what the compiled host hands back -------------------------------------------------------------

    def _stopped_vcpu(self) -> GuestVcpu:
        """Return the vCPU that the host stopped at; its virtual PMUs learn at which exception level it executes."""
        vcpu = self.vcpus[int(self.state.task[self.state.glob[ks.STOP_TASK], ks.VCPU])]
        self.tell_level(vcpu, int(self.state.vcpu[vcpu.index, ks.LEVEL]))
        return vcpu

    def tell_level(self, vcpu: GuestVcpu, level: int) -> None:
        """Let the virtual PMUs of a vCPU, which is settled, know at which exception level it executes."""
        if level == vcpu.level:
            return
        self.settle_shadows(vcpu)
        for vpmu in vcpu.vpmus:
            vpmu.set_level(level)
        vcpu.level = level

    def settle_shadows(self, vcpu: GuestVcpu) -> None:
        """Bring the shadows of a vCPU, which is settled, up to now, before something may change how they count."""
        if not vcpu.shadows:
            return
        kernel_entry.settle_shadows(self.handle, vcpu.index)
        row = self.state.vcpu[vcpu.index]
        for vpmu in vcpu.shadows if row[ks.LOADS_AGAIN] else ():
            if vpmu.load_always and not vpmu.loads_matter:
                vpmu.load_again(int(row[ks.LOADS_AGAIN]))
        row[ks.LOADS_AGAIN] = 0

    def resume(self, request: int = ks.CONTINUE) -> None:
        """Let the thread that the host stopped at go on, block or end when the host next runs ahead."""
        self.state.task[self.state.glob[ks.STOP_TASK], ks.REQUEST] = request
        self.state.glob[ks.RESUME] = self.state.glob[ks.STOP_CPU]

    def _load(self) -> None:
        """Do vcpu_load and what it requests before guest entry, for the real virtual PMU and its shadows."""
        vcpu = self._stopped_vcpu()
        cpu = int(self.state.glob[ks.STOP_CPU])
        row = self.state.vcpu[vcpu.index]
        kernel_entry.fill_until_now(self.handle, vcpu.index)
        real = vcpu.vpmus[0]
        again = row[ks.LOADED_CLASS] == self.state.cpu[cpu, ks.PMU_CLASS]
        goes_on = not real.load_always and again
        if not goes_on:
            self._end_attempts(vcpu)
        fails = cpu not in real.vm.supported_cpus and not goes_on
        off = fails and vcpu.is_off()
        before = dataclasses.replace(real.work) if fails else real.work
        self._load_vpmus(vcpu, cpu, again)
        self.enter_guest(vcpu, cpu)
        self.book_residence(vcpu)
        row[ks.LOADED_CLASS] = self.state.cpu[cpu, ks.PMU_CLASS]
        row[ks.UNSUPPORTED] = real.unsupported
        row[ks.ASK] = real.load_always or any(vpmu.loads_matter for vpmu in vcpu.shadows)
        self.watch_interrupt_line(vcpu)
        if off:
            row[ks.UNSUPPORTED], row[ks.LOADED_CLASS] = False, ks.NONE
        elif fails:
            self._fail_entry(vcpu, before)
            return
        if not real.unsupported:
            self.charge_pmu_work(vcpu)
        self.resume()

    def _load_vpmus(self, vcpu: GuestVcpu, cpu: int, again: bool) -> None:
        """Do vcpu_load; ``again``: on the same class of host PMUs, where few shadows need it now."""
        others = [vpmu for vpmu in vcpu.shadows if vpmu.loads_matter or not again]
        if others:
            self.settle_shadows(vcpu)
        for vpmu in (vcpu.vpmus[0], *others):
            vpmu.put()
            vpmu.load(cpu)
        self.state.vcpu[vcpu.index, ks.LOADS_AGAIN] += again

    def book_residence(self, vcpu: GuestVcpu) -> None:
        """Book what a vCPU, which is settled, executed since it was last loaded on another class of host PMUs."""
        row = self.state.vcpu[vcpu.index]
        if row[ks.LOADED_CLASS] != ks.NONE:
            vcpu.residence.book(int(row[ks.LOADED_CLASS]), int(row[ks.GUEST_NS]), int(row[ks.CYCLES]))

    def _fail_entry(self, vcpu: GuestVcpu, before: PmuWork) -> None:
        """Let the VMM of a vCPU whose KVM_RUN has just failed entry call it again and again, or give up."""
        vcpu.attempts.begin(difference(vcpu.vpmus[0].work, before), self.scenario.costs)
        if vcpu.vm.retries_fail_entry:
            self.resume()
        else:
            self.kill(vcpu.vm, "KVM_EXIT_FAIL_ENTRY: the VMM gives up")

    def _end_attempts(self, vcpu: GuestVcpu) -> None:
        """Book the attempts that a vCPU has made where entry fails; their time has passed, so nothing is owed."""
        work = vcpu.vpmus[0].work
        if vcpu.attempts.end(int(self.state.vcpu[vcpu.index, ks.RETRY_NS]), work):
            vcpu.charged_ns = pmu_cost_ns(work, self.scenario.costs)

    def enter_guest(self, vcpu: GuestVcpu, cpu: int) -> None:
        """Enter the guest on a pCPU: requests first, and user space first where its irqchip must be told a level."""
        exits = [vpmu.reenter(cpu) for vpmu in vcpu.vpmus]
        vcpu.irqchip_exits += exits[0]
        self.state.task[vcpu.task, ks.OWED] += exits[0] * self.scenario.costs.user_exit
        self.state.vcpu[vcpu.index, ks.LEVEL_FREE] = not any(vpmu.depends_on_level for vpmu in vcpu.vpmus)

    def charge_pmu_work(self, vcpu: GuestVcpu) -> None:
        """Charge the vCPU's thread for the host events that its real virtual PMU has handled since the last call."""
        total = pmu_cost_ns(vcpu.vpmus[0].work, self.scenario.costs)
        self.state.task[vcpu.task, ks.OWED] += total - vcpu.charged_ns
        vcpu.charged_ns = total

    def watch_interrupt_line(self, vcpu: GuestVcpu) -> None:
        """Time the delivery of the PMU interrupt when its line rises; forget it when the line falls.

        The guest runs its handler with interrupts masked; the line is looked at again when it returns.
        """
        level = vcpu.vpmus[0].irq_level
        row = self.state.vcpu[vcpu.index]
        handling = len(vcpu.frames) > 1
        if level and not vcpu.interrupt_line and not handling:
            row[ks.INTERRUPT_AT] = self.now_ns + max(1, self.scenario.costs.interrupt_latency)
        elif not level:
            row[ks.INTERRUPT_AT] = ks.NEVER
        vcpu.interrupt_line = level

    def _overflow(self) -> None:
        """Handle the overflows of the stopped vCPU's host events in each of its virtual PMUs."""
        vcpu = self._stopped_vcpu()
        self.settle_shadows(vcpu)
        for policy, (number, vpmu) in enumerate(zip(vcpu.rows(), vcpu.vpmus, strict=True)):
            row = self.state.row[number]
            mask = int(row[ks.OVERFLOWED])
            row[ks.OVERFLOWED] = 0
            for slot in range(mask.bit_length()):
                if mask >> slot & 1:
                    self.logs["interrupts"].add(self.now_ns, vcpu.index, policy, slot)
                    vpmu.overflow(slot)
        self.enter_guest(vcpu, int(self.state.glob[ks.STOP_CPU]))
        self.watch_interrupt_line(vcpu)
        self.resume()

    def _interrupt(self) -> None:
        acting.take_interrupt(self, self._stopped_vcpu())

    def _action(self) -> None:
        task = int(self.state.glob[ks.STOP_TASK])
        if task < len(self.vcpus):
            acting.act(self, self._stopped_vcpu())
        elif task in self.io_threads:
            vmm_threads.burst_over(self, self.io_threads[task])
        else:
            self.threads[task - len(self.vcpus)].go_on(self, task)

    def write_script(self, task: int, rows: Sequence[Sequence[int]] | np.ndarray) -> None:
        """Let a thread do what these rows say (``kernel_state``, script), SCRIPT_LENGTH at most."""
        self.state.script[task, : len(rows)] = rows
        self.state.task[task, ks.SCRIPT_AT] = 0
        self.state.task[task, ks.SCRIPT_ROWS] = len(rows)

    def _grow_logs(self) -> None:
        """Double the logs that are more than half full."""
        arrays = {name: (getattr(self.state, name), self.state.glob[used]) for name, used in GROWING.items()}
        grown = {
            name: np.concatenate([array, np.zeros_like(array)])
            for name, (array, used) in arrays.items()
            if 2 * used > len(array)
        }
        self.state = self.state._replace(**grown)
        self.handle = handle_of(self.state)

    def make_room(self) -> None:
        """Let the logs have room for what one event may write; before anything that the run loop does not do itself."""
        while kernel_host.logs_full(self.handle):
            self._grow_logs()

    # --- what comes from outside ------------------------------------------------------------------------

    def start_background(self) -> None:
        """Let the host's own threads begin, those of VMMs sleep at first, and set the first periodic balance."""
        for task, thread in enumerate(self.threads, len(self.vcpus)):
            thread.begin(self, task)
        for task, io_thread in self.io_threads.items():
            self.write_script(task, [(ks.RUN, 0, io_thread.burst_work)])
        kernel_entry.balance_at(self.handle, int(self.state.glob[ks.BALANCE_NS]))
        kernel_entry.begin(self.handle)

    def start_thread(self, task: int, cpu: int) -> None:
        """Queue a new thread on a pCPU."""
        kernel_entry.start(self.handle, task, cpu)

    def set_affinity(self, task: int, cpus: Sequence[int]) -> None:
        """Restrict a VM's thread to some pCPUs and move it at once if it is elsewhere (sched_setaffinity)."""
        self.allow(task, self.affinities.ask(task, cpus))

    def set_cpuset(self, vm: int, cpus: Sequence[int]) -> None:
        """Give the cgroup of a VM another cpuset; its threads that are elsewhere move at once."""
        for task, within in list(self.affinities.confine(vm, cpus)):
            self.allow(task, within)

    def allow(self, task: int, cpus: Sequence[int]) -> None:
        """Let a thread run on these pCPUs only; it moves at once if it is elsewhere. None: all stays as it is."""
        if cpus:
            self.state.allowed[task] = 0
            self.state.allowed[task, list(cpus)] = 1
            self.make_room()
            kernel_entry.obey_affinity(self.handle, task)

    def refill(self, vm: int) -> None:
        """Let the quota period of a VM's cgroup begin anew."""
        self.make_room()
        kernel_entry.refill(self.handle, vm)

    def move(self, task: int, cpu: int, cause: int) -> None:
        """Move a thread that is queued or runs to a pCPU that its affinity allows."""
        if self.state.allowed[task, cpu]:
            self.make_room()
            kernel_entry.force_move(self.handle, task, cpu, cause)

    def wake(self, task: int, waker_cpu: int, by: int = int(ks.NONE)) -> None:
        """Wake a thread as an interrupt, or the thread ``by``, on ``waker_cpu`` does."""
        self.make_room()
        kernel_entry.wake(self.handle, task, waker_cpu, by)

    def change_opp(self, domain: int, khz: int) -> None:
        """Give a perf domain another frequency now, for good; every pCPU of it is settled and predicted anew."""
        self.make_room()
        kernel_entry.set_opp(self.handle, domain, khz)

    def kill(self, vm: GuestVm, outcome: str) -> None:
        """End all threads of a VM and keep why."""
        vm.outcome = outcome
        vm.died_ns = self.now_ns
        for task in vm.tasks:
            self.make_room()
            kernel_entry.kill(self.handle, task)
        self._running = any(other.alive for other in self.vms)

    def _fill_rates(self, rates: RateSource) -> None:
        """Work out the rates of each phase on each core type at each OPP, once for each frequency."""
        known: dict[tuple[int, str, int], Sequence[int]] = {}
        for number, (core, domain) in enumerate(layout.rate_classes(self.platform)):
            for place, opp in enumerate(self.platform.perf_domains[domain].opps):
                for phase in range(self.state.rate.shape[0]):
                    key = phase, core, opp.khz
                    if key not in known:
                        known[key] = rates(*key)
                    self.state.rate[phase, number, place] = known[key]
