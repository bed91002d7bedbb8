"""From a run to what the `perf stat` of a guest read: from the table `perf_reads`, or from the guest's last reports.

Nothing here looks at what really happened: counts and times are those that the guest's driver read.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from simcore.app.perf_metrics import CLOCK, GENERIC_NAMES
from simcore.app.perf_rows import Count, Event, Snapshot
from simcore.errors import InputError
from simcore.result import Result
from simcore.scenario import GuestSpec
from simcore.units import NS_PER_MS, format_time_ns
from workloads.guest_perf_stat import groups_of
from workloads.perf_events import BR_RETIRED, CYCLES, INSTRUCTIONS, PC_WRITE_RETIRED
from workloads.perf_tool import NOT_COUNTED, NOT_SUPPORTED, REPORT_NS, event_name, report_key

GUEST = "linux-perf-stat"
VALID = f"a run whose guest is {GUEST}"
OPENED_BY_NAME = {event: GENERIC_NAMES[event] for event in (CYCLES, INSTRUCTIONS)}
"""The events that the guest's perf asks for by perf's own names; the others are those of the driver's sysfs."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user would have asked of perf: ``interval_ns`` 0 without -I.

    ``generic``: events by perf's own names where it has one; ``clock``: cpu-clock first, as perf counts by itself.
    """

    interval_ns: int = 0
    generic: bool = False
    clock: bool = False


@dataclass(frozen=True, slots=True)
class Read:
    """All events of a guest, each on each of its CPUs, at one time since perf began; None: not supported."""

    at_ns: int
    counts: Mapping[int, Sequence[Count | None]]
    clock: Sequence[Count]


def snapshots(result: Result, vm: int, asked: Asked) -> list[Snapshot]:
    """Return what the perf of a VM prints: once, or each interval. Raises InputError where it runs none."""
    spec = result.scenario.vms[vm].guest
    if spec.name != GUEST:
        raise InputError(f"the guest of VM {vm} is {spec.name}, in which no perf stat runs", valid=VALID)
    names = _generic_names(result, vm) if asked.generic else OPENED_BY_NAME
    if not asked.interval_ns:
        read = _last_read(result, vm, spec)
        return [_snapshot(read, read.at_ns, names, asked.clock, None)]
    reads = list(_reads(result, vm, spec, _intervals_of(spec, vm, asked)))
    if not reads:
        raise InputError("perf read nothing in this run", valid="a run of at least one interval beyond the boot")
    before = [None, *reads[:-1]]
    return [
        _snapshot(read, asked.interval_ns, names, asked.clock, earlier)
        for read, earlier in zip(reads, before, strict=True)
    ]


def _intervals_of(spec: GuestSpec, vm: int, asked: Asked) -> int:
    """Return how many of the guest's own intervals one of -I lasts."""
    kept, wanted = spec.perf_interval_ns, asked.interval_ns
    key = f"vms.{vm}.guest.perf_interval"
    if not kept:
        again = f"run it again with --set {key}={wanted // NS_PER_MS}ms"
        raise InputError("the guest's perf read at no interval", why=f"{key} is 0 in the scenario", valid=again)
    if wanted % kept:
        raise InputError(f"-I {wanted // NS_PER_MS} is no multiple of {key}", valid=f"{kept / NS_PER_MS:g} ms times N")
    return wanted // kept


def _last_read(result: Result, vm: int, spec: GuestSpec) -> Read:
    if spec.perf_interval_ns:
        reads = list(_reads(result, vm, spec, 1))
        if reads:
            return reads[-1]
    return _reported(result, vm, spec)


# --- the table of reads ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CpuReads:
    """What perf read on one CPU at the end of each interval, by its number: when, and each event's count."""

    numbers: list[int]
    at_ns: Mapping[int, int]
    counts: Mapping[int, Mapping[int, Count | None]]

    def latest(self, number: int) -> int | None:
        """Return the last interval up to this one that has a read."""
        place = bisect_right(self.numbers, number)
        return self.numbers[place - 1] if place else None

    def count(self, number: int, event: int) -> Count | None:
        """Return an event's count then; zero before the first read."""
        latest = self.latest(number)
        return Count() if latest is None else self.counts[latest].get(event, Count())

    def clock(self, number: int) -> Count:
        """Return what cpu-clock counts: the time since it was enabled with all others, or without them perf's."""
        latest = self.latest(number)
        if latest is None:
            return Count()
        ns = max(count.enabled if count else 0 for count in self.counts[latest].values()) or self.at_ns[latest]
        return Count(ns, ns, ns)


def _reads(result: Result, vm: int, spec: GuestSpec, step: int) -> Iterator[Read]:
    """Yield the state at the end of each interval of ``step`` of the guest's: up to the last that all CPUs have read.

    perf waits for every CPU. A CPU that came too late for an interval counts for the next.
    """
    table = result.tables["perf_reads"]
    cpus = [_cpu_reads(rows) for vcpu in _vcpus(result, vm) if len(rows := table[table["vcpu"] == vcpu])]
    events = _events(spec)
    for number in range(step, min((cpu.numbers[-1] for cpu in cpus), default=0) + 1, step):
        stamps = [cpu.at_ns[number] for cpu in cpus if number in cpu.at_ns]
        if stamps:
            counts = {event: [cpu.count(number, event) for cpu in cpus] for event in events}
            yield Read(min(stamps), counts, [cpu.clock(number) for cpu in cpus])


