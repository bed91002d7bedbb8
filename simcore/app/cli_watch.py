"""The command `watch`: other policies on the schedule that a run or a replay has kept."""

import contextlib
from pathlib import Path

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
)

EPILOG = """\b
Examples:
  hetpmu run docs/examples/boot.toml --set schedule=true --out kept
  hetpmu watch kept --policies default@v6,fixed-counters-only@v8
  hetpmu watch kept --step 100us --out seen      # and every counter each 100 us, as tables/samples.parquet
  hetpmu replay trace.dat --threads 'CPU [0-9]+/KVM' --platform rk3588 --schedule --out replayed
  hetpmu watch replayed --policies composite"""


@click.command(epilog=EPILOG)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--policies", type=NAMES, metavar="P,..", help="Policies by name.  [default: all but default-pinned]")
@click.option("--kernel", "kernels", type=NAMES, metavar="K,..", help="Revisions.  [default: each policy's own]")
@click.option("--step", type=TIME, metavar="T", help="Record every counter each T; goes with --out.")
@json_option
@out_option
@force_option
def watch(
    directory: Path,
    policies: tuple[str, ...] | None,
    kernels: tuple[str, ...] | None,
    step: int | None,
    json_path: str | None,
    out: Path | None,
    force: bool,
) -> int:
    """Show what other policies count on the schedule of a run or replay, without simulating it again.

    DIR is what `run --set schedule=true --out DIR` or `replay --schedule --out DIR` wrote.
    """
    from simcore.app.storing import result_directory
    from simcore.app.watch_text import watch_text
    from simcore.app.watching_kept import keep, look

    if step is not None and out is None:
        raise click.UsageError("--step goes with --out")
    say, warn = narrator(json_path), narrator("-")
    with contextlib.ExitStack() as stack:
        write = stack.enter_context(json_target(json_path))
        target = stack.enter_context(result_directory(out, force=force, source=directory)) if out else None
        found = look(directory, policies or (), kernels or (), step or 0)
        for line in found.left_out:
            warn(line)
        answer = found.as_json()
        write(answer)
        if target is not None:
            keep(found, watch_text(answer), target)
    say(watch_text(answer, colour=coloured() and json_path != "-"))
    if out:
        say(f"written: {out}/")
    return 0


COMMANDS = (watch,)
