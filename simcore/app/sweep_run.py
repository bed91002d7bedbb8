"""One run of a study, wherever it happens: in this process, in a worker, on a machine of a cluster."""

import dataclasses
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from scheduler.host import never
from simcore.app.run_rows import RunRow, run_row
from simcore.app.running import run
from simcore.app.storing import result_directory, save_result
from simcore.errors import InputError
from simcore.result import Result
from simcore.scenario import Scenario
from simcore.study import Study
from simcore.study_build import scenario_of

POINTS_KEPT = 256

RunId = tuple[int, int]
"""Point and seed."""


class Outcome(NamedTuple):
    """What became of a run: its row, or the error text; both None where its worker died."""

    point: int
    seed: int
    wall_ns: int = 0
    row: RunRow | None = None
    error: str | None = None


class Runner:
    """Runs of one study; the scenarios of recent points are kept."""

    def __init__(self, study: Study, keep: Path | None = None) -> None:
        self.study = study
        self.keep = keep
        self._scenarios: dict[int, Scenario] = {}

    def __call__(self, run_id: RunId, stopped: Callable[[], bool] = never) -> Outcome:
        """Run; an exception is an outcome as well, but for an interruption."""
        point, seed = run_id
        start_ns = time.perf_counter_ns()
        try:
            result = run(dataclasses.replace(self._scenario(point), seed=seed), stopped)
            if self.keep is not None:
                self._keep(result, self.keep / kept_name(point, seed))
            row = run_row(result)
        except InputError as error:
            return Outcome(point, seed, error=str(error))
        except Exception:  # whatever it is, it is recorded with the scenario, and the other runs go on
            return Outcome(point, seed, error=traceback.format_exc())
        return Outcome(point, seed, time.perf_counter_ns() - start_ns, row)

    def _scenario(self, point: int) -> Scenario:
        if point not in self._scenarios:
            if len(self._scenarios) >= POINTS_KEPT:
                self._scenarios.clear()
            self._scenarios[point] = scenario_of(self.study, point)
        return self._scenarios[point]

    def _keep(self, result: Result, directory: Path) -> None:
        with result_directory(directory, force=True) as temporary:
            save_result(result, temporary)


def kept_name(point: int, seed: int) -> str:
    """Return the name of a run's own files."""
    return f"point-{point:05}-seed-{seed}"
