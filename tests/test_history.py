"""What the host did, row by row (`trace = true`), against scenes computed by hand; that nothing else changes is a law.

Scene: the duo (pCPU 0 LITTLE at 1 GHz, pCPU 1 big at 2 GHz; the architected timer shows ns), no background, no costs
but those that a test names.
"""

import dataclasses

import numpy as np
import pytest

from simcore.scenario import AffinityChange, BackgroundTask, OppChange
from simcore.table_history import HISTORY
from tests.scenes import FREE, MS, ReadReg, Sleep, SpinUntil, Stage, scene
from workloads.actions import WAKE, Halt, Script, Wake

FOREVER = 1 << 40
LITTLE = {"init_placement": "small"}
NOBODY = -1
COSTS = dataclasses.replace(FREE, context_switch=2_000, wfi=3_000, trap=1_500)


@pytest.fixture
def stage(monkeypatch):
    return Stage(monkeypatch)


def spin(cpu):
    yield SpinUntil(0, FOREVER)


def rows(result, name, *columns):
    """Return rows of a table without their place among all, or those columns only."""
    table = result.tables[name]
    return table[list(columns or table.dtype.names[:-1])].tolist()


def test_a_vcpu_that_waits_and_reads_registers(stage):
    """It spins to 1 ms, waits for 2 ms, spins to 5 ms, reads a register, executes on, and is moved at 7 ms."""

    def script(cpu):
        yield SpinUntil(0, MS)
        yield Sleep(2 * MS)
        yield SpinUntil(0, 5 * MS)
        yield ReadReg("PMCCNTR_EL0")
        yield SpinUntil(0, FOREVER)

    moved = (AffinityChange(7 * MS, 0, 0, (1,)),)
    staged = scene(vm=LITTLE, costs=COSTS, trace=True, seconds_ns=8 * MS, affinity_changes=moved)
    result = stage.run(staged, script)
    assert rows(result, "switches")[:3] == [(0, 0, 0, NOBODY), (MS, 0, NOBODY, 1), (3 * MS, 0, 0, NOBODY)]
    assert rows(result, "wakings") == [(0, 0, 0, NOBODY, 0, 1), (3 * MS, 0, 0, NOBODY, 0, 0)]
    assert rows(result, "entries", "t_ns", "enter", "reason") == [
        (2_000, 1, -1),
        (MS, 0, 2),
        (3 * MS + 5_000, 1, -1),
        (5 * MS, 0, 3),
        (5 * MS + 1_500, 1, -1),
        (7 * MS, 0, 1),
        (7 * MS + 2_000, 1, -1),
    ]
    assert rows(result, "frequencies") == [(0, 0, 1_000_000), (0, 1, 2_000_000)]
    assert result.tables["vcpus"]["guest_ns"].tolist() == [8 * MS - 2_000 - 2 * MS - 5_000 - 1_500 - 2_000]


def test_a_vcpu_that_is_moved_leaves_its_guest_before_its_pcpu(stage):
    changes = (AffinityChange(3 * MS, 0, 0, (1,)),)
    moving = scene(vm=LITTLE, affinity_changes=changes, trace=True, seconds_ns=5 * MS)
    result = stage.run(moving, spin)
    assert rows(result, "moves") == [(3 * MS, 0, 0, 1, 3)]
    assert rows(result, "entries") == [(0, 0, 0, 1, -1), (3 * MS, 0, 0, 0, 1), (3 * MS, 0, 1, 1, -1)]
    assert sorted(rows(result, "switches")) == [(0, 0, 0, NOBODY), (3 * MS, 0, NOBODY, 0), (3 * MS, 1, 0, NOBODY)]
    move, leaves, enters = (result.tables[name]["order"] for name in ("moves", "entries", "switches"))
    assert move[0] < leaves[1] < enters[1], "moved, out of the guest, off the pCPU"
    assert leaves[2] > enters[1:].max() or leaves[2] > result.tables["switches"]["order"][1]


