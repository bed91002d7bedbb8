"""The laws of docs/design.md on whole simulations, over drawn scenarios.

Each law fails unless its own examples together saw everything in ``WANTED``, but for what it excludes by its nature.
That holds with few examples because each draws all of it: ``boot`` arms overflows and every vCPU's first steps execute
while the affinity of vCPU 0 takes it to either core.
"""

import dataclasses
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simcore.costs import COST_NAMES, Costs
from simcore.scenario import ALL_CAUSES, AffinityChange, BackgroundTask, OppChange
from simcore.table_history import HISTORY
from tests.scenes import EXAMPLES, FREE, MS, Stage, scene
from workloads.actions import ReadReg, ReadTimer, Report, Run, Sleep, SpinUntil, WriteReg

LENGTH = 14 * MS
PRELUDE = 7 * MS
ROUNDS = 200
"""How often a guest does its program: more than fill LENGTH, unless no step of it takes time."""
STALLING = (("default", "mainline"), ("default", "v6"))
FIXED = (("fixed-counters-only", "v6"), ("fixed-counters-only", "v8"))
EVERYWHERE = (("composite", "v1"), ("intersection", "what-if"))
COMPOSED, TIMED = ("composite", "v2"), ("scaled-time", "what-if")
OTHERS = (
    ("default-pinned:pmu_big", "mainline"),
    ("set-pmu:pmu_little", "mainline"),
    ("set-pmu-unpinned:pmu_big", "v8"),
    *FIXED,
    *EVERYWHERE,
    COMPOSED,
    TIMED,
)
WITHOUT_EVENT_COUNTERS = ("fixed-counters-only@v6", "fixed-counters-only@v8", "composite@v2", "scaled-time@what-if")
WANTED = (
    "two host PMUs", "overcommit", "guest writes", "overflows", "delivered interrupts", "OPP changes", "crossings",
    "stalls", "excluded level",
)  # fmt: skip
"""What DESIGN asks for, and that handlers ran and exception levels were excluded."""

# A register that a drawn guest may write, and the values that matter there
COUNTER_VALUES = (0, 1, 0xFFFFF000, 0xFFFFFFFF, 0xFFFFFFF0, (1 << 63) - 1, (1 << 64) - 5000)
CYCLE_VALUES = st.tuples(st.just("PMCCNTR_EL0"), st.sampled_from(COUNTER_VALUES))
VALUES = st.tuples(st.sampled_from(["PMEVCNTR0_EL0", "PMEVCNTR1_EL0"]), st.sampled_from(COUNTER_VALUES))
CLEARS = st.tuples(st.just("PMCR_EL0"), st.sampled_from([0x41, 0x45, 0x47]))
ENABLES = st.tuples(
    st.sampled_from(["PMCNTENSET_EL0", "PMCNTENCLR_EL0"]), st.sampled_from([1, 2, 0xC, 1 << 31, 0xFFFFFFFF])
)
CONTROLS = st.tuples(st.just("PMCR_EL0"), st.sampled_from([0x41, 0x01, 0x40, 0x47]))
FILTERS = st.tuples(st.just("PMCCFILTR_EL0"), st.sampled_from([0, 1 << 31, 1 << 30]))
SOFTWARE = st.tuples(st.just("PMSWINC_EL0"), st.just(3))
TYPES = st.one_of(
    st.tuples(st.just("PMEVTYPER0_EL0"), st.sampled_from([0x08, 0x11, 0x10, 0x24, 0x23, 1 << 31 | 0x08])),
    st.tuples(st.just("PMEVTYPER1_EL0"), st.sampled_from([0x1E, 0x11, 0x00])),
)
ANY_WRITE = st.one_of(CYCLE_VALUES, VALUES, ENABLES, CONTROLS, FILTERS, SOFTWARE, TYPES)
NO_RETYPING = st.one_of(CYCLE_VALUES, VALUES, ENABLES, CONTROLS, FILTERS, SOFTWARE)
CYCLES_STAY_ON = st.one_of(CYCLE_VALUES, CLEARS)

