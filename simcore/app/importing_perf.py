"""From the counts of perf stat to the rates of a workload: CPI and events a 1000 instructions by core type.

Every count is divided by the instructions that the same host PMU counted in the same file; files are pooled. Text is
made in `simcore.app.importing_text`.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from simcore.app.importing_counts import Counted, CountReader, PerfOptions, Sum
from simcore.errors import InputError
from simcore.schema_errors import checked
from simcore.schema_workload import RatesTable, WorkloadFile
from workloads.catalog import load_workload
from workloads.perf_events import CYCLES, INSTRUCTIONS
from workloads.perf_stat import Count
from workloads.phase import PhaseRates

LOW_RUNNING_PERCENT = 20
"""Below this share of the time, perf's scaling is said to be a guess (assumed)."""
NO_STALL = "assumed: one frequency does not tell stall time from core cycles"
OPP_SLACK_PERCENT = 1
NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_.+\-]")
MOST_NAME, MOST_TITLE = 80, 2000


def import_perf(files: Sequence[Path], options: PerfOptions) -> tuple[WorkloadFile, list[str]]:
    """Return the workload that the files of perf stat stand for, and notes about what was not as simple as that."""
    reader = CountReader(options)
    counted = [reader.read(path) for path in files]
    importer = Importer(reader)
    rates = importer.rates(counted, ", ".join(map(str, files)))
    return importer.workload(files, rates), reader.notes


