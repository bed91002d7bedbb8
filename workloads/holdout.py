"""Predict each measured profile from the others, and set the prediction beside the measurement.

What is predicted never enters what predicts it: its row is left out, and its program from everything that is fitted
over many programs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from simcore.loader import load_core_type
from workloads.catalog import find_preset, rates_on
from workloads.crossing import Relation, cross, relate
from workloads.fitting import Row, fit, fit_event, fit_line
from workloads.phase import CPU_CYCLES, CYCLE_EVENTS, INST_RETIRED, PhaseRates
from workloads.posted import posted
from workloads.predicting import count_of
from workloads.profiles import Profile, Program, Silicon, frequencies, profiles_of, silicon_table
from workloads.regress import Measured, everything, fit_bend, fit_latency, single_line, without

BETWEEN, BEYOND, FROM_ONE, SIBLING, CROSSING = "between", "beyond", "from-one", "sibling", "crossing"
POSTED = "posted"
KINDS = {
    BETWEEN: "a frequency between two measured ones, from those two",
    BEYOND: "the lowest or highest of three frequencies, from the other two",
    FROM_ONE: "one of two frequencies, from the other",
    SIBLING: "the same design in another silicon, its rates taken over",
    CROSSING: "big from LITTLE of the same SoC and LITTLE from big, by the relation of other programs",
    POSTED: "core types without profiles, by the engine's rule; the posted figures are of a larger input",
}
IPC, SECONDS = "IPC", "seconds"
BR_MIS_PRED_RETIRED = 0x22


@dataclass(frozen=True, slots=True)
class Comparison:
    """One predicted figure beside the measured one; `quantity` is IPC, seconds or an event's number.

    silicon: a core type's id where figures were posted for that.
    """

    kind: str
    silicon: str
    suite: str
    workload: str
    khz: int
    quantity: str | int
    predicted: float
    measured: float

    @property
    def error(self) -> float:
        """Return the relative error, signed."""
        return self.predicted / self.measured - 1


@dataclass(frozen=True, slots=True)
class Target:
    """A profile to be predicted, with the frequency at which it really ran."""

    kind: str
    profile: Profile
    row: Row

    def compare(self, ipc: float, events: Sequence[tuple[int, float]]) -> Iterator[Comparison]:
        """Set what was predicted beside what was measured; what was measured as 0 has no relative error."""
        profile, instructions = self.profile, self.profile.counts[INST_RETIRED]
        figures: list[tuple[str | int, float, float]] = [
            (IPC, ipc, 1 / profile.cpi),
            (SECONDS, instructions / ipc / (1000 * self.row.khz), profile.seconds[0]),
        ]
        figures += [(event, count, profile.per_kinst(event)) for event, count in events if event != INST_RETIRED]
        names = (self.kind, profile.silicon, profile.suite, profile.workload, profile.khz)
        return (Comparison(*names, *figure) for figure in figures if figure[2])


def hold_out() -> Iterator[Comparison]:
    """Predict every profile in every way that the data allow."""
    measured = everything()
    for program in dict.fromkeys(one.program for one in measured):
        others = without(measured, program)
        bend = fit_bend(others)
        latency = {in_order: fit_latency(others, in_order) for in_order in (True, False)}
        for one in measured:
            if one.program == program:
                yield from _frequencies(one, bend, latency[one.silicon.in_order])
    yield from _cores(measured)
    yield from _posted()


def _frequencies(one: Measured, bend: float, latency: Sequence[float]) -> Iterator[Comparison]:
    """Leave out each frequency of a program on a silicon."""
    for index, target in enumerate(_targets(one)):
        rest = one.rows[:index] + one.rows[index + 1 :]
        if len(rest) == 1:
            yield from target.compare(*_from_one(rest[0], target.row.ghz, latency))
        elif rest:
            known = frequencies(one.silicon.name)
            rates = fit(one.silicon, rest, known[len(known) // 2], bend)
            yield from target.compare(*_figures(rates, target.row.khz))


def _from_one(row: Row, ghz: float, latency: Sequence[float]) -> tuple[float, list[tuple[int, float]]]:
    """Predict from one row: IPC by what its misses cost, parts of the cycles in proportion, other events unchanged."""
    core, stall = single_line(row, latency)
    cpi = core + stall * ghz
    in_proportion = CYCLE_EVENTS | {CPU_CYCLES}
    share = cpi / row.cpi
    return 1 / cpi, [(e, count * share if e in in_proportion else count) for e, count in row.per_kinst.items()]


def _targets(one: Measured) -> Iterator[Target]:
    profiles = profiles_of(one.silicon.name)[one.program]
    for index, (profile, row) in enumerate(zip(profiles, one.rows, strict=True)):
        inside = 0 < index < len(profiles) - 1
        yield Target(BETWEEN if inside else BEYOND if len(profiles) > 2 else FROM_ONE, profile, row)


def _figures(rates: PhaseRates, khz: float) -> tuple[float, list[tuple[int, float]]]:
    at = round(khz)
    return float(1 / rates.cpi(at)), [(event, float(count_of(rates, event, at))) for event, _ in rates.per_kinst]


def _cores(measured: Sequence[Measured]) -> Iterator[Comparison]:
    """Leave out each core: predict it from the same design in another SoC, and from the other core type of its SoC."""
    table = {(one.silicon.name, one.program): one for one in measured}
    first = _first_of_each_design()
    for one in measured:
        if one.silicon not in first:
            continue
        for other in first:
            source = table.get((other.name, one.program))
            if source is None or other == one.silicon:
                continue
            if other.design == one.silicon.design:
                yield from _sibling(one, source)
            elif other.soc == one.silicon.soc:
                yield from _crossing(one, source, _relation(one, source, table))


def _first_of_each_design() -> tuple[Silicon, ...]:
    """Return the first silicon of each design in each SoC."""
    found: dict[tuple[str, str], Silicon] = {}
    for silicon in silicon_table():
        found.setdefault((silicon.soc, silicon.design), silicon)
    return tuple(found.values())


def _relation(one: Measured, source: Measured, table: dict[tuple[str, Program], Measured]) -> Relation:
    """Return the relation of two silicons by the programs that ran on both, but the one to be predicted."""
    programs = [program for name, program in table if name == one.silicon.name and program != one.program]
    pairs = [(table[one.silicon.name, p], table.get((source.silicon.name, p))) for p in programs]
    return relate([(mine, other) for mine, other in pairs if other is not None])


def _sibling(one: Measured, source: Measured) -> Iterator[Comparison]:
    core, stall = fit_line(source.rows)
    fits = {event: fit_event(source.rows, event) for event in source.rows[0].per_kinst if event != CPU_CYCLES}
    for profile, row in zip(profiles_of(one.silicon.name)[one.program], one.rows, strict=True):
        cpi = core + stall * row.ghz
        counts = [(event, max(base + slope * row.ghz, 0.0)) for event, (base, slope) in fits.items()]
        yield from Target(SIBLING, profile, row).compare(1 / cpi, [*counts, (CPU_CYCLES, 1000 * cpi)])


def _crossing(one: Measured, source: Measured, relation: Relation) -> Iterator[Comparison]:
    """Predict IPC at each of a core's frequencies, and events at its highest, where the relation was taken."""
    profiles = profiles_of(one.silicon.name)[one.program]
    for index, (profile, row) in enumerate(zip(profiles, one.rows, strict=True)):
        found = cross(relation, source.rows, row.khz)
        events = {**found.per_kinst, CPU_CYCLES: 1000 * found.cpi} if index == len(profiles) - 1 else {}
        yield from Target(CROSSING, profile, row).compare(1 / found.cpi, sorted(events.items()))


def _posted() -> Iterator[Comparison]:
    """Predict IPC and branch misses of core types that have no profiles, as the engine does."""
    for one in posted():
        preset = find_preset(one.workload)
        rates = rates_on(preset, load_core_type(one.core))
        names = (POSTED, one.core, *preset.rows[0], one.khz)
        yield Comparison(*names, IPC, float(1 / rates.cpi(one.khz)), one.ipc)
        if one.branch_mpki:
            misses = float(rates.events_per_kinst(BR_MIS_PRED_RETIRED, one.khz))
            yield Comparison(*names, BR_MIS_PRED_RETIRED, misses, one.branch_mpki)
