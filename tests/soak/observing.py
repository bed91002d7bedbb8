"""Law 9 while a run goes on: queues, affinity and wakeups as they must be, nobody waits beside an idle pCPU."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scheduler import choice, kernel_group, kernel_idle
from scheduler import kernel_state as ks
from simcore.app.running import Machine
from simcore.engine import Process
from simcore.scenario import Scenario
from tests.test_scheduler_laws import check_queues

FAIR = (ks.NORMAL, ks.BATCH, ks.IDLE_POLICY)


@dataclass(slots=True)
class Pulling:
    """Since when idle pCPUs can have pulled a thread, as far as looks can tell; the earlier ones are remembered.

    ``since``: they pull at all (None: they do not). ``allowed``: where each thread may run, ``allowed_since``: since
    when just there. ``waking``: which pCPUs were waking up, ``awake_since``: since when each has not been.
    """

    state: ks.State
    since: int | None = None
    allowed: np.ndarray = field(init=False)
    allowed_since: np.ndarray = field(init=False)
    waking: np.ndarray = field(init=False)
    awake_since: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.allowed = self.state.allowed.copy()
        self.allowed_since = np.zeros(len(self.allowed), np.int64)
        self.waking = self.state.cpu[:, ks.MODE] == ks.WAKING
        self.awake_since = np.zeros(len(self.waking), np.int64)

    def look(self, pulls: bool) -> None:
        """Note what has changed since the last look."""
        now = int(self.state.glob[ks.NOW])
        self.allowed_since[(self.allowed != self.state.allowed).any(axis=1)] = now
        self.allowed = self.state.allowed.copy()
        waking = self.state.cpu[:, ks.MODE] == ks.WAKING
        self.awake_since[waking | self.waking] = now
        self.waking = waking
        if not pulls:
            self.since = None
        elif self.since is None:
            self.since = now

    def waits_since(self) -> np.ndarray:
        """Return since when each thread waits where it could be pulled."""
        task = self.state.task
        there = np.maximum(task[:, ks.WAIT_FROM], self.awake_since[task[:, ks.CPU]])
        since: np.ndarray = np.maximum(np.maximum(there, self.allowed_since), self.since or 0)
        return since


@dataclass(slots=True)
class Observer:
    """Looks at the host's arrays every ``every_ns``; what it saw is counted in ``seen``."""

    scenario: Scenario
    every_ns: int
    seen: Counter[str] = field(default_factory=Counter)
    machine: Any = None
    pulling: Pulling | None = None

    def attach(self, machine: Machine) -> None:
        """Begin to look at a machine that is to run."""
        self.machine = machine
        machine.engine.start(self._process())

    def _process(self) -> Process:
        engine = self.machine.engine
        while True:
            yield engine.wait_until(engine.now_ns + self.every_ns)
            self.look(self.machine.host.state)

    def look(self, state: ks.State) -> None:
        """Check the host as it is now."""
        self.seen["looks"] += 1
        check_queues(state)
        self._check_idle(state)
        self._check_lag(state)

    def _promises_work(self, state: ks.State) -> bool:
        """Tell whether idle pCPUs pull: not under EAS below the tipping point, not where nothing balances."""
        name = choice.name_of(self.scenario.scheduler)
        if name in (choice.RANDOM, choice.PINNED) or "balance" not in self.scenario.causes:
            return False
        return not state.glob[ks.EAS_ON] or bool(state.glob[ks.OVERUTILISED])

    def _check_idle(self, state: ks.State) -> None:
        """Check that nobody waits past a balance interval, and a look, beside a pCPU that idled all the time.

        Who waits for a pCPU to wake up is left out: some take longer, and a thread that waits alone is not pulled.
        """
        self.pulling = self.pulling or Pulling(state)
        self.pulling.look(self._promises_work(state))
        if self.pulling.since is None:
            return
        task, cpu = state.task, state.cpu
        waiting = (task[:, ks.STATE] == ks.QUEUED) & ~self.pulling.waking[task[:, ks.CPU]]
        idle = (cpu[:, ks.CURRENT] == ks.NONE) & (cpu[:, ks.MODE] == ks.IDLE)
        self.seen["threads wait"] += int(waiting.sum())
        self.seen["waits beside an idle pCPU"] += int(state.allowed[np.ix_(waiting, idle)].any(axis=1).sum())
        now = int(state.glob[ks.NOW])
        latest = now - int(state.glob[ks.BALANCE_NS]) - self.every_ns - 1
        waiting &= (self.pulling.waits_since() <= latest) & ~self._limited(state)
        idle &= state.idle[:, kernel_idle.SINCE] <= latest
        for p in np.flatnonzero(waiting):
            beside = np.flatnonzero(idle & (state.allowed[p] == 1))
            assert not len(beside), (
                f"thread {p} waits on pCPU {task[p, ks.CPU]} at {now} ns while pCPU {beside[0]} idles"
            )

    @staticmethod
    def _limited(state: ks.State) -> np.ndarray:
        """Tell of each thread whether its cgroup has a quota: it may be used up whenever pCPUs balance."""
        group = state.task[:, ks.GROUP]
        limited: np.ndarray = (group != ks.NONE) & (state.group[group, kernel_group.QUOTA] > 0)
        return limited

    def _check_lag(self, state: ks.State) -> None:
        """Check that what a fair thread is owed stays within its greatest slice and two ticks, at its weight.

        It may have had more than its share by as much again for each of the others: those who come back bring what
        they were owed as they left, at most a slice and a tick (Linux, entity_lag), and it may finish its slice all the
        same where they do not preempt it.
        """
        if state.glob[ks.ROUND_ROBIN]:
            return
        task = state.task
        queued = (task[:, ks.ON_RQ] == 1) & np.isin(task[:, ks.POLICY], FAIR)
        for c in np.unique(task[queued, ks.CPU]):
            own = task[queued & (task[:, ks.CPU] == c)]
            cpu = state.cpu[c]
            average = int(cpu[ks.AVERAGE_V]) + int(cpu[ks.MOMENT]) // max(1, int(cpu[ks.QUEUED_WEIGHT]))
            slices = np.where(own[:, ks.CUSTOM_SLICE] == 1, own[:, ks.SLICE], state.glob[ks.BASE_SLICE])
            bound = int(slices.max()) + 2 * int(state.glob[ks.HZ_NS])
            for row in own:
                lag = average - int(row[ks.VRUNTIME])
                weight = int(row[ks.WEIGHT])
                most = bound * 1024 // min(weight, 1024) + bound
                least = -most - (len(own) - 1) * bound * 1024 // weight
                assert least <= lag <= most, f"a thread of weight {weight} lags {lag} ns, {least} to {most} expected"
            self.seen["lags"] += len(own)
