"""Law 3 on the engine: an overflow is raised at the first ns at which the host event has counted its period.

Scene: 1 vCPU on the duo (LITTLE 1 GHz, big 2 GHz), zero costs; times follow from the frequencies alone.
"""

import dataclasses

import pytest

from scheduler import kernel_state as ks
from scheduler import layout
from simcore.app.recording import result_of
from simcore.scenario import AffinityChange, OppChange
from tests.scenes import FREE, MS, Report, Run, SpinUntil, Stage, WriteReg, scene
from workloads.actions import Halt, ReadReg, ReadTimer, Wake

BIG, LITTLE = {"init_placement": "large"}, {"init_placement": "small"}


def armed(start, control=0x01):
    """A guest that sets PMCCNTR_EL0, enables its interrupt and executes; control is PMCR_EL0."""

    def script(cpu):
        for name, value in [
            ("PMINTENCLR_EL1", 0xFFFFFFFF), ("PMOVSCLR_EL0", 0xFFFFFFFF), ("PMCNTENCLR_EL0", 0xFFFFFFFF),
            ("PMCR_EL0", control & ~1), ("PMCCFILTR_EL0", 0), ("PMCCNTR_EL0", start),
            ("PMINTENSET_EL1", 1 << 31), ("PMCNTENSET_EL0", 1 << 31), ("PMCR_EL0", control),
        ]:  # fmt: skip
            yield WriteReg(name, value)
        while True:
            yield SpinUntil(0, 1 << 40)

    return script


def handler(cpu):
    mask = yield ReadReg("PMOVSCLR_EL0")
    yield WriteReg("PMOVSCLR_EL0", mask)
    yield Report("irq", mask)


def times(stage, scenario, script):
    result = stage.run(scenario, script, handler)
    raised = [int(row["t_ns"]) for row in result.tables["interrupts"] if row["slot"] == 31]
    taken = [int(row["t_ns"]) for row in result.tables["reports"] if row["key"] == "irq"]
    return raised, taken


@pytest.fixture
def stage(monkeypatch):
    return Stage(monkeypatch)


@pytest.mark.parametrize("tick", [0, 1_000, 999])
def test_overflow_at_its_nanosecond_and_one_latency_later_in_the_guest(stage, tick):
    costs = dataclasses.replace(FREE, interrupt_latency=3_000)
    scenario = scene("default", vm=LITTLE, costs=costs, tick_ns=tick)
    raised, taken = times(stage, scenario, armed((1 << 32) - 1_234_567))
    assert raised == [1_234_567]
    assert taken == [1_237_567]


def test_two_cycles_a_nanosecond_round_up(stage):
    raised, _ = times(stage, scene("default", vm=BIG), armed((1 << 32) - 1_000_001))
    assert raised == [500_001]


def test_an_opp_change_moves_the_overflow(stage):
    """1 ms at 2 GHz, then 1 GHz: 3e6 cycles are done at 2 ms."""
    change = OppChange(1 * MS, 1, 1_000_000)
    raised, _ = times(stage, scene("default", vm=BIG, opp_changes=(change,)), armed((1 << 32) - 3_000_000))
    assert raised == [2 * MS]


@pytest.mark.parametrize("kernel", ["v6", "v8"])
def test_the_remaining_distance_crosses_with_the_vcpu(stage, kernel):
    """600 on the LITTLE core, 400 on the big one (kvm_findings 17): exactly 1000 counts."""
    moves = (AffinityChange(600_000, 0, 0, (1,)),)
    scenario = scene("fixed-counters-only", kernel, vm=LITTLE, affinity_changes=moves)
    raised, _ = times(stage, scenario, armed((1 << 32) - 1_000_000))
    assert raised == [600_000 + 200_000]


def test_no_overflow_off_the_pmu(stage):
    """The default PMU's event stands still on the other core and goes on when the vCPU is back."""
    moves = (AffinityChange(600_000, 0, 0, (1,)), AffinityChange(5 * MS, 0, 0, (0,)))
    raised, _ = times(stage, scene("default", vm=LITTLE, affinity_changes=moves), armed((1 << 32) - 1_000_000))
    assert raised == [5 * MS + 400_000]


