"""The command `bench`."""

import contextlib
from pathlib import Path
from typing import Any

import click

from simcore.app.cli_options import NAMES, Ticker, json_option, json_target, narrator

FILE = click.Path(dir_okay=False, path_type=Path)
PICTURES = ("roofline", "scaling", "decisions")


@click.command(
    epilog="\b\nExamples: hetpmu bench --band hot --save before.json\n"
    "          hetpmu bench --band hot --against before.json\n"
    "          hetpmu bench --plot roofline.png"
)
@click.option("--band", type=NAMES, help="Which cases.  [default: hot,mechanism,whole; none with --plot]")
@click.option("--quick", is_flag=True, help="Fewer repetitions: a rough answer.")
@click.option("--save", metavar="FILE", type=FILE, help="Keep the figures.")
@click.option(
    "--against", metavar="FILE|DIR", type=click.Path(path_type=Path),
    help="Compare with kept figures, or in turns with the version of hetpmu in a directory; exit 1 if slower beyond "
    "noise.",
)  # fmt: skip
@click.option("--plot", metavar="FILE", type=FILE, help="Measure and draw a picture; PNG or SVG.")
@click.option(
    "--plot-kind", type=click.Choice(PICTURES), default=PICTURES[0], show_default=True,
    help="Counter updates a second over the working set, with the machine's limits; over vCPUs, counters, ticks and "
    "threads; or the cost of a decision of the host over CPUs and threads.",
)  # fmt: skip
@json_option
def bench(
    band: tuple[str, ...] | None,
    quick: bool,
    save: Path | None,
    against: Path | None,
    plot: Path | None,
    plot_kind: str,
    json_path: str | None,
) -> int:
    """Measure how fast hetpmu is, against peers and limits of the machine in the same run."""
    from benchmarks.case import BANDS
    from benchmarks.report import text
    from benchmarks.suite import run_bench
    from simcore.app.storing import replaced_file

    if plot:
        from simcore.app.plotting import check_suffix

        check_suffix(plot)
    bands = band or (() if plot else BANDS)
    with contextlib.ExitStack() as stack:
        write = stack.enter_context(json_target(json_path))
        picture = stack.enter_context(replaced_file(plot)) if plot else None
        ticker = Ticker("bench", "cases")
        answer: dict[str, Any] = run_bench(bands, quick=quick, save=save, against=against, progress=ticker)
        ticker.clear()
        if picture:
            from benchmarks.pictures import draw

            answer["plot"] = draw(plot_kind, picture, quick, answer["machine"])
        write(answer)
    say = narrator(json_path)
    say(text(answer))
    if plot:
        say(f"written: {plot}")
    return int(any(row["slower"] for row in answer.get("against", ())))


COMMANDS = (bench,)
