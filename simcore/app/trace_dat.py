"""trace.dat files to events, through the installed trace-cmd: its report with all nine digits of the time."""

import shutil
import subprocess
from collections.abc import Iterator
from tempfile import TemporaryFile
from typing import IO, Final

from simcore.app.schedule import Event, Flaw
from simcore.app.trace_text import TextTrace
from simcore.errors import InputError

_REPORT: Final = ("report", "-t", "-i")


class DatTrace:
    """The events of a trace.dat; findings count the lines of `trace-cmd report -t`."""

    form = "trace.dat"
    unit = "line"
    in_order = True
    resolution_ns = 1

    def __init__(self, path: str) -> None:
        """Find trace-cmd; raise InputError where it is not installed."""
        program = shutil.which("trace-cmd")
        if program is None:
            raise InputError(
                "a trace.dat is read by the program trace-cmd, which is not installed",
                valid=f"install trace-cmd, or give the text that 'trace-cmd report -t -i {path}' prints elsewhere",
            )
        self._command = (program, *_REPORT, path)

    def events(self) -> Iterator[Event]:
        """Yield the events of the report; raise InputError where there are none."""
        with TemporaryFile("w+", errors="replace") as complaints, self._start(complaints) as report:
            assert report.stdout is not None
            lines = 0
            try:
                for event in TextTrace(report.stdout).events():
                    lines = event.line
                    yield event
                if report.wait():
                    yield Flaw(lines, "truncated")
            except InputError:
                raise InputError("trace-cmd reports no event of it", why=_last_line(complaints)) from None
            finally:
                report.kill()

    def _start(self, complaints: IO[str]) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
            encoding="utf-8",
            errors="backslashreplace",
        )


def _last_line(complaints: IO[str]) -> str:
    complaints.seek(0)
    lines = complaints.read().split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
