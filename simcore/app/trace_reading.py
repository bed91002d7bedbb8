"""Read a recorded schedule from a file of any form that is known: detect the form, read, check, build."""

import gzip
import os
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BufferedReader, RawIOBase, TextIOWrapper
from typing import Any, Final, Protocol

from simcore.app.schedule import Event, Schedule, ThreadSchedule
from simcore.app.trace_building import ThreadTables, cpu_schedule
from simcore.app.trace_dat import DatTrace
from simcore.app.trace_perfetto import PerfettoTrace, is_perfetto
from simcore.app.trace_states import TraceStates
from simcore.app.trace_text import VALID, TextTrace
from simcore.errors import InputError

RECORD: Final = (
    "trace-cmd record -e sched_switch -e sched_waking -e sched_migrate_task"
    " -e cpu_frequency -e cpu_idle -e kvm_entry -e kvm_exit"
)
"""How to record what this module reads."""

_GZIP: Final = b"\x1f\x8b"
_TRACE_DAT: Final = b"\x17\x08\x44tracing"
_PERF_DATA: Final = (b"PERFILE2", b"2ELIFREP", b"PERFFILE")
_BINARY: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_HEAD: Final = 4096
FREE_BYTES: Final = 16 << 20
MOST_TIMES: Final = 100
"""How many times larger than zipped a trace may be, beyond FREE_BYTES; events are about fifteen times."""
MAX_LINE: Final = 4096
"""Characters of a line; names of threads have 15, and what is searched for several things takes time in its square."""


class Trace(Protocol):
    """A trace of some form: its events, and what is known of it once they have been read."""

    @property
    def form(self) -> str:
        """Give the name of its form."""

    @property
    def unit(self) -> str:
        """Give what its events are numbered by."""

    @property
    def in_order(self) -> bool:
        """Tell whether the events of all CPUs together are in the order of time."""

    @property
    def resolution_ns(self) -> int:
        """Give the unit of the last digit of its times."""

    def events(self) -> Iterator[Event]:
        """Yield its events."""


def read_schedule(path: str, threads: str, ncpus: int) -> Schedule:
    """Return what a trace says about the threads that a regular expression finds, on CPUs 0 to ncpus - 1.

    The threads come in the order of their pids, which is that in which a VMM creates its vCPUs. Raise InputError for a
    file that is no trace, and for an expression that finds no thread.
    """
    pattern = _compiled(threads)
    try:
        with _opened(path) as trace:
            states = TraceStates(ncpus, trace.in_order)
            for event in trace.events():
                states.add(event)
            return _schedule(path, trace, states, pattern)
    except InputError as error:
        raise InputError(error.what, error.where or path, error.why, error.valid) from None


def _compiled(threads: str) -> re.Pattern[str]:
    try:
        return re.compile(threads)
    except (re.error, OverflowError, RecursionError) as error:
        raise InputError(
            f"{threads!r} is no regular expression", where="--threads", why=str(error), valid="such as 'CPU [0-9]+/KVM'"
        ) from None


def _schedule(path: str, trace: Trace, states: TraceStates, pattern: re.Pattern[str]) -> Schedule:
    if not states.events["sched_switch"]:
        raise InputError("no sched_switch event in it", why="without these it is not known who ran", valid=RECORD)
    states.finish()
    tables = ThreadTables(states)
    times = tables.times()
    chosen = tables.selected(pattern, times)
    threads = tuple(tables.thread(pid) for pid in chosen)
    overlapped = tables.overlapped(chosen)
    _note_whole(tables, threads, states)
    return Schedule(
        path=path,
        form=trace.form,
        unit=trace.unit,
        resolution_ns=trace.resolution_ns,
        start_ns=states.start_ns,
        end_ns=states.end_ns,
        guest_time="kvm" if states.kvm else "run",
        threads=threads,
        cpus=tuple(
            cpu_schedule(cpu, chosen, states.start_ns, overlapped[overlapped[:, 2] == number, :2])
            for number, cpu in enumerate(states.cpus)
        ),
        thread_times=times,
        events=dict(states.events),
        findings=states.findings(),
    )


def _note_whole(tables: ThreadTables, threads: Iterable[ThreadSchedule], states: TraceStates) -> None:
    """Report what shows in the whole of a trace only."""
    for line, overlap_ns in tables.overlaps():
        states.note("on-two-cpus", line, overlap_ns)
    if not states.kvm:
        states.note("no-kvm-events", 0)
    for thread in threads:
        if not len(thread.guest):
            states.note("never-in-guest", 0)


@contextmanager
def _opened(path: str) -> Iterator[Trace]:
    """Give the trace in a file, gzipped or not."""
    try:
        with open(path, "rb") as file:
            zipped = file.peek(2).startswith(_GZIP)
            yield _detected(path, BufferedReader(_Unzipped(file)) if zipped else file, zipped)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError("damaged gzip file", why=str(error), valid="the whole file") from None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read: {getattr(error, 'strerror', None) or error}", valid=VALID) from None


class _Unzipped(RawIOBase):
    """What is in a gzip file, as long as that is not very much more than the file has."""

    def __init__(self, file: "BufferedReader[Any]") -> None:
        self._left = FREE_BYTES + MOST_TIMES * os.fstat(file.fileno()).st_size
        self._file = gzip.GzipFile(fileobj=file)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read1(len(buffer))
        self._left -= len(data)
        if self._left < 0:
            raise InputError("the file is too large when it is unzipped", valid=f"at most {MOST_TIMES} times as large")
        buffer[: len(data)] = data
        return len(data)


class _Lines:
    """The lines of a text; a longer one than any event's comes in pieces, which are then no events."""

    def __init__(self, text: TextIOWrapper) -> None:
        self._text = text

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline(MAX_LINE)
        if not line:
            raise StopIteration
        return line


def _detected(path: str, stream: "BufferedReader[Any]", zipped: bool) -> Trace:
    head = stream.peek(_HEAD)[:_HEAD]
    if head.startswith(_TRACE_DAT):
        if zipped:
            raise InputError("a gzipped trace.dat", why="trace-cmd does not read it", valid="the file without gzip")
        return DatTrace(path)
    if head.startswith(_PERF_DATA):
        raise InputError(
            "a perf.data file", why="only its text is read", valid=f"perf sched script --ns -i {path} > FILE"
        )
    if not _BINARY.search(head):
        return TextTrace(_Lines(TextIOWrapper(stream, encoding="utf-8", errors="backslashreplace")))
    if is_perfetto(head):
        return PerfettoTrace(stream)
    raise InputError("not a trace of a form that is known", valid=VALID)
