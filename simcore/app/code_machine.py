"""A machine like QEMU's `virt` whose vCPUs execute real code on a simulated host: memory, devices, power, the run.

Time is common: the vCPU that is earliest executes next, up to a point that does not depend on the length of slices.
"""

import mmap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from pmu.bank import CounterBank
from pmu.host import Host
from pmu.kvm import Vm
from pmu.policies import BEFORE_INIT, Policy
from pmu.vcpu import Entry
from scheduler import vmm
from simcore.app import code_power
from simcore.app.code_clock import Clock, Deadline
from simcore.app.code_console import Console
from simcore.app.code_core import Core
from simcore.app.code_engine import CALLS, UNDEFINED, Stop, Unmapped
from simcore.app.code_exceptions import is_call
from simcore.app.code_gic import REDISTRIBUTOR_SIZE, Gic
from simcore.app.code_loader import RAM, Image
from simcore.app.code_map import DISTRIBUTOR, REDISTRIBUTORS, UART, WINDOW
from simcore.app.code_plan import Move, Plan
from simcore.app.code_pmu import STREAMS, GuestPmu
from simcore.app.code_registers import register_of
from simcore.costs import Costs
from simcore.draws import below
from simcore.platform import Platform
from workloads.phase import Phase

QUANTUM_NS: Final = 1_000
"""How far a vCPU may run ahead of another (assumed)."""


DeviceRead = Callable[[int, int], int]
DeviceWrite = Callable[[int, int, int], None]


