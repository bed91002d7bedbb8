"""Replay of a recorded PELT sequence: one thread T and a SCHED_FIFO thread on one pCPU, step by step.

Between steps T and the SCHED_FIFO thread fall asleep or wake up; a step is a stretch of time that ends with a HZ tick,
unless the pCPU is idle. The kernel's part is in ``scheduler.kernel_*``.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from scheduler import kernel_core, kernel_switch
from scheduler import kernel_state as ks
from scheduler.bare import bare_state
from scheduler.kernel_handle import handle_of
from scheduler.layout import base_slice_ns
from simcore.app.sched_signals import CPU, START_NS, set_policy, signals_of

T, RIVAL = range(2)
STATES: Final[Mapping[str, tuple[bool, bool]]] = {
    "R": (True, False),
    "Q": (True, True),
    "S": (False, False),
    "P": (False, True),
}
"""Name of a state -> whether T, and whether the SCHED_FIFO thread, is awake."""

Record = list[list[int]]


class Single:
    """One recorded sequence: both threads and the pCPU."""

    def __init__(self, vector: Mapping[str, Any]) -> None:
        """Make the threads; T has not started and the SCHED_FIFO one sleeps."""
        self.vector = vector
        self.state = bare_state(1, 2)
        self.handle = handle_of(self.state)
        self.state.glob[ks.NOW] = START_NS
        self.state.glob[ks.BASE_SLICE] = base_slice_ns(1)
        self.state.cpu[CPU, ks.CAPACITY] = vector["capacity"]
        set_policy(self.state, T, ks.NORMAL, vector["nice"], 0)
        self.state.task[RIVAL, ks.POLICY] = ks.FIFO

    def run(self) -> Iterator[tuple[int, str, Record]]:
        """Yield what is recorded: step, name and the state of PELT."""
        self.state.glob[ks.NOW] = self.vector["start"]
        kernel_core.start(self.handle, CPU, T)
        kernel_switch.schedule(self.handle, CPU)
        yield 0, "init", self._record()
        for number, step in enumerate(self.vector["steps"]):
            self._transit(*STATES[step["state"]])
            self.state.dom[0, ks.KHZ] = step["freq_scale"]
            yield number, "begin", self._record()
            self.state.glob[ks.NOW] += step["dur"]
            if self.state.cpu[CPU, ks.CURRENT] != ks.NONE:
                kernel_core.tick(self.handle, CPU)
            yield number, "end", self._record()

    def _transit(self, awake: bool, rival_awake: bool) -> None:
        """Let the threads fall asleep and wake up: T sleeps first, then the other wakes, T wakes, the other sleeps."""
        if not awake:
            self._sleep(T)
        if rival_awake:
            self._wake(RIVAL)
        if awake:
            self._wake(T)
        if not rival_awake:
            self._sleep(RIVAL)

    def _sleep(self, task: int) -> None:
        if self.state.cpu[CPU, ks.CURRENT] == task:
            kernel_core.block(self.handle, CPU, ks.SLEEP)
            kernel_switch.schedule(self.handle, CPU)

    def _wake(self, task: int) -> None:
        if not self.state.task[task, ks.ON_RQ]:
            kernel_core.wake(self.handle, CPU, task)
            if self.state.cpu[CPU, ks.RESCHED]:
                kernel_switch.schedule(self.handle, CPU)

    def _record(self) -> Record:
        signals = signals_of(self.state, T)
        return [signals["se"], signals["cfs"], signals["rq"]]
