"""Law 9 while a run goes on: queues agree with threads, affinity holds, no wakeup is lost, nobody waits beside an idle pCPU."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scheduler import choice, kernel_average, layout
from scheduler import kernel_state as ks
from scheduler.governors import SCHEDUTIL
from simcore.app.running import Machine
from simcore.engine import Process
from simcore.scenario import Scenario
from tests.test_scheduler_laws import check_queues

FAIR = (ks.NORMAL, ks.BATCH, ks.IDLE_POLICY)


@dataclass(slots=True)
class Observer:
    """Looks at the host's arrays every ``every_ns``; what it saw is counted in ``seen``.

    ``both_since``: since when a thread waits and an idle pCPU that may run it idles.
    """

    scenario: Scenario
    every_ns: int
    seen: Counter[str] = field(default_factory=Counter)
    both_since: dict[tuple[int, int], int] = field(default_factory=dict)
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
        if not self._promises_work(state):
            self.both_since.clear()
            return
        now, interval = int(state.glob[ks.NOW]), int(state.glob[ks.BALANCE_NS])
        waiting = np.flatnonzero(state.task[:, ks.STATE] == ks.QUEUED)
        idle = np.flatnonzero((state.cpu[:, ks.CURRENT] == ks.NONE) & (state.cpu[:, ks.MODE] == ks.IDLE))
        pairs = {(int(p), int(c)) for p in waiting for c in idle if state.allowed[p, c]}
        self.both_since = {pair: self.both_since.get(pair, now) for pair in pairs}
        self.seen["waits beside an idle pCPU"] += len(pairs)
        self.seen["threads wait"] += len(waiting)
        for (p, c), since in self.both_since.items():
            assert now - since <= interval + self.every_ns, f"thread {p} waits while pCPU {c} idles since {since}"

    def _check_lag(self, state: ks.State) -> None:
        """Check that what a fair thread is owed stays within its greatest slice and a tick, at its weight."""
        if state.glob[ks.ROUND_ROBIN]:
            return
        for p, row in enumerate(state.task):
            if row[ks.STATE] not in (ks.QUEUED, ks.RUNNING) or row[ks.POLICY] not in FAIR:
                continue
            self.seen["lags"] += 1