@dataclass(frozen=True, slots=True)
class CodeRun:
    """What to run: the host, the policy, where the vCPUs begin and move, and for how long at most.

    ``khz``: frequency by pCPU. ``slice_instructions``: the most that the engine executes at once.
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
    cpi_q32: int | None = None
    costs: Costs = field(default_factory=Costs)
    ram_bytes: int = 64 << 20
    limit_instructions: int = 2_000_000_000
    limit_ns: int = 60_000_000_000
    slice_instructions: int = 1_000_000


@dataclass(slots=True)
class Stretch:
    """What a vCPU executed on one pCPU between two moves."""

    vcpu: int
    cpu: int
    begin_ns: int
    instructions: int = 0
    cycles: int = 0
    end_ns: int = 0
    counted: int = 0


@dataclass(slots=True)
class Moves:
    """The moves of one vCPU: the next one, those to come, and what became of those before."""

    coming: Iterator[Move]
    next: Move | None = None
    done: int = 0
    crossings: int = 0
    refused: int = 0
    stretch: Stretch | None = None
    stretches: list[Stretch] = field(default_factory=list)


class CodeMachine:
    """A VM of real code on a host."""

    def __init__(self, run: CodeRun, image: Image, tree: bytes) -> None:
        """Make the VM as its VMM does, load the image and the device tree, power vCPU 0 on."""
        self.run, self.base = run, RAM
        self.memory = mmap.mmap(-1, run.ram_bytes)
        self.console = Console()
        self.gic = Gic(run.vcpus)
        self.outcome = ""
        self.where = ""
        self.vm = Vm(run.host, run.policy.revision, CounterBank(run.vcpus), STREAMS)
        self.init_cpus = self._init_cpus()
        vcpus = vmm.prepare(self.vm, run.policy, self.init_cpus, range(run.vcpus))
        self.cores = [self._core(number) for number, _ in enumerate(vcpus)]
        self.moves = [self._moves(core) for core in self.cores]
        self._load(image, tree)

    # Making

    @property
    def allowed(self) -> list[int]:
        """Return the pCPUs on which the policy lets the vCPUs run."""
        cpus = self.run.policy.pinned_cpus
        return sorted(cpus) if cpus else list(range(self.run.host.ncpus))

    def _init_cpus(self) -> list[int]:
        run = self.run
        pool = self.allowed if run.policy.pins == BEFORE_INIT else list(range(run.host.ncpus))
        if run.init_cpu is not None and run.init_cpu in pool:
            return [run.init_cpu] * run.vcpus
        return [pool[below(len(pool), run.seed, "vm0", "init placement", n)] for n in range(run.vcpus)]

    def _core(self, number: int) -> Core:
        run = self.run
        cpu = self.init_cpus[number]
        cpu = cpu if cpu in self.allowed else self.allowed[number % len(self.allowed)]
        clock = Clock(run.khz[cpu], self._cpi(cpu))
        vcpu = self.vm.vcpus[number]
        counting = GuestPmu(self.vm, vcpu, number, run.platform.cntfrq_hz)
        core = Core(number, self, clock, counting, self.gic, run.platform.cntfrq_hz, run.costs, cpu)
        vcpu.follow(lambda: clock.host_ns)
        gic, uart = self.gic, self.console
        self._attach(core, DISTRIBUTOR, WINDOW, gic.read_distributor, gic.write_distributor)
        size = run.vcpus * REDISTRIBUTOR_SIZE
        self._attach(core, REDISTRIBUTORS, size, gic.read_redistributor, gic.write_redistributor)
        self._attach(core, UART, 0x1000, uart.read, uart.write)
        return core

    @staticmethod
    def _attach(core: Core, base: int, size: int, read: DeviceRead, write: DeviceWrite) -> None:
        """Map a device for a vCPU; an access is charged before the device sees it."""

        def reads(offset: int, size: int) -> int:
            core.accessed_device()
            return read(offset, size)

        def writes(offset: int, size: int, value: int) -> None:
            core.accessed_device()
            write(offset, size, value)
            core.wakes_others()

        core.engine.map_device(base, size, reads, writes)

    def _moves(self, core: Core) -> Moves:
        coming = self.run.plan.moves_of(core.number, core.cpu, self.allowed, self.run.seed)
        return Moves(coming, next(coming, None))

    def _cpi(self, cpu: int) -> int:
        if self.run.cpi_q32 is not None:
            return self.run.cpi_q32
        return self.run.phase.cpi_q32(self.run.platform.cpus[cpu].core, self.run.khz[cpu])

    def _load(self, image: Image, tree: bytes) -> None:
        for start, data in image.parts:
            self.memory[start - RAM : start - RAM + len(data)] = data
        at = self.run.ram_bytes - (2 << 20)
        self.memory[at : at + len(tree)] = tree
        self.power_on(0, image.entry, RAM + at)

    # Power

    def power_on(self, number: int, entry: int, argument: int) -> None:
        """Let a vCPU begin at an address with x0 = argument, and make its first KVM_RUN."""
        core = self.cores[number]
        core.engine.pc = entry
        core.engine.set_x(0, argument)
        core.powered = True
        self._enter(core, self.vm.run(core.pmu.vcpu, core.cpu))
        self._begin_stretch(core)

    def end(self, outcome: str, where: str = "") -> None:
        """End the run."""
        self.outcome, self.where = outcome, where

    # Memory

    def read_word64(self, address: int) -> int:
        """Read physical memory; outside of it, 0."""
        return self._word(address, 8)

    def read_word32(self, address: int) -> int:
        """Read an instruction at a physical address; outside of memory, 0."""
        return self._word(address, 4)

    def _word(self, address: int, size: int) -> int:
        at = address - RAM
        return int.from_bytes(self.memory[at : at + size], "little") if 0 <= at <= len(self.memory) - size else 0

    # The run

    def go(self) -> None:
        """Run until the guest ends, hangs, or is over its limits."""
        while not self.outcome:
            core = self._earliest()
            if core is None:
                self.end("hang", "every vCPU waits and nothing will wake it")
                return
            self._step(core)

    def _earliest(self) -> Core | None:
        ready = [core for core in self.cores if core.powered and not core.waiting]
        sleepers = [core for core in self.cores if core.powered and core.waiting]
        wakes = [(at, core) for core in sleepers if (at := self._wakes_at(core)) is not None]
        first = min(ready, key=lambda core: (core.clock.ns, core.number), default=None)
        if wakes:
            at, sleeper = min(wakes, key=lambda pair: (pair[0], pair[1].number))
            if first is None or at <= first.clock.ns:
                sleeper.idle_until(at)
                return sleeper
        return first

    def _wakes_at(self, core: Core) -> int | None:
        """Return when something happens to a vCPU that waits: a timer, or a move."""
        times = [core.next_timer_ns()]
        move = self.moves[core.number].next
        times.append(None if move is None or move.ns is None else max(move.ns, core.clock.ns))
        return min((ns for ns in times if ns is not None), default=None)

    def _step(self, core: Core) -> None:
        """Do what is due for a vCPU, then let it execute a slice."""
        if core.clock.instructions >= self.run.limit_instructions or core.clock.ns >= self.run.limit_ns:
            self.end("limit", f"after {core.clock.instructions} instructions, {core.clock.ns} ns")
            return
        self._move_if_due(core)
        if self.outcome or core.pmu.vcpu.cpu < 0:
            return
        core.update_lines()
        if core.waiting:
            if not core.signalled:
                return
            core.waiting = False
            core.spend(self.run.costs.wfi)
            core.update_lines()
        if core.may_interrupt():
            core.interrupt()
        bound = core.plan(self._deadline(core))
        if bound == 0:
            return
        try:
            stop = core.slice(min(bound, self.run.slice_instructions))
        except Unmapped as fault:
            self._fail(core, f"access outside of memory and devices at physical address {fault.address:#x}")
            return
        self._handle(core, stop)

    def _deadline(self, core: Core) -> Deadline:
        """Return when a vCPU must stop for the machine's sake."""
        deadline = Deadline(self.run.limit_instructions, ns=self._horizon(core))
        move = self.moves[core.number].next
        if move is not None and move.instructions is not None:
            deadline.instructions = min(deadline.instructions, move.instructions)
        return deadline

    def _horizon(self, core: Core) -> int:
        """Return the time at which a vCPU must stop for others, for a move, or for good."""
        move = self.moves[core.number].next
        horizon = self.run.limit_ns
        if move is not None and move.ns is not None:
            horizon = min(horizon, move.ns)
        others = [other.clock.ns for other in self.cores if other is not core and other.powered and not other.waiting]
        if others:
            horizon = min(horizon, max(min(others), core.clock.ns) + QUANTUM_NS)
        return horizon

    def _handle(self, core: Core, stop: Stop) -> None:
        if stop.why == "wait":
            core.traps.waits += 1
            core.update_lines()
            core.waiting = not core.signalled
        elif stop.why == "refused":
            core.undefined(stop.pc)
        elif stop.why == "exception":
            self._exception(core, stop)

    def _exception(self, core: Core, stop: Stop) -> None:
        at = stop.pc - 4 if stop.number in CALLS else stop.pc
        word = core.word_at(at)
        if is_call(stop, word) and core.level == 1:
            core.engine.pc = at + 4
            code_power.call(self, core)
        elif stop.number == UNDEFINED and core.level == 1 and (register := register_of(word)):
            self._fail(core, register)
        elif not core.exception(stop, word):
            self._fail(core, f"exception {stop.number} of the engine")

    def wake_signalled(self, ns: int) -> None:
        """Wake vCPUs that wait and now have an interrupt."""
        for other in self.cores:
            if other.powered and other.waiting and other.signalled:
                other.idle_until(ns)
                other.waiting = False

    def _fail(self, core: Core, what: str) -> None:
        pc = core.engine.pc
        self.end("failed", f"{what}; vCPU {core.number}, PC {pc:#x}, instruction {core.word_at(pc):#010x}")

    # Moves

    def _move_if_due(self, core: Core) -> None:
        moves = self.moves[core.number]
        while (move := moves.next) is not None:
            late = move.instructions is not None and core.clock.instructions >= move.instructions
            if not late and (move.ns is None or core.clock.ns < move.ns):
                break
            moves.next = next(moves.coming, None)
            self._move(core, move.cpu)
        if core.pmu.vcpu.cpu < 0 and not self.outcome:
            self._wait_outside(core)

    def _move(self, core: Core, cpu: int) -> None:
        moves, vcpu = self.moves[core.number], core.pmu.vcpu
        if cpu not in self.allowed:
            moves.refused += 1
            return
        if cpu == core.cpu:
            return
        self._end_stretch(core)
        first = self.run.host.first_pmu
        moves.done += 1
        moves.crossings += first(cpu) is not first(core.cpu)
        core.spend(self.run.costs.migration + self.run.costs.context_switch)
        core.cpu = cpu
        core.clock.move(self.run.khz[cpu], self._cpi(cpu))
        self._enter(core, vcpu.migrate(cpu) if vcpu.cpu >= 0 else vcpu.run_on(cpu))
        self._begin_stretch(core)

    def _enter(self, core: Core, entry: Entry | int) -> None:
        core.charge_pmu_work()
        if not isinstance(entry, Entry):
            self.end("failed", f"KVM_RUN fails with {entry} on CPU {core.cpu}")

    def _wait_outside(self, core: Core) -> None:
        """Let the VMM try to enter until the vCPU is moved; end the run where nobody will move it."""
        core.traps.failed_entries += 1
        move = self.moves[core.number].next
        if move is None or move.ns is None:
            self.end("fail-entry", f"KVM_RUN fails entry on CPU {core.cpu}, which the VM's PMU does not cover")
            return
        core.idle_until(max(move.ns, core.clock.ns + self.run.costs.fail_entry))

    def _begin_stretch(self, core: Core) -> None:
        clock = core.clock
        self.moves[core.number].stretch = Stretch(
            core.number, core.cpu, clock.ns, clock.instructions, clock.cycles, clock.ns, self._counted(core)
        )

    def _end_stretch(self, core: Core) -> None:
        moves, clock = self.moves[core.number], core.clock
        begun = moves.stretch
        if begun is not None:
            counted = self._counted(core) - begun.counted
            moves.stretches.append(
                replace(
                    begun,
                    instructions=clock.instructions - begun.instructions,
                    cycles=clock.cycles - begun.cycles,
                    end_ns=clock.ns,
                    counted=counted,
                )
            )
            moves.stretch = None

    def _counted(self, core: Core) -> int:
        return int(self.vm.bank.ledger[core.number, 31, 0])

    def close(self) -> None:
        """End the stretches that are open, so that the account is whole."""
        for core in self.cores:
            self._end_stretch(core)