OPP_CHANGES = st.lists(
    st.builds(OppChange, st.integers(0, LENGTH), st.just(0), st.sampled_from([500_000, 1_000_000]))
    | st.builds(OppChange, st.integers(0, LENGTH), st.just(1), st.sampled_from([1_000_000, 2_000_000])),
    min_size=1,
    max_size=4,
)
COSTS = st.sampled_from([FREE, Costs(), Costs(**dict.fromkeys(COST_NAMES, 333))])
BACKGROUND = st.sampled_from([(BackgroundTask(400_000, 700_000),), (BackgroundTask(),) * 2])


@st.composite
def programs(draw, vcpus, writes):
    """What each vCPU does, in a loop: a list of steps, one of which writes a counter."""
    written = st.builds(lambda w: ("write", *w), writes)
    step = st.one_of(
        st.builds(lambda n, p: ("run", p, n), st.integers(1, 3_000_000), st.sampled_from([0, 1, 2])),
        st.builds(lambda ns: ("sleep", ns), st.integers(1, 2 * MS)),
        written,
        written,
        st.just(("read",)),
        st.builds(lambda ns: ("spin", ns), st.integers(1, MS)),
    )
    counter = st.builds(lambda w: ("write", *w), CYCLE_VALUES)
    return [[*draw(st.lists(step, min_size=2, max_size=8)), draw(counter)] for _ in range(vcpus)]


@st.composite
def moves(draw, vcpus):
    """Two changes that take vCPU 0 to either core while it executes its prelude, and up to two more."""
    there, back = draw(st.sampled_from([((0,), (1,)), ((1,), (0,))]))
    first = AffinityChange(draw(st.integers(0, MS)), 0, 0, there)
    second = AffinityChange(draw(st.integers(3 * MS, 4 * MS)), 0, 0, back)
    further = st.builds(
        AffinityChange,
        st.integers(PRELUDE, LENGTH),
        st.just(0),
        st.integers(0, vcpus - 1),
        st.sampled_from([(0,), (1,), (0, 1)]),
    )
    return (first, second, *draw(st.lists(further, max_size=2)))


@st.composite
def scenarios(draw, among):
    vcpus = draw(st.integers(2, 3))
    policy, kernel = draw(st.sampled_from(among))
    free = not policy.startswith(("set-pmu:", "default-pinned"))
    place = {"init_placement": draw(st.sampled_from(["uniform", "small", "large"]))} if free else {}
    return scene(
        policy,
        kernel,
        vm={"vcpus": vcpus, "pin_delay_ns": MS} | place,
        seconds_ns=LENGTH,
        hz=1000,
        seed=draw(st.integers(0, 1000)),
        background=draw(BACKGROUND),
        opp_changes=tuple(draw(OPP_CHANGES)),
        affinity_changes=draw(moves(vcpus)) if free else (),
        causes=draw(st.sampled_from([ALL_CAUSES, frozenset({"affinity", "other"})])),
        costs=draw(COSTS),
        scheduler=draw(st.sampled_from(["eas", "eevdf", "random:300"])),
        governor=draw(st.sampled_from(["schedutil", "performance"])),
        sample_ns=draw(st.sampled_from([0, MS, 777_777])),
        busy_counters=draw(st.sampled_from([(), (("pmu_big", 4),), (("pmu_little", 7),)])),
    )


def guest_of(program, log=None, extra_reads=False):
    """Return the script of a drawn program; what it reads and writes goes to ``log``."""

    def script(cpu):
        yield from boot()
        yield SpinUntil(2, PRELUDE)
        for _ in range(ROUNDS):
            for step in program[cpu.vcpu]:
                yield from do(step, cpu, log)
                if extra_reads:
                    yield from do(("read",), cpu, log)

    return script


