"""Laws 3, 4 and 5: what counters must show, counted anew from where vCPUs executed and what their guests wrote."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pmu.host import Host, HostPmu
from pmu.kvm import Vm
from pmu.policies import Policy
from tests.oracle import OracleStream
from tests.soak.guest_pmu import CYCLES, FIXED, INSTRUCTIONS, Facts, GuestPmu
from tests.soak.trial import Trial

KILO_NS = 1_000_000
CATEGORIES = ("counted", "disabled", "excluded_level", "no_event", "off_pmu")
V3P5 = 6


@dataclass(slots=True)
class Piece:
    """A stretch of one segment: how many cycles and ns, and the rates of its streams by event."""

    start: int
    khz: int
    rest: int
    rates: dict[int, int]
    level: int
    cpu: int

    def cycles(self, begin: int, end: int) -> int:
        """Return the whole cycles between two times."""
        done = [(self.rest + self.khz * (t - self.start)) // KILO_NS for t in (begin, end)]
        return done[1] - done[0]


class Streams:
    """The event streams of one vCPU that somebody asks for."""

    def __init__(self, timed: frozenset[int]) -> None:
        """Begin with nothing counted; ``timed``: events tied to time."""
        self.timed = timed
        self.streams: dict[int, OracleStream] = {}
        self.totals: defaultdict[int, int] = defaultdict(int)

    def peek(self, event: int, piece: Piece, begin: int, end: int) -> int:
        """Return the whole events between two times of a piece, from the state that the streams have at the first."""
        stream = self._take(event, piece)
        span = end - begin if stream.time_tied else piece.cycles(begin, end)
        return (stream.residual + stream.rate * span) >> 32

    def advance(self, events: Sequence[int], piece: Piece, begin: int, end: int) -> dict[int, int]:
        """Advance the streams and return the whole events of each."""
        gained = {}
        for event in events:
            gained[event] = self._take(event, piece).advance(piece.cycles(begin, end), end - begin)
            self.totals[event] += gained[event]
        return gained

    def _take(self, event: int, piece: Piece) -> OracleStream:
        stream = self.streams.setdefault(event, OracleStream(0, time_tied=event in self.timed))
        stream.rate = piece.rates.get(event, 0)
        return stream


class Recount:
    """One vCPU's run, followed from its segments, loads and writes."""

    def __init__(self, trial: Trial, vcpu: int) -> None:
        """Take the tables of the base run apart."""
        machine, tables = trial.base.machine, trial.tables
        self.events = machine.events
        timed = machine.host.state.time_tied
        self.streams = Streams(frozenset(e for e, tied in zip(self.events, timed, strict=True) if tied))
        rows = tables["segments"][tables["segments"]["vcpu"] == vcpu]
        cores = [cpu.core for cpu in machine.platform.cpus]
        self.pieces = [
            (int(row["end_ns"]), Piece(
                int(row["start_ns"]), int(row["khz"]), int(row["rest"]),
                self._rates(machine, int(row["phase"]), cores[row["cpu"]], int(row["khz"])),
                machine.phases[row["phase"]].level, int(row["cpu"]),
            ))
            for row in rows
        ]  # fmt: skip
        self.operations = list(_operations(tables, vcpu))
        self.at = self.now = 0

    def _rates(self, machine: Any, phase: int, core: str, khz: int) -> dict[int, int]:
        return dict(zip(self.events, map(int, machine.rates(phase, core, khz)), strict=True))

    def follow(self, pmus: Sequence[GuestPmu], always: Sequence[int], ended: int) -> Iterator[tuple[str, Any]]:
        """Do everything in order; yield ("read", (t, value)) and ("overflow", (t, policy, slot)).

        ``always``: the events whose streams are advanced.
        """
        for t, kind, *what in [*self.operations, (ended, "end")]:
            yield from self._until(t, pmus, always)
            for pmu in pmus:
                if kind == "load":
                    pmu.load(what[0])
                elif kind == "write":
                    pmu.write(*what)
            if kind == "read":
                yield "read", (t, what[0])

    def _until(self, t: int, pmus: Sequence[GuestPmu], always: Sequence[int]) -> Iterator[tuple[str, Any]]:
        """Execute up to a time."""
        while self.at < len(self.pieces):
            end, piece = self.pieces[self.at]
            begin, stop = max(piece.start, self.now), min(end, t)
            if begin >= stop:
                return
            yield from self._execute(pmus, always, piece, begin, stop)
            self.now = stop
            self.at += stop == end

    def _execute(
        self, pmus: Sequence[GuestPmu], always: Sequence[int], piece: Piece, begin: int, end: int
    ) -> Iterator[tuple[str, Any]]:
        while begin < end:
            stop = min((self._first(pmu, piece, begin, end) for pmu in pmus), default=end)
            gained = self.streams.advance(always, piece, begin, stop)
            for policy, pmu in enumerate(pmus):
                over = [slot for slot in pmu.slots if pmu.add(slot, piece.level, gained[pmu.stream_of(slot)])]
                for slot in over:
                    yield "overflow", (stop, policy, slot)
                    pmu.overflow(slot)
            begin = stop

    def _first(self, pmu: GuestPmu, piece: Piece, begin: int, end: int) -> int:
        """Return the first ns at which a sample period ends, or ``end``."""
        for slot in pmu.slots:
            room = pmu.room(slot, piece.level)
            event = pmu.stream_of(slot)
            if not room or self.streams.peek(event, piece, begin, end) < room:
                continue
            low = begin
            while end - low > 1:
                middle = (low + end) // 2
                low, end = (middle, end) if self.streams.peek(event, piece, begin, middle) < room else (low, middle)
        return end


