"""What a vCPU program may ask for: one small frozen class for each action.

A program yields an action; what the machine sends back is the action's result (None unless said; numbers are
Python ints).
How long an action takes, and what it costs the host, is decided elsewhere.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np


class Undef(Enum):
    """The result of a register access that the guest's exception level finds UNDEFINED."""

    UNDEF = "undefined instruction"


UNDEF = Undef.UNDEF

# what a row of a Script asks for
RUN, SPIN, SLEEP, HALT, WAKE = range(5)


@dataclass(frozen=True, slots=True)
class Run:
    """Retire `instructions` instructions of the program's phase number `phase`."""

    phase: int
    instructions: int


@dataclass(frozen=True, slots=True)
class SpinUntil:
    """Execute phase number `phase` until the architected counter (CNTVCT) shows at least `ticks`."""

    phase: int
    ticks: int


@dataclass(frozen=True, slots=True)
class RunUntil:
    """Retire `instructions` instructions of phase number `phase`, but no longer than until CNTVCT shows `ticks`.

    The result is how many are left: work that the guest's timer interrupts.
    """

    phase: int
    instructions: int
    ticks: int


@dataclass(frozen=True, slots=True, eq=False)
class Script:
    """Several things in a row of which none has a result: rows of an int64 array [n, 3], n at least 1.

    RUN phase, instructions; SPIN phase, ticks; SLEEP io (0 or 1), ns (at least 1); HALT 0, 0; WAKE vCPU number, 0: as
    the actions of these names, done without asking the program in between.
    """

    rows: np.ndarray


@dataclass(frozen=True, slots=True)
class ReadReg:
    """Read a PMU system register at EL1; the result is its value, or UNDEF."""

    name: str


@dataclass(frozen=True, slots=True)
class WriteReg:
    """Write a PMU system register at EL1; the result is None, or UNDEF."""

    name: str
    value: int


@dataclass(frozen=True, slots=True)
class ReadTimer:
    """Read CNTVCT_EL0 (not trapped, no cost); the result is its value in ticks."""


@dataclass(frozen=True, slots=True)
class ReadSteal:
    """Read the stolen time that the hypervisor publishes (PV time; no exit, no cost); the result is nanoseconds."""


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait for interrupt until the guest's timer, or (io) an I/O completion, `ns` nanoseconds from now."""

    ns: int
    io: bool = False


@dataclass(frozen=True, slots=True)
class Halt:
    """Wait with no timer set: until another vCPU sends `Wake`; one that came earlier ends it at once."""


@dataclass(frozen=True, slots=True)
class Wake:
    """Start or wake vCPU number `vcpu` of the same VM (PSCI CPU_ON, or an IPI)."""

    vcpu: int


@dataclass(frozen=True, slots=True)
class Report:
    """Put a value that the guest found into the record of the run."""

    key: str
    value: int


@dataclass(frozen=True, slots=True)
class Record:
    """Put a row into a table of the run's record that has the VM as its first column; ``row`` is what follows."""

    table: str
    row: tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class StartSampling:
    """Let the record of where this vCPU executes (table `residence`) begin here, as its samples do."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Put a sample of perf, taken here and now, into the record of the run: what `perf record` writes to perf.data.

    `period` is how many events it stands for, `skid` how many came between the overflow and the handler.
    """

    event: int
    period: int
    skid: int


@dataclass(frozen=True, slots=True)
class PerfRead:
    """Put what a tool of the guest read of an open perf event, here and now, into the record of the run.

    The columns of the table `perf_reads` from `perf_ns` on; times are those of the guest's clock.
    """

    perf_ns: int
    interval: int
    event: int
    value: int
    enabled_ns: int
    running_ns: int


@dataclass(frozen=True, slots=True)
class Truth:
    """How often an event really occurred on this vCPU so far, whatever any counter did; 0 where no phase causes it.

    No guest can see that. A program asks it only to judge what it was told, never to decide what to do.
    """

    event: int


@dataclass(frozen=True, slots=True)
class Die:
    """End the whole guest, every vCPU, with a reason; nothing is sent back."""

    reason: str


SINGLE: Mapping[int, Callable[[int, int], "Action"]] = {
    RUN: Run,
    SPIN: SpinUntil,
    SLEEP: lambda io, ns: Sleep(ns, bool(io)),
    HALT: lambda *_: Halt(),
    WAKE: lambda vcpu, _: Wake(vcpu),
}
"""What a row of a script asks for -> the action that asks for the same."""


def singles(script: Script) -> list["Action"]:
    """Return the actions that the rows of a script stand for."""
    return [SINGLE[what](first, second) for what, first, second in script.rows.tolist()]


Action = (
    Run
    | SpinUntil
    | RunUntil
    | Script
    | ReadReg
    | WriteReg
    | ReadTimer
    | ReadSteal
    | Sleep
    | Halt
    | Wake
    | Report
    | Record
    | StartSampling
    | Sample
    | PerfRead
    | Truth
    | Die
)
Answer = int | Undef | None
