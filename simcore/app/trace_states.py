"""Who runs where, event by event: columns of runs, guest stretches, gaps and findings; nothing that is wrong is fatal.

What the columns amount to for threads and CPUs is in `simcore.app.trace_building`.
"""

from array import array
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from simcore.app.schedule import (
    UNKNOWN,
    Event,
    Finding,
    Flaw,
    Frequency,
    Guest,
    Idle,
    Lost,
    Migrate,
    Other,
    Switch,
    Timed,
    Waking,
)

BEFORE: Final = -1
"""Stands for the start of the trace in columns until that is known."""
_SHOWN: Final = 5
_NAMELESS: Final = ("", "<", ":")
"""How names begin that a tool puts where it knows none."""


class CpuStates:
    """One CPU: who runs on it since when, and the columns of what is past."""

    __slots__ = (
        "frequencies",
        "gaps",
        "guest_line",
        "guest_since",
        "guests",
        "idles",
        "last",
        "line",
        "pid",
        "runs",
        "seen",
        "since",
    )

    def __init__(self) -> None:
        """Know nothing yet: whoever runs is UNKNOWN since before the first event."""
        self.pid = UNKNOWN
        self.since = BEFORE
        self.line = 0
        self.last = BEFORE
        """The time of its last event."""
        self.seen = BEFORE
        """The last time that shows who runs: the switch, or an event in the context of that thread."""
        self.guest_since = BEFORE
        self.guest_line = 0
        self.runs = array("q")
        """start_ns, end_ns, line, whether it still wanted the CPU, pid."""
        self.guests = array("q")
        """start_ns, end_ns, pid."""
        self.gaps = array("q")
        """start_ns, end_ns."""
        self.frequencies = array("q")
        """t_ns, khz."""
        self.idles = array("q")
        """t_ns, state."""

    def close(self, end_ns: int, runnable: bool = False) -> None:
        """End the run of a thread; idle and the unknown have none."""
        if self.pid > 0:
            self.runs.extend((self.since, end_ns, self.line, runnable, self.pid))

    def close_guest(self, end_ns: int) -> None:
        """End the stretch within the guest, if one is open."""
        if self.guest_since != BEFORE:
            self.guests.extend((self.guest_since, end_ns, self.pid))
            self.guest_since = BEFORE

    def begin(self, pid: int, t_ns: int, line: int) -> None:
        """Let a thread run from now on."""
        self.pid, self.since, self.line, self.seen = pid, t_ns, line, t_ns