def boot():
    """Arm the cycle counter (64 bits) and counter 0 (32); counters 2 and 3 are twins."""
    for name, value in [
        ("PMINTENCLR_EL1", 0xFFFFFFFF), ("PMOVSCLR_EL0", 0xFFFFFFFF), ("PMCNTENCLR_EL0", 0xFFFFFFFF),
        ("PMEVTYPER0_EL0", 1 << 30 | 0x08), ("PMEVTYPER1_EL0", 0x1E), ("PMEVTYPER2_EL0", 0x08),
        ("PMEVTYPER3_EL0", 0x08), ("PMCCFILTR_EL0", 0), ("PMEVCNTR0_EL0", 0xFFFF0000), ("PMEVCNTR1_EL0", 0),
        ("PMEVCNTR2_EL0", 7), ("PMEVCNTR3_EL0", 7), ("PMCCNTR_EL0", 0xFFFFFFFFFFFF0000),
        ("PMINTENSET_EL1", 0x80000001), ("PMCNTENSET_EL0", 0x8000000F), ("PMCR_EL0", 0x41),
    ]:  # fmt: skip
        yield WriteReg(name, value)
    yield Run(0, 1000)


BOOT_EVENTS = {0: 0x08, 2: 0x08, 3: 0x08, 31: 0x11}


def do(step, cpu, log):
    kind, *args = step
    if kind == "run":
        yield Run(*args)
    elif kind == "sleep":
        yield Sleep(*args)
    elif kind == "spin":
        now = yield ReadTimer()
        yield SpinUntil(1, now + args[0])
    elif kind == "write":
        yield WriteReg(*args)
    else:
        value = yield ReadReg("PMCCNTR_EL0")
        args = [value]
    if log is not None and kind in ("read", "write"):
        log.append((cpu.vcpu, kind, *args))


def handler(cpu):
    """Acknowledge every overflow, and note what it was."""
    mask = yield ReadReg("PMOVSCLR_EL0")
    if isinstance(mask, int):
        yield WriteReg("PMOVSCLR_EL0", mask)
        yield Report("overflow", mask)


def masked(cpu):
    return None


@dataclass
class Trial:
    """One example of a law: draws its scenario and program, runs it, and notes what it showed."""

    monkeypatch: pytest.MonkeyPatch
    data: st.DataObject
    policies: tuple
    seen: Counter

    def draw(self, strategy):
        return self.data.draw(strategy)

    def scenario(self, **changes):
        return dataclasses.replace(self.draw(scenarios(self.policies)), **changes)

    def program(self, scenario, writes=ANY_WRITE):
        return self.draw(programs(scenario.vms[0].vcpus, writes))

    def simulate(self, scenario, program, handled=handler, **options):
        result = Stage(self.monkeypatch).run(scenario, guest_of(program, **options), handled)
        self.note(scenario, program, result.tables)
        return result

    def note(self, scenario, program, tables):
        threads = scenario.vms[0].vcpus + len(scenario.background)
        showed = {
            "two host PMUs": (tables["cpus"]["busy_ns"] > 0).all(),
            "overcommit": threads > len(tables["cpus"]),
            "guest writes": any(step[0] == "write" for steps in program for step in steps),
            "overflows": len(tables["interrupts"]) > 0,
            "delivered interrupts": "overflow" in tables["reports"]["key"],
            "OPP changes": any(0 < change.time_ns < LENGTH for change in scenario.opp_changes),
            "crossings": tables["migrations"]["crossing"].any(),
            "stalls": (tables["stalls"]["policy"] == 0).any(),
            "excluded level": tables["ledger"]["excluded_level"].any(),
        }
        self.seen.update(name for name, shown in showed.items() if shown)


