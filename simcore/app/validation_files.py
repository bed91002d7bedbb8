"""What `validate-model --out` keeps: the answer, every comparison, and the plot of predicted against measured."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from simcore.app.plotting import Cloud, agreement, save
from simcore.app.storing import write_json
from simcore.app.validating import NAMED, name_of
from workloads.holdout import IPC, KINDS, Comparison
from workloads.profiles import event_codes


def write_validation(directory: Path, answer: dict[str, Any], comparisons: Sequence[Comparison]) -> None:
    """Write the answer, every comparison as a line of CSV, and the plot of predicted against measured."""
    write_json(directory / "validation.json", answer)
    (directory / "comparisons.csv").write_text(csv_text(comparisons), encoding="utf-8")
    draw(comparisons, directory / "predicted.png")


def csv_text(comparisons: Iterable[Comparison]) -> str:
    """Return every comparison as a line of CSV."""
    lines = ["kind,silicon,suite,workload,khz,quantity,predicted,measured"]
    lines += [
        f"{one.kind},{one.silicon},{one.suite},{one.workload},{one.khz},{name_of(one)},"
        f"{one.predicted:.6g},{one.measured:.6g}"
        for one in comparisons
    ]
    return "\n".join(lines) + "\n"


def draw(comparisons: Sequence[Comparison], path: Path) -> None:
    """Draw predicted against measured for the quantities that have a target."""
    panels = {
        name if name == IPC else f"{name} / 1000 instructions": [
            Cloud(kind, *_points(comparisons, kind, name)) for kind in KINDS
        ]
        for name in NAMED
    }
    save(agreement(panels, "The model against silicon: predicted over measured"), path)


def _points(comparisons: Iterable[Comparison], kind: str, name: str) -> tuple[list[float], list[float]]:
    wanted = event_codes().get(name, name)
    found = [one for one in comparisons if one.kind == kind and one.quantity == wanted and one.predicted > 0]
    return [one.measured for one in found], [one.predicted for one in found]
