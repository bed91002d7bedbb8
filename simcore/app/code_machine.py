"""A machine like QEMU's `virt` whose vCPUs execute real code on a simulated host: memory, devices, power, the run.

Time is common: the vCPU that is earliest executes next, up to a point that does not depend on the length of slices.
What a run is made from is in ``simcore.app.code_run``.
"""

import mmap
from collections.abc import Callable

from pmu.bank import CounterBank
from pmu.kvm import Vm
from pmu.vcpu import Entry
from scheduler import vmm
from scheduler.host import never
from simcore.app import code_power
from simcore.app.code_clock import Clock, Deadline
from simcore.app.code_console import Console
from simcore.app.code_core import Core, State
from simcore.app.code_engine import CALLS, UNDEFINED, Stop, Unmapped
from simcore.app.code_exceptions import is_call
from simcore.app.code_gic import REDISTRIBUTOR_SIZE, Gic
from simcore.app.code_loader import RAM, Image
from simcore.app.code_map import DISTRIBUTOR, FLASH, FLASH_SIZE, REDISTRIBUTORS, UART, WINDOW
from simcore.app.code_moves import Moves
from simcore.app.code_pmu import STREAMS, GuestPmu
from simcore.app.code_registers import register_of
from simcore.app.code_run import CodeRun
from simcore.app.code_turns import Turns

DeviceRead = Callable[[int, int], int]
DeviceWrite = Callable[[int, int, int], None]


