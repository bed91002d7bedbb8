"""The command `bench`."""

from pathlib import Path
from typing import Any

import click

from simcore.app.cli_options import NAMES, Ticker, json_option, json_target, narrator

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(epilog="Example: hetpmu bench --band hot --save before.json")
@click.option("--band", type=NAMES, default="hot,mechanism,whole", show_default=True, help="Which cases.")
@click.option("--quick", is_flag=True, help="Fewer repetitions: a rough answer.")
@click.option("--save", metavar="FILE", type=FILE, help="Keep the figures.")
@click.option(
    "--against",
    metavar="FILE|DIR",
    type=click.Path(path_type=Path),
    help="Compare with kept figures, or in turns with the version in a directory; exit 1 if slower beyond noise.",
)
@click.option("--plot", metavar="FILE", type=FILE, help="Measure and draw the cost of a decision; PNG or SVG.")
@json_option
def bench(
    band: tuple[str, ...],
    quick: bool,
    save: Path | None,
    against: Path | None,
    plot: Path | None,
    json_path: str | None,
) -> int:
    """Measure how fast hetpmu is, against peers in the same run."""
    from benchmarks.report import text
    from benchmarks.suite import run_bench

    if plot:
        from simcore.app.plotting import check_suffix

        check_suffix(plot)
    with json_target(json_path) as write:
        ticker = Ticker("bench", "cases")
        answer: dict[str, Any] = run_bench(band, quick=quick, save=save, against=against, progress=ticker)
        ticker.clear()
        if plot:
            answer["scaling"] = draw(plot, quick, answer["machine"]["cpu"])
        write(answer)
    narrator(json_path)(text(answer))
    return int(any(row["slower"] for row in answer.get("against", ())))


def draw(path: Path, quick: bool, cpu: str) -> dict[str, Any]:
    """Measure the cost of a decision against CPUs and tasks, draw it, and return the points."""
    from benchmarks import scaling
    from simcore.app import plotting

    found = scaling.measure(quick)
    plotting.save(plotting.scaling(found, cpu), path)
    return found


COMMANDS = (bench,)
