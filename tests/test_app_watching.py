"""Other policies on a schedule that was kept: equal, tick by tick, to shadows of the run and to runs under them."""

import dataclasses
from collections import Counter

import numpy as np
import pytest
from hypothesis import strategies as st

from pmu.register import MASK64
from simcore.app.running import run
from simcore.app.watching import watch
from simcore.costs import Costs
from simcore.errors import InputError
from simcore.scenario import AffinityChange, GuestSpec, LiveMigration, OppChange, Scenario, VmSpec
from tests import test_laws as laws
from tests.scenes import CYCLES_ON, FREE, MS, Run, Sleep, SpinUntil, Stage, WriteReg, count_and_spin, scene

POLICIES = ("default@v6", "fixed-counters-only@v8", "composite@v1")
OTHERS = ("set-pmu-unpinned:pmu_big@mainline", "intersection@what-if", "fixed-counters-only@v6", "composite@v2")
TIMED = "scaled-time@what-if"
MOVES = (AffinityChange(4 * MS, 0, 0, (1,)), AffinityChange(10 * MS, 0, 0, (0,)))


@pytest.fixture
def stage(monkeypatch):
    return Stage(monkeypatch)


def kept(policy="default", kernel="mainline", **changes):
    """4 ms on the LITTLE core at 1 GHz, 1 ms on the big one at 2 GHz, 5 ms there at 1 GHz, the rest as it began."""
    given = {"vm": {"init_placement": "small"}, "affinity_changes": MOVES, "schedule": True} | changes
    return scene(policy, kernel, opp_changes=(OppChange(5 * MS, 1, 1_000_000),), **given)


def rows_of(table, policy, columns):
    """Return the rows of one policy of a table, in the order of their keys, as this policy were number 0."""
    rows = table[table["policy"] == policy].copy()
    rows["policy"] = 0
    keys = [rows[name] for name in ("slot", "vcpu", "t_ns") if name in rows.dtype.names]
    return rows[list(columns)][np.lexsort(keys)]


def assert_equal(found, tables, policies, first=1):
    """Demand that what was watched equals the tables of a run, whose policy ``first`` is the first one watched."""
    for name in ("ledger", "interrupts", "samples"):
        seen = getattr(found, name)
        for policy in range(policies):
            want = rows_of(tables[name], first + policy, seen.dtype.names)
            assert np.array_equal(rows_of(seen, policy, seen.dtype.names), want), (name, policy)


def equals_shadows(trial):
    """Draw a run; it keeps the same schedule with shadows as without, which shows the same to the same policies."""
    step = trial.draw(st.sampled_from([MS, 777_777]))
    scenario = trial.scenario(schedule=True, sample_ns=step)
    vm = dataclasses.replace(scenario.vms[0], irqchip=trial.draw(st.sampled_from(["kernel", "user"])))
    scenario = dataclasses.replace(scenario, vms=(vm,))
    program = trial.program(scenario)
    policies = trial.draw(st.sampled_from([POLICIES, OTHERS]))
    shadowed = trial.simulate(laws.shadowed(scenario, *policies), program).tables
    plain = trial.simulate(scenario, program)
    for name in ("segments", "loads", "writes"):
        assert np.array_equal(plain.tables[name], shadowed[name]), name
    assert_equal(watch(plain, policies, step), shadowed, len(policies))


@pytest.mark.parametrize("examples", [1, pytest.param(8, marks=pytest.mark.slow)])
def test_the_same_as_shadows_of_the_run(monkeypatch, examples):
    """The first example alone shows all but a change of OPP, which every `kept` scene has."""
    seen: Counter[str] = Counter()
    laws.try_group(equals_shadows, monkeypatch, laws.STALLING, seen, examples)
    assert set(laws.WANTED) - ({"OPP changes"} if examples == 1 else set()) <= set(seen)


@pytest.mark.parametrize("policy", ["default@v6", "fixed-counters-only@v8", TIMED])
def test_the_same_as_a_real_run_under_that_policy(stage, policy):
    found = watch(stage.run(kept("intersection", "what-if"), count_and_spin), [policy], MS)
    name, _, kernel = policy.partition("@")
    assert_equal(found, stage.run(kept(name, kernel), count_and_spin).tables, 1, first=0)
    assert found.policies == (policy,)


