"""What users type: values of options, `--set`, and whole command lines."""

import contextlib
import dataclasses
import io
from collections.abc import Callable
from typing import Any

from simcore.errors import InputError
from simcore.scenario import Scenario
from tests.fuzz.readers import PLATFORM, host, runnable, scratch, text


def setting(data: bytes) -> Any:
    """Load a scenario with `--set` of each line."""
    from simcore.app.describing import from_file

    base = scratch() / "base.toml"
    if not base.exists():
        base.write_text('format = "hetpmu-scenario/1"\n[[vms]]\nvcpus = 2\n', encoding="utf-8")
    return runnable(from_file(base, [line for line in text(data).split("\n") if line]))


def words(data: bytes) -> Any:
    """Give what stands behind `KEY ` on each line to whatever understands that option."""
    made: list[Any] = []
    for line in text(data).split("\n")[:20]:
        key, _, argument = line.partition(" ")
        if key in OPTIONS:
            made.append(OPTIONS[key](argument))
    return made


def _time(argument: str) -> Any:
    from simcore.app.cli_options import TIME

    return TIME.convert(argument, None, None)


def _names(argument: str) -> Any:
    from simcore.app.cli_options import NAMES

    return NAMES.convert(argument, None, None)


def _pairs(argument: str) -> Any:
    from simcore.app.pairing import expand
    from simcore.loader import load_platform

    policies, _, kernels = argument.partition(" ")
    return expand(load_platform(PLATFORM), _names(policies), _names(kernels) if kernels else ())


def _changed(**changes: Any) -> Any:
    return runnable(dataclasses.replace(Scenario(), **changes))


def _migrate(argument: str) -> Any:
    from simcore.app.code_plan import parse_plan

    return parse_plan(argument, 8)


def _threads(argument: str) -> Any:
    from simcore.app.trace_reading import read_schedule

    line = "<idle>-0 [000] 1.000000: sched_switch: swapper/0:0 [120] R ==> vcpu:7 [120]\n"
    path = scratch() / "trace.txt"
    path.write_text(line + line.replace("1.0", "2.0"), encoding="utf-8")
    return read_schedule(str(path), argument, 2)


def _assume(argument: str) -> Any:
    from simcore.app.board_assuming import Assumed

    return Assumed([argument])


def _perf_options(argument: str) -> Any:
    from simcore.app.cli_import import _by_owner, _khz

    return [_khz(value) for _, value in _by_owner((argument,))]


def _load(argument: str) -> Any:
    from simcore.loader import load_platform

    return load_platform(argument)


def _guest_image(argument: str) -> Any:
    from simcore.app.code_images import read_image

    return read_image(argument)


def _sequence(argument: str) -> Any:
    from simcore.app.uapi_parsing import read_sequence

    return read_sequence(argument, host(), 8)


def _workload(argument: str) -> Any:
    from simcore.loader import load_platform
    from workloads.catalog import load_workload

    return load_workload(argument, load_platform(PLATFORM).core_types)


def _columns(argument: str) -> Any:
    from simcore.app.uapi_running import columns_of

    return columns_of(_names(argument))


OPTIONS: dict[str, Callable[[str], Any]] = {
    "time": _time,
    "names": _names,
    "policies": _pairs,
    "kernels": _columns,
    "scheduler": lambda argument: _changed(scheduler=argument),
    "governor": lambda argument: _changed(governor=argument),
    "platform": _load,
    "guest": lambda argument: _guest(name=argument),
    "workload": _workload,
    "migrate": _migrate,
    "threads": _threads,
    "assume": _assume,
    "khz": _perf_options,
    "image": _guest_image,
    "sequence": _sequence,
}


def _guest(**changes: Any) -> Any:
    vm = Scenario().vms[0]
    return _changed(vms=(dataclasses.replace(vm, guest=dataclasses.replace(vm.guest, **changes)),))


COMMANDS = ("explain", "validate", "show", "platforms", "conformance", "uapi", "import", "--help", "--version")
"""What a line may begin with: nothing that simulates, draws, or writes a result."""
HARMLESS = (
    "--help", "-h", "--all", "--schema", "--table", "--head", "--reasons", "--from-sysfs", "--assume", "--id",
    "--collector", "--variant", "--quirks", "--no-quirks", "--platform", "--vcpus", "--kernel", "--irqchip",
    "--set-nr-counters", "--plain", "--guest", "--ignore", "--core", "--freq-khz", "--stall-like", "--name",
    "--min-running", "-x", "--", "-",
)  # fmt: skip
"""Options that a line may have; any other one loses its dashes: `-o` and `--json` write where they are told to."""


MOST_WORDS = 1000
"""Of a command line; click takes time in the square of their number."""


def command_line(data: bytes) -> Any:
    """Give words to the program itself; what it prints about bad ones has to be one message, and its code 2."""
    from simcore.app.cli import exit_code

    first, *others = [word for word in text(data).split() if word] or [""]
    command = first if first in COMMANDS else COMMANDS[len(data) % len(COMMANDS)]
    arguments = [word if word.split("=")[0] in HARMLESS else word.lstrip("-") for word in others[:MOST_WORDS]]
    if command == "validate":  # which has a message for each file
        arguments = arguments[: 2 if arguments[:1] == ["--schema"] else 1]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(scratch()), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = exit_code([command, *(arguments or ["--help"])])
    if code == 4:
        raise RuntimeError(err.getvalue()[:2000])
    if code == 2:
        raise _Said(err.getvalue())
    return code


class _Said(InputError):
    """What a command printed."""

    def __init__(self, printed: str) -> None:
        super().__init__("")
        self._printed = printed.removesuffix("\n")

    def __str__(self) -> str:
        return self._printed
