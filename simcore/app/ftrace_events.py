"""The rows of a host's history (`simcore.table_history`) as events of ftrace: where, when, in whose context, and text.

The print formats are those of Linux 7.1.5: include/trace/events/sched.h and power.h, arch/arm64/kvm/trace_arm.h.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scheduler.kernel_state import BALANCE
from simcore.app.export_threads import Thread
from simcore.platform import Platform
from simcore.table_history import HISTORY

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Table = NDArray[np.void]
Tables = Mapping[str, Table]

IDLE: Final = -1
PLACES: Final = 4
"""Lines that may stand between two rows of the history."""
IDLE_PRIO: Final = 120
PREV_STATES: Final = ("R", "S", "X", "R")
"""What ftrace says of a thread that leaves: it still wants a pCPU, it blocks, it ends; the last one is idle's."""
NO_PC: Final = "0x0000000000000000"
EXITS: Final = (
    "IRQ: HSR_EC: 0x0000 (UNKNOWN)",
    "IRQ: HSR_EC: 0x0000 (UNKNOWN)",
    "TRAP: HSR_EC: 0x0001 (WFx)",
    "TRAP: HSR_EC: 0x0018 (SYS64)",
)
"""What ftrace says of an exit, by the reason in `entries`: not known, an interrupt, WFI, a trapped register access."""
RAW_STATES: Final = ("0", "1", "0x10", "0")
RAW_EXITS: Final = ("ret=0 esr_ec=0x0", "ret=0 esr_ec=0x0", "ret=2 esr_ec=0x1", "ret=2 esr_ec=0x18")
"""The same as `trace-cmd report -R` has it: a field is its number."""


@dataclass(frozen=True, slots=True)
class Events:
    """Events of one kind: their place among all, the time, the pCPU, the thread that runs there, and their text."""

    place: Ints
    t_ns: Ints
    cpu: Ints
    context: Ints
    text: list[str]


class History:
    """The tables of a host's history, and who runs where at any row of them."""

    def __init__(
        self, tables: Tables, threads: Sequence[Thread], platform: Platform, ended_ns: int, raw: bool = False
    ) -> None:
        """Sort the switches by pCPU; `raw`: of the text of events, fields that are numbers stay so."""
        self.raw = raw
        self.tables = {name: tables[name] for name in HISTORY}
        self.platform = platform
        self.ended_ns = ended_ns
        self.names = [f"comm={thread.comm} pid={thread.pid} prio={thread.prio}" for thread in threads]
        self.fields = [(thread.comm, thread.pid, thread.prio) for thread in threads]
        switches = tables["switches"]
        by_cpu = np.argsort(switches["cpu"], kind="stable")
        ends = np.searchsorted(switches["cpu"][by_cpu], np.arange(len(platform.cpus) + 1))
        self._switches = [
            (switches["order"][rows], switches["task"][rows])
            for rows in (by_cpu[first:last] for first, last in pairwise(ends.tolist()))
        ]

    def running(self, cpu: Ints, order: Ints) -> Ints:
        """Return the thread (IDLE: none) that runs on each pCPU just before a row of the history."""
        found = np.full(len(cpu), IDLE)
        for number, (orders, tasks) in enumerate(self._switches):
            here = np.flatnonzero(cpu == number)
            if len(here) and len(orders):
                before = np.searchsorted(orders, order[here])
                found[here] = np.where(before > 0, tasks[before - 1], IDLE)
        return found


def events_of(history: History) -> Iterator[Events]:
    """Give the events of each kind."""
    for kind in KINDS:
        yield from kind(history)


def _switches(history: History) -> Iterator[Events]:
    rows = history.tables["switches"]
    previous = history.running(rows["cpu"], rows["order"])
    comm, pid, prio = _who(history, previous, rows["cpu"])
    next_comm, next_pid, next_prio = _who(history, rows["task"], rows["cpu"])
    letters, arrow = (RAW_STATES, "") if history.raw else (PREV_STATES, " ==>")
    states = [letters[state] for state in rows["state"].tolist()]
    text = [
        f"sched_switch: prev_comm={a} prev_pid={b} prev_prio={c} prev_state={state}"
        f"{arrow} next_comm={d} next_pid={e} next_prio={f}"
        for a, b, c, state, d, e, f in zip(comm, pid, prio, states, next_comm, next_pid, next_prio, strict=True)
    ]
    yield Events(rows["order"] * PLACES, rows["t_ns"], rows["cpu"], previous, text)


def _who(history: History, tasks: Ints, cpus: Ints) -> tuple[tuple[object, ...], ...]:
    """Return names, ids and priorities of threads on pCPUs; idle has a name of its own on each."""
    idle = [(f"swapper/{cpu}", 0, IDLE_PRIO) for cpu in range(len(history.platform.cpus))]
    found = [
        history.fields[task] if task != IDLE else idle[cpu]
        for task, cpu in zip(tasks.tolist(), cpus.tolist(), strict=True)
    ]
    return tuple(zip(*found, strict=True)) if found else ((), (), ())


