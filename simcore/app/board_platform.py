"""From the facts of a board to the sections of a platform file, each value with its source beside it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, groupby
from typing import Any

from simcore.app.board_assuming import Assumed
from simcore.app.board_capacity import capacity_dmips_mhz
from simcore.app.board_cores import OwnCore, core_ids
from simcore.app.board_facts import Board, CpuFacts, IdleFacts, PolicyFacts
from simcore.errors import InputError

GIVEN = "given with --assume"
HIDDEN = {0x00: "sw_incr", 0x1E: "chain"}
"""Events of every PMUv3 that Linux does not show in sysfs: drivers/perf/arm_pmuv3.c, armv8_pmuv3_event_attrs."""
IdleState = tuple[str, int, int, int]
"""An idle state without its source."""


@dataclass(slots=True)
class Section:
    """A table of the file: its header (empty: the top), and rows of key, value and source (empty: none)."""

    header: str
    rows: list[tuple[str, Any, str]] = field(default_factory=list)

    def add(self, key: str, value: Any, source: str = "") -> None:
        """Add a row, unless there is no value."""
        if value not in (None, "", [], {}):
            self.rows.append((key, value, source))


def sections_of(board: Board, assumed: Assumed, name: str | None) -> tuple[list[Section], list[str]]:
    """Return the sections of the platform file of a board, and what its reader should know."""
    ids, own = core_ids(board)
    lacking = [cpu.number for cpu in board.cpus if cpu.number not in ids]
    if lacking:
        why = "it is offline, and no CPU that is online shares its clock or its host PMU"
        valid = f"a copy made after: echo 1 > /sys/devices/system/cpu/cpu{lacking[0]}/online"
        raise InputError(f"the core type of CPU {lacking[0]} is unknown", where=board.copy, why=why, valid=valid)
    notes = list(board.notes)
    dmips = capacity_dmips_mhz(board, notes)
    states = _idle_names(board.cpus)
    head = _head(board, assumed, name)
    cores = [_core(core, assumed, notes) for core in own]
    assumed.check_used(core.id for core in own)
    rest = [*_clusters(board, ids, dmips, states), *map(_perf_domain, board.policies), *_pmus(board)]
    rest += [*_idle_states(board, states), *_caches(board), _sources(board)]
    head.add("notes", notes)
    return [head, *cores, *rest], notes


def tables_of(sections: Sequence[Section]) -> dict[str, Any]:
    """Return sections as TOML would read them."""
    tables: dict[str, Any] = {}
    for section in sections:
        rows = {key: value for key, value, _ in section.rows}
        if section.header.startswith("[["):
            tables.setdefault(section.header.strip("[]"), []).append(rows)
        elif section.header:
            tables[section.header.strip("[]")] = rows
        else:
            tables |= rows
    return tables


def _head(board: Board, assumed: Assumed, name: str | None) -> Section:
    head = Section("")
    head.add("format", "hetpmu-soc/1")
    head.add("id", name or _name(board.compatible[0]) if board.compatible or name else "board")
    head.add("name", board.model or (board.compatible or ("a board",))[0])
    head.add("compatible", list(board.compatible))
    given = assumed.board("cntfrq_hz")
    if given is None and board.timer is None:
        why = "neither the device tree, dmesg nor proc/cpuinfo says the frequency of the architected timer"
        raise InputError("CNTFRQ_EL0 is unknown", where=board.copy, why=why, valid="--assume cntfrq_hz=24000000")
    if given is not None:
        head.add("cntfrq_hz", given, GIVEN)
    elif board.timer is not None:
        head.add("cntfrq_hz", board.timer.hz, board.timer.source)
    return head


def _name(text: str) -> str:
    """Return a text as a name of the format."""
    return re.sub(r"[^A-Za-z0-9_.+\-]+", "-", text).strip("-")[:80] or "unnamed"


# --- core types -----------------------------------------------------------------------------------------


def _core(core: OwnCore, assumed: Assumed, notes: list[str]) -> Section:
    rows = Section("[[core]]")
    rows.add("id", core.id)
    rows.add("midr", core.midr, core.midr_source)
    return _known_core(rows, core, notes) if core.known else _unknown_core(rows, core, assumed, notes)


def _known_core(rows: Section, core: OwnCore, notes: list[str]) -> Section:
    """Describe a core type of the product that has other counters here: all else is the product's."""
    known, backing = core.known, core.pmu
    assert known is not None
    assert backing is not None
    assert backing.counters is not None
    notes.append(
        f"{known.id} has {backing.counters.events} event counters here (dmesg), {known.pmu.event_counters} in hetpmu"
    )
    as_there = f"as {known.id} of hetpmu"
    for key in ("name", "vendor", "in_order", "el0_aarch32"):
        rows.add(key, getattr(known, key) or None, as_there)
    rows.add("rates_like", known.id, as_there)
    table = known.pmu.model_dump(exclude_none=True, exclude_defaults=True)
    table |= {"event_counters": backing.counters.events} | ({"icntr": True} if backing.counters.icntr else {})
    rows.add("pmu", table, f"event_counters: dmesg, {backing.name}; the others {as_there}")
    rows.add("events", known.events, as_there)
    rows.add("confidence", {**known.confidence, "event_counters": "read"})
    rows.add("sources", {**known.sources, "event_counters": f"dmesg: hw perfevents: enabled with {backing.name}"})
    return rows