def test_what_stalls_and_what_counts(stage):
    """In millions of cycles: 4 and 10 on the LITTLE core, 2 and 5 on the big one."""
    found = watch(stage.run(kept(), count_and_spin), ["default@mainline", "fixed-counters-only@v8"], 10 * MS)
    values = {(int(t) // MS, int(p)): int(v) // MS for t, p, v in found.samples[["t_ns", "policy", "pmccntr"]] if t}
    assert values == {(10, 0): 4, (10, 1): 11, (20, 0): 14, (20, 1): 21}
    cycle = found.ledger[found.ledger["slot"] == 31]
    assert (cycle["counted"] // MS).tolist() == [14, 21]
    assert (cycle["off_pmu"] // MS).tolist() == [7, 0]


def test_every_nanosecond_can_be_a_tick(stage):
    """At 1 GHz the counter shows each ns, and stands still from the first ns on the other core."""
    scenario = kept(seconds_ns=600, affinity_changes=(AffinityChange(400, 0, 0, (1,)),))
    found = watch(stage.run(scenario, count_and_spin), ["default@mainline"], 1)
    assert found.samples["pmccntr"][1:].tolist() == [*range(1, 401), *[400] * 200]


def test_a_real_guest_on_a_real_soc():
    """Windows on a real SoC with the costs of the host: as its shadows see it, whatever moves it."""
    guest = VmSpec(GuestSpec(name="windows", boot_ns=5 * MS), policy="fixed-counters-only", kernel="v8", vcpus=2)
    scenario = Scenario("rk3588", (guest,), 40 * MS, scheduler="random:300", sample_ns=MS, schedule=True)
    shadowed = run(laws.shadowed(scenario, *POLICIES)).tables
    assert_equal(watch(run(scenario), POLICIES, MS), shadowed, len(POLICIES))


def writing_64_bits(cpu):
    """Count instructions from a value that is wider than the counter, and sleep by turns on one pCPU."""
    yield WriteReg("PMEVTYPER0_EL0", 8)
    yield WriteReg("PMEVCNTR0_EL0", -5000 & MASK64)
    yield WriteReg("PMCNTENSET_EL0", 1)
    yield WriteReg("PMCR_EL0", 0x41)
    for _ in range(5):
        yield Sleep(MS // 2)
        yield Run(0, 100)


def test_a_counter_of_32_bits_is_sampled_as_the_guest_reads_it(stage):
    """KVM keeps all 64 bits until it folds the event into the register, at a load that the watcher need not repeat."""
    policies = ("default@v4", "fixed-counters-only@v4")
    plain = stage.run(kept(costs=FREE, affinity_changes=()), writing_64_bits)
    shadowed = stage.run(laws.shadowed(kept(costs=FREE, affinity_changes=()), *policies), writing_64_bits).tables
    assert_equal(watch(plain, policies, MS), shadowed, len(policies))
    first = shadowed["samples"]["counters"][:, 0]
    assert first.max() < 1 << 32
    assert first[-3] > (1 << 32) - 5000


def excluding(cpu):
    """Count at EL1 only, with the timer's cycles, and execute at both levels."""
    yield from CYCLES_ON
    yield WriteReg("PMCCFILTR_EL0", 1 << 30)
    while True:
        yield SpinUntil(0, 2 * MS)
        yield SpinUntil(1, 1 << 40)


def filtered_soon_full(cpu):
    """Count at EL1, where all is executed, up to an overflow; the last write takes time outside of the guest."""
    yield from CYCLES_ON
    yield WriteReg("PMINTENSET_EL1", 1 << 31)
    yield WriteReg("PMCCNTR_EL0", -3 * MS & MASK64)
    yield WriteReg("PMCCFILTR_EL0", 1 << 30)
    while True:
        yield SpinUntil(1, 1 << 40)


def test_an_overflow_of_one_policy_does_not_hasten_that_of_a_timed_counter(stage):
    """Cycles at 2 GHz overflow first; the timer's get the time outside with the next load or write, not then."""
    policies = ("fixed-counters-only@v8", TIMED)
    scenario = kept(*policies[0].split("@"), vm={"init_placement": "pmu_big"}, affinity_changes=(), costs=Costs())
    shadowed = stage.run(laws.shadowed(scenario, *policies), filtered_soon_full).tables
    times = [shadowed["interrupts"][shadowed["interrupts"]["policy"] == policy]["t_ns"][0] for policy in (1, 2)]
    assert times[0] < times[1] - MS
    assert_equal(watch(stage.run(scenario, filtered_soon_full), policies, MS), shadowed, len(policies))


def alternating(cpu):
    """Count at EL1 only, and execute at either level by turns, whatever moves the vCPU meanwhile."""
    yield from CYCLES_ON
    yield WriteReg("PMCCFILTR_EL0", 1 << 30)
    for turn in range(1, 27):
        yield SpinUntil(turn % 2, turn * 700_001)


def test_levels_by_turns_are_booked_as_shadows_book_them(stage):
    plain = stage.run(kept(costs=FREE), alternating)
    shadowed = stage.run(laws.shadowed(kept(costs=FREE), *POLICIES), alternating).tables
    found = watch(plain, POLICIES, MS)
    assert_equal(found, shadowed, len(POLICIES))
    cycle = found.ledger[found.ledger["slot"] == 31]
    assert (cycle["excluded_level"] > 8 * MS).all()


@pytest.mark.parametrize(
    "changes, policies, says",
    [
        ({"schedule": False}, POLICIES, "kept no schedule"),
        ({}, (), "no policy"),
        (
            {"live_migrations": (LiveMigration(5 * MS, "fixed-counters-only@v8", downtime_ns=MS),)},
            POLICIES,
            "live migration",
        ),
        ({}, ("nonsense",), "nonsense"),
        ({}, (TIMED,), "one exception level"),
    ],
)
def test_what_it_does_not_cover(stage, changes, policies, says):
    result = stage.run(kept(costs=FREE, **changes), excluding)
    with pytest.raises(InputError, match=says):
        watch(result, policies)


def test_too_many_samples_are_refused(stage):
    with pytest.raises(InputError, match="MiB"):
        watch(stage.run(kept(), count_and_spin), POLICIES, 1)