def _wakings(history: History) -> Iterator[Events]:
    """Give sched_waking with the pCPU that the thread had, and sched_wakeup with the one that it gets."""
    rows = history.tables["wakings"]
    moved, origin = moved_next(history, rows)
    context = history.running(rows["by_cpu"], rows["order"])
    old = rows["new"] == 0
    where = rows["t_ns"], rows["by_cpu"], context
    had = np.where(moved, origin, rows["cpu"])
    yield _woken(history, "sched_waking", rows["order"] * PLACES, where, rows["task"], had, old)
    after = (rows["order"] + moved) * PLACES + 1
    yield _woken(history, "sched_wakeup", after, where, rows["task"], rows["cpu"], old)
    yield _woken(history, "sched_wakeup_new", after, where, rows["task"], rows["cpu"], ~old)


def _woken(
    history: History, name: str, place: Ints, where: tuple[Ints, Ints, Ints], task: Ints, cpu: Ints, chosen: Ints
) -> Events:
    text = [
        f"{name}: {history.names[task]} target_cpu={cpu:03d}"
        for task, cpu in zip(task[chosen].tolist(), cpu[chosen].tolist(), strict=True)
    ]
    t_ns, by_cpu, context = where
    return Events(place[chosen], t_ns[chosen], by_cpu[chosen], context[chosen], text)


def moved_next(history: History, wakings: Table) -> tuple[Bools, Ints]:
    """Return for each wakeup whether the thread goes to another pCPU by it, which is the next row, and from where."""
    moves = history.tables["moves"]
    if not len(moves):
        return np.zeros(len(wakings), bool), wakings["cpu"]
    following = moves[np.minimum(np.searchsorted(moves["order"], wakings["order"] + 1), len(moves) - 1)]
    return _by_wakeup(following, wakings), following["from_cpu"]


def _by_wakeup(moves: Table, wakings: Table) -> Bools:
    """Tell which moves come with the wakeups beside them: the row after one, of its thread, to its pCPU."""
    same = (moves["order"] == wakings["order"] + 1) & (moves["task"] == wakings["task"])
    found: Bools = same & (moves["to_cpu"] == wakings["cpu"])
    return found


def _moves(history: History) -> Iterator[Events]:
    rows, cpu = history.tables["moves"], cpus_of_moves(history)
    text = [
        f"sched_migrate_task: {history.names[task]} orig_cpu={origin} dest_cpu={target}"
        for task, origin, target in rows[["task", "from_cpu", "to_cpu"]].tolist()
    ]
    yield Events(rows["order"] * PLACES, rows["t_ns"], cpu, history.running(cpu, rows["order"]), text)


def cpus_of_moves(history: History) -> Ints:
    """Return where moves are traced: on the waker's pCPU, on the one that pulls, or on the one that a thread leaves."""
    rows, wakings = history.tables["moves"], history.tables["wakings"]
    cpu: Ints = np.where(rows["cause"] == BALANCE, rows["to_cpu"], rows["from_cpu"])
    if not len(wakings):
        return cpu
    before = wakings[np.minimum(np.searchsorted(wakings["order"], rows["order"] - 1), len(wakings) - 1)]
    return np.where(_by_wakeup(rows, before), before["by_cpu"], cpu)


def _entries(history: History) -> Iterator[Events]:
    rows = history.tables["entries"]
    if history.raw:
        entry, exits = "kvm_entry: vcpu_pc=0x0", [f"kvm_exit: {reason} vcpu_pc=0x0" for reason in RAW_EXITS]
    else:
        entry, exits = f"kvm_entry: PC: {NO_PC}", [f"kvm_exit: {reason}, PC: {NO_PC}" for reason in EXITS]
    text = [entry if enter else exits[reason] for enter, reason in rows[["enter", "reason"]].tolist()]
    yield Events(rows["order"] * PLACES, rows["t_ns"], rows["cpu"], rows["vcpu"], text)


def _frequencies(history: History) -> Iterator[Events]:
    """Give one event for each pCPU of the perf domain; at the end of the run the last of each are repeated."""
    rows = history.tables["frequencies"]
    domains = {domain.cpus[0]: np.array(domain.cpus) for domain in history.platform.perf_domains}
    after_all = 1 + max((int(table["order"].max()) for table in history.tables.values() if len(table)), default=0)
    for first, cpus in domains.items():
        steps = rows[rows["cpu"] == first]
        if len(steps):
            t_ns = np.append(steps["t_ns"], history.ended_ns)
            order = np.append(steps["order"], after_all)
            khz = np.append(steps["khz"], steps["khz"][-1])
            yield _clocked(history, np.repeat(t_ns, len(cpus)), np.repeat(order, len(cpus)), khz, cpus)


def _clocked(history: History, t_ns: Ints, order: Ints, khz: Ints, cpus: Ints) -> Events:
    text = [f"cpu_frequency: state={value} cpu_id={cpu}" for value in khz.tolist() for cpu in cpus.tolist()]
    where = np.full(len(t_ns), cpus[0])
    return Events(order * PLACES, t_ns, where, history.running(where, order), text)


KINDS: Final[tuple[Callable[[History], Iterator[Events]], ...]] = (_switches, _wakings, _moves, _entries, _frequencies)
