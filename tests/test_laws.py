"""The laws of docs/design.md on whole simulations, over drawn scenarios.

Each law draws hosts with two PMUs, overcommit, guest writes, overflows, OPP changes, crossings and stalls; the last
test of the file fails unless the drawn examples together saw all of these.
"""

import dataclasses
from collections import Counter

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simcore.costs import COST_NAMES, Costs
from simcore.scenario import ALL_CAUSES, AffinityChange, BackgroundTask, OppChange
from tests.scenes import EXAMPLES, FREE, MS, Stage, scene
from workloads.actions import ReadReg, ReadTimer, Report, Run, Sleep, SpinUntil, WriteReg

SEEN: Counter = Counter()
LENGTH = 12 * MS
POLICIES = [
    ("default", "mainline"),
    ("default", "v6"),
    ("default-pinned:pmu_big", "mainline"),
    ("set-pmu:pmu_little", "mainline"),
    ("set-pmu-unpinned:pmu_big", "v8"),
    ("fixed-counters-only", "v6"),
    ("fixed-counters-only", "v8"),
]
LAWS = settings(
    max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

# A register that a drawn guest may write, and the values that matter there
COUNTER_VALUES = (0, 1, 0xFFFFF000, 0xFFFFFFFF, 0xFFFFFFF0, (1 << 63) - 1, (1 << 64) - 5000)
WRITES = st.one_of(
    st.tuples(st.sampled_from(["PMCCNTR_EL0", "PMEVCNTR0_EL0", "PMEVCNTR1_EL0"]), st.sampled_from(COUNTER_VALUES)),
    st.tuples(st.just("PMCCFILTR_EL0"), st.sampled_from([0, 1 << 31, 1 << 30])),
    st.tuples(st.just("PMEVTYPER0_EL0"), st.sampled_from([0x08, 0x11, 0x10, 0x24, 0x23, 1 << 31 | 0x08])),
    st.tuples(st.just("PMEVTYPER1_EL0"), st.sampled_from([0x1E, 0x11, 0x00])),
    st.tuples(st.sampled_from(["PMCNTENSET_EL0", "PMCNTENCLR_EL0"]), st.sampled_from([1, 2, 1 << 31, 0xFFFFFFFF])),
    st.tuples(st.just("PMCR_EL0"), st.sampled_from([0x41, 0x01, 0x40, 0x47])),
    st.tuples(st.just("PMSWINC_EL0"), st.just(3)),
)
STEPS = st.one_of(
    st.builds(lambda n, p: ("run", p, n), st.integers(1, 3_000_000), st.sampled_from([0, 1, 2])),
    st.builds(lambda ns: ("sleep", ns), st.integers(1, 2 * MS)),
    st.builds(lambda w: ("write", *w), WRITES),
    st.builds(lambda w: ("write", *w), WRITES),
    st.just(("read",)),
    st.builds(lambda ns: ("spin", ns), st.integers(1, MS)),
)
CHANGES = st.lists(
    st.builds(OppChange, st.integers(0, LENGTH), st.just(0), st.sampled_from([500_000, 1_000_000]))
    | st.builds(OppChange, st.integers(0, LENGTH), st.just(1), st.sampled_from([1_000_000, 2_000_000])),
    max_size=4,
)
COSTS = st.sampled_from([FREE, Costs(), Costs(**dict.fromkeys(COST_NAMES, 333))])


@st.composite
def programs(draw, vcpus):
    """What each vCPU does, in a loop: a list of steps."""
    return [draw(st.lists(STEPS, min_size=2, max_size=8)) for _ in range(vcpus)]


@st.composite
def scenarios(draw, among=tuple(POLICIES)):
    vcpus = draw(st.integers(1, 3))
    policy, kernel = draw(st.sampled_from(among))
    moves = st.builds(
        AffinityChange,
        st.integers(0, LENGTH),
        st.just(0),
        st.integers(0, vcpus - 1),
        st.sampled_from([(0,), (1,), (0, 1)]),
    )
    free = not policy.startswith(("set-pmu:", "default-pinned"))
    return scene(
        policy,
        kernel,
        vm={"vcpus": vcpus, "init_placement": draw(st.sampled_from(["uniform", "small", "large"])), "pin_delay_ns": MS}
        if free
        else {"vcpus": vcpus, "pin_delay_ns": MS},
        seconds_ns=LENGTH,
        seed=draw(st.integers(0, 1000)),
        background=draw(st.sampled_from([(), (BackgroundTask(400_000, 700_000),), (BackgroundTask(),) * 2])),
        opp_changes=tuple(draw(CHANGES)),
        affinity_changes=tuple(draw(st.lists(moves, max_size=4))) if free else (),
        causes=draw(st.sampled_from([ALL_CAUSES, frozenset({"affinity", "other"})])),
        costs=draw(COSTS),
        scheduler=draw(st.sampled_from(["eevdf", "random:300"])),
        sample_ns=draw(st.sampled_from([0, MS, 777_777])),
        busy_counters=draw(st.sampled_from([(), (("pmu_big", 4),), (("pmu_little", 7),)])),
    )


def guest_of(program, log=None, extra_reads=False):
    """Return the script of a drawn program; what it reads goes to ``log``."""

    def script(cpu):
        yield from boot()
        for _ in range(10_000):
            for step in program[cpu.vcpu]:
                yield from do(step, cpu, log)
                if extra_reads:
                    yield ReadReg("PMCCNTR_EL0")

    return script


def boot():
    for name, value in [
        ("PMINTENCLR_EL1", 0xFFFFFFFF), ("PMOVSCLR_EL0", 0xFFFFFFFF), ("PMCNTENCLR_EL0", 0xFFFFFFFF),
        ("PMEVTYPER0_EL0", 1 << 30 | 0x08), ("PMEVTYPER1_EL0", 0x1E), ("PMCCFILTR_EL0", 0),
        ("PMEVCNTR0_EL0", 0xFFFF0000), ("PMEVCNTR1_EL0", 0), ("PMCCNTR_EL0", 0xFFFFFFFFFFFF0000),
        ("PMINTENSET_EL1", 0x80000001), ("PMCNTENSET_EL0", 0x80000003), ("PMCR_EL0", 0x41),
    ]:  # fmt: skip
        yield WriteReg(name, value)
    yield Run(0, 1000)


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
        if log is not None:
            log.append((cpu.vcpu, value))


def handler(cpu):
    """Acknowledge every overflow, and note what it was."""
    mask = yield ReadReg("PMOVSCLR_EL0")
    if isinstance(mask, int):
        yield WriteReg("PMOVSCLR_EL0", mask)
        yield Report("overflow", mask)


def simulate(monkeypatch, scenario, program, **options):
    result = Stage(monkeypatch).run(scenario, guest_of(program, **options), handler)
    note(scenario, program, result)
    return result


def note(scenario, program, result):
    """Count what this example showed."""
    tables = result.tables
    SEEN["overcommit"] += scenario.vms[0].vcpus > 2 or bool(scenario.background)
    SEEN["guest writes"] += any(step[0] == "write" for steps in program for step in steps)
    SEEN["overflows"] += len(tables["interrupts"]) > 0
    SEEN["delivered interrupts"] += "overflow" in tables["reports"]["key"]
    SEEN["OPP changes"] += bool(scenario.opp_changes)
    SEEN["crossings"] += bool(tables["migrations"]["crossing"].any())
    SEEN["stalls"] += len(tables["stalls"]) > 0
    SEEN["two host PMUs"] += 1
    SEEN["no host counter"] += bool(tables["ledger"]["no_host_counter"].any())
    SEEN["excluded level"] += bool(tables["ledger"]["excluded_level"].any())


NOT_COMPARED = frozenset({"samples"})


@LAWS
@given(st.data(), st.sampled_from([1_000, 7_919, 50_000, 1_000_000]))
def test_tick(monkeypatch, data, tick):
    """Law 2: every tick length gives the same tables, samples included."""
    scenario = data.draw(scenarios())
    program = data.draw(programs(scenario.vms[0].vcpus))
    stepped = dataclasses.replace(scenario, tick_ns=tick)
    assert simulate(monkeypatch, scenario, program).digest() == simulate(monkeypatch, stepped, program).digest()


@LAWS
@given(st.data())
def test_repeat_and_sampling(monkeypatch, data):
    """Laws 6 and 7: the same again, and with other sampling, gives equal tables (but for the samples)."""
    scenario = data.draw(scenarios())
    program = data.draw(programs(scenario.vms[0].vcpus))
    first = simulate(monkeypatch, scenario, program)
    assert simulate(monkeypatch, scenario, program).digest() == first.digest()
    other = dataclasses.replace(scenario, sample_ns=data.draw(st.sampled_from([0, 10_007, 2 * MS])))
    assert simulate(monkeypatch, other, program).digest(NOT_COMPARED) == first.digest(NOT_COMPARED)


@LAWS
@given(st.data())
def test_shadows_change_nothing(monkeypatch, data):
    """Law 7: shadows leave the real policy's tables as they are."""
    scenario = data.draw(scenarios())
    program = data.draw(programs(scenario.vms[0].vcpus))
    plain = simulate(monkeypatch, scenario, program)
    watched = dataclasses.replace(
        scenario,
        vms=(dataclasses.replace(scenario.vms[0], shadows=("default@v6", "fixed-counters-only@v8")),),
    )
    shadowed = simulate(monkeypatch, watched, program)
    for name in ("migrations", "reads", "reports", "vcpus", "guests", "switches", "cpus"):
        assert np.array_equal(plain.tables[name], shadowed.tables[name]), name
    for name in ("ledger", "vpmus", "stalls", "samples", "interrupts"):
        rows = shadowed.tables[name]
        assert np.array_equal(plain.tables[name], rows[rows["policy"] == 0]), name


@LAWS
@given(st.data())
def test_ledger(monkeypatch, data):
    """Law 4: what the categories hold adds up to what happened: cycles by F(t), and equal counters agree."""
    scenario = data.draw(scenarios())
    program = data.draw(programs(scenario.vms[0].vcpus))
    tables = simulate(monkeypatch, scenario, program).tables
    ledger, vcpus = tables["ledger"], tables["vcpus"]
    names = ledger.dtype.names[4:]
    assert np.array_equal(sum(ledger[name] for name in names), ledger["events"])
    cycle = ledger[(ledger["slot"] == 31) & (ledger["policy"] == 0)]
    assert np.array_equal(cycle["events"], vcpus["guest_cycles"])
    assert not ledger["other"].any()


@LAWS
@given(st.data())
def test_continuity(monkeypatch, data):
    """Law 5: under fixed-counters-only PMCCNTR_EL0 counts every cycle while it is on, whatever moves."""
    scenario = data.draw(scenarios(POLICIES[-2:]))
    scenario = dataclasses.replace(scenario, busy_counters=())
    vcpus = scenario.vms[0].vcpus
    quiet = [
        [step for step in steps if step[0] != "write"] or [("run", 0, 5000)] for steps in data.draw(programs(vcpus))
    ]
    result = simulate(monkeypatch, scenario, quiet)
    reads = result.tables["reads"]
    for vcpu in range(vcpus):
        rows = reads[reads["vcpu"] == vcpu]
        gained = np.diff(rows["value"]).view(np.int64)
        assert np.array_equal(gained, np.diff(rows["guest_cycles"]).view(np.int64))
    assert not result.tables["stalls"].size
    lost = result.tables["ledger"][result.tables["ledger"]["slot"] == 31]
    assert not lost["off_pmu"].any()
    assert not lost["no_event"].any()


@LAWS
@given(st.data())
def test_shadow_equals_a_real_run(monkeypatch, data):
    """Law 8: with zero PMU costs and one affinity, a shadow's counters are those of a real run under its policy."""
    names = [("default", "mainline"), ("default", "v6"), ("fixed-counters-only", "v6"), ("fixed-counters-only", "v8")]
    scenario = data.draw(scenarios(names))
    free = dataclasses.replace(scenario.costs, event_create=0, event_release=0, event_enable=0)
    scenario = dataclasses.replace(scenario, costs=free)
    program = data.draw(programs(scenario.vms[0].vcpus))
    other, kernel = data.draw(st.sampled_from(names))
    vm = scenario.vms[0]
    shadow = dataclasses.replace(scenario, vms=(dataclasses.replace(vm, shadows=(f"{other}@{kernel}",)),))
    real = dataclasses.replace(scenario, vms=(dataclasses.replace(vm, policy=other, kernel=kernel),))

    def masked(cpu):
        return None

    def tables(of):
        return Stage(monkeypatch).run(of, guest_of(program), masked).tables

    seen, truth = tables(shadow), tables(real)
    for name in ("ledger", "samples", "stalls"):
        rows, want = seen[name][seen[name]["policy"] == 1].copy(), truth[name]
        rows["policy"] = 0
        assert np.array_equal(rows, want), name


@LAWS
@given(st.data())
def test_a_free_read_changes_nothing(monkeypatch, data):
    """Law 7: a guest read of zero cost changes no counter, no schedule, no outcome."""
    scenario = data.draw(scenarios())
    scenario = dataclasses.replace(scenario, costs=dataclasses.replace(scenario.costs, trap=0))
    program = data.draw(programs(scenario.vms[0].vcpus))
    plain = simulate(monkeypatch, scenario, program)
    reading = simulate(monkeypatch, scenario, program, extra_reads=True)
    assert plain.digest(frozenset({"reads"})) == reading.digest(frozenset({"reads"}))


WANTED = (
    "overcommit", "guest writes", "overflows", "delivered interrupts", "OPP changes", "crossings", "stalls",
    "two host PMUs", "no host counter", "excluded level",
)  # fmt: skip


def test_the_examples_saw_everything():
    missing = [name for name in WANTED if not SEEN[name]]
    assert not missing, f"the laws were tried without {missing}; seen: {dict(SEEN)}"
