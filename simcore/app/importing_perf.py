"""From the counts of perf stat to the rates of a workload: CPI and events a 1000 instructions by core type.

Every count is divided by the instructions that the same host PMU counted in the same file; files are pooled. What could
not be used is said in notes, never silently dropped. Text is made in `simcore.app.importing_text`.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simcore.errors import InputError, near_matches
from simcore.loader import load_platform
from simcore.platform import CoreType, Platform
from simcore.schema_errors import checked
from simcore.schema_workload import RatesTable, WorkloadFile
from simcore.tomlfile import read_text
from workloads.catalog import load_workload
from workloads.perf_events import ARCHITECTED, CYCLES, GENERIC, INSTRUCTIONS, event_number
from workloads.perf_stat import Count, parse_perf_stat
from workloads.phase import PhaseRates

MIN_RUNNING_PERCENT = 1
"""A host PMU whose cycles ran for less of the time is left out: what it saw is not the workload (assumed)."""
LOW_RUNNING_PERCENT = 20
"""Below this share of the time, perf's scaling is said to be a guess (assumed)."""
NO_STALL = "assumed: one frequency does not tell stall time from core cycles"
OPP_SLACK_PERCENT = 1
NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_.+\-]")
MOST_NAME, MOST_TITLE = 80, 2000


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


Sums = dict[int, Sum]
"""By PMUv3 event number."""


def import_perf(files: Sequence[Path], options: PerfOptions) -> tuple[WorkloadFile, list[str]]:
    """Return the workload that the files of perf stat stand for, and notes about what was not as simple as that."""
    platform = load_platform(options.platform)
    known = {core.id for core in platform.core_types}
    for core in options.cores.values():
        if core not in known:
            raise InputError(f"unknown core type {core!r}", "--core", valid=near_matches(core, known))
    importer = Importer(platform, options)
    counted = [importer.sums_of(path) for path in files]
    rates = importer.rates(counted, ", ".join(map(str, files)))
    return importer.workload(files, rates), importer.notes


