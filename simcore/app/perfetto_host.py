"""The host of a run as Perfetto's kernel tracks: ftrace events in a bundle a pCPU, processes, threads and pCPUs."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simcore.app import protobuf_columns as wire
from simcore.app.export_threads import Thread
from simcore.app.ftrace_events import (
    EXIT_CLASSES,
    EXIT_CODES,
    IDLE,
    IDLE_PRIO,
    PREV_STATES,
    History,
    cpus_of_moves,
    moved_next,
)
from simcore.app.perfetto_protos import key, messages, packet
from simcore.app.perfetto_scene import TIME_BITS
from simcore.platform import Platform
from simcore.trace import HOST_VM

Ints = NDArray[np.int64]
Table = NDArray[np.void]

BUNDLE_EVENTS: Final = 8192
_CHAIN: Final = 8
"""How often threads may go on to other pCPUs, one after the other, within one nanosecond and still be told apart."""


class Who:
    """The threads of a run by their number as columns; -1 is idle, which has a name of its own on each pCPU."""

    def __init__(self, threads: Sequence[Thread], cpus: int) -> None:
        self._comms = (*(thread.comm for thread in threads), *(f"swapper/{cpu}" for cpu in range(cpus)))
        self.pid = np.array([*(thread.pid for thread in threads), 0])
        self._prio = np.array([*(thread.prio for thread in threads), IDLE_PRIO])

    def fields(self, prefix: str, tasks: Ints, cpus: Ints) -> wire.Message:
        """Return the fields comm, pid and prio of a message about threads, or idle, on pCPUs."""
        name = np.where(tasks == IDLE, len(self.pid) - 1 + cpus, tasks)
        return [
            *wire.text(key(f"{prefix}comm"), self._comms, name),
            *wire.number(key(f"{prefix}pid"), self.pid[tasks]),
            *wire.number(key(f"{prefix}prio"), self._prio[tasks]),
        ]


class _Log:
    """What happened on each pCPU in the order of time, and the events of ftrace that say it."""

    def __init__(self, history: History) -> None:
        tables = self._tables = history.tables
        self._history = history
        self._frequencies = history.frequencies()
        found = [
            (tables["switches"], tables["switches"]["cpu"]),
            (self._frequencies, self._frequencies["cpu"]),
            (tables["wakings"], tables["wakings"]["by_cpu"]),
            (tables["entries"], tables["entries"]["cpu"]),
            (tables["moves"], cpus_of_moves(history)),
        ]
        columns = [(cpu, rows["t_ns"], rows["order"]) for rows, cpu in found]
        cpu, t_ns, order = (np.concatenate(column) for column in zip(*columns, strict=True))
        place = np.lexsort((order, t_ns, cpu))
        self.cpu = cpu[place]
        where = np.empty_like(place)
        where[place] = np.arange(len(place))
        ends = np.cumsum([len(rows) for rows, _ in found])
        self.switch, self.frequency, self.waking, self.entry, self.move = np.split(where, ends[:-1])
        self.runs = self._running()
        self.t_ns = self._apart(t_ns[place])

    def _running(self) -> Ints:
        """Return the thread that ran on the pCPU before each row; each pCPU is idle at first."""
        total = len(self.cpu)
        comes = np.full(total + 1, IDLE)
        comes[self.switch + 1] = self._tables["switches"]["task"]
        known = np.zeros(total + 1, np.bool_)
        known[self.switch + 1] = True
        first = np.flatnonzero(np.diff(self.cpu, prepend=-1))
        comes[first], known[first] = IDLE, True
        last = np.maximum.accumulate(np.where(known, np.arange(total + 1), 0))
        running: Ints = comes[last][:total]
        return running

    def _apart(self, t_ns: Ints) -> Ints:
        """Return the times by which Perfetto sees a thread leave a pCPU before it comes to another.

        Perfetto takes events of one time on several pCPUs in any order. A thread that leaves one and comes to another
        within the same nanosecond comes 1 ns later here, and so does what else happens there at that time; where
        several do so one after the other, each comes 1 ns after the one before.
        """
        lane = self.cpu << TIME_BITS
        comes, goes = self._close(t_ns)
        for _ in range(_CHAIN):
            told = t_ns.copy()
            np.maximum.at(told, comes, t_ns[goes] + 1)
            told = np.maximum.accumulate(lane + told) - lane
            if np.array_equal(told, t_ns):
                break
            t_ns = told
        return t_ns

    def _close(self, t_ns: Ints) -> tuple[Ints, Ints]:
        """Return the rows in which a thread comes to a pCPU, and those in which it left another just before."""
        switches = self._tables["switches"]
        order, task, cpu = switches["order"], switches["task"], self.cpu[self.switch]
        by_task, by_cpu = np.lexsort((order, task)), np.lexsort((order, cpu))
        left = np.full(len(order), -1)
        left[by_cpu[:-1]] = np.where(cpu[by_cpu[1:]] == cpu[by_cpu[:-1]], by_cpu[1:], -1)
        comes, before = by_task[1:], by_task[:-1]
        goes = left[before]
        chosen = (task[comes] == task[before]) & (task[comes] != IDLE) & (goes >= 0) & (cpu[comes] != cpu[before])
        comes, goes = self.switch[comes[chosen]], self.switch[goes[chosen]]
        close = t_ns[comes] - t_ns[goes] <= _CHAIN
        return comes[close], goes[close]

    def events(self, who: Who) -> wire.Message:
        """Return one ftrace event a row."""
        total = len(self.t_ns)
        event = wire.number(key("FtraceEvent.timestamp"), self.t_ns)
        event += wire.number(key("FtraceEvent.pid"), who.pid[self.runs])
        for rows, name, fields in self._kinds(who):
            event += wire.spread(wire.nested(key(f"FtraceEvent.{name}"), fields), rows, total)
        return event

    def _kinds(self, who: Who) -> Iterator[tuple[Ints, str, wire.Message]]:
        switches, wakings, entries = (self._tables[name] for name in ("switches", "wakings", "entries"))
        yield self.switch, "sched_switch", _switch(switches, self.runs[self.switch], who)
        yield self.frequency, "cpu_frequency", _frequency(self._frequencies)
        moved, origin = moved_next(self._history, wakings)
        had = np.where(moved, origin, wakings["cpu"])
        for new, name, target in ((0, "sched_waking", had), (1, "sched_wakeup_new", wakings["cpu"])):
            chosen = wakings["new"] == new
            yield self.waking[chosen], name, _waking(wakings["task"][chosen], target[chosen], who)
        for enters, name, fields in ((1, "kvm_entry", _entry), (0, "kvm_exit", _exit)):
            chosen = entries["enter"] == enters
            yield self.entry[chosen], name, fields(entries[chosen])
        yield self.move, "sched_migrate_task", _move(self._tables["moves"], who)


def bundles(history: History, threads: Sequence[Thread]) -> Iterator[bytes]:
    """Give the packets with what happened on each pCPU, in the order of time; nothing where no table has a row."""
    log = _Log(history)
    if not len(log.t_ns):
        return
    events = wire.nested(key("FtraceEventBundle.event"), log.events(Who(threads, len(history.platform.cpus))))
    data, ends = wire.flat(events), np.cumsum(wire.sizes(events))
    starts = np.concatenate(([0], ends))
    for cpu in np.unique(log.cpu).tolist():
        head = messages().FtraceEventBundle(cpu=cpu).SerializeToString()
        first, last = np.searchsorted(log.cpu, [cpu, cpu + 1])
        for row in range(first, last, BUNDLE_EVENTS):
            end = min(row + BUNDLE_EVENTS, last)
            bundle = head + data[starts[row] : starts[end]]
            yield wire.enclosed(key("Trace.packet"), wire.enclosed(key("TracePacket.ftrace_events"), bundle))


def _switch(rows: Table, before: Ints, who: Who) -> wire.Message:
    name = "SchedSwitchFtraceEvent."
    state = wire.number(key(f"{name}prev_state"), np.array(PREV_STATES)[rows["state"]])
    return [
        *who.fields(f"{name}prev_", before, rows["cpu"]),
        *state,
        *who.fields(f"{name}next_", rows["task"], rows["cpu"]),
    ]


def _waking(tasks: Ints, cpus: Ints, who: Who) -> wire.Message:
    """Return the fields of sched_waking and sched_wakeup_new, which have the same numbers."""
    name = "SchedWakingFtraceEvent."
    success = wire.number(key(f"{name}success"), np.ones(len(tasks), np.int64))
    return [*who.fields(name, tasks, cpus), *success, *wire.number(key(f"{name}target_cpu"), cpus)]


def _move(rows: Table, who: Who) -> wire.Message:
    name = "SchedMigrateTaskFtraceEvent."
    places = (("orig_cpu", "from_cpu"), ("dest_cpu", "to_cpu"))
    cpus = [wire.number(key(f"{name}{field}"), rows[column]) for field, column in places]
    return [*who.fields(name, rows["task"], rows["to_cpu"]), *cpus[0], *cpus[1]]


def _frequency(rows: Table) -> wire.Message:
    name = "CpuFrequencyFtraceEvent."
    return wire.number(key(f"{name}state"), rows["khz"]) + wire.number(key(f"{name}cpu_id"), rows["cpu"])


def _entry(rows: Table) -> wire.Message:
    return wire.number(key("KvmEntryFtraceEvent.vcpu_pc"), np.zeros(len(rows), np.int64))


def _exit(rows: Table) -> wire.Message:
    name = "KvmExitFtraceEvent."
    known = np.maximum(rows["reason"], 0)
    code, kind = np.array(EXIT_CODES)[known], np.array(EXIT_CLASSES)[known]
    return wire.number(key(f"{name}esr_ec"), kind) + wire.number(key(f"{name}ret"), code)


def system(scenario_hz: int, platform: Platform) -> Iterator[bytes]:
    """Give the packets that say what the host is: its kernel's tick, its pCPUs with their OPPs and capacities."""
    utsname = {"sysname": "Linux", "machine": "aarch64"}
    info = {"utsname": utsname, "hz": scenario_hz, "num_cpus": len(platform.cpus), "machine_name": platform.name}
    yield packet(system_info=info)
    capacities = platform.capacities()
    cpus: list[dict[str, Any]] = [
        {
            "processor": platform.core(cpu.number).name,
            "frequencies": [opp.khz for opp in platform.perf_domains[cpu.perf_domain].opps],
            "capacity": capacities[cpu.number],
        }
        for cpu in platform.cpus
    ]
    yield packet(cpu_info={"cpus": cpus})


def processes(threads: Sequence[Thread]) -> bytes:
    """Return the packet that names every thread; a process of the host has the name of its thread."""
    tree = {
        "processes": [
            {"pid": pid, "cmdline": [thread.comm]} if thread.vm == HOST_VM else {"pid": pid}
            for pid, thread in {thread.tgid: thread for thread in threads}.items()
        ],
        "threads": [{"tid": thread.pid, "tgid": thread.tgid, "name": thread.comm} for thread in threads],
    }
    return packet(process_tree=tree, timestamp=0)
