"""The commands `run`, `plot` and `show`: one run into a result directory, and what such directories hold."""

import contextlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simcore.app.cli_options import (
    NAMES,
    TIME,
    coloured,
    force_option,
    json_option,
    json_target,
    narrator,
    out_option,
    vcpu_option,
)

if TYPE_CHECKING:
    from simcore.app.study_data import StudyData

KINDS = ("continuity", "crash", "throughput", "overhead", "events", "sampling", "ledger", "crossings")


@click.command(epilog="\b\nExample: hetpmu run docs/examples/boot.toml --sample 1ms --set seed=7 --out result")
@click.argument("scenario_file", metavar="SCENARIO", type=click.Path(path_type=Path))
@click.option("--tick", type=TIME, metavar="T", help="Step the counters by T.  [default: the longest that is allowed]")
@click.option("--sample", type=TIME, metavar="T", help="Record every counter each T.")
@click.option("--seed", type=click.IntRange(0), metavar="BASE", help="The seed.  [default: that of the scenario]")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Another value for a key of the scenario.")
@json_option
@out_option
@force_option
def run(
    scenario_file: Path,
    tick: int | None,
    sample: int | None,
    seed: int | None,
    changes: tuple[str, ...],
    json_path: str | None,
    out: Path | None,
    force: bool,
) -> int:
    """Run one scenario once, and show what its guests saw."""
    from simcore.app.describing import from_file
    from simcore.app.tier import choose_tier

    scenario = from_file(scenario_file, changes, tick_ns=tick, sample_ns=sample, seed=seed)
    if note := choose_tier(scenario, 1):
        click.echo(note, err=True)

    from simcore.app.aggregating import run_answer
    from simcore.app.checking import checked
    from simcore.app.compiling import compile_kernels
    from simcore.app.finding import found_blocks
    from simcore.app.heads import run_head, run_rows
    from simcore.app.interrupting import Interruption
    from simcore.app.rtapp_text import rtapp_lines
    from simcore.app.running import run as run_scenario
    from simcore.app.storing import TEXT, result_directory, save_result
    from simcore.app.tables import comparison_text

    checked(scenario)
    say = narrator(json_path)
    with contextlib.ExitStack() as stack:
        write = stack.enter_context(json_target(json_path))
        directory = stack.enter_context(result_directory(out, force=force, source=scenario_file)) if out else None
        stop = stack.enter_context(Interruption())
        compile_kernels(scenario)
        result = run_scenario(scenario, lambda: stop.requested)
        if stop.requested:
            raise KeyboardInterrupt
        answer = run_answer(result)
        write(answer)
        rows = run_rows(answer)
        found = found_blocks(zip((vm.guest for vm in scenario.vms), rows, strict=True))
        head = [*run_head(answer), *rtapp_lines(answer["rtapp"])]
        text = partial(comparison_text, head, rows, None, found=found)
        if directory is not None:
            save_result(result, directory)
            (directory / TEXT).write_text(text(), encoding="utf-8")
    say(text(colour=coloured() and json_path != "-"))
    if out:
        say(f"written: {out}/")
    return 0


PLOT_EPILOG = """\b
Kinds, and the directories that have their data (run, compare or sweep):
  continuity  PMCCNTR_EL0 against true cycles, a lane a policy       run, compare
  crash       guests that died against migrations per second         sweep
  throughput  by policy, hence by pinning                            compare, sweep
  overhead    host time for the PMU against crossings per second     all
  events      which SoC shows which events; without DIR: every SoC   all
  sampling    where perf record takes its samples                    all
  ledger      where the guest's cycles went                          all
  crossings   moves between core types                               run, compare

\b
Examples:
  hetpmu plot demo --kind continuity --vcpu 1 -o mail.png
  hetpmu plot --kind events -o events.png"""


@click.command(epilog=PLOT_EPILOG)
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option("--kind", type=click.Choice(KINDS), default="continuity", show_default=True, help="What to draw.")
@click.option("-o", "--output", metavar="FILE", required=True, type=click.Path(path_type=Path), help="A .png or .svg.")
@vcpu_option
@click.option(
    "--policies", type=NAMES, metavar="P,..", help="Lanes by policy, or all.  [default: one a kind of policy]"
)
def plot(directory: Path | None, kind: str, output: Path, vcpu: int | None, policies: tuple[str, ...] | None) -> int:
    """Draw what `run`, `compare` or `sweep` kept."""
    if kind == "continuity":
        if directory is None:
            raise click.UsageError("continuity needs a result directory: hetpmu plot DIR -o FILE")
        from simcore.app.picturing import draw_directory

        draw_directory(directory, output, vcpu, policies or ())
    else:
        if vcpu is not None or policies:
            raise click.UsageError("--vcpu and --policies go with continuity")
        from simcore.app.study_pictures import draw_kind

        draw_kind(kind, directory, output)
    click.echo(f"written: {output}")
    return 0


@click.command(
    epilog="\b\nExamples: hetpmu show demo; hetpmu show demo --table migrations --head 20; hetpmu show demo --json -"
)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--table", "name", metavar="NAME", help="Show rows of this table of each run (docs/tables.md).")
@click.option("--head", type=click.IntRange(0), metavar="N", help="How many rows.  [default: 10; with --json all]")
@json_option
def show(directory: Path, name: str | None, head: int | None, json_path: str | None) -> int:
    """Show what is in a result directory: the table as it was printed, runs, versions.

    Digests of results are checked, and checksums of the parts of a sweep.
    """
    from simcore.app.show_text import contents_text, rows_text
    from simcore.app.showing import contents
    from simcore.app.sweep_directory import is_sweep

    if head is not None and name is None:
        raise click.UsageError("--head goes with --table")
    if is_sweep(directory):
        return _show_sweep(directory, name, json_path)
    with json_target(json_path) as write:
        found = contents(directory)
        write(found.as_json(name, head))
    text = contents_text(found) if name is None else rows_text(found, name, 10 if head is None else head)
    narrator(json_path)(text)
    return 0


def _show_sweep(directory: Path, name: str | None, json_path: str | None) -> int:
    from simcore.app.study_data import load_study
    from simcore.app.sweep_text import answer_of, answer_text, costs_text
    from simcore.study import GUESTS

    if name is not None:
        raise click.UsageError(f"the runs of a sweep are one Parquet dataset: {directory}/runs")
    with json_target(json_path) as write:
        data = load_study(directory)
        if data.study.kind == GUESTS:
            return _show_matrix(data, directory, json_path, write)
        answer = answer_of(data, directory)
        write(answer)
    narrator(json_path)(answer_text(answer, coloured() and json_path != "-") + "\n\n" + costs_text(data))
    return 0


def _show_matrix(data: "StudyData", directory: Path, json_path: str | None, write: Callable[[Any], None]) -> int:
    from simcore.app.code_matrix import matrix_answer
    from simcore.app.code_verdicts import verdict_text

    answer = matrix_answer(data, directory)
    write(answer)
    narrator(json_path)(verdict_text(answer))
    return 0


COMMANDS = (run, plot, show)
