"""Option types and small helpers that several commands share."""

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simcore.errors import InputError
from simcore.units import parse_time_ns

STDOUT = "-"
MAX_VCPUS = 512  # KVM_MAX_VCPUS of arm64
AnyFunction = Callable[..., Any]
if TYPE_CHECKING:  # generic for the type checker only: before click 8.3 it takes no parameter
    ParamType = click.ParamType[Any]
else:
    ParamType = click.ParamType


class Time(ParamType):
    """A positive time with unit (`2s`, `10ms`), as whole nanoseconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse a time; zero is refused like a negative one."""
        where = param.opts[0] if param is not None else ""
        duration = parse_time_ns(value, where=where)
        if duration == 0:
            raise InputError(f"{value!r} is zero", where=where, valid="a positive time such as 2s, 10ms, 100us")
        return duration


class Names(ParamType):
    """Names with commas between them."""

    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Split at commas; an empty name is refused."""
        names = tuple(part.strip() for part in str(value).split(","))
        if not all(names):
            raise InputError(
                f"an empty name in {str(value)!r}",
                where=param.opts[0] if param else "",
                valid="names with one comma between",
            )
        return names


TIME, NAMES = Time(), Names()


def file_or_stdout(ctx: click.Context, param: click.Parameter, path: Path | None) -> Path | None:
    """Take `-o -` as what it is without -o: stdout."""
    return None if path == Path(STDOUT) else path


json_option = click.option(
    "--json", "json_path", metavar="PATH|-", help="Write the answer as JSON; with - stdout holds nothing else."
)
out_option = click.option("--out", metavar="DIR", type=click.Path(path_type=Path), help="Write a result directory.")
vcpu_option = click.option(
    "--vcpu", type=click.IntRange(0), metavar="N", help="The vCPU in the plot.  [default: the one that stalls most]"
)
force_option = click.option("--force", is_flag=True, help="Replace the result that --out finds there.")


def narrator(json_path: str | None) -> Callable[[str], None]:
    """Give the function that prints text for people: to stderr where stdout belongs to the JSON."""
    return lambda text: click.echo(text, err=json_path == STDOUT)


@contextlib.contextmanager
def json_target(json_path: str | None) -> Iterator[Callable[[Any], None]]:
    """Give a function that writes the JSON answer; that it can be written is checked on entry."""
    if json_path is None:
        yield lambda answer: None
    elif json_path == STDOUT:
        yield lambda answer: click.echo(json.dumps(answer, indent=2))
    else:
        from simcore.app.storing import replaced_file, write_json

        with replaced_file(Path(json_path)) as temporary:
            yield lambda answer: write_json(temporary, answer)


def coloured(err: bool = False) -> bool:
    """Tell whether colour is welcome: on a terminal, and without NO_COLOR."""
    return (sys.stderr if err else sys.stdout).isatty() and not os.environ.get("NO_COLOR")


class Ticker:
    """A line of progress on stderr, if that is a terminal."""

    def __init__(self, what: str, unit: str = "runs") -> None:
        self.what = what
        self.unit = unit
        self.shown = sys.stderr.isatty()

    def __call__(self, done: int, planned: int) -> None:
        """Show how many are done."""
        if self.shown:
            click.echo(f"\r{self.what}: {done} of {planned} {self.unit}", err=True, nl=False)

    def clear(self) -> None:
        """Remove the line."""
        if self.shown:
            click.echo("\r\x1b[K", err=True, nl=False)


def scenario_options(command: AnyFunction) -> AnyFunction:
    """Add the argument SCENARIO and the options that describe the guest and the host."""
    decorators = (
        click.argument("file", metavar="[SCENARIO]", required=False, type=click.Path(path_type=Path)),
        click.option("--platform", metavar="ID|FILE", help="The SoC.  [default: rk3588]"),
        click.option(
            "--guest",
            metavar="G",
            help="windows, linux-boot, linux-perf-stat, linux-perf-record, linux-watchdog, rr, self-test, none, "
            "ticking or rt-app:FILE.  [default: windows]",
        ),
        click.option("--workload", metavar="W|FILE", help="What the guest runs.  [default: 429.mcf]"),
        click.option("--ignore", type=NAMES, metavar="NAME,..", help="What to leave out of the file of rt-app:FILE."),
        click.option("--vmm", metavar="V", help="qemu, libvirt, qemu-rfc, crosvm or kvmtool.  [default: qemu]"),
        click.option("--vcpus", type=click.IntRange(1, MAX_VCPUS), metavar="N", help="vCPUs.  [default: 4]"),
        click.option("--seconds", type=TIME, metavar="S", help="Simulated time of each run.  [default: 2s]"),
        click.option(
            "--scheduler",
            "host_scheduler",
            metavar="S",
            help="eas, eevdf, round-robin[:SLICE], pinned or random[:MOVES_PER_S].  [default: eas]",
        ),
        click.option(
            "--window", type=TIME, metavar="T", help="The guest's calibration window.  [default: 10ms, assumed]"
        ),
    )
    for decorate in reversed(decorators):
        command = decorate(command)
    return command