def examine(
    law: Callable[[Trial], None],
    monkeypatch: pytest.MonkeyPatch,
    groups: tuple = (STALLING, OTHERS),
    without: tuple[str, ...] = (),
) -> None:
    """Try a law on drawn examples of each group of policies; fail unless they saw all but ``without``."""
    seen: Counter[str] = Counter()
    for number, group in enumerate(groups):
        try_group(law, monkeypatch, group, seen, (EXAMPLES + 1 - number) // len(groups))
    missing = [name for name in WANTED if not seen[name] and name not in without]
    assert not missing, f"the law was tried without {missing}; seen: {dict(seen)}"
    excluded = [name for name in without if seen[name]]
    assert not excluded, f"the law was said to exclude {excluded}"


def try_group(law, monkeypatch, policies, seen, examples):
    @settings(max_examples=examples, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def tried(data):
        law(Trial(monkeypatch, data, policies, seen))

    tried()


TICKS = (1_000, 7_919, 50_000, 1_000_000)


def tick(trial):
    """Law 2: every tick length gives the same tables, samples included."""
    scenario = trial.scenario()
    program = trial.program(scenario)
    stepped = dataclasses.replace(scenario, tick_ns=trial.draw(st.sampled_from(TICKS)))
    assert trial.simulate(scenario, program).digest() == trial.simulate(stepped, program).digest()


NOT_COMPARED = frozenset({"samples", "pmu_work", *HISTORY})


def repeat_and_sampling(trial):
    """Laws 6 and 7: the same again, and with other sampling and a trace, gives equal tables (but for these)."""
    scenario = trial.scenario()
    program = trial.program(scenario)
    first = trial.simulate(scenario, program)
    assert trial.simulate(scenario, program).digest() == first.digest()
    other = dataclasses.replace(scenario, sample_ns=trial.draw(st.sampled_from([0, 10_007, 2 * MS])), trace=True)
    assert trial.simulate(other, program).digest(NOT_COMPARED) == first.digest(NOT_COMPARED)


def shadowed(scenario, *shadows):
    """Return the scenario with shadows of its one VM."""
    return dataclasses.replace(scenario, vms=(dataclasses.replace(scenario.vms[0], shadows=shadows),))


def shadows_change_nothing(trial):
    """Law 7: shadows leave the real policy's tables as they are."""
    scenario = trial.scenario()
    program = trial.program(scenario)
    plain = trial.simulate(scenario, program).tables
    watched = trial.simulate(shadowed(scenario, "default@v6", "fixed-counters-only@v8"), program).tables
    for name, rows in watched.items():
        real = rows[rows["policy"] == 0] if "policy" in rows.dtype.names else rows
        assert np.array_equal(plain[name], real), name


WATCHED = ("default@v6", "fixed-counters-only@v8", "set-pmu-unpinned:pmu_little@mainline")


def ledger(trial):
    """Law 4: the categories of each counter of each policy sum to the true events of its stream."""
    scenario = trial.scenario()
    scenario = shadowed(scenario, *WATCHED)
    tables = trial.simulate(scenario, trial.program(scenario, NO_RETYPING)).tables
    booked = tables["ledger"]
    names = booked.dtype.names[4:]
    assert np.array_equal(sum(booked[name] for name in names), booked["events"])
    assert not booked["other"].any()
    true = {(int(row["vcpu"]), int(row["event"])): int(row["total"]) for row in tables["events"]}
    policies = [f"{scenario.vms[0].policy}@{scenario.vms[0].kernel}", *WATCHED]
    for row in booked:
        vcpu, policy, slot = (int(row[name]) for name in ("vcpu", "policy", "slot"))
        shown = slot == 31 or policies[policy] not in WITHOUT_EVENT_COUNTERS
        if slot == 31 and policies[policy].startswith("scaled-time"):
            assert int(row["events"]) == int(tables["vcpus"]["guest_ns"][vcpu])
        elif slot in BOOT_EVENTS and shown:
            assert int(row["events"]) == true[vcpu, BOOT_EVENTS[slot]], (vcpu, policy, slot)
    for vcpu, cycles, instructions in tables["vcpus"][["vcpu", "guest_cycles", "instructions"]]:
        assert (true[vcpu, 0x11], true[vcpu, 0x08]) == (cycles, instructions)


def twins(trial):
    """Law 4: two counters of one event with the same filter and enables agree in everything, always."""
    scenario = shadowed(trial.scenario(busy_counters=(), sample_ns=333_333), *WATCHED)
    tables = trial.simulate(scenario, trial.program(scenario, NO_RETYPING)).tables
    one, other = (tables["ledger"][tables["ledger"]["slot"] == slot] for slot in (2, 3))
    for name in tables["ledger"].dtype.names[3:]:
        assert np.array_equal(one[name], other[name]), name
    values = tables["samples"]["counters"][tables["samples"]["t_ns"] > 0]
    assert np.array_equal(values[:, 2], values[:, 3])


def continuity(trial):
    """Law 5: backed by every host PMU, PMCCNTR_EL0 counts every cycle while it is on, whatever moves.

    Between two reads with no write in between it gains the true cycles; it goes back at a write or a wrap only.
    """
    scenario = trial.scenario(busy_counters=())
    program = trial.program(scenario, CYCLES_STAY_ON)
    log: list[tuple] = []
    tables = trial.simulate(scenario, program, log=log, extra_reads=True).tables
    for vcpu in range(scenario.vms[0].vcpus):
        rows = tables["reads"][tables["reads"]["vcpu"] == vcpu]
        own = [entry[1:] for entry in log if entry[0] == vcpu]
        assert_continuous(own, [int(n) for n in rows["value"]], [int(n) for n in rows["guest_cycles"]])
    cycle = tables["ledger"][tables["ledger"]["slot"] == 31]
    assert np.array_equal(cycle["counted"], tables["vcpus"]["guest_cycles"])


def assert_continuous(log, values, cycles):
    """Follow the reads and writes of one vCPU: what the counter must show, modulo 2**64."""
    base = -0x10000
    passed = at = 0
    for kind, *args in log:
        if kind == "read":
            passed = cycles[at]
            assert values[at] == args[0] == (base + passed) % (1 << 64)
            at += 1
        elif args[0] == "PMCCNTR_EL0":
            base = args[1] - passed_until(cycles, at)
        elif args[1] & 4:
            base = -passed_until(cycles, at)


def passed_until(cycles, at):
    """Return the true cycles at a write: those of the read that follows it at once."""
    return cycles[at] if at < len(cycles) else 0


SHADOW_LAW = (*STALLING, *FIXED, *EVERYWHERE, COMPOSED, TIMED)


def shadow_equals_a_real_run(trial):
    """Law 8: with zero PMU costs and one affinity, a shadow's counters are those of a real run under its policy."""
    scenario = trial.scenario()
    costs = dataclasses.replace(scenario.costs, event_create=0, event_release=0, event_enable=0)
    scenario = dataclasses.replace(scenario, costs=costs)
    program = trial.program(scenario)
    other, kernel = trial.draw(st.sampled_from(SHADOW_LAW))
    real = dataclasses.replace(scenario, vms=(dataclasses.replace(scenario.vms[0], policy=other, kernel=kernel),))
    seen = trial.simulate(shadowed(scenario, f"{other}@{kernel}"), program, masked).tables
    truth = trial.simulate(real, program, masked).tables
    for name in ("ledger", "samples", "stalls"):
        rows, want = seen[name][seen[name]["policy"] == 1].copy(), truth[name]
        rows["policy"] = 0
        assert np.array_equal(rows, want), name


def a_free_read_changes_nothing(trial):
    """Law 7: a guest read of zero cost changes no counter, no schedule, no outcome."""
    scenario = trial.scenario()
    scenario = dataclasses.replace(scenario, costs=dataclasses.replace(scenario.costs, trap=0))
    program = trial.program(scenario)
    plain = trial.simulate(scenario, program)
    reading = trial.simulate(scenario, program, extra_reads=True)
    assert plain.digest(frozenset({"reads"})) == reading.digest(frozenset({"reads"}))


LAWS = [
    # (law, groups of policies, what it excludes by its nature)
    (tick, (STALLING, OTHERS), ()),
    (repeat_and_sampling, (STALLING, OTHERS), ()),
    (shadows_change_nothing, (STALLING, OTHERS), ()),
    (ledger, (STALLING, OTHERS), ()),
    (twins, (STALLING, OTHERS), ()),
    # these never stall; the cycle counter's filter stays open
    (continuity, ((*FIXED, COMPOSED), EVERYWHERE), ("stalls",)),
    # a guest that reacts to its counters would not do the same under both policies
    (shadow_equals_a_real_run, (STALLING, FIXED), ("delivered interrupts",)),
    (a_free_read_changes_nothing, (STALLING, OTHERS), ()),
]


@pytest.mark.parametrize("law, groups, without", LAWS, ids=[row[0].__name__ for row in LAWS])
def test_law(monkeypatch, law, groups, without):
    examine(law, monkeypatch, groups, without)
