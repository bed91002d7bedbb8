"""One run of a study, wherever it happens: in this process, in a worker, on a machine of a cluster."""

import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from scheduler.host import never
from simcore.app.sweep_subject import RunRow, subject_of
from simcore.errors import InputError
from simcore.study import Study

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
    """Runs of one study."""

    def __init__(self, study: Study, keep: Path | None = None) -> None:
        self.study = study
        self.keep = keep
        self._subject = subject_of(study)

    def __call__(self, run_id: RunId, stopped: Callable[[], bool] = never) -> Outcome:
        """Run; an exception is an outcome as well, but for an interruption."""
        point, seed = run_id
        start_ns = time.perf_counter_ns()
        try:
            row = self._subject.row(point, seed, stopped, self.keep and self.keep / kept_name(point, seed))
        except InputError as error:
            return Outcome(point, seed, error=str(error))
        except Exception:  # whatever it is, it is recorded with the scenario, and the other runs go on
            return Outcome(point, seed, error=traceback.format_exc())
        return Outcome(point, seed, time.perf_counter_ns() - start_ns, row)


def kept_name(point: int, seed: int) -> str:
    """Return the name of a run's own files."""
    return f"point-{point:05}-seed-{seed}"
