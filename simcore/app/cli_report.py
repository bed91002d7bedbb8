"""The command `report`: a result directory as one page that can be mailed."""

from pathlib import Path

import click

EPILOG = """\b
Examples:
  hetpmu compare --out demo && hetpmu report demo -o demo.html
  hetpmu report sweep-migration -o migration.html

The page contains all it needs and loads nothing. DIR is that of compare, run, replay, watch or sweep."""


@click.command(epilog=EPILOG)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    required=True,
    type=click.Path(path_type=Path),
    help="The page, such as report.html.",
)
@click.option("--force", is_flag=True, help="Replace an earlier page.")
def report(directory: Path, output: Path, force: bool) -> int:
    """Make a page of a result directory: verdict, tables, plots, assumptions, how to repeat it."""
    from simcore.app.report_page import page_html
    from simcore.app.reporting import report_of
    from simcore.app.storing import new_file

    with new_file(output, force=force, source=directory) as temporary:
        temporary.write_text(page_html(report_of(directory)), encoding="utf-8", newline="\n")
    click.echo(f"written: {output}")
    return 0


COMMANDS = (report,)
