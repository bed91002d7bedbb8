"""A script is what its rows say one by one: same tables, with levels that change, interrupts and IPIs in between."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simcore.draws import below, uniform
from tests.scenes import EXAMPLES, FREE, MS, Stage, WriteReg, scene
from workloads.actions import HALT, RUN, SLEEP, SPIN, WAKE, ReadReg, Script, singles

CYCLES = 1 << 31
PERIOD = 40_000
NOT_EL0, NOT_EL1 = 1 << 30, 1 << 31

KERNEL_AND_USER = st.integers(0, 2)
ROW = st.one_of(
    st.tuples(st.just(RUN), KERNEL_AND_USER, st.integers(1, 60_000)),
    st.tuples(st.just(SPIN), KERNEL_AND_USER, st.integers(0, 400_000)),
    st.tuples(st.just(SLEEP), st.integers(0, 1), st.integers(1, 90_000)),
    st.tuples(st.just(WAKE), st.just(1), st.just(0)),
)


def arm():
    """Let the cycle counter overflow PERIOD cycles from now."""
    return WriteReg("PMCCNTR_EL0", (1 << 32) - PERIOD)


def guest(rows, as_script, levels=0):
    """A guest whose vCPU 0 does the rows, with an overflow every PERIOD cycles, and whose vCPU 1 works when woken."""
    mine, other = (Script(np.array(part, np.int64)) for part in (rows, [(HALT, 0, 0), (RUN, 2, 30_000)] * 3))

    def program(cpu):
        yield from (WriteReg(name, 0xFFFFFFFF) for name in ("PMINTENCLR_EL1", "PMOVSCLR_EL0", "PMCNTENCLR_EL0"))
        yield from (WriteReg("PMCCFILTR_EL0", levels), arm(), WriteReg("PMINTENSET_EL1", CYCLES))
        yield from (WriteReg("PMCNTENSET_EL0", CYCLES), WriteReg("PMCR_EL0", 1))
        script = other if cpu.vcpu else mine
        yield from [script] if as_script else singles(script)
        yield ReadReg("PMCCNTR_EL0")

    return program


def handler(cpu):
    """Acknowledge, work for a while as a script, re-arm."""
    yield WriteReg("PMOVSCLR_EL0", CYCLES)
    yield Script(np.array([(RUN, 1, 500), (RUN, 2, 700)], np.int64))
    yield arm()


def tables(stage, rows, as_script, levels=0):
    costs = dataclasses.replace(FREE, wfi=700, interrupt_latency=900, context_switch=300)
    question = scene(policy="fixed-counters-only", kernel="v8", vm={"vcpus": 2}, costs=costs, seconds_ns=3 * MS)
    return stage.run(dataclasses.replace(question, switches=True), guest(rows, as_script, levels), handler).tables


@settings(max_examples=EXAMPLES, deadline=None)
@given(rows=st.lists(ROW, min_size=12, max_size=40), levels=st.sampled_from((0, NOT_EL0, NOT_EL1)))
def test_a_script_is_its_rows_one_by_one(rows, levels):
    with pytest.MonkeyPatch.context() as monkeypatch:
        stage = Stage(monkeypatch)
        together, apart = (tables(stage, rows, as_script, levels) for as_script in (True, False))
    for name, table in apart.items():
        np.testing.assert_array_equal(together[name], table, name)


def test_a_script_may_be_longer_than_the_host_takes_at_once(monkeypatch):
    rows = [(RUN, 0, 3_000), (SLEEP, 0, 200)] * 300
    together, apart = (tables(Stage(monkeypatch), rows, as_script) for as_script in (True, False))
    assert len(together["interrupts"]) > 3
    for name, table in apart.items():
        np.testing.assert_array_equal(together[name], table, name)


@given(limit=st.integers(1, 1 << 40), first=st.integers(0, 1 << 40), number=st.integers(0, 9), seed=st.integers(0, 99))
def test_many_draws_are_the_single_ones(limit, first, number, seed):
    many = uniform(limit, seed, "vm0 vcpu1", "sleep", first, number)
    assert many.tolist() == [below(limit, seed, "vm0 vcpu1", "sleep", first + n) for n in range(number)]
