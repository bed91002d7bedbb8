"""The history of a host as the text of ftrace's own file `trace`, but with nine decimals.

The form of the head and of lines is that of Linux 7.1.5: kernel/trace/trace.c and trace_output.c.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Final

import numpy as np
from numpy.typing import NDArray

from simcore.app.export_threads import Thread
from simcore.app.ftrace_events import Events, History, events_of
from simcore.platform import Platform
from simcore.units import NS_PER_S

LINES_AT_ONCE: Final = 100_000
FLAGS: Final = "....."
"""Interrupts, preemption and migration of the host are not modelled."""
HEAD: Final = """\
# tracer: nop
#
# entries-in-buffer/entries-written: {entries}/{entries}   #P:{cpus}
#
"""
PLAIN_COLUMNS: Final = """\
#           TASK-PID    {process} CPU#     TIMESTAMP  FUNCTION
#              | |      {bar}   |         |         |
"""
FLAG_COLUMNS: Final = """\
#                            {space}  _-----=> irqs-off/BH-disabled
#                            {space} / _----=> need-resched
#                            {space}| / _---=> hardirq/softirq
#                            {space}|| / _--=> preempt-depth
#                            {space}||| / _-=> migrate-disable
#                            {space}|||| /     delay
#           TASK-PID  {process} CPU#  |||||  TIMESTAMP  FUNCTION
#              | |    {bar}   |   |||||     |         |
"""


def write_ftrace(
    sink: IO[str],
    tables: Mapping[str, NDArray[np.void]],
    threads: Sequence[Thread],
    platform: Platform,
    ended_ns: int,
    *,
    irq_info: bool = False,
    tgid: bool = False,
    raw: bool = False,
) -> int:
    """Write the tables of a host's history as text; return the number of events.

    `threads` are those of the run by number, `ended_ns` is its end. `irq_info` and `tgid` are the kernel's options
    irq-info and record-tgid: the column of flags, which trappy and LISA do not take, and that of the process.
    `raw`: fields as `trace-cmd report -R` has them.
    """
    events = list(events_of(History(tables, threads, platform, ended_ns, raw)))
    count = sum(len(kind.text) for kind in events)
    sink.write(head(count, len(platform.cpus), irq_info, tgid))
    who = [_thread(thread, tgid) for thread in threads]
    idle = f"{'<idle>':>16}-{0:<7} " + ("(-------) " if tgid else "")
    where = [f"[{cpu:03d}] {FLAGS}" if irq_info else f"[{cpu:03d}] " for cpu in range(len(platform.cpus))]
    for lines in _lines(events, [*who, idle], where):
        sink.writelines(lines)
    return count


def head(entries: int, cpus: int, irq_info: bool, tgid: bool) -> str:
    """Return the comment at the head of a trace."""
    start = 0 if irq_info else 2
    process, bar = ("     TGID   "[start:], "       |    "[start:]) if tgid else ("  "[start:],) * 2
    columns = FLAG_COLUMNS if irq_info else PLAIN_COLUMNS
    names = columns.format(process=process, bar=bar, space=" " * len(process))
    return HEAD.format(entries=entries, cpus=cpus) + names


def _thread(thread: Thread, tgid: bool) -> str:
    process = f"({thread.tgid:7d}) " if tgid else ""
    return f"{thread.comm:>16}-{thread.pid:<7} {process}"


def _lines(events: Sequence[Events], who: Sequence[str], where: Sequence[str]) -> Iterator[list[str]]:
    """Give all lines in order, some at once; the last of `who` is idle."""
    place, t_ns, cpu, context = (
        np.concatenate([getattr(kind, name) for kind in events]) for name in ("place", "t_ns", "cpu", "context")
    )
    text = [line for kind in events for line in kind.text]
    order = np.argsort(place, kind="stable")
    for first in range(0, len(order), LINES_AT_ONCE):
        some = order[first : first + LINES_AT_ONCE]
        seconds, ns = np.divmod(t_ns[some], NS_PER_S)
        columns = (context[some], cpu[some], seconds, ns, some)
        yield [
            f"{who[task]}{where[on]} {s:5d}.{f:09d}: {text[n]}\n"
            for task, on, s, f, n in zip(*(column.tolist() for column in columns), strict=True)
        ]
