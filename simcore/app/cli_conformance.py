"""The command `conformance`."""

import time

import click

from simcore.app.cli_options import json_option, json_target, narrator

EPILOG = """\b
Examples:
  hetpmu conformance tests/data/vectors/kvm_uapi.json.gz
  hetpmu conformance --variant v8 --no-quirks tests/data/vectors/kvm_migrate.json.gz
  hetpmu conformance tests/data/vectors/sched_eas.json.gz"""


@click.command(epilog=EPILOG)
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--variant", metavar="NAME|all", default="all", show_default=True, help="Kernel revision whose results to check."
)
@click.option(
    "--quirks/--no-quirks",
    default=True,
    show_default=True,
    help="The kernel as recorded, or without its two sample-period quirks.",
)
@click.option(
    "--show", type=click.IntRange(0), metavar="N", default=3, show_default=True, help="Failed cases to show in full."
)
@json_option
def conformance(files: tuple[str, ...], variant: str, quirks: bool, show: int, json_path: str | None) -> int:
    """Replay recorded sequences of KVM calls and register accesses, or of the scheduler; compare every result."""
    from simcore.app.conform_text import report
    from simcore.app.conforming import as_json, run_files

    started = time.perf_counter()
    with json_target(json_path) as write:
        results = run_files(files, variant, quirks)
        write(as_json(results))
    click.echo(f"{sum(result.cases for result in results)} cases in {time.perf_counter() - started:.1f} s", err=True)
    narrator(json_path)(report(results, show))
    return int(any(result.failures for result in results))


COMMANDS = (conformance,)
