"""One vCPU that executes real code: its engine, clock, timers and virtual PMU, kept in step at every access.

What happens between slices (interrupts, moves, other vCPUs) is in ``simcore.app.code_machine``.
"""

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from scheduler.failing import pmu_cost_ns
from simcore.app import code_registers
from simcore.app.code_clock import Clock, Deadline
from simcore.app.code_engine import Engine, Stop
from simcore.app.code_exceptions import (
    IRQ_MASKED,
    level_of,
    take_engine_exception,
    take_interrupt,
    take_undefined,
)
from simcore.app.code_gic import Gic, Interface
from simcore.app.code_pmu import NUMBER, TAKEN, GuestPmu, Tally
from simcore.app.code_timers import PHYSICAL_PPI, VIRTUAL_PPI, Timer
from simcore.app.code_unicorn import Encoding
from simcore.app.code_walk import Wish, walk
from simcore.app.code_words import ENDS, class_of
from simcore.costs import Costs

if TYPE_CHECKING:
    from simcore.app.code_machine import CodeMachine

PMU_PPI: Final = 23
MOST_EXCEPTIONS: Final = 100
"""So many exceptions without an instruction in between are a vector that faults itself."""
_NOTHING: Final = [0] * NUMBER


class State(Enum):
    """What a vCPU does."""

    OFF = auto()
    RUNS = auto()
    """It has its pCPU and is in the guest."""
    QUEUED = auto()
    """It waits for its pCPU, which another vCPU has."""
    HALTED = auto()
    """It is in WFI, off its pCPU."""
    OUTSIDE = auto()
    """KVM_RUN fails entry, and the VMM tries again."""


@dataclass(slots=True)
class Traps:
    """What the guest made the host do."""

    reads: int = 0
    writes: int = 0
    devices: int = 0
    undefined: int = 0
    interrupts: int = 0
    exceptions: int = 0
    waits: int = 0
    idle_ns: int = 0
    waited_ns: int = 0
    failed_entries: int = 0


