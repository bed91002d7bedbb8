"""What `compare --out` keeps: the answer, the table, the picture, and the runs that it shows."""

from pathlib import Path

from simcore.app.comparing import Comparison, picture_runs
from simcore.app.interrupting import Interruption
from simcore.app.picturing import PICTURES, draw
from simcore.app.storing import TEXT, make_run_folder, save_result, write_json
from simcore.result import Result


def keep_comparison(
    comparison: Comparison, text: str, directory: Path, vcpu: int | None, workers: int | None, stop: Interruption
) -> None:
    """Fill a result directory; after an interruption without the picture, which needs further runs."""
    write_json(directory / "compare.json", comparison.as_json())
    (directory / TEXT).write_text(text, encoding="utf-8")
    if comparison.interrupted or stop.requested:
        return
    results = _keep_runs(comparison, directory, workers, stop)
    if len(results) == len(comparison.pairs):
        for name in PICTURES:
            draw(results, directory / name, vcpu, ())


def _keep_runs(comparison: Comparison, directory: Path, workers: int | None, stop: Interruption) -> list[Result]:
    """Run what the picture shows, and write each run as it finishes, so that an interruption keeps it."""
    results: dict[int, Result] = {}
    for index, result in picture_runs(comparison, workers, stop):
        save_result(result, make_run_folder(directory, index + 1, comparison.pairs[index].label))
        results[index] = result
    return [results[index] for index in sorted(results)]