def test_a_64_bit_cycle_counter_does_not_overflow_at_32(stage):
    raised, _ = times(stage, scene("default", vm=LITTLE), armed((1 << 32) - 1_000_000, control=0x41))
    assert raised == []


@pytest.mark.parametrize("quirks, expected", [(True, []), (False, [4_294_967_296])])
def test_a_counter_that_starts_at_zero_is_never_signalled_by_the_kernel(stage, quirks, expected):
    """kvm_findings 9: sample_period 0; the ideal rule overflows after 2**32 cycles."""
    scenario = scene("default", vm=LITTLE, quirks=quirks, seconds_ns=4_500 * MS, sample_ns=0)
    raised, _ = times(stage, scenario, armed(0))
    assert raised == expected


def test_the_kernels_second_period_is_the_negated_event_count(stage):
    """kvm_findings 10: from 2**32 - 10**6 the second overflow comes 2**32 - 10**6 counts after the first."""
    scenario = scene("default", vm=LITTLE, seconds_ns=4_500 * MS, sample_ns=0)
    raised, _ = times(stage, scenario, armed((1 << 32) - 1_000_000))
    assert raised == [1_000_000, 1 << 32]
    ideal = dataclasses.replace(scenario, quirks=False)
    raised, _ = times(stage, ideal, armed((1 << 32) - 1_000_000))
    assert raised == [1_000_000, (1 << 32) + 1_000_000]


def test_a_phase_ends_at_the_first_nanosecond_with_its_instructions(stage):
    """The end of a phase instance is exact to the ns; the overshoot belongs to it."""
    ends = []

    def script(cpu):
        for _ in range(50):
            yield Run(0, 12_345)
            ends.append((yield ReadTimer()))

    result = stage.run(scene("default", vm=LITTLE), script)
    rate = result_rate(stage)
    done = 0
    for n, end in enumerate(ends):
        need = 12_345 * (n + 1) + done
        assert (end * rate) >> 32 >= need > ((end - 1) * rate) >> 32
        done = ((end * rate) >> 32) - 12_345 * (n + 1)
    assert int(result.tables["vcpus"]["instructions"][0]) == (ends[-1] * rate) >> 32


def result_rate(stage):
    """Return instructions per ns (Q32.32) of the scene's phase on the 1 GHz core."""
    from simcore.loader import load_platform
    from tests.scenes import DUO
    from workloads.catalog import load_workload

    phase = load_workload("dhrystone", load_platform(DUO).core_types).phases[0]
    return phase.ipc_q32("little", 1_000_000)


def test_an_overflow_is_raised_before_a_preemption_at_the_same_nanosecond(monkeypatch):
    """CPU 0 wakes a heavy thread on CPU 1 at the very ns at which the counter of CPU 1's vCPU overflows."""
    at = 3 * MS
    body = armed((1 << 32) - 2 * at)

    def script(cpu):
        if cpu.vcpu == 1:
            yield from body(cpu)
        if cpu.vcpu == 2:
            yield Halt()
            yield SpinUntil(0, 1 << 40)
        yield SpinUntil(0, at)
        yield Wake(2)
        yield SpinUntil(0, 1 << 40)

    places = tuple(AffinityChange(0, 0, vcpu, (cpu,)) for vcpu, cpu in enumerate((0, 1, 1)))
    scenario = scene("fixed-counters-only", "v8", vm={"vcpus": 3}, affinity_changes=places, switches=True)
    stage = Stage(monkeypatch)
    machine = stage.machine(scenario, script, lambda cpu: None)
    machine.host.state.task[2, ks.WEIGHT] = layout.weight_of(-20)
    machine.run()
    tables = result_of(machine).tables
    assert (at, 1, 2) in tables["switches"][["t_ns", "cpu", "task"]].tolist(), "the heavy thread must preempt at once"
    assert [int(t) for t in tables["interrupts"]["t_ns"]] == [at]