class Importer:
    """Makes rates of what a reader has read, and adds to its notes."""

    def __init__(self, reader: CountReader) -> None:
        self.reader = reader
        self.platform = reader.platform
        self.options = reader.options

    def rates(self, counted: Sequence[Mapping[str, Counted]], where: str) -> list[RatesTable]:
        """Return the rates of every core type that counted both cycles and instructions, then the estimated ones."""
        found: list[RatesTable] = []
        for core in sorted({core for sums in counted for core in sums}):
            files = [self._enough(core, sums[core]) for sums in counted if core in sums]
            usable = [sums for sums in files if sums.events]
            if any(sums.has(CYCLES, INSTRUCTIONS) for sums in usable):
                found.append(self._rates(core, usable))
            elif usable:
                self.reader.note(f"{core} is left out: cycles and instructions in one file are needed")
        if not found:
            raise InputError(
                "no core type with both cycles and instructions",
                where,
                "; ".join(self.reader.notes[:3]),
                "perf stat -e cycles,instructions,... for every host PMU",
            )
        return [*found, *self._others(found)]

    def _enough(self, core: str, sums: Counted) -> Counted:
        """Return the counts unless their counters hardly ran; note those whose counts are scaled from little."""
        shares = [total.running_percent for total in sums.events.values()]
        percent = min((share for share in shares if share is not None), default=None)
        cycles = sums.events.get(CYCLES, Sum()).running_percent
        if cycles is not None and cycles < self.options.min_running:
            self.reader.note(f"{core} is left out: it ran for {cycles:g} % of the time (--min-running)")
            return Counted()
        if percent is not None and percent < LOW_RUNNING_PERCENT:
            self.reader.note(f"{core}: perf scaled counts that ran for only {percent:g} % of the time")
        return sums

    def _rates(self, core: str, files: Sequence[Counted]) -> RatesTable:
        pairs = [sums for sums in files if sums.has(CYCLES, INSTRUCTIONS)]
        instructions = sum(sums.value(INSTRUCTIONS) for sums in pairs)
        if instructions <= 0:
            raise InputError("no instruction was counted", pairs[0].events[INSTRUCTIONS].rows[0].where, valid="above 0")
        cpi = sum(sums.value(CYCLES) for sums in pairs) / instructions
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
            measured_on=f"{self.platform.id}, {self.reader.measured_on[core]}",
            counts=[_count_row(number, total) for sums in files for number, total in sorted(sums.events.items())],
            events={f"0x{number:04x}": _rounded(rate) for number, rate in sorted(events.items())},
        )

    def _events(self, core: str, files: Sequence[Counted], cpi: float) -> dict[int, float]:
        """Return events a 1000 instructions; a file without instructions has as many as its cycles and the CPI say."""
        counts: dict[int, float] = defaultdict(float)
        of: dict[int, float] = defaultdict(float)
        for sums in files:
            instructions = sums.value(INSTRUCTIONS) if sums.has(INSTRUCTIONS) else None
            if instructions is None and sums.has(CYCLES):
                instructions = sums.value(CYCLES) / cpi
                where = sums.events[CYCLES].rows[0].where
                self.reader.note(f"{core}: instructions of {where} from its cycles and the CPI of others")
            if not instructions:
                continue
            for number, total in sums.events.items():
                if number not in (CYCLES, INSTRUCTIONS):
                    counts[number] += total.value
                    of[number] += instructions
        return {number: 1000 * count / of[number] for number, count in counts.items()}

    def _frequency(self, core: str, files: Sequence[Counted]) -> tuple[int | None, str]:
        """Return the mean frequency: as told, or cycles over the time that they took; None where that cannot be."""
        for key in (self.reader.measured_on[core], core, ""):
            if key in self.options.freq_khz:
                return self.options.freq_khz[key], "as told (--freq-khz)"
        khz, source = _cycles_over_time(files)
        domain = self.platform.perf_domains[self.platform.cpus[self.platform.cpus_of_core(core)[0]].perf_domain]
        low, high = (domain.opps[end].khz for end in (0, -1))
        if khz and not low * (100 - OPP_SLACK_PERCENT) <= 100 * khz <= high * (100 + OPP_SLACK_PERCENT):
            self.reader.note(f"{core}: {khz} kHz, {source}, lies outside {low} to {high} kHz")
            return None, "not known"
        return khz, source

    def _stall(self, core: str, cpi: float, khz: int | None) -> tuple[float, str]:
        """Return stall time per instruction, ns: none, or the share of the CPI that it has in a preset."""
        preset = self.options.stall_like
        if preset is None:
            return 0.0, NO_STALL
        if khz is None:
            raise InputError(f"the frequency of {core} is not known", "--stall-like", valid=f"--freq-khz {core}=KHZ")
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
        if self.reader.levels == {"u"}:
            self.reader.note("user space only was counted (:u)")
        named = self.options.name or NOT_IN_A_NAME.sub("-", files[0].stem)[:MOST_NAME]
        tables = {
            "format": "hetpmu-workload/1",
            "name": named,
            "title": f"perf stat on {self.platform.id}: {', '.join(path.name for path in files)}"[:MOST_TITLE],
            "level": 1 if self.reader.levels == {"k"} else 0,
            "rates": rates,
        }
        return checked(WorkloadFile, tables, "import perf-stat")


def _cycles_over_time(files: Sequence[Counted]) -> tuple[int | None, str]:
    """Return the frequency that the cycles of some files had, by their counter's time or by the task clock.

    The counts are scaled to the whole time, so over the task clock they give the frequency of each host PMU.
    """
    rows = [row for counted in files for row in counted.events[CYCLES].rows]
    running_ns = sum(row.running_ns or 0 for row in rows)
    if running_ns:
        cycles = sum((row.value or 0) * _share(row) for row in rows if row.running_ns)
        return round(1e6 * cycles / running_ns), "cycles over the time that their counter ran"
    clock_ns = sum(counted.task_clock_ns for counted in files)
    if clock_ns and all(counted.task_clock_ns for counted in files):
        return round(1e6 * sum(counted.value(CYCLES) for counted in files) / clock_ns), "cycles over task-clock"
    return None, "not known"


def _share(row: Count) -> float:
    """Return time running over time enabled."""
    return 1.0 if row.running_percent is None else row.running_percent / 100


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
