"""From the columns of `simcore.app.trace_states` to threads and CPUs: threads chosen by name, all others merged.

Tables are sorted by thread and time, once; a thread's rows are then a slice of them.
"""

import re
from array import array
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simcore.app.schedule import CpuSchedule, Rows, ThreadSchedule, ThreadTime
from simcore.app.trace_states import BEFORE, CpuStates, TraceStates
from simcore.errors import InputError

_BUSIEST: Final = 10
_NEVER: Final = np.iinfo(np.int64).max


class ThreadTables:
    """Rows of all threads; the last column is the pid, the first the time."""

    def __init__(self, states: TraceStates) -> None:
        """Sort the columns of a trace that has ended."""
        self.names = states.names
        self.start_ns = states.start_ns
        self.kvm = states.kvm
        self.runs = _intervals_by_thread(_on_cpus([_rows(cpu.runs, 5) for cpu in states.cpus]))
        """start_ns, end_ns, line, whether it still wanted the CPU, cpu, pid."""
        self.guests = _intervals_by_thread(_on_cpus([_rows(cpu.guests, 3) for cpu in states.cpus]))
        """start_ns, end_ns, cpu, pid."""
        self.wakings = _by_thread(_rows(states.wakings, 3))
        """t_ns, target CPU, pid."""
        self.migrations = _by_thread(_rows(states.migrations, 4))
        """t_ns, from, to, pid."""

    def names_of(self, pid: int) -> list[str]:
        """Return all names that a thread had, the last one last."""
        return self.names.get(pid, ["<...>"])

    def times(self) -> tuple[ThreadTime, ...]:
        """Return how long each thread ran, the busiest first."""
        if not len(self.runs):
            return ()
        pids, first = np.unique(self.runs[:, -1], return_index=True)
        sums = np.add.reduceat(self.runs[:, 1] - self.runs[:, 0], first)
        pairs = zip(pids.tolist(), sums.tolist(), strict=True)
        times = (ThreadTime(pid, self.names_of(pid)[-1], run_ns) for pid, run_ns in pairs)
        return tuple(sorted(times, key=lambda time: (-time.run_ns, time.pid)))

    def overlaps(self) -> list[tuple[int, int]]:
        """Return (line, ns) of each run that begins before the same thread's run before it has ended."""
        before, after = self.runs[:-1], self.runs[1:]
        both = np.flatnonzero((before[:, -1] == after[:, -1]) & (after[:, 0] < before[:, 1]))
        shared = np.minimum(before[both, 1], after[both, 1]) - after[both, 0]
        return list(zip(after[both, 2].tolist(), shared.tolist(), strict=True))

    def overlapped(self, chosen: Sequence[int]) -> Rows:
        """Return [start_ns, end_ns, cpu] of what the disjoint runs of the chosen threads leave out of their runs."""
        tables = [_of(pid, self.runs)[:, [0, 1, 4]] for pid in chosen]
        return np.concatenate([_left_out(table) for table in tables])

    def selected(self, pattern: re.Pattern[str], times: tuple[ThreadTime, ...]) -> list[int]:
        """Return the threads of which any name matches, in the order of their pids; raise InputError if none does."""
        chosen = sorted(time.pid for time in times if self._matches(pattern, time.pid))
        if not chosen:
            raise InputError(
                f"no thread that ran matches {pattern.pattern!r}",
                why="looked for in 'comm', 'comm-pid' and 'comm:pid' of every thread",
                valid=f"the busiest names: {busiest(times)}" if times else "no thread ran in this trace",
            )
        return chosen

    def thread(self, pid: int) -> ThreadSchedule:
        """Return what the trace says about one thread."""
        table = _of(pid, self.runs)
        runs, kept = _disjoint(table[:, [0, 1, 4]])
        runnable = table[kept, 3] != 0
        wakings = _of(pid, self.wakings)
        guest = _disjoint(_of(pid, self.guests))[0] if self.kvm else runs
        names = self.names_of(pid)
        return ThreadSchedule(
            pid=pid,
            comm=names[-1],
            names=tuple(names),
            run_ns=_length(table),
            guest_ns=_length(guest),
            runs=runs,
            runnable=runnable,
            ready_ns=_ready(runs, runnable, wakings[:, 0], self.start_ns),
            guest=guest,
            wakings=wakings,
            migrations=_of(pid, self.migrations),
        )

    def _matches(self, pattern: re.Pattern[str], pid: int) -> bool:
        texts = (text for name in self.names_of(pid) for text in (name, f"{name}-{pid}", f"{name}:{pid}"))
        return any(pattern.search(text) for text in texts)


