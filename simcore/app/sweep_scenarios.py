"""The runs of a study of scenarios."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simcore.app.checking import checked
from simcore.app.compiling import load_kernels
from simcore.app.run_rows import RunRow, run_row
from simcore.app.running import run
from simcore.app.storing import result_directory, save_result
from simcore.errors import InputError
from simcore.scenario import Scenario
from simcore.study import Study
from simcore.study_build import scenario_of

POINTS_KEPT = 256


@dataclass
class Scenarios:
    """Scenarios of a study; those of recent points are kept."""

    study: Study
    _known: dict[int, Scenario] = field(default_factory=dict)

    def check(self) -> list[str]:
        """Check the scenario of every point; return the files that they name."""
        study, files = self.study, list[str]()
        for point in range(study.points):
            scenario = scenario_of(study, point)
            try:
                checked(scenario)
            except InputError as error:
                where = f"study {study.name}, point {point}: {error.where}".rstrip(": ")
                raise InputError(error.what, where, error.why, error.valid) from None
            files += files_of(scenario)
        return list(dict.fromkeys(files))

    def account(self, point: int, seed: int) -> Any:
        """Return the scenario of a run."""
        return dataclasses.asdict(scenario_of(self.study, point, seed))

    def load(self) -> None:
        """Load all compiled code."""
        load_kernels(scenario_of(self.study, 0))

    def row(self, point: int, seed: int, stopped: Callable[[], bool], keep: Path | None) -> RunRow:
        """Run a scenario; its result can be kept."""
        result = run(dataclasses.replace(self._scenario(point), seed=seed), stopped)
        if keep is not None:
            with result_directory(keep, force=True) as temporary:
                save_result(result, temporary)
        return run_row(result)

    def _scenario(self, point: int) -> Scenario:
        if point not in self._known:
            if len(self._known) >= POINTS_KEPT:
                self._known.clear()
            self._known[point] = scenario_of(self.study, point)
        return self._known[point]


def files_of(scenario: Scenario) -> list[str]:
    """Return the files of the user that a scenario names."""
    names = [scenario.platform, *(vm.guest.workload for vm in scenario.vms), scenario.rtapp.file or ""]
    names += [vm.guest.name.partition(":")[2] for vm in scenario.vms]
    return [name for name in dict.fromkeys(names) if "/" in name or name.endswith((".toml", ".json"))]
