"""The command line: the group, and what becomes of errors. Each command parses, calls one function and prints.

The commands stand in the modules `simcore.app.cli_*`; what a command needs is imported inside that command, so that
`hetpmu --help` stays fast.
"""

import errno
import os
import sys
import traceback
from collections.abc import Sequence

import click

from simcore import __version__
from simcore.app import (
    cli_bench,
    cli_compare,
    cli_conformance,
    cli_export,
    cli_guest,
    cli_import,
    cli_inputs,
    cli_migrate,
    cli_model,
    cli_platforms,
    cli_replay,
    cli_report,
    cli_results,
    cli_sweep,
    cli_uapi,
    cli_watch,
)
from simcore.app.interrupting import end_as_by_ctrl_c
from simcore.errors import InputError

EPILOG = """\b
Examples:
  hetpmu compare                       what each PMU policy does to a Windows guest on an RK3588
  hetpmu compare --quick --out demo    the same, roughly and fast, with a plot
  hetpmu explain rk3588                which host PMUs there are, and what guests see of them

Exit codes: 0 done, 1 a check failed, 2 bad input, 3 interrupted (finished work is kept), 4 a bug in hetpmu."""

DONE, BAD_INPUT, INTERRUPTED, BUG = 0, 2, 3, 4
OUTPUT_ERRORS = {
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG, errno.ENAMETOOLONG, errno.ELOOP,
}  # fmt: skip


@click.group(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="hetpmu")
def cli() -> None:
    """Show what KVM guests see in their PMU counters when vCPUs move between unlike arm64 cores."""


for command in (
    *cli_compare.COMMANDS,
    *cli_results.COMMANDS,
    *cli_sweep.COMMANDS,
    *cli_platforms.COMMANDS,
    *cli_inputs.COMMANDS,
    *cli_import.COMMANDS,
    *cli_bench.COMMANDS,
    *cli_uapi.COMMANDS,
    *cli_guest.COMMANDS,
    *cli_conformance.COMMANDS,
    *cli_migrate.COMMANDS,
    *cli_replay.COMMANDS,
    *cli_watch.COMMANDS,
    *cli_export.COMMANDS,
    *cli_report.COMMANDS,
    *cli_model.COMMANDS,
):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    end_as_by_ctrl_c()
    sys.exit(exit_code(arguments))


def exit_code(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; every outcome becomes one of the documented exit codes."""
    try:
        code = cli.main(list(arguments) if arguments is not None else None, "hetpmu", standalone_mode=False)
        sys.stdout.flush()
        return int(code or DONE)
    except BrokenPipeError:
        return _reader_left()
    except (InputError, click.ClickException) as error:
        return _complain(error)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted before anything was finished; nothing was written", err=True)
        return INTERRUPTED
    except OSError as error:
        return _cannot_write(error) if error.errno in OUTPUT_ERRORS else _our_bug()
    except Exception:  # the last resort of the program
        return _our_bug()


def _complain(error: InputError | click.ClickException) -> int:
    """Print at most three lines: what, where, why or what would be valid."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message())
        return BAD_INPUT
    click.echo(f"hetpmu: {error if isinstance(error, InputError) else _usage(error)}", err=True)
    return BAD_INPUT


def _usage(error: click.ClickException) -> InputError:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "hetpmu"
    return InputError(error.format_message(), valid=f"see {path} --help")


def _cannot_write(error: OSError) -> int:
    click.echo(
        f"hetpmu: cannot write: {error.strerror} ({error.filename or 'output'}); nothing half-written stays", err=True
    )
    return BAD_INPUT


def _reader_left() -> int:
    """Treat a closed pipe (`| head`) as a reader who has seen enough."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return DONE


def _our_bug() -> int:
    traceback.print_exc()
    click.echo(
        f"This is a bug in hetpmu {__version__}. Please report it with the lines above, the command line\n"
        f"{' '.join(['hetpmu', *sys.argv[1:]])}\nand the output of `{sys.executable} -m pip list`.",
        err=True,
    )
    return BUG


if __name__ == "__main__":
    main()