def _unknown_core(rows: Section, core: OwnCore, assumed: Assumed, notes: list[str]) -> Section:
    backing = core.pmu
    counters = backing.counters if backing else None
    pmuver, given = assumed.core(core.id, "pmuver"), assumed.core(core.id, "event_counters")
    like = assumed.core(core.id, "rates_like")
    rows.add("name", f"unknown core type, MIDR_EL1 {core.midr:#010x}")
    rows.add("rates_like", like, GIVEN)
    table, confidence, sources = {}, {}, {}
    if pmuver is not None:
        table["pmuver"], confidence["pmuver"], sources["pmuver"] = pmuver, "assumed", GIVEN
    if given is not None:
        table["event_counters"], confidence["event_counters"], sources["event_counters"] = given, "assumed", GIVEN
    elif counters is not None and backing is not None:
        table["event_counters"], confidence["event_counters"] = counters.events, "read"
        sources["event_counters"] = f"dmesg: hw perfevents: enabled with {backing.name}"
        table |= {"icntr": True} if counters.icntr else {}
    rows.add("pmu", table, ", ".join(f"{key}: {text}" for key, text in sources.items()))
    if backing is not None:
        by_number = {number: name for name, number in reversed(backing.events.items()) if number <= 0xFFFF}
        by_number |= HIDDEN if by_number else {}
        events = {_name(by_number[number]).upper(): number for number in sorted(by_number)}
        rows.add("events", events, f"{backing.source}/events; assumed: SW_INCR and CHAIN, which Linux does not show")
    rows.add("confidence", confidence)
    rows.add("sources", sources)
    said = {*table, *(["rates_like"] if like else [])}
    lacking = [key for key in ("pmuver", "event_counters", "rates_like") if key not in said]
    if lacking:
        known = " ".join(f"--assume {core.id}.{key}=VALUE" for key in lacking)
        notes.append(f"MIDR_EL1 {core.midr:#010x} ({core.id}) is no core type of hetpmu; if you know more: {known}")
    return rows


# --- clusters and clocks --------------------------------------------------------------------------------


def _clusters(
    board: Board, ids: dict[int, str], dmips: dict[int, int], states: dict[IdleState, str]
) -> Iterator[Section]:
    policy_of = {cpu: policy for policy in board.policies for cpu in policy.cpus}

    def key(cpu: CpuFacts) -> tuple[Any, ...]:
        policy = policy_of.get(cpu.number)
        shared = (cpu.cluster, ids[cpu.number], policy.number if policy else -1)
        return (*shared, dmips.get(cpu.number, 0), [states[row[:-1]] for row in _used_states(cpu, board.cpus)])

    rows = sorted(((key(cpu), cpu) for cpu in board.cpus), key=lambda row: row[0])
    groups = [[cpu for _, cpu in group] for _, group in groupby(rows, key=lambda row: row[0])]
    for number, group in enumerate(sorted(groups, key=lambda group: group[0].number)):
        yield _cluster(number, group, board, ids, dmips, states, policy_of.get(group[0].number))


