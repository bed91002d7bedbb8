"""The counts of perf stat, each given to the core type that counted it and the PMUv3 event that it is.

What could not be used is said in notes, never silently dropped.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from simcore.errors import InputError, near_matches
from simcore.loader import load_platform
from simcore.platform import CoreType
from simcore.tomlfile import read_text
from workloads.perf_events import ARCHITECTED, CYCLES, GENERIC, INSTRUCTIONS, event_number
from workloads.perf_stat import Count, parse_perf_stat

MIN_RUNNING_PERCENT = 1
"""A host PMU whose cycles ran for less of the time is left out: what it saw is not the workload (assumed)."""
TASK_CLOCK, MSEC = "task-clock", "msec"


@dataclass(frozen=True, slots=True)
class PerfOptions:
    """What the user says about the counts: core types and frequencies by host PMU ('' for all), presets, names."""

    platform: str
    stall_like: str | None = None
    others_like: str | None = None
    name: str | None = None
    separator: str | None = None
    cores: Mapping[str, str] = field(default_factory=dict)
    freq_khz: Mapping[str, int] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    min_running: float = MIN_RUNNING_PERCENT


@dataclass(slots=True)
class Sum:
    """The sum of an event's counts on one core type in one file, and the rows that it comes from."""

    value: float = 0.0
    rows: list[Count] = field(default_factory=list)

    @property
    def running_percent(self) -> float | None:
        """Return the least share of the time that a row ran, where perf says it."""
        return min((row.running_percent for row in self.rows if row.running_percent is not None), default=None)


@dataclass(slots=True)
class Counted:
    """What one core type counted in one file, by PMUv3 event number, and the task clock in ns (0: unknown)."""

    events: dict[int, Sum] = field(default_factory=dict)
    task_clock_ns: float = 0.0

    def has(self, *numbers: int) -> bool:
        """Tell whether all of these events were counted."""
        return set(numbers) <= set(self.events)

    def value(self, number: int) -> float:
        """Return the count of an event that was counted."""
        return self.events[number].value


class CountReader:
    """Reads files of one platform.

    ``notes`` is what it could not use, ``measured_on`` the host PMU of each core type, ``levels`` those it counted at.
    """

    def __init__(self, options: PerfOptions) -> None:
        self.platform = load_platform(options.platform)
        self.options = options
        self.notes: list[str] = []
        self.measured_on: dict[str, str] = {}
        self.levels: set[str] = set()
        known = [core.id for core in self.platform.core_types]
        for core in options.cores.values():
            if core not in known:
                raise InputError(f"unknown core type {core!r}", "--core", valid=near_matches(core, known))

    def note(self, text: str) -> None:
        """Keep a note, once."""
        if text not in self.notes:
            self.notes.append(text)

    def read(self, path: Path) -> dict[str, Counted]:
        """Return the counts of one file by core type, each at the level of the counts that can be used."""
        counts = parse_perf_stat(read_text(path), str(path), self.options.separator)
        by_core: dict[str, dict[str, Counted]] = defaultdict(lambda: defaultdict(Counted))
        clock_ns = sum(1e6 * (row.value or 0) for row in counts if row.event.name == TASK_CLOCK and row.unit == MSEC)
        absent: dict[str, list[str]] = defaultdict(list)
        for count in counts:
            event = count.event
            if event.software or {event.name, event.shown, event.pmu} & set(self.options.ignore):
                continue
            if count.value is None:
                absent[count.state].append(event.shown)
                continue
            core = self.core_of(count)
            number = self.number_of(count, core)
            total = by_core[core.id][event.levels].events.setdefault(number, Sum())
            total.value += count.value
            total.rows.append(count)
        for state, events in absent.items():
            self.note(f"{path}: {state} {', '.join(dict.fromkeys(events))}")
        chosen = {core: self._level(levels) for core, levels in by_core.items()}
        for counted in chosen.values():
            counted.task_clock_ns = clock_ns
        return {core: counted for core, counted in chosen.items() if counted.events}

    def core_of(self, count: Count) -> CoreType:
        """Return the core type that counted a row: by its host PMU, by its CPU, or as the user says."""
        host_pmu, named = count.event.pmu, self.options.cores
        core = named.get(host_pmu or "", named.get("")) if host_pmu is None or host_pmu in named else None
        if core is None and host_pmu is not None:
            core = self._core_of_pmu(host_pmu, count)
        elif core is None and count.cpu is not None:
            if count.cpu >= len(self.platform.cpus):
                raise InputError(f"no CPU {count.cpu} on {self.platform.id}", count.where)
            core = self.platform.core(count.cpu).id
        elif core is None and len(self.platform.core_types) == 1:
            core = self.platform.core_types[0].id
        if core is None:
            raise InputError(
                f"{count.event.shown}: which core type counted this?",
                count.where,
                f"{self.platform.id} has several, and the event names no host PMU",
                f"--core, one of {', '.join(core.id for core in self.platform.core_types)}",
            )
        self.measured_on.setdefault(core, host_pmu or f"as told, {core}")
        return self.platform.core_named(core)

    def _core_of_pmu(self, name: str, count: Count) -> str:
        node = self.platform.pmu_named(name)
        if node is not None:
            return self.platform.probed_core(node).id
        known = [node.name for node in self.platform.pmus]
        raise InputError(
            f"no host PMU {name!r} on {self.platform.id}",
            count.where,
            f"known: {', '.join(known) or 'none'}",
            f"--core {name}=CORE, another --platform, or --ignore {name}",
        )

    def number_of(self, count: Count, core: CoreType) -> int:
        """Return the PMUv3 number of a row's event on its core type."""
        number = event_number(count.event.name, core)
        if number is None:
            known = {*GENERIC, *ARCHITECTED, *(title.lower() for _, title in core.event_names)}
            raise InputError(
                f"event {count.event.name!r} has no PMUv3 number on {core.id}",
                count.where,
                valid=f"{near_matches(count.event.name, known, 4)}; or --ignore {count.event.name}",
            )
        return number

    def _level(self, levels: Mapping[str, Counted]) -> Counted:
        """Return the counts without a modifier, else those of user space, else those of the kernel; note the others."""
        usable = [name for name in ("", "u", "k") if {CYCLES, INSTRUCTIONS} & set(levels.get(name, Counted()).events)]
        if not usable:
            return Counted()
        self.levels.add(usable[0])
        for name, counted in levels.items():
            if name != usable[0]:
                shown = ", ".join(total.rows[0].event.shown for total in counted.events.values())
                self.note(f"left out, counted at other levels than the rest: {shown}")
        return levels[usable[0]]