def _operations(tables: dict[str, Any], vcpu: int) -> Iterator[tuple[Any, ...]]:
    """Yield the loads, writes and reads of a vCPU in order, each with its time."""
    found: list[tuple[tuple[int, ...], tuple[Any, ...]]] = []
    loads, writes, reads = tables["loads"], tables["writes"], tables["reads"]
    for number in np.flatnonzero(loads["vcpu"] == vcpu).tolist():
        t, _, cpu = loads[number].item()
        found.append(((t, number, 0, 0), (t, "load", cpu)))
    for number in np.flatnonzero(writes["vcpu"] == vcpu).tolist():
        t, _, before, register, value = writes[number].item()
        found.append(((t, before - 1, 1, number), (t, "write", str(register), value)))
    for number in np.flatnonzero(reads["vcpu"] == vcpu).tolist():
        t, _, value, _ = reads[number].item()
        found.append(((t, len(loads), 2, number), (t, "read", value)))
    return (operation for _, operation in sorted(found, key=lambda pair: pair[0]))


def recount(trial: Trial) -> None:
    """Laws 3, 4, 5: streams, ledgers, overflows and reads are those of an independent count."""
    for vcpu in trial.base.machine.host.vcpus:
        _recount_vcpu(trial, vcpu)


def _recount_vcpu(trial: Trial, vcpu: Any) -> None:
    machine, tables = trial.base.machine, trial.tables
    plan = machine.plans[vcpu.vm.number]
    moved = any(live.vm == vcpu.vm.number for live in trial.scenario.live_migrations)
    policies = {} if moved else dict(_policies(trial, vcpu, plan.policies))
    pmus = [GuestPmu(facts) for facts in policies.values()]
    walk = Recount(trial, vcpu.index)
    always = sorted(_streams(trial, walk, pmus))
    seen: list[tuple[int, int, int]] = []
    reads: list[tuple[int, int, int]] = []
    for kind, what in walk.follow(pmus, always, machine.host.now_ns):
        if kind == "overflow":
            seen.append(what)
        elif pmus:
            reads.append((*what, pmus[0].value(CYCLES)))
    _compare_streams(trial, walk, vcpu.index, always)
    numbers = list(policies)
    for place, number in enumerate(numbers):
        _compare_ledger(trial, pmus[place], vcpu.index, number)
        got = [(t, slot) for t, policy, slot in seen if policy == place and slot not in pmus[place].odd]
        if not pmus[place].facts.rearms:
            _compare_overflows(trial, pmus[place], vcpu.index, number, got)
    if 0 in policies:
        _compare_reads(trial, reads, tables["writes"][tables["writes"]["vcpu"] == vcpu.index])


def _streams(trial: Trial, walk: Recount, pmus: Sequence[GuestPmu]) -> set[int]:
    """Return the events of all streams that any counter is ever set to, and a few others."""
    written = [what[1] for _, kind, *what in walk.operations if kind == "write"]
    typed = {value & pmu.facts.event_mask for value in written for pmu in pmus}
    own = {pmu.event_of(slot) for pmu in pmus for slot in pmu.slots}
    some = {trial.dice.choice(walk.events) for _ in range(3)}
    return {0x11, 0x08} | own | some | typed