@pytest.mark.parametrize("wakes", [Wake(1), Script(np.array([(WAKE, 1, 0)]))])
def test_who_wakes_whom_and_who_preempts_whom(stage, wakes):
    """vCPU 0 wakes vCPU 1 on the big core; a FIFO thread takes pCPU 0 for its burst, work of the big core."""

    def script(cpu):
        if cpu.vcpu == 1:
            yield Halt()
        else:
            yield SpinUntil(0, MS // 2)
            yield wakes
        yield SpinUntil(0, FOREVER)

    places = tuple(AffinityChange(0, 0, vcpu, (vcpu,)) for vcpu in (0, 1))
    fifo = BackgroundTask(burst_ns=MS, sleep_ns=3 * MS, cpus=(0,), policy="fifo", priority=50)
    result = stage.run(scene(vm={"vcpus": 2}, background=(fifo,), affinity_changes=places, trace=True), script)
    assert (MS // 2, 1, 1, 0, 0, 0) in rows(result, "wakings"), "vCPU 1 goes to pCPU 1, woken by vCPU 0 on pCPU 0"
    woken = [row for row in rows(result, "wakings") if row[1] == 2]
    assert [(cpu, by, new) for _, _, cpu, by, _, new in woken] == [(0, NOBODY, 0)] * len(woken)
    for t_ns, *_ in woken:
        assert (t_ns, 0, 2, 0) in rows(result, "switches"), "it preempts vCPU 0"
        assert (t_ns, 0, 0, 0, 1) in rows(result, "entries"), "which leaves its guest"
        if t_ns < 18 * MS:
            back = min(t for t, cpu, task, state in rows(result, "switches") if t > t_ns and (cpu, task) == (0, 0))
            assert (back, 0, 0, 1) in rows(result, "switches"), "then the FIFO thread blocks"
            assert (back, 0, 0, 1, -1) in rows(result, "entries")


def test_frequencies_are_changes_only(stage):
    changes = (OppChange(2 * MS, 0, 500_000), OppChange(3 * MS, 0, 500_000), OppChange(4 * MS, 1, 1_000_000))
    result = stage.run(scene(vm=LITTLE, opp_changes=changes, trace=True), spin)
    assert rows(result, "frequencies") == [
        (0, 0, 1_000_000),
        (0, 1, 2_000_000),
        (2 * MS, 0, 500_000),
        (4 * MS, 1, 1_000_000),
    ]
    assert len(result.tables["entries"]) == 1, "a vCPU goes on in its guest at another frequency"


def test_a_vm_that_dies_ends_its_threads(stage):
    def script(cpu):
        yield SpinUntil(0, MS)

    result = stage.run(scene(vm=LITTLE, trace=True, seconds_ns=2 * MS), script)
    assert rows(result, "switches")[-1] == (MS, 0, NOBODY, 2)


def test_all_is_in_one_order_and_nothing_without_being_asked(stage):
    def script(cpu):
        while True:
            yield SpinUntil(0, FOREVER) if cpu.vcpu else Sleep(100_000)

    two = scene(vm=LITTLE | {"vcpus": 2}, causes=frozenset({"wakeup", "balance", "misfit"}))
    kept = stage.run(dataclasses.replace(two, trace=True), script).tables
    order = sorted((int(row["order"]), int(row["t_ns"])) for name in HISTORY for row in kept[name])
    assert [place for place, _ in order] == list(range(len(order)))
    assert [t_ns for _, t_ns in order] == sorted(t_ns for _, t_ns in order)
    assert not any(len(stage.run(two, script).tables[name]) for name in HISTORY)
    only = stage.run(dataclasses.replace(two, switches=True), script).tables
    assert [name for name in HISTORY if len(only[name])] == ["switches"]
    assert only["switches"][["t_ns", "cpu", "task"]].tolist() == kept["switches"][["t_ns", "cpu", "task"]].tolist()