def cpu_schedule(cpu: CpuStates, chosen: Sequence[int], start_ns: int, overlapped: Rows) -> CpuSchedule:
    """Return what a trace says about one CPU; `overlapped`: when a chosen thread ran there and elsewhere, too."""
    runs = _rows(cpu.runs, 5)
    gaps = _rows(cpu.gaps, 2)
    gaps[gaps[:, 0] == BEFORE, 0] = start_ns
    return CpuSchedule(
        busy_ns=_length(runs),
        others=_merged(np.concatenate((runs[~np.isin(runs[:, 4], chosen), :2], overlapped))),
        unknown=_merged(gaps),
        frequencies=_changes(_in_time(_rows(cpu.frequencies, 2))),
        idles=_in_time(_rows(cpu.idles, 2)),
    )


def busiest(times: tuple[ThreadTime, ...]) -> str:
    """Return the names that ran longest with their times, as text."""
    sums: dict[str, int] = {}
    for time in times:
        sums[time.comm] = sums.get(time.comm, 0) + time.run_ns
    first = sorted(sums.items(), key=lambda item: (-item[1], item[0]))[:_BUSIEST]
    return ", ".join(f"{comm} ({run_ns / 1e6:.3f} ms)" for comm, run_ns in first)


def _rows(column: "array[int]", width: int) -> Rows:
    return np.array(column, np.int64).reshape(-1, width)


def _on_cpus(tables: list[Rows]) -> Rows:
    """Return the rows of all CPUs with the CPU before their last column."""
    width = tables[0].shape[1]
    return np.concatenate([np.insert(rows, width - 1, number, axis=1) for number, rows in enumerate(tables)])


def _by_thread(table: Rows) -> Rows:
    return table[np.lexsort((table[:, 0], table[:, -1]))]


def _intervals_by_thread(table: Rows) -> Rows:
    """Sort by end as well: of two runs that begin in one unit of time, the one without length was first."""
    return table[np.lexsort((table[:, 1], table[:, 0], table[:, -1]))]


def _in_time(table: Rows) -> Rows:
    return table[np.argsort(table[:, 0], kind="stable")]


def _of(pid: int, table: Rows) -> Rows:
    """Return a thread's rows, without the column of its pid."""
    first, last = np.searchsorted(table[:, -1], [pid, pid + 1]).tolist()
    return table[first:last, :-1]


def _length(table: Rows) -> int:
    return int((table[:, 1] - table[:, 0]).sum())


def _disjoint(table: Rows) -> tuple[Rows, NDArray[np.bool_]]:
    """Return intervals by start so that none begins before the end of those before, and which of them are left."""
    starts, ends = table[:, 0].copy(), table[:, 1]
    starts[1:] = np.maximum(starts[1:], np.maximum.accumulate(ends)[:-1])
    kept = (starts < ends) | (starts == table[:, 0])
    return np.column_stack((starts, table[:, 1:]))[kept], kept


def _left_out(table: Rows) -> Rows:
    """Return the parts of intervals, by start, that `_disjoint` leaves out: those before the end of an earlier one."""
    starts, ends = table[:, 0], table[:, 1]
    covered = np.concatenate((starts[:1], np.maximum.accumulate(ends)[:-1]))
    parts = np.column_stack((starts, np.minimum(ends, covered), table[:, 2]))
    return parts[parts[:, 1] > parts[:, 0]]


def _merged(table: Rows) -> Rows:
    """Return intervals in the order of time with those joined that touch, without empty ones."""
    table = _in_time(table[table[:, 1] > table[:, 0]])
    if not len(table):
        return table
    first = np.flatnonzero(np.concatenate(([True], table[1:, 0] > table[:-1, 1])))
    last = np.concatenate((first[1:] - 1, [len(table) - 1]))
    return np.column_stack((table[first, 0], table[last, 1]))


def _changes(table: Rows) -> Rows:
    """Return (time, value) rows without those that repeat the value before."""
    repeats = np.flatnonzero(table[1:, 1] == table[:-1, 1]) + 1
    return np.delete(table, repeats, axis=0)


def _ready(runs: Rows, runnable: NDArray[np.bool_], wakings: Rows, start_ns: int) -> Rows:
    """Return since when each run was waited for: the end of one cut short, else the first wakeup since the last one."""
    starts = runs[:, 0]
    if not len(runs):
        return starts
    ends = np.concatenate(([start_ns], runs[:-1, 1]))
    cut_short = np.concatenate(([False], runnable[:-1]))
    woken = np.append(wakings, _NEVER)[np.searchsorted(wakings, ends)]
    ready: Rows = np.where(cut_short, ends, np.minimum(woken, starts))
    return ready
