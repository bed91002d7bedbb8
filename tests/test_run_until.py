"""Work that the guest's timer interrupts: `RunUntil` ends at its time or when its instructions are retired."""

import pytest

from tests.scenes import MS, Report, Run, SpinUntil, Stage, WriteReg, scene
from workloads.actions import ReadTimer, RunUntil

FOREVER = 1 << 40
WORK = 3_000_000
ON_LITTLE = {"init_placement": "small"}
OVERFLOW_AT_HALF = (
    *(WriteReg(name, 0xFFFFFFFF) for name in ("PMINTENCLR_EL1", "PMOVSCLR_EL0", "PMCNTENCLR_EL0")),
    *(WriteReg("PMCCFILTR_EL0", 0), WriteReg("PMCCNTR_EL0", (1 << 32) - MS // 2), WriteReg("PMINTENSET_EL1", 1 << 31)),
    *(WriteReg("PMCNTENSET_EL0", 1 << 31), WriteReg("PMCR_EL0", 1)),
)
"""The cycle counter, at 1 GHz, interrupts after half a millisecond."""


@pytest.fixture
def stage(monkeypatch):
    return Stage(monkeypatch)


def reported(result, key):
    table = result.tables["reports"]
    return table["value"][table["key"] == key].tolist()


def note():
    yield Report("now", (yield ReadTimer()))


def in_pieces(*until):
    """Do WORK up to each of these times in ns, then to its end; note what is left and the time."""

    def script(cpu):
        left = WORK
        for ns in (*until, FOREVER):
            left = yield RunUntil(0, left, ns)  # the duo's timer ticks each ns
            yield Report("left", left)
            yield from note()

    return script


def whole(cpu):
    yield Run(0, WORK)
    yield from note()


def test_pieces_end_at_their_times_and_make_the_whole(stage):
    result = stage.run(scene(vm=ON_LITTLE), in_pieces(1 * MS, 2 * MS))
    left, now = reported(result, "left"), reported(result, "now")
    assert now[:2] == [1 * MS, 2 * MS]
    assert WORK > left[0] > left[1] > left[2] == 0
    assert [now[-1]] == reported(stage.run(scene(vm=ON_LITTLE), whole), "now")


def test_what_is_left_is_what_the_host_did_not_retire(stage):
    def script(cpu):
        yield Report("left", (yield RunUntil(0, WORK, MS)))

    result = stage.run(scene(vm=ON_LITTLE), script)
    assert reported(result, "left") == [WORK - int(result.tables["vcpus"]["instructions"][0])]


def test_a_time_that_is_over_does_nothing(stage):
    assert (
        reported(stage.run(scene(vm=ON_LITTLE), in_pieces(MS, MS, MS - 1)), "left")[:3]
        == [reported(stage.run(scene(vm=ON_LITTLE), in_pieces(MS)), "left")[0]] * 3
    )


def test_what_an_interrupt_handler_retires_is_not_the_work(stage):
    """The cycle counter overflows at 0.5 ms; the handler retires 1000 instructions of the kernel's phase."""

    def script(cpu):
        yield from OVERFLOW_AT_HALF
        yield Report("left", (yield RunUntil(0, WORK, MS)))

    def handler(cpu):
        yield WriteReg("PMOVSCLR_EL0", 1 << 31)
        yield WriteReg("PMCR_EL0", 0)
        yield Run(1, 1000)
        yield Report("handled", 1)

    result = stage.run(scene(vm=ON_LITTLE, seconds_ns=2 * MS), script, handler)
    retired = int(result.tables["vcpus"]["instructions"][0])
    assert reported(result, "handled") == [1]
    assert reported(result, "left") == [WORK - (retired - 1000)]


def test_an_interrupt_that_outlasts_the_time_ends_the_work(stage):
    def script(cpu):
        yield from OVERFLOW_AT_HALF
        left = yield RunUntil(0, WORK, MS)
        yield Report("left", left)
        yield from note()

    def handler(cpu):
        yield WriteReg("PMOVSCLR_EL0", 1 << 31)
        yield WriteReg("PMCR_EL0", 0)
        yield SpinUntil(1, 2 * MS)

    result = stage.run(scene(vm=ON_LITTLE), script, handler)
    short = stage.run(scene(vm=ON_LITTLE), in_pieces(MS // 2))
    assert abs(reported(result, "left")[0] - reported(short, "left")[0]) < 20  # an interrupt latency of 1 ns
    assert reported(result, "now") == [2 * MS]
