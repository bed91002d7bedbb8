"""Work that a timer interrupts, the truth about events, and the record of samples, hand-computed on the duo."""

import dataclasses

import pytest

from simcore.scenario import AffinityChange, LiveMigration
from tests.scenes import CYCLES_ON, FREE, MS, Report, Run, Sleep, Stage, WriteReg, scene
from workloads.actions import ReadTimer, RunUntil, Sample, StartSampling, Truth
from workloads.actions import SpinUntil as Spin

LITTLE = {"init_placement": "small"}
WORK = 1_000_000
FOREVER = 1 << 40


@pytest.fixture
def stage(monkeypatch):
    return Stage(monkeypatch)


def told(result):
    return [(str(row["key"]), int(row["value"])) for row in result.tables["reports"]]


def say(key, action):
    answer = yield action
    yield Report(key, answer)
    return answer


def test_work_in_pieces_ends_when_work_in_one_piece_does(stage):
    """Pieces of 0.1 ms; the interruption of a phase instance leaves its instructions and its residual alone."""

    def pieces(cpu):
        left, now = WORK, 0
        while left:
            now += 100_000
            left = yield RunUntil(0, left, now)
        yield from say("end", ReadTimer())
        yield Spin(0, FOREVER)

    def whole(cpu):
        yield Run(0, WORK)
        yield from say("end", ReadTimer())
        yield Spin(0, FOREVER)

    ends = [told(stage.run(scene(vm=LITTLE), script)) for script in (pieces, whole)]
    assert ends[0] == ends[1]
    assert 1_000_000 < ends[0][0][1] < 1_100_000


def test_what_is_left_is_what_was_not_retired(stage):
    def script(cpu):
        left = yield from say("left", RunUntil(0, WORK, MS // 2))
        yield from say("now", ReadTimer())
        yield from say("retired", Truth(0x08))
        yield from say("at once", RunUntil(0, left, MS // 2))
        yield from say("nothing", RunUntil(0, 0, MS))
        yield from say("to the end", RunUntil(0, left, 10 * MS))
        yield Spin(0, FOREVER)

    found = dict(told(stage.run(scene(vm=LITTLE), script)))
    assert found["now"] == MS // 2
    assert found["left"] + found["retired"] == WORK
    assert found["at once"] == found["left"] > WORK // 2
    assert (found["nothing"], found["to the end"]) == (0, 0)


@pytest.mark.parametrize("length_ns", [10_000, 300_000])
def test_a_handler_in_the_middle_does_not_lengthen_it(stage, length_ns):
    """The overflow comes at 0.3 ms; a handler of 0.3 ms ends after the timer's time, which is then noticed at once."""

    def script(cpu):
        yield from CYCLES_ON
        yield WriteReg("PMCCNTR_EL0", (1 << 64) - 300_000)
        yield WriteReg("PMINTENSET_EL1", 1 << 31)
        left = yield from say("left", RunUntil(0, WORK, MS // 2))
        yield from say("now", ReadTimer())
        yield from say("left", RunUntil(0, left, 10 * MS))
        yield Spin(0, FOREVER)

    def handler(cpu):
        now = yield from say("in", ReadTimer())
        yield WriteReg("PMOVSCLR_EL0", 1 << 31)
        yield Spin(1, now + length_ns)

    result = stage.run(scene(vm=LITTLE, costs=dataclasses.replace(FREE, interrupt_latency=1_000)), script, handler)
    (_, started), (_, left), (_, now), (_, rest) = told(result)
    assert started == 301_000
    assert now == max(MS // 2, 301_000 + length_ns)
    executed = min(MS // 2, now) - (length_ns if length_ns < 100_000 else MS // 2 - started)
    assert WORK - left == pytest.approx(executed / 1.0459, rel=0.01)  # cycles per instruction of dhrystone
    assert rest == 0


def test_truth_goes_on_where_the_counter_stands_still(stage):
    """10 ms on the LITTLE core whose PMU counts, 5 ms of 2 GHz where it does not. An event of no phase is 0."""

    def script(cpu):
        yield from CYCLES_ON
        yield Spin(0, 15 * MS)
        yield from say("cycles", Truth(0x11))
        yield from say("none", Truth(0xC0))
        yield Spin(0, FOREVER)

    result = stage.run(scene(vm=LITTLE, affinity_changes=(AffinityChange(10 * MS, 0, 0, (1,)),)), script)
    assert told(result) == [("cycles", 20 * MS), ("none", 0)]


def test_samples_and_residence_are_recorded_by_host_pmu(stage):
    """2 ms before sampling; then 8 ms on the LITTLE core, one of them asleep, 5 ms on the big one, and back for 5."""

    def script(cpu):
        yield Spin(0, 2 * MS)
        yield StartSampling()
        yield Sample(0x11, 7, 3)
        yield Sleep(MS)
        yield Spin(0, 12 * MS)
        yield Sample(0x08, 5, 0)
        yield Spin(0, FOREVER)

    moves = (AffinityChange(10 * MS, 0, 0, (1,)), AffinityChange(15 * MS, 0, 0, (0,)))
    result = stage.run(scene(vm=LITTLE, affinity_changes=moves), script)
    assert result.summary["host_pmus"] == ["pmu_little", "pmu_big"]
    assert result.tables["perf_samples"].tolist() == [(2 * MS, 0, 0, 0, 0x11, 7, 3), (12 * MS, 0, 1, 1, 0x08, 5, 0)]
    assert sorted(result.tables["residence"].tolist()) == [(0, 0, 12 * MS, 12 * MS), (0, 1, 5 * MS, 10 * MS)]


@pytest.mark.parametrize("policy, kernel", [("default", "mainline"), ("fixed-counters-only", "v6")])
def test_residence_adds_up_to_the_vcpus_time_and_cycles(stage, policy, kernel):
    """v6 asks at every load, also on the same host PMU."""
    moves = tuple(AffinityChange(ms * MS, 0, 0, (ms % 2,)) for ms in range(1, 20))

    def script(cpu):
        while True:
            yield Run(0, 300_000)
            yield Sleep(100_000)

    result = stage.run(scene(policy, kernel, vm=LITTLE, affinity_changes=moves), script)
    residence, vcpu = result.tables["residence"], result.tables["vcpus"][0]
    assert int(residence["guest_ns"].sum()) == int(vcpu["guest_ns"])
    assert int(residence["guest_cycles"].sum()) == int(vcpu["guest_cycles"])
    assert len(residence) == 2


def test_residence_before_a_live_migration_stays_where_it_was(stage):
    """10 ms on the LITTLE core, 1 ms nowhere, in which its thread goes to the big one, and there until 20 ms."""

    def script(cpu):
        yield Spin(0, FOREVER)

    result = stage.run(
        scene(
            vm=LITTLE,
            live_migrations=(LiveMigration(10 * MS, "default", downtime_ns=MS),),
            affinity_changes=(AffinityChange(10 * MS + MS // 2, 0, 0, (1,)),),
        ),
        script,
    )
    assert sorted(result.tables["residence"].tolist()) == [(0, 0, 10 * MS, 10 * MS), (0, 1, 9 * MS, 18 * MS)]