class Importer:
    """One import: what belongs to which core type, and the notes that it makes."""

    def __init__(self, platform: Platform, options: PerfOptions) -> None:
        self.platform = platform
        self.options = options
        self.notes: list[str] = []
        self.measured_on: dict[str, str] = {}
        self.levels: set[str] = set()

    def note(self, text: str) -> None:
        """Keep a note, once."""
        if text not in self.notes:
            self.notes.append(text)

    # --- counts of one file --------------------------------------------------------------------------------

    def sums_of(self, path: Path) -> dict[str, Sums]:
        """Return the sums of one file by core type, each at the level of the counts that can be used."""
        counts = parse_perf_stat(read_text(path), str(path), self.options.separator)
        by_core: dict[str, dict[str, Sums]] = defaultdict(lambda: defaultdict(dict))
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
            total = by_core[core.id][count.event.levels].setdefault(number, Sum())
            total.value += count.value
            total.rows.append(count)
        for state, events in absent.items():
            self.note(f"{path}: {state} {', '.join(dict.fromkeys(events))}")
        return {core: sums for core, levels in by_core.items() if (sums := self._level(levels))}

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

    def _level(self, levels: Mapping[str, Sums]) -> Sums:
        """Return the counts without a modifier, else those of user space, else those of the kernel; note the others."""
        usable = [name for name in ("", "u", "k") if {CYCLES, INSTRUCTIONS} & set(levels.get(name, {}))]
        if not usable:
            return {}
        self.levels.add(usable[0])
        for name, sums in levels.items():
            if name != usable[0]:
                shown = ", ".join(total.rows[0].event.shown for total in sums.values())
                self.note(f"left out, counted at other levels than the rest: {shown}")
        return levels[usable[0]]

    # --- rates -----------------------------------------------------------------------------------------------

    def rates(self, counted: Sequence[Mapping[str, Sums]], where: str) -> list[RatesTable]:
        """Return the rates of every core type that counted both cycles and instructions, then the estimated ones."""
        found: list[RatesTable] = []
        for core in sorted({core for sums in counted for core in sums}):
            files = [self._enough(core, sums[core]) for sums in counted if core in sums]
            usable = [sums for sums in files if sums]
            if any({CYCLES, INSTRUCTIONS} <= set(sums) for sums in usable):
                found.append(self._rates(core, usable))
            elif usable:
                self.note(f"{core} is left out: cycles and instructions in one file are needed")
        if not found:
            raise InputError(
                "no core type with both cycles and instructions",
                where,
                "; ".join(self.notes[:3]),
                "perf stat -e cycles,instructions,... for every host PMU",
            )
        return [*found, *self._others(found)]

    def _enough(self, core: str, sums: Sums) -> Sums:
        """Return the sums unless their counters hardly ran; note those whose counts are scaled from little."""
        percent = min((p for p in (total.running_percent for total in sums.values()) if p is not None), default=None)
        cycles = sums.get(CYCLES, Sum()).running_percent
        if cycles is not None and cycles < self.options.min_running:
            self.note(f"{core} is left out: it ran for {cycles:g} % of the time (--min-running)")
            return {}
        if percent is not None and percent < LOW_RUNNING_PERCENT:
            self.note(f"{core}: perf scaled counts that ran for only {percent:g} % of the time")
        return sums

    def _rates(self, core: str, files: Sequence[Sums]) -> RatesTable:
        pairs = [sums for sums in files if {CYCLES, INSTRUCTIONS} <= set(sums)]
        instructions = sum(sums[INSTRUCTIONS].value for sums in pairs)
        if instructions <= 0:
            raise InputError("no instruction was counted", pairs[0][INSTRUCTIONS].rows[0].where, valid="above 0")
        cpi = sum(sums[CYCLES].value for sums in pairs) / instructions
        khz, khz_source = self._frequency(core, pairs)
        stall_ns, stall_source = self._stall(core, cpi, khz)
        events = self._events(core, files, cpi)
        return _table(
            core=core,
            core_cpi=_rounded(cpi - stall_ns * (khz or 0) / 1e6),
            stall_ns_per_inst=_rounded(stall_ns),
            stall_source=stall_source,
            freq_khz=khz,
            freq_source=khz_source,
            measured_on=f"{self.platform.id}, {self.measured_on[core]}",
            counts=[_count_row(number, total) for sums in files for number, total in sorted(sums.items())],
            events={f"0x{number:04x}": _rounded(rate) for number, rate in sorted(events.items())},
        )

    def _events(self, core: str, files: Sequence[Sums], cpi: float) -> dict[int, float]:
        """Return events a 1000 instructions; a file without instructions has as many as its cycles and the CPI say."""
        counts: dict[int, float] = defaultdict(float)
        of: dict[int, float] = defaultdict(float)
        for sums in files:
            instructions = sums[INSTRUCTIONS].value if INSTRUCTIONS in sums else None
            if instructions is None and CYCLES in sums:
                instructions = sums[CYCLES].value / cpi
                self.note(f"{core}: instructions of {sums[CYCLES].rows[0].where} from its cycles and the CPI of others")
            if not instructions:
                continue
            for number, total in sums.items():
                if number not in (CYCLES, INSTRUCTIONS):
                    counts[number] += total.value
                    of[number] += instructions
        return {number: 1000 * count / of[number] for number, count in counts.items()}

    def _frequency(self, core: str, files: Sequence[Sums]) -> tuple[int | None, str]:
        """Return the mean frequency: as told, or cycles over the time that their counter ran."""
        for key in (self.measured_on[core], core, ""):
            if key in self.options.freq_khz:
                return self.options.freq_khz[key], "as told (--freq-khz)"
        rows = [row for sums in files for row in sums[CYCLES].rows]
        timed = [row for row in rows if row.running_ns and row.value is not None]
        if not timed:
            return None, "not known"
        cycles = sum(
            (row.value or 0) * (100 if row.running_percent is None else row.running_percent) / 100 for row in timed
        )
        khz = round(1e6 * cycles / sum(row.running_ns or 0 for row in timed))
        domain = self.platform.perf_domains[self.platform.cpus[self.platform.cpus_of_core(core)[0]].perf_domain]
        low, high = (domain.opps[end].khz for end in (0, -1))
        if not low * (100 - OPP_SLACK_PERCENT) <= 100 * khz <= high * (100 + OPP_SLACK_PERCENT):
            self.note(f"{core}: {khz} kHz, cycles over the time their counter ran, lies outside {low} to {high} kHz")
            return None, "not known"
        return khz, "cycles over the time that their counter ran"

    def _stall(self, core: str, cpi: float, khz: int | None) -> tuple[float, str]:
        """Return stall time per instruction, ns: none, or the share of the CPI that it has in a preset."""
        preset = self.options.stall_like
        if preset is None:
            return 0.0, NO_STALL
        if khz is None:
            raise InputError(
                f"--stall-like needs the frequency of {core}", "--stall-like", valid=f"--freq-khz {core}=KHZ"
            )
        like = self._preset(preset, core)
        share = float(1 - like.core_cpi / like.cpi(khz))
        return (
            cpi * share * 1e6 / khz,
            f"assumed: {100 * share:.1f} % of the CPI, as {preset} has on {core} at {khz} kHz",
        )

    def _others(self, found: Sequence[RatesTable]) -> list[RatesTable]:
        """Return estimates for the platform's other core types: a preset's rates, scaled as it is where measured."""
        preset = self.options.others_like
        missing = [core.id for core in self.platform.core_types if core.id not in {row.core for row in found}]
        if preset is None or not missing:
            return []
        row = found[0]
        khz = row.freq_khz or self.platform.max_khz(self.platform.cpus_of_core(row.core)[0])
        there = float(self._preset(preset, row.core).cpi(khz))
        scale = (row.core_cpi + row.stall_ns_per_inst * khz / 1e6) / there
        return [self._estimate(core, row, preset, scale) for core in missing]

    def _estimate(self, core: str, row: RatesTable, preset: str, scale: float) -> RatesTable:
        like = self._preset(preset, core)
        text = f"assumed: CPI of {preset} times {scale:.4g}, as on {row.core}; events a 1000 instructions of {row.core}"
        return _table(
            core=core,
            core_cpi=_rounded(like.core_cpi * scale),
            stall_ns_per_inst=_rounded(like.stall_ns_per_inst * scale),
            stall_source=text,
            estimate=text,
            events=dict(row.events),
        )

    def _preset(self, preset: str, core: str) -> PhaseRates:
        return load_workload(preset, (self.platform.core_named(core),)).phases[0].on(core)

    def workload(self, files: Sequence[Path], rates: list[RatesTable]) -> WorkloadFile:
        """Return the whole file."""
        if self.levels == {"u"}:
            self.note("user space only was counted (:u)")
        named = self.options.name or NOT_IN_A_NAME.sub("-", files[0].stem)[:MOST_NAME]
        tables = {
            "format": "hetpmu-workload/1",
            "name": named,
            "title": f"perf stat on {self.platform.id}: {', '.join(path.name for path in files)}"[:MOST_TITLE],
            "level": 1 if self.levels == {"k"} else 0,
            "rates": rates,
        }
        return checked(WorkloadFile, tables, "import perf-stat")


def _table(**values: Any) -> RatesTable:
    return checked(RatesTable, values, f"rates of {values['core']}")


def _count_row(number: int, total: Sum) -> dict[str, Any]:
    return {
        "code": f"0x{number:04x}",
        "event": total.rows[0].event.shown,
        "count": total.value,
        "running_percent": total.running_percent,
        "source": _places(row.where for row in total.rows),
    }


def _places(where: Iterable[str]) -> str:
    places = list(where)
    return places[0] if len(places) == 1 else f"{places[0]} to {places[-1].rpartition(':')[2]}, {len(places)} rows"


def _rounded(value: float) -> float:
    return float(f"{value:.9g}")
