"""The command `export`: what a result directory holds, in the forms of other programs."""

from pathlib import Path

import click

from simcore.app.cli_options import NAMES, file_or_stdout
from simcore.errors import InputError
from simcore.units import NS_PER_MS

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
  hetpmu export ftrace kept -o trace.txt
  hetpmu export perf-stat guest -I 100 -x,
  hetpmu export perfetto traced -o traced.pftrace"""


@click.group(epilog=EPILOG)
def export() -> None:
    """Write what a result directory holds in the form of another program."""


def _tables(directory: Path, output: Path, form: str, names: tuple[str, ...] | None, force: bool) -> int:
    from simcore.app.exporting import export_tables
    from simcore.app.storing import EXPORT, result_directory

    with result_directory(output, force=force, source=directory, replaces=(EXPORT,)) as target:
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
@click.option("--raw", is_flag=True, help="With numbers in fields, as trace-cmd report -R prints them; for LISA.")
@force_option
def to_ftrace(
    directory: Path, output: Path, name: str | None, irq_info: bool, tgid: bool, raw: bool, force: bool
) -> int:
    """Write what the host of a run did as text of the kernel's file trace, to the nanosecond.

    DIR was kept with the scenario key trace (run --set trace=true, replay --trace). Events are sched_switch,
    sched_waking, sched_wakeup, sched_migrate_task, cpu_frequency, kvm_entry and kvm_exit. The two options of columns
    are named as in the kernel.
    """
    from simcore.app.exporting_ftrace import export_ftrace
    from simcore.app.storing import new_file

    with new_file(output, force=force, source=directory) as target:
        count = export_ftrace(directory, target, run=name, irq_info=irq_info, tgid=tgid, raw=raw)
    click.echo(f"written: {count} events in {output}")
    return 0


PERF_EPILOG = """\b
Examples, of a run whose guest is linux-perf-stat:
  hetpmu run scenario.toml --set vms.0.guest.perf_interval=10ms --out guest
  hetpmu export perf-stat guest
  hetpmu export perf-stat guest -I 10 -A -x, -o intervals.csv
  hetpmu export perf-stat guest -j --generic --cpu-clock

docs/exports.md says which version of perf is followed, and what its fields mean."""


@export.command("perf-stat", epilog=PERF_EPILOG)
@directory_argument
@click.option(
    "-I",
    "--interval-print",
    "interval_ms",
    type=click.IntRange(1),
    metavar="MS",
    help="Each MS milliseconds: a multiple of the guest's perf_interval.  [default: once, at the end]",
)
@click.option("-x", "--field-separator", "separator", metavar="SEP", help="Fields with SEP between them (\\t: a tab).")
@click.option("-j", "--json-output", "as_json", is_flag=True, help="A JSON object a line.")
@click.option("-A", "--no-aggr", "--per-cpu", "per_cpu", is_flag=True, help="Each CPU of the guest by itself.")
@click.option(
    "--big-num/--no-big-num", default=True, help="Thousands separators, as in the locale en_US.  [default: with]"
)
@click.option("--generic", is_flag=True, help="Name events as perf does (branch-misses), which gives them metrics.")
@click.option(
    "--cpu-clock", "clock", is_flag=True, help="Count cpu-clock too, as perf does by itself: then cycles have GHz."
)
@click.option("--nmi-watchdog", "hint", is_flag=True, help="Give perf's hint at an event that was not counted.")
@click.option("--vm", type=click.IntRange(0), metavar="N", help="The VM.  [default: the first that runs perf stat]")
@run_option
@click.option(
    "-o", "--output", metavar="FILE", type=click.Path(path_type=Path), callback=file_or_stdout,
    help="What to write.  [default: stdout]",
)  # fmt: skip
@force_option
def perf_stat(
    directory: Path,
    interval_ms: int | None,
    separator: str | None,
    as_json: bool,
    per_cpu: bool,
    big_num: bool,
    generic: bool,
    clock: bool,
    hint: bool,
    vm: int | None,
    name: str | None,
    output: Path | None,
    force: bool,
) -> int:
    """Print what `perf stat -a` printed in a guest: the counts that its driver read, right or wrong.

    A counter that stood still has its too small number; `<not counted>` never had a counter, and `<not supported>` was
    refused by the guest's driver.
    """
    from simcore.app.exporting_perf import perf_stat_text
    from simcore.app.perf_counts import Asked
    from simcore.app.perf_forms import Form, Json, Plain, Separated
    from simcore.app.storing import new_file

    if as_json and separator is not None:
        raise InputError("-j and -x exclude each other", valid="one of them")
    if separator == "":
        raise InputError("an empty separator", "-x", valid="such as , ; or \\t")
    form: Form = Json() if as_json else Plain(big_num, hint)
    if separator is not None:
        form = Separated("\t" if separator == "\\t" else separator)
    asked = Asked((interval_ms or 0) * NS_PER_MS, generic, clock)
    text = perf_stat_text(directory, form, asked, per_cpu=per_cpu, vm=vm, run=name)
    if output is None:
        click.echo(text, nl=False)
        return 0
    with new_file(output, force=force, source=directory) as temporary:
        temporary.write_text(text, encoding="utf-8")
    click.echo(f"written: {output}")
    return 0


@export.command(
    "perfetto",
    epilog="""\b
Examples:
  hetpmu run docs/examples/boot.toml --set trace=true --set schedule=true --out traced
  hetpmu export perfetto traced -o traced.pftrace
  hetpmu export perfetto demo --run 01-default@mainline -o demo.pftrace.gz""",
)
@directory_argument
@file_option
@run_option
@force_option
def to_perfetto(directory: Path, output: Path, name: str | None, force: bool) -> int:
    """Write a run as a trace for the UI of Perfetto: host and guests in one timeline.

    CPU scheduling and frequencies of the host; a process a VM; below each vCPU's thread when it is in its guest or in
    KVM, what it executes, its migrations, and what each policy's PMU shows: counters, their rate, stalls, overflows.
    Of a comparison one run is written, by default the first with a trace, or the first. Needs the extra trace; a FILE
    in .gz is compressed.
    """
    from simcore.app.export_runs import first_run
    from simcore.app.exporting_perfetto import missing, write_trace
    from simcore.app.storing import new_file

    with new_file(output, force=force, source=directory) as target:
        run = first_run(directory, name)
        write_trace(run, target)
    click.echo(f"written: {run.name} in {output}")
    if lacking := missing(run.result):
        click.echo(f"not recorded: {'; '.join(lacking)}", err=True)
    return 0


COMMANDS = (export,)
