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
PREV_STATES: Final = (0, 1, 0x10, 0)
"""prev_state by column `state`: it still wants a pCPU, TASK_INTERRUPTIBLE, EXIT_DEAD; the last one is idle's."""
STATE_LETTERS: Final = {0: "R", 1: "S", 0x10: "X"}
NO_PC: Final = "0x0000000000000000"
EXIT_CODES: Final = (0, 0, 2, 2)
"""kvm_exit's code by the reason in `entries`: not known, an interrupt, WFI, a trapped register access."""
CODE_NAMES: Final = {0: "IRQ", 2: "TRAP"}
EXIT_CLASSES: Final = (0, 0, 0x01, 0x18)
"""Exception class of ESR_EL2 by reason."""
CLASS_NAMES: Final = {0: "UNKNOWN", 0x01: "WFx", 0x18: "SYS64"}


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

    def frequencies(self) -> Table:
        """Return a row for each pCPU of a perf domain, as the kernel traces it, the last ones again at the end."""
        rows = self.tables["frequencies"]
        members = {domain.cpus[0]: domain.cpus for domain in self.platform.perf_domains}
        last = rows[[np.flatnonzero(rows["cpu"] == cpu)[-1] for cpu in np.unique(rows["cpu"])]]
        last["t_ns"] = self.ended_ns
        last["order"] = 1 + max((int(table["order"].max()) for table in self.tables.values() if len(table)), default=0)
        rows = np.concatenate([rows, last])
        cpus = [members[cpu] for cpu in rows["cpu"].tolist()]
        spread = np.repeat(rows, [len(group) for group in cpus])
        spread["cpu"] = [cpu for group in cpus for cpu in group]
        return spread


def events_of(history: History) -> Iterator[Events]:
    """Give the events of each kind."""
    for kind in KINDS:
        yield from kind(history)


def _switches(history: History) -> Iterator[Events]:
    rows = history.tables["switches"]
    previous = history.running(rows["cpu"], rows["order"])
    comm, pid, prio = _who(history, previous, rows["cpu"])
    next_comm, next_pid, next_prio = _who(history, rows["task"], rows["cpu"])
    names, arrow = [_state(history, state) for state in PREV_STATES], "" if history.raw else " ==>"
    states = [names[state] for state in rows["state"].tolist()]
    text = [
        f"sched_switch: prev_comm={a} prev_pid={b} prev_prio={c} prev_state={state}"
        f"{arrow} next_comm={d} next_pid={e} next_prio={f}"
        for a, b, c, state, d, e, f in zip(comm, pid, prio, states, next_comm, next_pid, next_prio, strict=True)
    ]
    yield Events(rows["order"] * PLACES, rows["t_ns"], rows["cpu"], previous, text)


def _state(history: History, state: int) -> str:
    """Return a state of a thread in words; as `trace-cmd report -R` has it, a field is its number."""
    if history.raw:
        return str(state) if state < 10 else hex(state)
    return STATE_LETTERS[state]


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
    entry = f"kvm_entry: {'vcpu_pc=0x0' if history.raw else f'PC: {NO_PC}'}"
    exits = [f"kvm_exit: {_exit(history, *number)}" for number in zip(EXIT_CODES, EXIT_CLASSES, strict=True)]
    text = [entry if enter else exits[reason] for enter, reason in rows[["enter", "reason"]].tolist()]
    yield Events(rows["order"] * PLACES, rows["t_ns"], rows["cpu"], rows["vcpu"], text)


def _exit(history: History, code: int, kind: int) -> str:
    """Return what is said of an exit."""
    if history.raw:
        return f"ret={code} esr_ec={kind:#x} vcpu_pc=0x0"
    return f"{CODE_NAMES[code]}: HSR_EC: 0x{kind:04x} ({CLASS_NAMES[kind]}), PC: {NO_PC}"


def _frequencies(history: History) -> Iterator[Events]:
    """Give one event for each pCPU of a perf domain, all of them on its first one."""
    rows, platform = history.frequencies(), history.platform
    first = np.array([platform.perf_domains[cpu.perf_domain].cpus[0] for cpu in platform.cpus])
    text = [f"cpu_frequency: state={khz} cpu_id={cpu}" for khz, cpu in rows[["khz", "cpu"]].tolist()]
    where = first[rows["cpu"]]
    yield Events(rows["order"] * PLACES, rows["t_ns"], where, history.running(where, rows["order"]), text)


KINDS: Final[tuple[Callable[[History], Iterator[Events]], ...]] = (_switches, _wakings, _moves, _entries, _frequencies)