class CodeMachine:
    """A VM of real code on a host."""

    def __init__(self, run: CodeRun, image: Image, tree: bytes) -> None:
        """Make the VM as its VMM does, load the image and the device tree, power vCPU 0 on."""
        self.run, self.base = run, RAM
        self.memory, self.flash = mmap.mmap(-1, run.ram_bytes), mmap.mmap(-1, FLASH_SIZE)
        self.console = Console()
        self.gic = Gic(run.vcpus)
        self.outcome = ""
        self.where = ""
        self.vm = Vm(run.host, run.policy.revision, CounterBank(run.vcpus), STREAMS)
        self.init_cpus = run.init_cpus()
        self.turns = Turns(run.turn_ns)
        self._changed = False
        vcpus = vmm.prepare(self.vm, run.policy, self.init_cpus, range(run.vcpus))
        self.cores = [self._core(number) for number, _ in enumerate(vcpus)]
        self.moves = [Moves(run.plan.moves_of(n, core.cpu, run.allowed, run.seed)) for n, core in enumerate(self.cores)]
        self._load(image, tree)

    # Making

    def _core(self, number: int) -> Core:
        run, allowed = self.run, self.run.allowed
        cpu = self.init_cpus[number]
        cpu = cpu if cpu in allowed else allowed[number % len(allowed)]
        clock = Clock(run.khz[cpu], run.cpi_on(cpu))
        vcpu = self.vm.vcpus[number]
        counting = GuestPmu(self.vm, vcpu, number, run.platform.cntfrq_hz)
        core = Core(number, self, clock, counting, self.gic, run.platform.cntfrq_hz, run.costs, cpu, run.read_cycles)
        vcpu.follow(lambda: clock.host_ns)
        gic, uart = self.gic, self.console
        self._attach(core, DISTRIBUTOR, WINDOW, gic.read_distributor, gic.write_distributor)
        size = run.vcpus * REDISTRIBUTOR_SIZE
        self._attach(core, REDISTRIBUTORS, size, gic.read_redistributor, gic.write_redistributor)
        self._attach(core, UART, 0x1000, uart.read, uart.write)
        core.engine.map_rom(FLASH, self.flash)
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

    def _load(self, image: Image, tree: bytes) -> None:
        for start, data in image.parts:
            self.memory[start - RAM : start - RAM + len(data)] = data
        at = self.run.ram_bytes - (2 << 20)
        self.memory[at : at + len(tree)] = tree
        if all(start >= RAM + len(tree) for start, _ in image.parts):  # where firmware looks for it on `virt`
            self.memory[: len(tree)] = tree
        self.power_on(0, image.entry, RAM + at)

    # Power

    def power_on(self, number: int, entry: int, argument: int) -> None:
        """Let a vCPU begin at an address with x0 = argument, once it has its pCPU."""
        core = self.cores[number]
        core.engine.pc = entry
        core.engine.set_x(0, argument)
        self._ask(core)

    def power_off(self, core: Core) -> None:
        """Let a vCPU end."""
        self._leave(core, State.OFF)

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

    def go(self, stopped: Callable[[], bool] = never) -> None:
        """Run until the guest ends, hangs, or is over its limits; raise KeyboardInterrupt where it is stopped."""
        while not self.outcome:
            if stopped():
                raise KeyboardInterrupt
            at, core = self._earliest()
            if core is None:
                self.end("hang", "every vCPU waits and nothing will wake it")
            elif at >= self.run.limit_ns:
                self._limit(core)
            elif core.state is State.RUNS:
                self._execute(core, stopped)
            else:
                self._happen(core, at)

    def _earliest(self) -> tuple[int, Core | None]:
        """Return the vCPU that is next, and when."""
        nexts = [(at, core.number) for core in self.cores if (at := self._next_ns(core)) is not None]
        at, number = min(nexts, default=(0, -1))
        return at, None if number < 0 else self.cores[number]

    def _next_ns(self, core: Core) -> int | None:
        """Return when a vCPU does something: at once where it runs, else at a timer or a move; None: never."""
        if core.state is State.OFF:
            return None
        if core.state is State.RUNS:
            return core.clock.ns
        due = self.moves[core.number].due_ns(core.clock)
        timer = core.next_timer_ns() if core.state is State.HALTED else None
        return min((ns for ns in (due, timer) if ns is not None), default=None)

    def _execute(self, core: Core, stopped: Callable[[], bool]) -> None:
        """Let a vCPU execute until another one is next by the quantum, until its turn ends, or it stops by itself.

        None of this depends on how the engine slices it.
        """
        until, self._changed = self._until(core), False
        while not (self.outcome or self._changed or stopped()) and core.state is State.RUNS and core.clock.ns < until:
            self._step(core, until)
        ends = self.turns.ends_ns(core) if core.state is State.RUNS else None
        if ends is not None and core.clock.ns >= ends and not self.outcome:
            self._leave(core, State.QUEUED)
            self._ask(core)

    def _until(self, core: Core) -> int:
        times = [self._next_ns(other) for other in self.cores if other is not core]
        others = min((ns for ns in times if ns is not None), default=None)
        until = self.run.limit_ns
        if others is not None:
            until = min(until, max(others, core.clock.ns) + self.run.quantum_ns)
        ends = self.turns.ends_ns(core)
        return until if ends is None else min(until, ends)

    def _happen(self, core: Core, at: int) -> None:
        """Let the time come at which something happens to a vCPU that is not in the guest."""
        if core.state is State.QUEUED:
            core.wait_until(at)
        else:
            core.idle_until(at)
        attempts = core.traps.failed_entries
        self._move_if_due(core)
        core.update_lines()
        if core.state is State.HALTED and core.signalled:
            self._wake(core)
        elif core.state is State.OUTSIDE and core.traps.failed_entries == attempts:
            self._try_later(core)

    def _step(self, core: Core, until: int) -> None:
        """Do what is due for a vCPU, then let it execute a slice."""
        if core.clock.instructions >= self.run.limit_instructions:
            self._limit(core)
            return
        self._move_if_due(core)
        if self.outcome or core.state is not State.RUNS:
            return
        core.update_lines()
        if core.may_interrupt():
            core.interrupt()
        bound = core.plan(self._deadline(core, until))
        if bound == 0:
            return
        try:
            stop = core.slice(min(bound, self.run.slice_instructions))
        except Unmapped as fault:
            self._fail(core, f"access outside of memory and devices at physical address {fault.address:#x}")
            return
        self._handle(core, stop)

    def _limit(self, core: Core) -> None:
        clock = core.clock
        self.end("limit", f"after {clock.instructions} instructions, {clock.ns} ns{self._place(core)}")

    def _deadline(self, core: Core, until: int) -> Deadline:
        """Return when a vCPU must stop for the machine's sake."""
        deadline = Deadline(self.run.limit_instructions, ns=until)
        move = self.moves[core.number].next
        if move is not None and move.instructions is not None:
            deadline.instructions = min(deadline.instructions, move.instructions)
        if move is not None and move.ns is not None:
            deadline.ns = min(deadline.ns, move.ns)
        return deadline

    def _handle(self, core: Core, stop: Stop) -> None:
        if stop.why in ("refused", "exception") and core.is_fruitless():
            self.end("hang", f"it takes exceptions without executing an instruction{self._place(core)}")
        elif stop.why == "wait":
            core.traps.waits += 1
            core.update_lines()
            if core.signalled:
                core.spend(self.run.costs.wfi)
            else:
                self._leave(core, State.HALTED)
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
            if other.state is State.HALTED and other.signalled:
                other.idle_until(ns)
                self._wake(other)

    def _wake(self, core: Core) -> None:
        self._ask(core)
        core.spend(self.run.costs.wfi)

    def _fail(self, core: Core, what: str) -> None:
        self.end("failed", f"{what}{self._place(core)}")

    def _place(self, core: Core) -> str:
        pc = core.engine.pc
        return f"; vCPU {core.number}, PC {pc:#x}, instruction {core.word_at(pc):#010x}"

    # On and off pCPUs

    def _ask(self, core: Core) -> None:
        """Let a vCPU enter the guest once it has its pCPU."""
        core.state, self._changed = State.QUEUED, True
        if self.turns.ask(core):
            self._enter(core)

    def _leave(self, core: Core, state: State) -> None:
        """Take a vCPU off its pCPU, as KVM does when its thread blocks or is preempted, and let another one have it."""
        if core.pmu.vcpu.cpu >= 0:
            core.pmu.vcpu.put()
        core.state, self._changed = state, True
        follower = self.turns.leave(core)
        if follower is not None:
            self._enter(follower)

    def _enter(self, core: Core) -> None:
        """Load a vCPU on its pCPU and enter the guest, or have the VMM try again."""
        if core.cpu != core.ran_on:
            self._arrive(core)
        entry = core.pmu.vcpu.run_on(core.cpu)
        core.charge_pmu_work()
        self.moves[core.number].drop_missed(core.clock)
        core.state = State.RUNS
        if not isinstance(entry, Entry):
            self.end("failed", f"KVM_RUN fails with {entry} on CPU {core.cpu}")
        elif core.pmu.vcpu.cpu < 0:
            self._leave(core, State.OUTSIDE)
            self._try_later(core)

    def _arrive(self, core: Core) -> None:
        """Account for the first run on another pCPU."""
        moves, first = self.moves[core.number], self.run.host.first_pmu
        moves.end(core.clock, self.vm.bank)
        if core.ran_on >= 0:
            moves.done += 1
            moves.crossings += first(core.cpu) is not first(core.ran_on)
            core.spend(self.run.costs.migration)
        core.ran_on = core.cpu
        core.clock.move(self.run.khz[core.cpu], self.run.cpi_on(core.cpu))
        moves.begin(core.number, core.cpu, core.clock, self.vm.bank)

    def _try_later(self, core: Core) -> None:
        """Let the VMM try to enter until the vCPU is moved; end the run where nobody will move it."""
        core.traps.failed_entries += 1
        if self.moves[core.number].due_ns(core.clock) is None:
            self.end("fail-entry", f"KVM_RUN fails entry on CPU {core.cpu}, which the VM's PMU does not cover")
            return
        core.idle_until(core.clock.ns + self.run.costs.fail_entry)

    def _move_if_due(self, core: Core) -> None:
        moves = self.moves[core.number]
        while moves.is_due(core.clock) and moves.next is not None and not self.outcome:
            cpu = moves.next.cpu
            moves.advance()
            if cpu not in self.run.allowed:
                moves.refused += 1
            elif cpu != core.cpu:
                self._move(core, cpu)

    def _move(self, core: Core, cpu: int) -> None:
        """Move a vCPU: where its thread is blocked it only wakes there."""
        if core.state is State.HALTED:
            core.cpu = cpu
            return
        if core.state is not State.OUTSIDE:
            self._leave(core, State.QUEUED)
        core.cpu = cpu
        self._ask(core)

    def close(self) -> None:
        """End the account of every vCPU."""
        for core, moves in zip(self.cores, self.moves, strict=True):
            moves.end(core.clock, self.vm.bank)
