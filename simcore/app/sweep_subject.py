"""What the runs of a study are: scenarios, or images of real code. A sweep knows no more of them than this."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from simcore.study import GUESTS, Study

RunRow = tuple[Any, ...]
"""Values in the order of the study's `run_columns`."""


class Subject(Protocol):
    """The runs of one study, by point and seed; it pickles."""

    def check(self) -> list[str]:
        """Check every point and return the user's files that they name; raise InputError for one that is no good."""

    def account(self, point: int, seed: int) -> Any:
        """Return what a run is made of, as JSON; raise InputError where that is not known."""

    def load(self) -> None:
        """Have this process know all that its workers need, before they are forked."""

    def row(self, point: int, seed: int, stopped: Callable[[], bool], keep: Path | None) -> RunRow:
        """Run and return the row; ``keep`` is where the whole result goes, if anywhere."""


def subject_of(study: Study) -> Subject:
    """Return the runs of a study."""
    if study.kind == GUESTS:
        from simcore.app.sweep_guests import Guests

        return Guests(study)
    from simcore.app.sweep_scenarios import Scenarios

    return Scenarios(study)
