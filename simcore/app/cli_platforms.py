"""The command `platforms`: those that there are, and one out of a copy of a board's sysfs."""

from pathlib import Path

import click

from simcore.app.cli_options import file_or_stdout, json_option, json_target, narrator

EPILOG = """\b
Examples:
  hetpmu platforms --reasons
  hetpmu platforms --collector > collect.sh                # on the board: sh collect.sh > board.tar
  hetpmu platforms --from-sysfs board.tar -o board.toml    # then: hetpmu compare --platform board.toml

What is read, and what sysfs cannot say, is in docs/boards.md."""


@click.command(epilog=EPILOG)
@click.option("--reasons", is_flag=True, help="Also say why each value is assumed.")
@click.option("--from-sysfs", "copy", metavar="DIR|TAR", help="Print the platform file of a board by its sysfs.")
@click.option(
    "-o", "--output", metavar="FILE", type=click.Path(path_type=Path), callback=file_or_stdout,
    help="Write that file instead.",
)  # fmt: skip
@click.option(
    "--assume", metavar="KEY=VALUE", multiple=True,
    help="What sysfs does not say: cntfrq_hz, pmuver, event_counters, rates_like; also CORE.KEY=VALUE.",
)  # fmt: skip
@click.option("--id", "name", metavar="ID", help="The id in that file.  [default: the device tree's]")
@click.option("--collector", is_flag=True, help="Print the shell script that copies a board's sysfs.")
@json_option
def platforms(
    reasons: bool,
    copy: str | None,
    output: Path | None,
    assume: tuple[str, ...],
    name: str | None,
    collector: bool,
    json_path: str | None,
) -> int:
    """List the platforms there are and what each one's sources lack, or make one of your own board."""
    _check(reasons, copy, output, assume, name, collector, json_path)
    if collector:
        from simcore.app.boarding import collector as script

        click.echo(script(), nl=False)
    elif copy is not None:
        _from_sysfs(copy, output, assume, name, json_path)
    else:
        _list(reasons, json_path)
    return 0


def _check(
    reasons: bool,
    copy: str | None,
    output: Path | None,
    assume: tuple[str, ...],
    name: str | None,
    collector: bool,
    json_path: str | None,
) -> None:
    if copy is None and (output or assume or name):
        raise click.UsageError("--output, --assume and --id go with --from-sysfs")
    if (copy is not None or collector) and reasons:
        raise click.UsageError("--reasons goes with the list of platforms")
    if collector and (copy is not None or json_path):
        raise click.UsageError("--collector stands alone")


def _list(reasons: bool, json_path: str | None) -> None:
    from simcore.app.explain_text import platforms as text
    from simcore.app.explaining import platform_row
    from simcore.loader import list_platforms, load_platform

    with json_target(json_path) as write:
        rows = [platform_row(load_platform(name)) for name in list_platforms()]
        write({"schema": "hetpmu-platforms/1", "platforms": rows})
    narrator(json_path)(text(rows, reasons))


def _from_sysfs(
    copy: str, output: Path | None, assume: tuple[str, ...], name: str | None, json_path: str | None
) -> None:
    """Write or print the file; what its reader should know goes to stderr."""
    from simcore.app.boarding import board_file, summary
    from simcore.app.storing import replaced_file

    with json_target(json_path) as write:
        found = board_file(copy, assume, name)
        if output is not None:
            with replaced_file(output) as temporary:
                temporary.write_text(found.text, encoding="utf-8")
        write(found.as_json())
    if output is None and json_path != "-":
        click.echo(found.text, nl=False)
    narrator("-")(summary(found))
    if output is not None:
        narrator("-")(f"written: {output}")


COMMANDS = (platforms,)