def _cluster(
    number: int,
    group: Sequence[CpuFacts],
    board: Board,
    ids: dict[int, str],
    dmips: dict[int, int],
    states: dict[IdleState, str],
    policy: PolicyFacts | None,
) -> Section:
    first = group[0]
    rows = Section("[[cluster]]")
    rows.add("name", f"cluster{number}")
    rows.add("cpus", [cpu.number for cpu in group], f"sysfs: /sys/devices/system/cpu/cpu{first.number}/topology")
    rows.add("core", ids[first.number], first.core.source if first.core else "")
    rows.add("perf_domain", _domain_name(policy) if policy else None, policy.source if policy else "")
    rows.add("capacity_dmips_mhz", dmips.get(first.number), board.capacity_source)
    used = _used_states(first, board.cpus)
    rows.add("idle_states", [states[state[:-1]] for state in used], used[0].source if used else "")
    return rows


def _used_states(cpu: CpuFacts, cpus: Sequence[CpuFacts]) -> tuple[IdleFacts, ...]:
    """Return the idle states of a CPU; sysfs shows none of an offline one, so that those of its neighbours stand in."""
    if cpu.online or cpu.idle_states:
        return cpu.idle_states
    alike = [row for row in cpus if row.core and cpu.core and row.core.midr == cpu.core.midr and row.idle_states]
    return alike[0].idle_states if alike else ()


def _domain_name(policy: PolicyFacts) -> str:
    return f"policy{policy.number}"


def _perf_domain(policy: PolicyFacts) -> Section:
    opps = policy.opps
    rows = Section("[[perf_domain]]")
    rows.add("name", _domain_name(policy), policy.source)
    rows.add("khz", list(opps.khz), opps.source)
    if opps.microvolt is not None:
        rows.add("microvolt", list(opps.microvolt), opps.power_source)
    rows.add("dynamic_power_coefficient", opps.coefficient, opps.coefficient_source)
    rows.add("source", opps.source + (": the range only" if opps.only_range else ""))
    rows.add("confidence", "assumed" if opps.only_range else None)
    return rows


# --- the other tables -----------------------------------------------------------------------------------


def _pmus(board: Board) -> Iterator[Section]:
    for row in board.pmus:
        rows = Section("[[pmu]]")
        rows.add("name", row.name, f"type {row.type}")
        rows.add("cpus", list(row.cpus), f"{row.source}/cpus")
        rows.add("source", row.source)
        yield rows


def _idle_names(cpus: Sequence[CpuFacts]) -> dict[IdleState, str]:
    """Return a name of its own for each idle state that differs from the others."""
    names: dict[IdleState, str] = {}
    for state in (state for cpu in cpus for state in cpu.idle_states):
        if state[:-1] not in names:
            base = _name(state.name)
            tries = (base if number == 1 else f"{base}-{number}" for number in count(1))
            names[state[:-1]] = next(name for name in tries if name not in names.values())
    return names


def _idle_states(board: Board, states: dict[IdleState, str]) -> Iterator[Section]:
    first = {state[:-1]: state for cpu in reversed(board.cpus) for state in cpu.idle_states}
    for key, name in states.items():
        state = first[key]
        latency = ": the whole latency taken for the exit's, assumed" if state.source.startswith("sysfs") else ""
        rows = Section("[[idle_state]]")
        rows.add("name", name, state.source)
        rows.rows.append(("entry_us", state.entry_us, "assumed" if latency else state.source))
        rows.rows.append(("exit_us", state.exit_us, state.source + latency))
        rows.rows.append(("min_residency_us", state.min_residency_us, state.source.replace("/latency", "/residency")))
        yield rows


def _caches(board: Board) -> Iterator[Section]:
    for row in board.caches:
        rows = Section("[[cache]]")
        rows.add("level", row.level, row.source)
        rows.add("cpus", list(row.cpus), row.source)
        rows.add("size_bytes", row.size_bytes, row.source)
        yield rows


def _sources(board: Board) -> Section:
    rows = Section("[sources]")
    rows.add("soc", f"a copy of sysfs, read by hetpmu platforms --from-sysfs ({board.model or 'model unknown'})")
    if board.timer is not None:
        rows.add("cntfrq_hz", board.timer.source)
    return rows
