"""What a decision costs on more CPUs and with more tasks: the points of ``bench --plot-kind decisions``."""

from collections.abc import Callable
from typing import Any

from benchmarks import engine, scenes
from benchmarks.measure import Effort, interleaved
from simcore.scenario import Scenario

CPUS = (8, 16, 32, 64, 128, 256, 384)
TASKS = (8, 16, 64, 256, 1024, 4096)
THOROUGH = Effort(rounds=5, run_s=0.2)
QUICK = Effort(rounds=1, run_s=0.0)
MICROSECONDS = 1e6


def measure(quick: bool = False) -> dict[str, list[dict[str, Any]]]:
    """Return the microseconds of a decision: by CPUs, with two interactive vCPUs each, and by threads on 8 CPUs."""
    effort = QUICK if quick else THOROUGH
    return {"cpus": points(CPUS, scenes.crowd, effort), "tasks": points(TASKS, scenes.threads, effort)}


def points(numbers: tuple[int, ...], scenario: Callable[[int], Scenario], effort: Effort) -> list[dict[str, Any]]:
    """Measure one axis, all its points in turns."""
    found = interleaved({str(number): engine.decisions(scenario(number)) for number in numbers}, effort)
    return [point(int(name), measurement.median, *measurement.interval) for name, measurement in found.items()]


def point(number: int, median: float, low: float, high: float) -> dict[str, Any]:
    """Return one point in microseconds from decisions per second."""
    return {"number": number, "us": MICROSECONDS / median, "low": MICROSECONDS / high, "high": MICROSECONDS / low}
