"""Contenders of the whole simulator: a machine that runs a scenario, and SimPy's own timeouts without any host in them.

Only ``Machine.run`` is timed; the machine is built before, outside the clock.
"""

from dataclasses import dataclass, field
from typing import Any

import simpy

from benchmarks.measure import Contender
from scheduler import kernel_state as ks
from simcore.app.running import Machine
from simcore.scenario import Scenario

SIMULATED = "simulated s/s"
EVENTS = "events/s"
PERIOD_NS = 200_000


@dataclass(slots=True)
class Simulation:
    """Runs of one scenario, each of a machine of its own."""

    scenario: Scenario
    machine: Machine | None = field(default=None)

    def build(self) -> None:
        """Build the machine of the next run."""
        self.machine = Machine(self.scenario)

    def run(self) -> None:
        """Run the machine that was built."""
        if self.machine is None:
            raise TypeError("a machine runs once: build one first")
        self.machine.run()

    def decisions(self) -> int:
        """Return the decisions of the machine that ran: the events that the host handled."""
        if self.machine is None:
            raise TypeError("nothing ran")
        return int(self.machine.host.state.glob[ks.N_DECISIONS])


def decisions(scenario: Scenario) -> Contender:
    """Return a contender whose units are decisions, and whose other unit is simulated seconds."""
    simulation, count = counted(scenario)
    return Contender(simulation.run, count, simulation.build, {SIMULATED: scenario.seconds_ns / 1e9})


def simulated(scenario: Scenario) -> Contender:
    """Return a contender whose units are simulated seconds, and whose other unit is decisions."""
    simulation, count = counted(scenario)
    return Contender(simulation.run, scenario.seconds_ns / 1e9, simulation.build, {EVENTS: count})


def counted(scenario: Scenario) -> tuple[Simulation, int]:
    """Return the runs of a scenario, and the decisions of each, for which it runs once."""
    simulation = Simulation(scenario)
    simulation.build()
    simulation.run()
    return simulation, simulation.decisions()


def bare_simpy(processes: int, timeouts: int = 20_000) -> Contender:
    """Return so many SimPy processes that wait again and again, each for a time of its own."""

    def waits(env: simpy.Environment, period: int) -> simpy.events.ProcessGenerator:
        while True:
            yield env.timeout(period)

    environment: list[Any] = []

    def start() -> None:
        env = simpy.Environment()
        for number in range(processes):
            env.process(waits(env, PERIOD_NS + number))
        for _ in range(processes):  # each process starts with an event of its own
            env.step()
        environment[:] = [env]

    def call() -> None:
        step = environment[0].step
        for _ in range(timeouts):
            step()

    return Contender(call, timeouts, start)
