"""A timer of a guest's kernel that interrupts what the vCPU does: at each multiple of its period of the guest's clock.

What fires is a handler, a part of the guest's program; the PMU's interrupt handler can interrupt it. No state but the
number of the next firing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from simcore.scenario import GuestSpec
from simcore.units import NS_PER_S
from workloads.actions import Run
from workloads.catalog import Workload
from workloads.program import GuestCpu
from workloads.steps import Part, pause, quantum, run_until, timer


@dataclass(slots=True)
class Alarm:
    """A periodic timer of one vCPU.

    Firings that fall due while the vCPU does not run become one (hrtimer_forward). `in_idle`: one that falls due in a
    sleep fires at its end; else it is left out, as the HZ tick is with NO_HZ_IDLE.
    """

    cpu: GuestCpu
    period_ns: int
    handler: Callable[[], Part[None]]
    in_idle: bool = False
    number: int = field(default=0, init=False)

    @property
    def at(self) -> int:
        """Return when it fires next, in ticks of the timer."""
        return -(-self.number * self.period_ns * self.cpu.cntfrq_hz // NS_PER_S)

    def forward(self, now: int) -> None:
        """Let it fire next at the first multiple of its period after `now` ticks."""
        self.number = now * NS_PER_S // (self.period_ns * self.cpu.cntfrq_hz) + 1

    def start(self) -> Part[None]:
        """Begin."""
        self.forward((yield from timer()))

    def execute(self, run: Run) -> Part[None]:
        """Do a run, interrupted by each firing."""
        left = run.instructions
        while left > 0:
            left = yield from run_until(run.phase, left, self.at)
            yield from self.fire_if_due()

    def fire_if_due(self) -> Part[None]:
        """Fire if it is time."""
        now = yield from timer()
        if now >= self.at:
            self.forward(now)
            yield from self.handler()

    def leave_idle(self) -> Part[None]:
        """Make up for what fell due in a sleep."""
        if self.in_idle:
            yield from self.fire_if_due()
        else:
            yield from self.start()


def never() -> Part[None]:
    """Do nothing."""
    yield from ()


def work(
    cpu: GuestCpu,
    spec: GuestSpec,
    workload: Workload,
    alarm: Alarm,
    between: Callable[[], Part[None]] = never,
) -> Part[None]:
    """Work and sleep for ever, interrupted by a timer; `between` is done after each quantum."""
    yield from alarm.start()
    for wake in count():
        for turn in range(spec.quanta_per_wake):
            yield from alarm.execute(quantum(cpu, spec, workload, wake * spec.quanta_per_wake + turn))
            yield from between()
        yield from pause(cpu, spec, wake)
        yield from alarm.leave_idle()
