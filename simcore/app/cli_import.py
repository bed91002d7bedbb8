"""The command `import` and its kinds: inputs that users already own."""

from collections.abc import Mapping
from pathlib import Path

import click

from simcore.app.cli_options import NAMES, file_or_stdout, json_option, json_target, narrator
from simcore.errors import InputError
from simcore.units import parse_whole

EPILOG = """\b
Examples:
  hetpmu import perf-stat run.json --platform rk3588 -o mine.toml
  hetpmu import rt-app mp3.json --platform rk3588 -o mp3.toml

docs/imports.md says how to record, and what becomes of each field."""

output_option = click.option(
    "-o", "--output", metavar="FILE", type=click.Path(path_type=Path), callback=file_or_stdout,
    help="What to write.  [default: stdout]",
)  # fmt: skip
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
    """Check an rt-app file, show what its threads ask for, and write a scenario that runs them.

    A scenario names files beside it or below only, so what lies elsewhere is copied to it.
    """
    from simcore.app.importing_rtapp import Beside, import_rtapp, scenario_of, text_of

    _, answer = import_rtapp(file, platform, guest, ignore or ())
    beside = Beside(_folder(output))
    content = scenario_of(answer, beside)
    if output is not None and output.parent.is_dir():
        beside.copy()
    _finish(answer, text_of(answer), content, output, json_path)
    for name in beside.copies if output is not None else ():
        narrator(json_path)(f"copied: {beside.folder / name}")
    return 0


@import_group.command("perf-stat", epilog="Example: hetpmu import perf-stat run.json --platform rk3588 -o mine.toml")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--platform", metavar="ID|FILE", default="rk3588", show_default=True, help="The SoC that was measured.")
@click.option(
    "--core", "cores", multiple=True, metavar="[PMU=]CORE", help="The core type that counted, where perf does not say."
)
@click.option("--freq-khz", "khz", multiple=True, metavar="[PMU|CORE=]KHZ", help="The frequency at which it ran.")
@click.option("--stall-like", metavar="W", help="Take the stall share of the CPI from this workload.  [default: none]")
@click.option("--others-like", metavar="W", help="Estimate the platform's other core types by this workload.")
@click.option("--name", metavar="NAME", help="The workload's name.  [default: that of the first file]")
@click.option(
    "--min-running",
    type=click.FloatRange(0, 100),
    metavar="PCT",
    help="Leave out host PMUs that ran for less of the time.  [default: 1]",
)
@click.option("-x", "--field-separator", "separator", metavar="SEP", help="As perf's.  [default: found out]")
@ignore_option
@output_option
@json_option
def perf_stat(
    files: tuple[Path, ...],
    cores: tuple[str, ...],
    khz: tuple[str, ...],
    min_running: float | None,
    ignore: tuple[str, ...] | None,
    output: Path | None,
    json_path: str | None,
    platform: str,
    **names: str | None,
) -> int:
    """Turn the output of `perf stat -j` or `perf stat -x,` into a workload file for --workload."""
    from simcore.app.importing_counts import MIN_RUNNING_PERCENT, PerfOptions
    from simcore.app.importing_perf import import_perf
    from simcore.app.importing_text import summary, workload_text

    asked = PerfOptions(
        cores=dict(_by_owner(cores)),
        freq_khz={owner: _khz(text) for owner, text in _by_owner(khz)},
        ignore=ignore or (),
        min_running=MIN_RUNNING_PERCENT if min_running is None else min_running,
        platform=platform,
        **names,
    )
    workload, notes = import_perf(files, asked)
    answer = {
        "schema": "hetpmu-import-perf-stat/1",
        "files": [str(path) for path in files],
        "platform": asked.platform,
        "workload": workload.model_dump(),
        "notes": notes,
    }
    content = workload_text(workload, "hetpmu import perf-stat", notes)
    _finish(answer, summary(workload, notes), content, output, json_path)
    return 0


def _by_owner(texts: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return what is said of each host PMU or core type; '' owns what is said of all."""
    pairs = [text.rpartition("=") for text in texts]
    return [(owner.strip(), value.strip()) for owner, _, value in pairs]


def _khz(text: str) -> int:
    khz = parse_whole(text)
    if not 1_000 <= khz <= 7_500_000:
        raise InputError(f"{text!r} is no frequency in kHz", "--freq-khz", valid="a whole number, 1000 to 7500000")
    return khz


def _folder(output: Path | None) -> Path:
    return Path() if output is None else output.parent


def _finish(answer: Mapping[str, object], text: str, content: str, output: Path | None, json_path: str | None) -> None:
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
