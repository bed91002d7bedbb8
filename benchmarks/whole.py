"""The table of cases of the whole simulator. Targets are from the plan of the scheduler (docs/performance.md)."""

from functools import partial

from benchmarks import engine, exporting, peer_simso, recorded, scenes, starting
from benchmarks.case import Case, Maker
from benchmarks.measure import Contender
from simcore.app.comparing import compare
from simcore.scenario import Scenario

PERIODIC_NS = 1_000_000_000
COMPARED_NS = 100_000_000


def periodic(tasks: int, cpus: int) -> Case:
    """Return the case of one periodic set, against SimSo."""
    return Case(
        f"periodic-{tasks}",
        "whole",
        engine.SIMULATED,
        lambda: engine.simulated(scenes.periodic(tasks, cpus, PERIODIC_NS)),
        {"simso": lambda: peer_simso.peer(cpus, scenes.periodic_set(tasks, cpus), PERIODIC_NS)},
        {"simso": 50},
    )


def decisions(scenario: Scenario) -> Maker:
    """Return a maker of a run that counts decisions."""
    return partial(engine.decisions, scenario)


def simulated(scenario: Scenario) -> Maker:
    """Return a maker of a run that counts simulated seconds."""
    return partial(engine.simulated, scenario)


def simpy(processes: int) -> Maker:
    """Return a maker of SimPy's bare timeouts."""
    return partial[Contender](engine.bare_simpy, processes)


def comparison() -> Contender:
    """Return `hetpmu compare` of one seed in one process: a run under every policy, and their figures."""
    question = Scenario(seconds_ns=COMPARED_NS)
    runs = compare(question, seeds=(1,), workers=1).planned
    return Contender(lambda: compare(question, seeds=(1,), workers=1), runs)


CASES = (
    Case("compare", "whole", "runs/s", comparison),
    *recorded.WHOLE_CASES,
    *exporting.WHOLE_CASES,
    Case(
        "interactive",
        "whole",
        "decisions/s",
        decisions(scenes.interactive()),
        {"simpy": simpy(8)},
        {"simpy": 0.5, engine.SIMULATED: 30},
    ),
    Case(
        "large",
        "whole",
        "decisions/s",
        lambda: engine.decisions(scenes.crowd(384)),
        {"simpy": simpy(384)},
        {"simpy": 0.6, engine.SIMULATED: 1.2},
    ),
    Case("cpu-bound", "whole", engine.SIMULATED, simulated(scenes.ticking(8)), {}, {engine.SIMULATED: 300}),
    Case("overcommit", "whole", engine.SIMULATED, simulated(scenes.ticking(16)), {}, {engine.SIMULATED: 200}),
    periodic(8, 4),
    periodic(32, 8),
    Case(
        "threads",
        "whole",
        "decisions/s",
        decisions(scenes.threads(4096)),
        {"16 threads": decisions(scenes.threads(16))},
        {"16 threads": 0.25},
    ),
    *starting.CASES,
)
