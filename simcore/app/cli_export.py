"""The command `export`: what a result directory holds, in the forms of other programs."""

from pathlib import Path

import click

from simcore.app.cli_options import NAMES

directory_argument = click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
output_option = click.option(
    "-o", "--output", metavar="OUT", required=True, type=click.Path(path_type=Path), help="The directory to write."
)
file_option = click.option(
    "-o", "--output", metavar="FILE", required=True, type=click.Path(path_type=Path), help="The file to write."
)
run_option = click.option("--run", "name", metavar="NAME", help="Which run of a comparison, by the name of its folder.")
force_option = click.option("--force", is_flag=True, help="Replace an earlier export.")
table_option = click.option("--table", "names", type=NAMES, metavar="NAME,..", help="Tables by name.  [default: all]")
EPILOG = """\b
Examples:
  hetpmu export csv demo -o demo-csv
  hetpmu export parquet crash.sweep -o out --table runs
  hetpmu export ftrace kept -o trace.txt"""


@click.group(epilog=EPILOG)
def export() -> None:
    """Write what a result directory holds in the form of another program."""


def _tables(directory: Path, output: Path, form: str, names: tuple[str, ...] | None, force: bool) -> int:
    from simcore.app.exporting import export_tables
    from simcore.app.storing import result_directory

    with result_directory(output, force=force) as target:
        files = export_tables(directory, target, form, names or ())
    click.echo(f"written: {len(files)} tables in {output}/")
    return 0


@export.command("csv", epilog="Example: hetpmu export csv demo -o demo-csv --table migrations,policies")
@directory_argument
@output_option
@table_option
@force_option
def to_csv(directory: Path, output: Path, names: tuple[str, ...] | None, force: bool) -> int:
    """Write every table as CSV, one file a table.

    Each run of a comparison or replay has a folder, and the rows of its answer are the table `policies`; a sweep has
    `runs` and `points`. A column of lists becomes one for each place, as in counters_0.
    """
    return _tables(directory, output, "csv", names, force)


@export.command("parquet", epilog="Example: hetpmu export parquet crash.sweep -o out --table runs")
@directory_argument
@output_option
@table_option
@force_option
def to_parquet(directory: Path, output: Path, names: tuple[str, ...] | None, force: bool) -> int:
    """Write every table as Parquet, one file a table, as `export csv` does."""
    return _tables(directory, output, "parquet", names, force)


@export.command(
    "ftrace",
    epilog="""\b
Examples:
  hetpmu run docs/examples/boot.toml --set trace=true --out kept
  hetpmu export ftrace kept -o trace.txt
  hetpmu replay trace.txt --threads 'CPU [0-9]+/KVM' --platform rk3588""",
)
@directory_argument
@file_option
@run_option
@click.option("--irq-info", is_flag=True, help="With the column of flags, as by default in the kernel; all are dots.")
@click.option("--record-tgid", "tgid", is_flag=True, help="With the column of the process, the VM of a thread.")
@force_option
def to_ftrace(directory: Path, output: Path, name: str | None, irq_info: bool, tgid: bool, force: bool) -> int:
    """Write what the host of a run did as text of the kernel's file trace, to the nanosecond.

    DIR was kept with the scenario key trace (run --set trace=true, replay --trace). Events are sched_switch,
    sched_waking, sched_wakeup, sched_migrate_task, cpu_frequency, kvm_entry and kvm_exit. The two options of columns
    are named as in the kernel.
    """
    from simcore.app.export_runs import new_file
    from simcore.app.exporting_ftrace import export_ftrace

    with new_file(output, force=force) as target:
        count = export_ftrace(directory, target, run=name, irq_info=irq_info, tgid=tgid)
    click.echo(f"written: {count} events in {output}")
    return 0


COMMANDS = (export,)
