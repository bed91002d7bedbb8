"""The command `import` and its kinds: inputs that users already own."""

from pathlib import Path

import click

from simcore.app.cli_options import NAMES, json_option, json_target, narrator

EPILOG = """\b
Examples:
  hetpmu import perf-stat run.json --platform rk3588 -o mine.toml
  hetpmu import rt-app mp3.json --platform rk3588 -o mp3.toml

docs/imports.md says how to record, and what becomes of each field."""

output_option = click.option(
    "-o", "--output", metavar="FILE", type=click.Path(path_type=Path), help="What to write.  [default: stdout]"
)
ignore_option = click.option(
    "--ignore", type=NAMES, metavar="NAME,..", help="Leave these out although they are not modelled."
)


@click.group("import", epilog=EPILOG)
def import_group() -> None:
    """Turn a recording or a workload of another tool into a file of hetpmu."""


@import_group.command("rt-app", epilog="Example: hetpmu import rt-app mp3.json --guest -o mp3.toml")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--platform", metavar="ID|FILE", default="rk3588", show_default=True, help="The SoC.")
@click.option("--guest", is_flag=True, help="Run it in a guest, a vCPU for each thread, not on the host.")
@ignore_option
@output_option
@json_option
def rt_app(
    file: Path, platform: str, guest: bool, ignore: tuple[str, ...] | None, output: Path | None, json_path: str | None
) -> int:
    """Check an rt-app file, show what its threads ask for, and write a scenario that runs them."""
    from simcore.app.importing_rtapp import import_rtapp, scenario_of, text_of

    _, answer = import_rtapp(file, platform, guest, ignore or ())
    _finish(answer, text_of(answer), scenario_of(answer, _folder(output)), output, json_path)
    return 0


def _folder(output: Path | None) -> Path:
    return Path() if output is None else output.parent


def _finish(answer: dict[str, object], text: str, content: str, output: Path | None, json_path: str | None) -> None:
    """Write the file and the JSON, and say what was found; without -o the file goes to stdout."""
    from simcore.app.storing import replaced_file

    with json_target(json_path) as write:
        if output is not None:
            with replaced_file(output) as temporary:
                temporary.write_text(content, encoding="utf-8")
        write(answer)
    say = narrator("-" if output is None else json_path)
    say(text)
    if output is not None:
        say(f"written: {output}")
    elif json_path != "-":
        click.echo(content, nl=False)


COMMANDS = (import_group,)
