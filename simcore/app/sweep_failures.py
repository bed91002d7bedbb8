"""The runs of a sweep that failed: a file for each, with its scenario and the error."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from simcore.app.storing import replaced_file, write_json
from simcore.app.sweep_run import Outcome, RunId
from simcore.app.sweep_subject import subject_of
from simcore.errors import InputError
from simcore.study import Study

DIED = "the process that ran it died, more than once; perhaps the memory did not suffice"


class Failures:
    """The failed runs in `folder`; each counts as over until it is forgotten."""

    def __init__(self, folder: Path, study: Study) -> None:
        self.folder = folder
        self._study = study
        self._known = failed_runs(folder)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._known)

    def of_block(self, points: Iterable[int]) -> list[RunId]:
        """Return the failed runs of some points."""
        wanted = set(points) if self._known else set()
        return [run_id for run_id in self._known if run_id[0] in wanted]

    def record(self, outcome: Outcome) -> None:
        """Write down what failed and why."""
        self.folder.mkdir(exist_ok=True)
        run_id = outcome.point, outcome.seed
        with replaced_file(self._path(run_id)) as temporary:
            write_json(temporary, self._account(outcome))
        self._known.add(run_id)

    def forget(self) -> None:
        """Have all failed runs run again."""
        for run_id in self._known:
            self._path(run_id).unlink(missing_ok=True)
        self._known.clear()

    def _path(self, run_id: RunId) -> Path:
        return self.folder / f"point-{run_id[0]:05}-seed-{run_id[1]}.json"

    def _account(self, outcome: Outcome) -> dict[str, Any]:
        try:
            made_of: Any = subject_of(self._study).account(outcome.point, outcome.seed)
        except InputError as error:
            made_of = str(error)
        return {
            "point": outcome.point,
            "seed": outcome.seed,
            "values": self._study.values(outcome.point),
            "error": outcome.error or DIED,
            self._study.kind: made_of,
        }


def failed_runs(folder: Path) -> set[RunId]:
    """Return the runs that failed, by the names of their files."""
    names = (path.stem.split("-") for path in folder.glob("point-*-seed-*.json"))
    return {(int(point), int(seed)) for _, point, _, seed in names}