class TraceStates:
    """The state of all CPUs while events come in, each CPU's in the order of time."""

    def __init__(self, ncpus: int, in_order: bool = True) -> None:
        """Expect CPUs 0 to ncpus - 1; `in_order`: the events of all CPUs together are in the order of time."""
        self.cpus = tuple(CpuStates() for _ in range(ncpus))
        self.names: dict[int, list[str]] = {}
        self.wakings = array("q")
        """t_ns, target CPU, pid."""
        self.migrations = array("q")
        """t_ns, from, to, pid."""
        self.kvm = False
        """Whether there was a kvm_entry with the kvm_exit after it, or with the end of the trace."""
        self.start_ns = BEFORE
        self.end_ns = BEFORE
        self.events: Counter[str] = Counter()
        self._in_order = in_order
        self._previous = BEFORE
        self._first_states: list[tuple[int, int]] = []
        self._findings: dict[str, tuple[list[int], list[int]]] = {}
        self._takers: dict[type, Callable[[Any], None]] = {
            Switch: self._switch,
            Waking: self._waking,
            Migrate: self._migrate,
            Frequency: self._frequency,
            Idle: self._idle,
            Guest: self._guest,
            Other: self._other,
            Lost: self._lost,
            Flaw: self._flaw,
        }

    def add(self, event: Event) -> None:
        """Take the next event."""
        self._takers[type(event)](event)

    def note(self, kind: str, line: int, amount: int = 0) -> None:
        """Count a finding; the first lines are kept, and line 0 is the whole of the trace."""
        sums, lines = self._findings.setdefault(kind, ([0, 0], []))
        sums[0] += 1
        sums[1] += amount
        if line and len(lines) < _SHOWN:
            lines.append(line)

    def findings(self) -> tuple[Finding, ...]:
        """Return what was found, in the order of its first line."""
        found = (Finding(kind, sums[0], tuple(lines), sums[1]) for kind, (sums, lines) in self._findings.items())
        return tuple(sorted(found, key=lambda finding: finding.lines))

    def finish(self) -> None:
        """End what still goes on at the last event of the trace; a guest counts unless exits were missing before."""
        if "entry-without-exit" not in self._findings:
            self.kvm = self.kvm or any(cpu.guest_since != BEFORE for cpu in self.cpus)
        for cpu in self.cpus:
            if cpu.pid == UNKNOWN:
                cpu.gaps.extend((cpu.since, self.end_ns))
            elif cpu.pid > 0:
                self.note("running-at-end", cpu.line, self.end_ns - cpu.since)
            cpu.close(self.end_ns, runnable=True)
            cpu.close_guest(self.end_ns)
        for t_ns, line in self._first_states:
            self.note("missing-first-state", line, t_ns - self.start_ns)

    def _arrive(self, event: Timed) -> tuple[CpuStates, int] | None:
        """Return an event's CPU and its time there; None if there is no such CPU."""
        t_ns = event.t_ns
        goes_back = self._in_order and t_ns < self._previous
        self._previous = t_ns
        cpu = self.cpus[event.cpu] if event.cpu < len(self.cpus) else None
        before = cpu.last if cpu else BEFORE
        if goes_back or t_ns < before:
            self.note("time-goes-back", event.line)
            t_ns = max(t_ns, before)
        if t_ns > self.end_ns:
            self.end_ns = t_ns
        if t_ns < self.start_ns or self.start_ns == BEFORE:
            self.start_ns = t_ns
        if cpu is None:
            self.note("unknown-cpu", event.line)
            return None
        cpu.last = t_ns
        if event.context in (cpu.pid, UNKNOWN):
            cpu.seen = t_ns
        return cpu, t_ns

    def _known(self, cpu: int, line: int) -> bool:
        if cpu < len(self.cpus):
            return True
        self.note("unknown-cpu", line)
        return False

    def _name(self, pid: int, comm: str) -> None:
        names = self.names.get(pid)
        if names is None:
            self.names[pid] = [comm]
        elif names[-1] != comm:
            if comm in names:
                names.remove(comm)
            names.append(comm)

    def _switch(self, event: Switch) -> None:
        self.events["sched_switch"] += 1
        arrived = self._arrive(event)
        if arrived is None:
            return
        cpu, t_ns = arrived
        if event.prev_pid > 0:
            self._name(event.prev_pid, event.prev_comm)
        if event.next_pid > 0:
            self._name(event.next_pid, event.next_comm)
        if cpu.guest_since != BEFORE:
            self.note("entry-without-exit", cpu.guest_line)
            cpu.guest_since = BEFORE
        if cpu.pid == UNKNOWN:
            self._fill(cpu, t_ns, event.line, idle=event.prev_pid == 0)
        elif event.prev_pid in (cpu.pid, UNKNOWN):
            cpu.close(t_ns, event.runnable)
        else:
            self._replace(cpu, t_ns, event.line)
        cpu.begin(event.next_pid, t_ns, event.line)

    def _fill(self, cpu: CpuStates, t_ns: int, line: int, idle: bool) -> None:
        """End an unknown time; a CPU that was idle at its very first event was so before, too."""
        first = cpu.since == BEFORE
        if first and not idle:
            self._first_states.append((t_ns, line))
        if not (first and idle):
            cpu.gaps.extend((cpu.since, t_ns))

    def _replace(self, cpu: CpuStates, t_ns: int, line: int) -> None:
        """Events are missing: who ran is known up to its last sign only."""
        self.note("other-thread", line, t_ns - cpu.seen)
        cpu.close(cpu.seen)
        cpu.gaps.extend((cpu.seen, t_ns))

    def _guest(self, event: Guest) -> None:
        self.events["kvm_entry" if event.entered else "kvm_exit"] += 1
        if event.context <= 0:
            self.note("malformed-event", event.line)
            return
        arrived = self._arrive(event)
        if arrived is None:
            return
        cpu, t_ns = arrived
        if event.context not in self.names and event.comm[:1] not in _NAMELESS:
            self._name(event.context, event.comm)
        if cpu.pid != event.context:
            self._enter_unswitched(cpu, t_ns, event)
        if event.entered:
            if cpu.guest_since != BEFORE:
                self.note("entry-without-exit", cpu.guest_line)
            cpu.guest_since, cpu.guest_line = t_ns, event.line
        elif cpu.guest_since == BEFORE:
            self.note("exit-without-entry", event.line)
        else:
            cpu.close_guest(t_ns)
            self.kvm = True

    def _enter_unswitched(self, cpu: CpuStates, t_ns: int, event: Guest) -> None:
        """A thread shows by entering or leaving the guest that it runs, without a switch to it."""
        if cpu.pid == UNKNOWN:
            self._fill(cpu, t_ns, event.line, idle=False)
        else:
            self._replace(cpu, t_ns, event.line)
        cpu.guest_since = BEFORE
        cpu.begin(event.context, t_ns, event.line)

    def _waking(self, event: Waking) -> None:
        self.events["sched_waking"] += 1
        arrived = self._arrive(event)
        if arrived and self._known(event.target, event.line):
            self._name(event.pid, event.comm)
            self.wakings.extend((arrived[1], event.target, event.pid))

    def _migrate(self, event: Migrate) -> None:
        self.events["sched_migrate_task"] += 1
        arrived = self._arrive(event)
        if arrived and self._known(max(event.origin, event.destination), event.line):
            self._name(event.pid, event.comm)
            self.migrations.extend((arrived[1], event.origin, event.destination, event.pid))

    def _frequency(self, event: Frequency) -> None:
        self.events["cpu_frequency"] += 1
        arrived = self._arrive(event)
        if event.khz <= 0:
            self.note("malformed-event", event.line)
        elif arrived and self._known(event.of_cpu, event.line):
            self.cpus[event.of_cpu].frequencies.extend((arrived[1], event.khz))

    def _idle(self, event: Idle) -> None:
        self.events["cpu_idle"] += 1
        arrived = self._arrive(event)
        if arrived and self._known(event.of_cpu, event.line):
            self.cpus[event.of_cpu].idles.extend((arrived[1], event.state))

    def _other(self, event: Other) -> None:
        self.events["other"] += 1
        self._arrive(event)

    def _lost(self, event: Lost) -> None:
        if event.cpu == UNKNOWN:
            self.note("overwritten", event.line, event.events)
            return
        self.note("lost-events", event.line, event.events)
        if not self._known(event.cpu, event.line):
            return
        cpu = self.cpus[event.cpu]
        cpu.close_guest(cpu.seen)
        if cpu.pid != UNKNOWN:
            cpu.close(cpu.seen)
            cpu.begin(UNKNOWN, cpu.seen, event.line)

    def _flaw(self, event: Flaw) -> None:
        self.note(event.kind, event.line)
