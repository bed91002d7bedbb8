"""The commands about inputs: `explain`, `validate`."""

from typing import Any

import click

from simcore.app.cli_options import json_option, json_target, narrator


@click.command(
    epilog="\b\nExamples: hetpmu explain rk3588; hetpmu explain docs/examples/board.toml; hetpmu explain --all"
)
@click.argument("platform", metavar="ID|FILE", required=False)
@click.option("--all", "everything", is_flag=True, help="The verdicts on every platform as one table.")
@json_option
def explain(platform: str | None, everything: bool, json_path: str | None) -> int:
    """Explain a platform: host PMUs, counters, events, and what a guest is shown under each policy."""
    if everything == (platform is not None):
        raise click.UsageError("name one platform, or say --all")
    with json_target(json_path) as write:
        answer, text = _all_verdicts() if platform is None else _one_platform(platform)
        write(answer)
    narrator(json_path)(text)
    return 0


def _all_verdicts() -> tuple[dict[str, Any], str]:
    from simcore.app.explain_text import verdicts
    from simcore.app.explaining import verdict_table
    from simcore.loader import list_platforms, load_platform

    rows = verdict_table(load_platform(name) for name in list_platforms())
    return {"schema": "hetpmu-verdicts/1", "platforms": rows}, verdicts(rows)


def _one_platform(name: str) -> tuple[dict[str, Any], str]:
    from simcore.app.explain_text import explanation
    from simcore.app.explaining import explain_platform
    from simcore.loader import load_platform

    row = explain_platform(load_platform(name))
    return {"schema": "hetpmu-explain/1", **row}, explanation(row)


@click.command(epilog="\b\nExamples: hetpmu validate docs/examples/board.toml; hetpmu validate --schema soc")
@click.argument("files", metavar="FILE...", nargs=-1)
@click.option("--schema", "kind", metavar="KIND", help="Print the JSON Schema of a kind of file instead.")
@json_option
def validate(files: tuple[str, ...], kind: str | None, json_path: str | None) -> int:
    """Check input files: every error with its file and key."""
    from simcore.loader import schema

    if bool(files) == (kind is not None):
        raise click.UsageError("name files to check, or a kind of file with --schema")
    if kind is not None:
        with json_target(json_path or "-") as write:
            write(schema(kind))
        return 0
    return _validate_files(files, json_path)


def _validate_files(files: tuple[str, ...], json_path: str | None) -> int:
    from simcore.errors import InputError

    rows: list[dict[str, str | None]] = []
    with json_target(json_path) as write:
        for name in files:
            try:
                rows.append({"file": name, "kind": _kind_of(name), "error": None})
            except InputError as error:
                rows.append({"file": name, "kind": None, "error": str(error)})
        write({"schema": "hetpmu-validate/1", "files": rows})
    for row in rows:
        if row["error"] is None:
            narrator(json_path)(f"{row['file']}: a valid {row['kind']} file")
        else:
            click.echo(row["error"], err=True)
    return 2 if any(row["error"] for row in rows) else 0


def _kind_of(name: str) -> str:
    """Check a file and return its kind; a file of rt-app is known by its suffix."""
    from simcore.loader import validate_file
    from workloads.rtapp_parsing import load_rtapp

    if not name.endswith(".json"):
        return validate_file(name)
    load_rtapp(name)
    return "rt-app"


COMMANDS = (explain, validate)
