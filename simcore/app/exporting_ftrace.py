"""A run as ftrace text: `hetpmu export ftrace`."""

from collections.abc import Sequence
from pathlib import Path

from scheduler import choice
from simcore.app.export_runs import traced_run
from simcore.app.export_threads import FAIR_PRIO, Thread, threads_of
from simcore.app.ftrace_text import write_ftrace
from simcore.loader import load_platform
from simcore.result import Result
from simcore.trace import HOST_VM


def export_ftrace(
    directory: Path,
    target: Path,
    *,
    run: str | None = None,
    irq_info: bool = False,
    tgid: bool = False,
    raw: bool = False,
) -> int:
    """Write what the host of a run did as ftrace text into the file `target`; return the number of events.

    `run` names a run of a comparison. Raises InputError for a directory without such a run or without a trace.
    """
    result = traced_run(directory, run).result
    platform = load_platform(result.scenario.platform)
    threads = host_threads(result, len(platform.cpus))
    ended_ns = int(str(result.summary["ended_ns"]))
    with target.open("w", encoding="utf-8") as sink:
        return write_ftrace(sink, result.tables, threads, platform, ended_ns, irq_info=irq_info, tgid=tgid, raw=raw)


def host_threads(result: Result, cpus: int) -> Sequence[Thread]:
    """Return the threads of a run by number; in a replay all that are no vCPU are one for each pCPU."""
    threads = threads_of(result)
    if choice.name_of(result.scenario.scheduler) != choice.REPLAY:
        return threads
    first = max(thread.pid for thread in threads) + 1
    others = (Thread(first + cpu, first + cpu, f"others/{cpu}", HOST_VM, FAIR_PRIO) for cpu in range(cpus))
    return (*threads, *others)
