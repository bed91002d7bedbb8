"""A guest at run time: its vCPU threads, each a stack of program steps over one or more virtual PMUs."""

from dataclasses import dataclass, field

import numpy as np

from pmu.kvm import Vm
from pmu.vcpu import Vcpu
from scheduler.failing import Attempts
from workloads.actions import Action, Answer, Halt
from workloads.program import GuestCpu, GuestProgram, Steps

SELECTED = ("PMXEVCNTR_EL0", "PMXEVTYPER_EL0")
"""Registers whose meaning depends on PMSELR_EL0."""


def no_rows() -> np.ndarray:
    """Return an empty script."""
    return np.zeros((0, 3), np.int64)


@dataclass(slots=True)
class Frame:
    """One level of a vCPU's program: the program itself, or an interrupt handler on top of it.

    ``script`` is what is left of a long script of this level. ``work``, ``spin_until``, ``phase`` and ``rows`` keep
    what the level below was executing when it was interrupted. ``due`` is of a level that executes `RunUntil`: what it
    has to retire, and what the vCPU had retired before.
    """

    steps: Steps
    answer: Answer = None
    script: np.ndarray = field(default_factory=no_rows)
    work: int = 0
    spin_until: int = 0
    phase: int = 0
    rows: np.ndarray = field(default_factory=no_rows)
    due: tuple[int, int] | None = None
    first: Action | None = None
    begun: bool = False


@dataclass(slots=True)
class Residence:
    """How long a vCPU executed its guest on pCPUs of each class of host PMUs: class -> [ns, cycles]."""

    spent: dict[int, list[int]] = field(default_factory=dict)
    marked: tuple[int, int] = (0, 0)

    def book(self, pmu_class: int, guest_ns: int, guest_cycles: int) -> None:
        """Book what was executed since the last booking, the vCPU having been on pCPUs of this class."""
        booked = self.spent.setdefault(pmu_class, [0, 0])
        booked[0] += guest_ns - self.marked[0]
        booked[1] += guest_cycles - self.marked[1]
        self.marked = guest_ns, guest_cycles


@dataclass(slots=True)
class GuestVcpu:
    """A vCPU at run time. ``vpmus`` are its virtual PMUs: the real one first, then the shadows.

    ``first_row``: that of the real one in the counter bank; those of the shadows follow.
    ``level``: at which exception level they know that it executes.
    """

    index: int
    number: int
    task: int
    vm: "GuestVm"
    cpu: GuestCpu
    vpmus: tuple[Vcpu, ...]
    init_cpu: int
    first_row: int
    frames: list[Frame] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    charged_ns: int = 0
    attempts: Attempts = field(default_factory=Attempts)
    interrupt_line: bool = False
    irqchip_exits: int = 0
    io_wait: int = 0
    io_waits: int = 0
    residence: Residence = field(default_factory=Residence)
    level: int | None = None
    _refusing: dict[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def shadows(self) -> tuple[Vcpu, ...]:
        """Return the virtual PMUs that only watch."""
        return self.vpmus[1:]

    def refusing(self, name: str) -> tuple[int, ...]:
        """Return the numbers of the shadows whose guests could not read a register; which these are hardly changes."""
        known = self._refusing.get(name)
        if known is None:
            known = tuple(number for number, vpmu in enumerate(self.shadows, 1) if vpmu.refuses_read(name))
            if name not in SELECTED:
                self._refusing[name] = known
        return known

    def rows(self) -> range:
        """Return the rows of the counter bank that belong to this vCPU, the real one first."""
        return range(self.first_row, self.first_row + len(self.vpmus))

    def next_action(self) -> Action | None:
        """Advance the topmost program level by its last answer; None when that level has ended."""
        frame = self.frames[-1]
        first, frame.first = frame.first, None
        if first is not None:
            return first
        frame.begun = True
        answer, frame.answer = frame.answer, None
        try:
            return frame.steps.send(answer)
        except StopIteration:
            return None

    def is_off(self) -> bool:
        """Tell whether the vCPU is powered off: its program has not begun, and begins by waiting to be started."""
        frame = self.frames[-1]
        if not frame.begun:
            frame.first = self.next_action()
        return isinstance(frame.first, Halt)


@dataclass(slots=True, order=True)
class Request:
    """What an I/O thread has to do: half of a request of a vCPU, from ``when_ns`` on, in this order.

    ``device_ns`` is how long the device will take, 0 once it is done; ``wait`` numbers the vCPU's waits.
    """

    when_ns: int
    number: int
    vcpu: GuestVcpu = field(compare=False)
    wait: int = field(compare=False)
    device_ns: int = field(compare=False)


@dataclass(slots=True)
class IoThread:
    """A thread of the VMM that does I/O, and its requests as a heap."""

    task: int
    burst_work: int
    requests: list[Request] = field(default_factory=list)
    put: int = 0


@dataclass(slots=True)
class GuestVm:
    """A VM at run time: its program, its KVM state under the real policy and each shadow, its outcome, its threads.

    ``stopped_ns``: for how long it has been stopped so far; its architected timer has not counted then.
    ``lost``: the event counters that it had before a live migration and has no more.
    """

    number: int
    program: GuestProgram
    kvms: list[Vm]
    retries_fail_entry: bool
    first_phase: int
    vcpus: list[GuestVcpu] = field(default_factory=list)
    outcome: str = "alive"
    died_ns: int | None = None
    vmm_tasks: tuple[int, ...] = ()
    io_threads: list[IoThread] = field(default_factory=list)
    stopped_ns: int = 0
    lost: range = range(0)

    @property
    def tasks(self) -> tuple[int, ...]:
        """Return all threads: those of the vCPUs, the VMM's main thread, its I/O threads."""
        return (*(vcpu.task for vcpu in self.vcpus), *self.vmm_tasks)

    @property
    def alive(self) -> bool:
        """Tell whether the guest has not died."""
        return self.died_ns is None
