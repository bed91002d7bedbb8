"""One drawn scenario on trial: its files, its runs, what it was seen to do."""

import dataclasses
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from simcore.app.compiling import compile_kernels
from simcore.app.recording import result_of
from simcore.app.running import Machine
from simcore.loader import load_scenario
from simcore.result import Result
from simcore.scenario import Scenario
from tests.soak.dice import Dice
from tests.soak.drawing import SCENARIO, Draft
from tests.soak.observing import Observer

LONGEST_RUN_S = 60
"""CPU seconds after which a run counts as one that does not end."""
Table = NDArray[np.void]


class NoEnd(Exception):
    """A run took far too long."""


@dataclass(slots=True)
class Ran:
    """A machine that has run, and its result."""

    machine: Machine
    result: Result

    @property
    def tables(self) -> dict[str, Table]:
        """Return the tables by name."""
        return dict(self.result.tables)


class QuickMachine(Machine):
    """A machine that takes rates of a phase from another one of its trial, where it has the same events."""

    known: ClassVar[dict[tuple[object, ...], Sequence[int]]] = {}

    def rates(self, phase: int, core: str, khz: int) -> Sequence[int]:
        """Return what a machine does."""
        key = self.events, phase, core, khz
        if key not in self.known:
            self.known[key] = super().rates(phase, core, khz)
        return self.known[key]


@cache
def _compile() -> None:
    """Compile all kernels, once: that is not the time of a run."""
    compile_kernels(Scenario())


def simulate(scenario: Scenario, watcher: Callable[[Machine], None] | None = None) -> Ran:
    """Run a scenario; raises NoEnd where that takes longer than any drawn scenario should."""
    _compile()
    limit = time.process_time() + LONGEST_RUN_S

    def stopped() -> bool:
        if time.process_time() > limit:
            raise NoEnd(f"no end after {LONGEST_RUN_S} s")
        return False

    machine = QuickMachine(scenario, stopped)
    if watcher:
        watcher(machine)
    machine.run()
    return Ran(machine, result_of(machine))


@dataclass
class Trial:
    """A scenario and what the laws ask about it; ``base`` keeps its schedule and is looked at while it runs."""

    draft: Draft
    folder: Path
    dice: Dice
    seen: Counter[str] = field(default_factory=Counter)

    @cached_property
    def scenario(self) -> Scenario:
        """Load the scenario from its file, as a user would."""
        QuickMachine.known.clear()
        for name, text in self.draft.files.items():
            (self.folder / name).write_text(text, encoding="utf-8")
        path = self.folder / SCENARIO
        path.write_text(self.draft.text, encoding="utf-8")
        return load_scenario(str(path))

    @cached_property
    def observer(self) -> Observer:
        """Return what looks at the host while ``base`` runs."""
        return Observer(
            self.scenario, self.scenario.seconds_ns // 1000 + self.dice.below(self.scenario.seconds_ns // 40)
        )

    @cached_property
    def base(self) -> Ran:
        """Run the scenario with everything recorded and the host observed."""
        return simulate(self.changed(schedule=True, switches=True), self.observer.attach)

    @property
    def tables(self) -> dict[str, Table]:
        """Return the tables of the base run."""
        return self.base.tables

    def changed(self, **changes: object) -> Scenario:
        """Return the scenario with some keys changed."""
        return dataclasses.replace(self.scenario, **changes)  # type: ignore[arg-type]

    def see(self, what: str, times: int | bool | np.integer = 1) -> None:
        """Note that something happened."""
        self.seen[what] += int(times)


def same(one: Table, other: Table, what: str) -> None:
    """Demand that two tables are equal, and say where they begin to differ."""
    assert len(one) == len(other), f"{what}: {len(one)} rows and {len(other)}"
    differ = np.flatnonzero(one != other)
    assert not len(differ), f"{what}, row {differ[0]}: {one[differ[0]]} and {other[differ[0]]}"


def vcpus_of(scenario: Scenario, vm: int) -> range:
    """Return the numbers of a VM's vCPUs."""
    first = sum(spec.vcpus for spec in scenario.vms[:vm])
    return range(first, first + scenario.vms[vm].vcpus)