def _cpu_reads(rows: NDArray[np.void]) -> CpuReads:
    at_ns: dict[int, int] = {}
    counts: dict[int, dict[int, Count | None]] = {}
    columns = ("interval", "perf_ns", "event", "value", "enabled_ns", "running_ns")
    for number, perf_ns, event, value, enabled, running in zip(*(rows[name].tolist() for name in columns), strict=True):
        at_ns[number] = perf_ns
        counts.setdefault(number, {})[event] = None if value == NOT_SUPPORTED else Count(value, enabled, running)
    return CpuReads(list(at_ns), at_ns, counts)


# --- reports ---------------------------------------------------------------------------------------------


def _reported(result: Result, vm: int, spec: GuestSpec) -> Read:
    """Return what each CPU reported last, of those that have reported each event; raises InputError where none has.

    A report has the scaled count: what was read is the one integer that scales to it.
    """
    reports = result.tables["reports"]
    cpus = [_last_values(reports[reports["vcpu"] == vcpu]) for vcpu in _vcpus(result, vm)]
    cpus = [values for values in cpus if {report_key(event) for event in _events(spec)} <= values.keys()]
    if not cpus:
        first_ns = min(spec.perf_interval_ns or REPORT_NS, REPORT_NS)
        valid = f"a run of {format_time_ns(first_ns)} and more beyond the boot"
        raise InputError("perf read nothing in this run", valid=valid)
    counts = {event: [_unscaled(values, report_key(event)) for values in cpus] for event in _events(spec)}
    enabled = [max((c.enabled for column in counts.values() if (c := column[n])), default=0) for n in range(len(cpus))]
    at_ns = min(enabled) or _lived_ns(result, vm, reports)
    return Read(at_ns, counts, [Count(ns, ns, ns) for ns in (ns or at_ns for ns in enabled)])


def _last_values(reports: NDArray[np.void]) -> dict[str, int]:
    return {str(row["key"]): int(row["value"]) for row in reports if row["key"].startswith("perf:")}


def _unscaled(values: Mapping[str, int], key: str) -> Count | None:
    """Return the count that perf read, of which the report is `read * enabled // running`."""
    value = values[key]
    if value == NOT_SUPPORTED:
        return None
    enabled, running = (values[f"{key}:{time}"] for time in ("enabled", "running"))
    return Count(0 if value == NOT_COUNTED else -(-value * running // enabled), enabled, running)


def _lived_ns(result: Result, vm: int, reports: NDArray[np.void]) -> int:
    """Return how long perf ran if it reported nothing but refusals: until the guest or the run ended."""
    died = int(result.tables["guests"]["died_ns"][vm])
    end = died if died >= 0 else int(result.summary["ended_ns"])  # type: ignore[call-overload]
    mine = reports[np.isin(reports["vcpu"], _vcpus(result, vm))]
    return end - int(mine["t_ns"][0])


# --- both ------------------------------------------------------------------------------------------------


def _events(spec: GuestSpec) -> list[int]:
    return list(chain.from_iterable(groups_of(spec)))


def _vcpus(result: Result, vm: int) -> list[int]:
    table = result.tables["vcpus"]
    return [int(row["vcpu"]) for row in table[table["vm"] == vm]]


def _generic_names(result: Result, vm: int) -> Mapping[int, str]:
    """Return perf's own names of events: `branches` is PC_WRITE_RETIRED where the guest's PMU has that alone."""
    guest = result.tables["guests"][vm]
    alone = int(guest["pmceid0"]) >> PC_WRITE_RETIRED & 1 and not int(guest["pmceid1"]) >> (BR_RETIRED & 0x1F) & 1
    own = {BR_RETIRED: PC_WRITE_RETIRED} if alone else {}
    return {own.get(event, event): name for event, name in GENERIC_NAMES.items()}


def _snapshot(read: Read, wall_ns: int, names: Mapping[int, str], clock: bool, before: Read | None) -> Snapshot:
    """Return what is printed of a read; with one before it, what came since then."""
    events, counts = [], []
    if clock:
        events.append(Event(CLOCK, CLOCK))
        counts.append(_since(read.clock, None if before is None else before.clock))
    for number, column in read.counts.items():
        generic, supported = names.get(number), any(count is not None for count in column)
        events.append(Event(generic or event_name(number), generic, supported))
        counts.append(_since(column, None if before is None else before.counts[number]))
    return Snapshot(read.at_ns, wall_ns, events, counts)


def _since(column: Sequence[Count | None], before: Sequence[Count | None] | None) -> list[Count]:
    now = [count or Count() for count in column]
    if before is None:
        return now
    return [count.since(earlier or Count()) for count, earlier in zip(now, before, strict=True)]
