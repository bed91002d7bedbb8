"""What `compare --out` leaves in its directory: the answer, the table, the picture, and the runs that it shows."""

from pathlib import Path

from simcore.app.comparing import Comparison, picture_runs
from simcore.app.interrupting import Interruption
from simcore.app.picturing import PICTURES, draw
from simcore.app.storing import save_result, write_json


def keep_comparison(
    comparison: Comparison, text: str, directory: Path, vcpu: int | None, workers: int | None, stop: Interruption
) -> None:
    """Fill a result directory; after an interruption without the picture, which needs further runs."""
    write_json(directory / "compare.json", comparison.as_json())
    (directory / "table.txt").write_text(text, encoding="utf-8")
    if comparison.interrupted or stop.requested:
        return
    results = picture_runs(comparison, workers, stop)
    if stop.requested:
        return
    for number, (pair, result) in enumerate(zip(comparison.pairs, results, strict=True), 1):
        run = directory / "runs" / f"{number:02}-{pair.label.replace(':', '-')}"
        run.mkdir(parents=True)
        save_result(result, run)
    for name in PICTURES:
        draw(results, directory / name, vcpu, ())