@dataclass
class Core:
    """A vCPU; it is the `Listener` of its engine."""

    number: int
    machine: "CodeMachine"
    clock: Clock
    pmu: GuestPmu
    gic: Gic
    frequency_hz: int
    costs: Costs
    cpu: int
    read_cycles: int
    ran_on: int = -1
    state: State = State.OFF
    timer_access: int = 0
    traps: Traps = field(default_factory=Traps)

    def __post_init__(self) -> None:
        """Make what belongs to the vCPU alone."""
        self.timers = (Timer(PHYSICAL_PPI, self.frequency_hz), Timer(VIRTUAL_PPI, self.frequency_hz))
        self._passed = self._counted = 0
        self._running = False
        self._deadline = Deadline()
        self._owed = [0, 0]
        self._tally = Tally()
        self._words: dict[int, int] = {}
        self._retired_before = self._exceptions_since = 0
        self._charged_ns = pmu_cost_ns(self.pmu.vcpu.work, self.costs)
        self.engine = Engine(self.machine.memory, self.machine.base, self)

    @property
    def interface(self) -> Interface:
        """Return the CPU interface of the interrupt controller."""
        return self.gic.interfaces[self.number]

    @property
    def level(self) -> int:
        """Return the exception level."""
        return level_of(self.engine.pstate)

    # Between slices

    def slice(self, limit: int) -> Stop:
        """Execute until something stops the vCPU, and account for it."""
        self.pmu.vcpu.set_level(self.level)
        masked = self.signalled and bool(self.engine.pstate & IRQ_MASKED)
        watched = masked or self.pmu.watches(self.level)
        self.engine.watch(watched)
        self._words.clear()
        self._tally.clear()
        self._passed, self._counted, self._running = 0, 0, True
        try:
            stop = self.engine.run(limit)
        finally:
            self._running = False
        self._settle(stop.retired)
        return stop

    def plan(self, deadline: Deadline) -> int:
        """Take the machine's deadline, bring it forward to overflows and timers; return the instructions until then.

        It holds for the whole slice: what could change it ends the slice.
        """
        self.pmu.limit(deadline, self.clock)
        for timer in self.timers:
            due = timer.due_ns(self.clock.ns)
            if due is not None:
                deadline.ns = min(deadline.ns, due)
        self._deadline = deadline
        return deadline.bound(self.clock)

    def next_timer_ns(self) -> int | None:
        """Return when the next timer fires."""
        due = [timer.due_ns(self.clock.ns) for timer in self.timers]
        return min((ns for ns in due if ns is not None), default=None)

    def update_lines(self) -> None:
        """Drive the interrupt lines of the timers and the PMU."""
        for timer in self.timers:
            self.gic.set_line(self.number, timer.interrupt, timer.level(self.clock.ns))
        vcpu = self.pmu.vcpu
        self.gic.set_line(self.number, vcpu.irq_num or PMU_PPI, vcpu.injected_level)

    @property
    def signalled(self) -> bool:
        """Tell whether the interrupt controller signals an interrupt."""
        return self.gic.signals(self.number)

    def may_interrupt(self) -> bool:
        """Tell whether an interrupt is taken before the next instruction."""
        return self.signalled and not self.engine.pstate & IRQ_MASKED

    def interrupt(self) -> None:
        """Take an interrupt."""
        self.traps.interrupts += 1
        self._event(TAKEN)
        take_interrupt(self.engine)

    def undefined(self, pc: int) -> None:
        """Take the exception of an UNDEFINED instruction."""
        self.traps.undefined += 1
        self._event(TAKEN)
        take_undefined(self.engine, pc)

    def exception(self, stop: Stop, word: int) -> bool:
        """Take what stopped the engine to EL1; False where it is not known."""
        self.traps.exceptions += 1
        self._event(TAKEN)
        return take_engine_exception(self.engine, stop, word, self.machine.read_word64)

    def is_fruitless(self) -> bool:
        """Count an exception; tell whether there were too many since an instruction last retired."""
        if self.clock.instructions != self._retired_before:
            self._retired_before, self._exceptions_since = self.clock.instructions, 0
        self._exceptions_since += 1
        return self._exceptions_since > MOST_EXCEPTIONS

    def spend(self, ns: int) -> None:
        """Let host time pass."""
        self.clock.spend(ns)

    def idle_until(self, ns: int) -> None:
        """Let time pass in WFI."""
        if ns > self.clock.ns:
            self.traps.idle_ns += ns - self.clock.ns
            self.clock.spend(ns - self.clock.ns)

    def wait_until(self, ns: int) -> None:
        """Let time pass while another vCPU has the pCPU."""
        if ns > self.clock.ns:
            self.traps.waited_ns += ns - self.clock.ns
            self.clock.spend(ns - self.clock.ns)

    def charge_pmu_work(self) -> None:
        """Charge the host events made, released and enabled since the last call."""
        total = pmu_cost_ns(self.pmu.vcpu.work, self.costs)
        self.clock.spend(total - self._charged_ns)
        self._charged_ns = total

    def word_at(self, address: int) -> int:
        """Return the instruction at a virtual address, or 0 where there is none."""
        walked = walk(address, Wish(self.level == 0, fetches=True), self.engine.system, self.machine.read_word64)
        return 0 if walked.fault else self.machine.read_word32(walked.address)

    # Within a slice

    def read_register(self, encoding: Encoding, index: int) -> int | None:
        """Answer MRS."""
        if encoding in code_registers.PMU_NAMES:
            self._settle(index)
        elif encoding in code_registers.READS:
            self._let_pass(index)
        return code_registers.read(self, encoding)

    def write_register(self, encoding: Encoding, value: int, index: int) -> bool:
        """Answer MSR; the slice ends behind a write, which may change when it must end."""
        if encoding == code_registers.DAIF:
            self.ends_slice()
            return False
        if encoding in code_registers.PMU_NAMES or encoding in code_registers.WRITES:
            self._settle(index)
            self.ends_slice()
        return code_registers.write(self, encoding, value)

    def execute(self, address: int) -> bool:
        """Look at an instruction before it executes."""
        word = self._words.get(address)
        if word is None:
            word = self._words[address] = self.word_at(address)
        kind = class_of(word)
        self._tally.add(kind)
        return bool(kind & ENDS)

    def accessed_device(self) -> None:
        """Charge an access to a device; the slice ends behind it."""
        self._settle(self.engine.index)
        self.traps.devices += 1
        self.clock.spend(self.costs.trap)
        self.ends_slice()

    def ends_slice(self) -> None:
        """End the slice after the current instruction."""
        if self._running:
            self.engine.end_slice()

    def trapped(self, reads: bool) -> None:
        """Charge a trapped access to a PMU register."""
        if reads:
            self.traps.reads += 1
        else:
            self.traps.writes += 1
        self.clock.spend(self.costs.trap)
        self.charge_pmu_work()
        self.untrapped_read()

    def untrapped_read(self) -> None:
        """Let a read of a counter take its cycles, and end the slice where something is due then."""
        self._owe(*self.clock.add_cycles(self.read_cycles))
        if self._running:
            self.engine.shorten(max(1, self._deadline.bound(self.clock)))

    def wakes_others(self) -> None:
        """Tell the machine that another vCPU may have an interrupt now."""
        self.machine.wake_signalled(self.clock.ns)

    def _settle(self, index: int) -> None:
        """Count what has retired since the last time, ``index`` being the number within the slice.

        No sample period ends within a slice but at its end, so there is no need to count at each read of the time.
        """
        self._let_pass(index)
        fresh = index - self._counted
        if fresh <= 0 and not self._owed[0]:
            return
        cycles, ns = self._owed
        self._counted, self._owed = index, [0, 0]
        if self.pmu.count(self._tally.take(fresh), cycles, ns, fresh):
            self.clock.spend(self.costs.interrupt_latency)
            self.charge_pmu_work()

    def _let_pass(self, index: int) -> None:
        """Let the time pass of what has retired within the slice."""
        fresh = index - self._passed
        if fresh > 0:
            self._passed = index
            self._owe(*self.clock.advance(fresh))

    def _owe(self, cycles: int, ns: int) -> None:
        """Remember cycles that the counters have not seen."""
        self._owed[0] += cycles
        self._owed[1] += ns

    def _event(self, stream: int) -> None:
        events = list(_NOTHING)
        events[stream] = 1
        self.pmu.count(events, 0, 0, 0)