def _policies(trial: Trial, vcpu: Any, policies: Sequence[Policy]) -> Iterator[tuple[int, Facts]]:
    """Yield the policies of a vCPU that the model follows, with what it must know of them."""
    table = trial.tables["ledger"]
    for number, policy in enumerate(policies):
        kvm = vcpu.vm.kvms[number]
        rows = table[(table["vcpu"] == vcpu.index) & (table["policy"] == number)]
        if not kvm.has_pmu or kvm.mode.timed:
            continue
        if (rows["no_host_counter"] + rows["other"] + rows["filtered"]).any():
            trial.see("recounts left out: host counters ran out")
            continue
        yield number, _facts(trial, kvm, policy)


def _facts(trial: Trial, kvm: Vm, policy: Policy) -> Facts:
    host: Host = kvm.host
    cpus = {pmu.name: pmu.cpus for pmu in host.usable_pmus}
    name = policy.kernel

    def first(cpu: int) -> frozenset[int] | None:
        return next((pmu.cpus for pmu in host.usable_pmus if cpu in pmu.cpus), None)

    backing: HostPmu | None = kvm.pmu
    composite = "several events" in kvm.mode.name
    local = first if kvm.mode.local else (lambda cpu: cpus[backing.name] if backing else host.covered_cpus)
    return Facts(
        shown=kvm.nr_counters, wide=kvm.pmuver >= V3P5, type_mask=kvm.type_mask, event_mask=kvm.event_mask,
        res1=kvm.pmcr_res1, icntr=kvm.shows_icntr, quirks=trial.scenario.quirks and policy.revision.period_quirks,
        local=(lambda cpu: host.covered_cpus) if composite else local,
        follows=name in ("v4", "v6") or (kvm.mode.local and name in ("v8", "review", "what-if")),
        reloads="off" if name in ("v4", "v6") else "crossing" if kvm.mode.local else "",
        able=lambda event: any(pmu.native_event(event) is not None for pmu in host.usable_pmus),
        composite=composite, rearms=composite or policy.revision.rearms,
    )  # fmt: skip


def _compare_streams(trial: Trial, walk: Recount, vcpu: int, events: Sequence[int]) -> None:
    table = trial.tables["events"]
    for event in events:
        row = table[(table["vcpu"] == vcpu) & (table["event"] == event)]
        if len(row):
            total = int(row["total"][0])
            assert total == walk.streams.totals[event], (
                f"event {event:#x} of vCPU {vcpu}: {total}, recounted {walk.streams.totals[event]}"
            )
    trial.see("streams recounted", len(events))


def _compare_ledger(trial: Trial, pmu: GuestPmu, vcpu: int, policy: int) -> None:
    table = trial.tables["ledger"]
    rows = table[(table["vcpu"] == vcpu) & (table["policy"] == policy)]
    for slot in pmu.slots:
        if slot in pmu.odd:
            continue
        row = rows[rows["slot"] == slot][0]
        got = {name: int(row[name]) for name in CATEGORIES}
        want = {name: pmu.booked[slot][name] for name in CATEGORIES}
        assert got == want, f"ledger of vCPU {vcpu}, policy {policy}, counter {slot}: {got}, recounted {want}"
        trial.see("ledgers recounted")
        for name in CATEGORIES:
            trial.see(f"ledger: {name}", got[name] > 0)
        trial.see("instruction counters", slot == INSTRUCTIONS)
    assert not set(FIXED) & pmu.odd


def _compare_overflows(trial: Trial, pmu: GuestPmu, vcpu: int, policy: int, want: list[tuple[int, int]]) -> None:
    table = trial.tables["interrupts"]
    rows = table[(table["vcpu"] == vcpu) & (table["policy"] == policy)]
    got = [(int(row["t_ns"]), int(row["slot"])) for row in rows if int(row["slot"]) not in pmu.odd]
    assert sorted(got) == sorted(want), (
        f"overflows of vCPU {vcpu}, policy {policy}: {sorted(set(got) - set(want))[:3]} more, "
        f"{sorted(set(want) - set(got))[:3]} less than recounted"
    )
    trial.see("overflows recounted", len(got))


def _compare_reads(trial: Trial, reads: list[tuple[int, int, int]], writes: Any) -> None:
    """Compare each read of PMCCNTR_EL0, but those at the very time of a write, whose order is not known."""
    written = set(writes["t_ns"].tolist())
    for t, got, want in reads:
        if t not in written:
            assert got == want, f"PMCCNTR_EL0 read at {t} ns: {got:#x}, recounted {want:#x}"
            trial.see("reads recounted")
