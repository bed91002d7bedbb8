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
class Observer:
    """Looks at the host's arrays every ``every_ns``; what it saw is counted in ``seen``.

    ``pulls_since``: since when idle pCPUs pull whatever waits (None: they do not).
    """

    scenario: Scenario
    every_ns: int
    seen: Counter[str] = field(default_factory=Counter)
    pulls_since: int | None = None
    machine: Any = None

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
        """Check that nobody waits past a balance interval beside a pCPU that idled all the time.

        A thread that waits for its own pCPU to wake up is left out: some take longer than a balance interval.
        """
        now, interval = int(state.glob[ks.NOW]), int(state.glob[ks.BALANCE_NS])
        if not self._promises_work(state):
            self.pulls_since = None
            return
        self.pulls_since = now if self.pulls_since is None else self.pulls_since
        task, cpu = state.task, state.cpu
        waiting = task[:, ks.STATE] == ks.QUEUED
        waiting &= cpu[task[:, ks.CPU], ks.MODE] != ks.WAKING
        idle = (cpu[:, ks.CURRENT] == ks.NONE) & (cpu[:, ks.MODE] == ks.IDLE)
        self.seen["threads wait"] += int(waiting.sum())
        self.seen["waits beside an idle pCPU"] += int(state.allowed[np.ix_(waiting, idle)].any(axis=1).sum())
        latest = now - interval - 1
        waiting &= (np.maximum(task[:, ks.WAIT_FROM], self.pulls_since) <= latest) & ~self._limited(state)
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
        """Check that what a fair thread is owed stays within its greatest slice and two ticks, at its weight."""
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
                most = bound * 1024 // min(int(row[ks.WEIGHT]), 1024) + bound
                assert abs(lag) <= most, f"a thread of weight {row[ks.WEIGHT]} lags {lag} ns, {most} at most"
            self.seen["lags"] += len(own)
