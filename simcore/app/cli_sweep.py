"""The command `sweep`: the runs of a study into one dataset, and on where an earlier one ended."""

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simcore.app.cli_options import coloured, json_option, json_target, narrator
from simcore.errors import InputError

if TYPE_CHECKING:
    from simcore.app.sweep_state import Tally
    from simcore.app.sweeping import Sweep
    from simcore.study import Study

EPILOG = """\b
Examples:
  hetpmu sweep docs/examples/study.toml --out migration
  hetpmu sweep docs/examples/study.toml --out migration --workers 8 --json answer.json
  hetpmu sweep docs/examples/study.toml --out migration --dask tcp://scheduler:8786

The same command again goes on where it ended, also after a power cut: finished runs never run again.
Exit code 1: some runs failed; DIR/failures has each with its scenario, and the others are finished."""

DONE, FAILED, INTERRUPTED = 0, 1, 3


@click.command(epilog=EPILOG)
@click.argument("study_file", metavar="STUDY")
@click.option("--out", metavar="DIR", type=click.Path(path_type=Path), help="The directory.  [default: sweep-NAME]")
@click.option("--seeds", type=click.IntRange(1), metavar="N", help="Seeds of a point.  [default: as in the study]")
@click.option("--seed", type=click.IntRange(0), metavar="BASE", help="The first seed.  [default: as in the study]")
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Processes.  [default: one for each CPU]")
@click.option("--dask", metavar="ADDRESS", help="Run on a Dask cluster, tcp://HOST:PORT (extra `dask`).")
@click.option("--keep-tables", is_flag=True, help="Keep the whole result of every run, in DIR/kept.")
@click.option("--retry", is_flag=True, help="Also run again what failed.")
@click.option("--yes", is_flag=True, help="Do as told even if that is more than 100,000 runs.")
@json_option
def sweep(
    study_file: str,
    out: Path | None,
    seeds: int | None,
    seed: int | None,
    workers: int | None,
    dask: str | None,
    keep_tables: bool,
    retry: bool,
    yes: bool,
    json_path: str | None,
) -> int:
    """Run every point of a study with the same seeds, and keep one row a run as a Parquet dataset.

    STUDY is a TOML file, or the name of a study that comes with hetpmu.
    """
    from simcore.app.interrupting import Interruption
    from simcore.app.sweep_text import answer_text, sweep_answer
    from simcore.app.sweeping import sweep as run_study
    from simcore.loader import load_study_file

    if dask is not None and workers is not None:
        raise click.UsageError("--workers are processes of this machine: a Dask cluster has its own")
    study = with_seeds(load_study_file(study_file), seeds, seed)
    directory = out or Path(f"sweep-{study.name}")
    say = narrator(json_path)
    with contextlib.ExitStack() as stack:
        write = stack.enter_context(json_target(json_path))
        stop = stack.enter_context(Interruption())
        with progress() as watch:
            done = run_study(
                study, directory, workers=workers, dask=dask, keep_tables=keep_tables, retry=retry, many=yes,
                watch=watch, stop=stop,
            )  # fmt: skip
        answer = sweep_answer(directory)
        write(answer | ({"interrupted": True} if done.interrupted else {}))
    say(answer_text(answer, coloured() and json_path != "-"))
    say(f"written: {directory}/")
    return _code(done)


def with_seeds(study: "Study", seeds: int | None, seed: int | None) -> "Study":
    """Return the study with another number of seeds or another first one."""
    import dataclasses

    if study.stop is not None and seeds is not None and seeds < study.stop.min_seeds:
        raise InputError(
            f"{seeds} seeds are fewer than a point needs before it may stop",
            where="--seeds",
            valid=f"at least {study.stop.min_seeds}, which is stop.min_seeds",
        )
    count = study.seed_count if seeds is None else seeds
    return dataclasses.replace(study, seed_count=count, first_seed=study.first_seed if seed is None else seed)


def _code(done: "Sweep") -> int:
    tally = done.tally
    if done.interrupted:
        kept = f"{tally.done} of {tally.wanted} runs are finished and kept"
        click.echo(f"interrupted: {kept}; the same command goes on", err=True)
        return INTERRUPTED
    if tally.failed:
        click.echo(f"{tally.failed} of {tally.wanted} runs failed: see {done.directory}/failures/", err=True)
        return FAILED
    return DONE


@contextlib.contextmanager
def progress() -> Any:
    """Give what shows how far a sweep is, with rate and time left: on a terminal only."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    rate = TextColumn("{task.fields[rate]}")
    left = TimeRemainingColumn(compact=True)
    with Progress(
        TextColumn("sweep"), BarColumn(), MofNCompleteColumn(), rate, left, console=Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task("sweep", total=None, rate="")

        def show(tally: "Tally") -> None:
            speed = bar.tasks[0].speed
            rate = f"{speed:.1f} runs/s" if speed else ""
            failed = f" {tally.failed} failed" if tally.failed else ""
            bar.update(task, total=tally.wanted, completed=tally.done, rate=rate + failed)

        yield show


COMMANDS = (sweep,)
