"""The guest's PMU interrupt, hand-computed: level-triggered, masked while its handler runs, and what ends a WFI.

Scene: one vCPU on the duo's LITTLE core (1 GHz: one cycle a ns), zero costs but the interrupt latency.
"""

import dataclasses

import pytest

from tests.scenes import FREE, MS, Report, Run, Sleep, SpinUntil, Stage, WriteReg, scene
from workloads.actions import Halt, ReadReg, ReadTimer

FOREVER = 1 << 40
BIT = 1 << 31
LATENCY = 50_000
FIRST = 1_000_000
"""The first overflow, in ns from the start."""


@pytest.fixture
def stage(monkeypatch):
    return Stage(monkeypatch)


def on_little(latency=LATENCY, **changes):
    return scene(vm={"init_placement": "small"}, costs=dataclasses.replace(FREE, interrupt_latency=latency), **changes)


def arm(cycles):
    """Let the cycle counter overflow ``cycles`` from now (32 bits)."""
    return WriteReg("PMCCNTR_EL0", (1 << 32) - cycles)


CLEAR = WriteReg("PMOVSCLR_EL0", BIT)
BOOT = (
    *(WriteReg(name, 0xFFFFFFFF) for name in ("PMINTENCLR_EL1", "PMOVSCLR_EL0", "PMCNTENCLR_EL0")),
    *(WriteReg("PMCR_EL0", 0), WriteReg("PMCCFILTR_EL0", 0), arm(FIRST), WriteReg("PMINTENSET_EL1", BIT)),
    *(WriteReg("PMCNTENSET_EL0", BIT), WriteReg("PMCR_EL0", 1)),
)


def after_boot(*actions):
    """A script: boot with the first overflow armed, do the actions, note the time of each as ``step``, then spin."""

    def script(cpu):
        yield from BOOT
        for action in actions:
            yield action
            yield from stamp("step")
        yield SpinUntil(0, FOREVER)

    return script


def stamp(key):
    now = yield ReadTimer()
    yield Report(key, now)


def handling(*turns):
    """A handler: its n-th turn does the actions of ``turns[n]``; later ones acknowledge."""
    left = list(turns)

    def handler(cpu):
        actions = left.pop(0) if left else [CLEAR]
        yield from stamp("in")
        for action in actions:
            if action is SPIN:
                now = yield ReadTimer()
                yield SpinUntil(1, now + 10_000)
            else:
                yield action
        yield from stamp("out")

    return handler


SPIN = object()
"""In a handler's turn: execute for 10 us."""


def story(result):
    assert (result.tables["reports"]["t_ns"] == result.tables["reports"]["value"]).all()
    return [(str(row["key"]), int(row["t_ns"])) for row in result.tables["reports"]]


def raised(result):
    return [int(t) for t in result.tables["interrupts"]["t_ns"]]


def test_an_interrupt_that_is_not_acknowledged_is_taken_again_after_the_handler(stage):
    result = stage.run(on_little(), after_boot(), handling([SPIN], [SPIN], [SPIN, CLEAR]))
    first = FIRST + LATENCY
    expected = []
    for turn in range(3):
        start = first + turn * (10_000 + LATENCY)
        expected += [("in", start), ("out", start + 10_000)]
    assert story(result) == expected
    assert raised(result) == [FIRST]


@pytest.mark.parametrize("turn", [[CLEAR, SPIN], [SPIN, CLEAR], [WriteReg("PMINTENCLR_EL1", BIT), SPIN]])
def test_an_interrupt_that_is_acknowledged_is_taken_once(stage, turn):
    result = stage.run(on_little(), after_boot(), handling(turn))
    assert story(result) == [("in", FIRST + LATENCY), ("out", FIRST + LATENCY + 10_000)]


def test_an_overflow_in_the_handler_waits_for_its_end(stage):
    """Raised 5 us into the handler with a latency of 3 us: a nested handler would start 2 us before the end."""
    turn = [CLEAR, arm(5_000), SPIN]
    result = stage.run(on_little(3_000), after_boot(), handling(turn))
    start = FIRST + 3_000
    assert raised(result) == [FIRST, start + 5_000]
    again = start + 10_000 + 3_000
    assert story(result) == [("in", start), ("out", start + 10_000), ("in", again), ("out", again)]


@pytest.mark.parametrize("wait", [Sleep(5 * MS), Halt()])
def test_an_interrupt_on_its_way_ends_a_wfi(stage, wait):
    """Raised at 1 ms, WFI at 1.01 ms, delivered at 1.05 ms; the program goes on after the handler."""
    result = stage.run(on_little(), after_boot(SpinUntil(0, FIRST + 10_000), wait), handling([CLEAR, SPIN]))
    start = FIRST + LATENCY
    assert story(result) == [
        ("step", FIRST + 10_000), ("in", start), ("out", start + 10_000), ("step", start + 10_000),
    ]  # fmt: skip
    slept = LATENCY - 10_000
    assert int(result.tables["vcpus"]["guest_ns"][0]) == 20 * MS - slept


def test_a_timer_before_the_interrupt_ends_the_wfi_first(stage):
    result = stage.run(on_little(), after_boot(SpinUntil(0, FIRST + 10_000), Sleep(20_000)), handling([CLEAR]))
    start = FIRST + LATENCY
    assert story(result) == [("step", FIRST + 10_000), ("step", FIRST + 30_000), ("in", start), ("out", start)]


def test_a_sleeping_vcpu_counts_nothing_and_is_not_interrupted(stage):
    """Half of the distance is left when it goes to sleep; the overflow comes that much after it wakes."""
    result = stage.run(on_little(), after_boot(SpinUntil(0, FIRST // 2), Sleep(5 * MS)), handling())
    assert raised(result) == [FIRST + 5 * MS]


DROPS = [CLEAR, WriteReg("PMINTENCLR_EL1", BIT), WriteReg("PMCR_EL0", 0)]


@pytest.mark.parametrize("drop", DROPS)
def test_a_line_that_falls_before_delivery_is_forgotten(stage, drop):
    script = after_boot(SpinUntil(0, FIRST + 10_000), drop, SpinUntil(0, FIRST + 2 * LATENCY))
    result = stage.run(on_little(), script, handling())
    assert [key for key, _ in story(result)] == ["step"] * 3
    assert raised(result) == [FIRST]


def test_a_line_that_rises_again_is_delivered_a_whole_latency_later(stage):
    again = FIRST + 20_000
    script = after_boot(SpinUntil(0, FIRST + 10_000), CLEAR, SpinUntil(0, again), WriteReg("PMOVSSET_EL0", BIT))
    result = stage.run(on_little(), script, handling())
    assert [time for key, time in story(result) if key == "in"] == [again + LATENCY]


def test_a_second_cause_while_the_line_is_high_does_not_delay_the_delivery(stage):
    """The line has been high since the first overflow; another write that keeps it high changes nothing."""
    script = after_boot(SpinUntil(0, FIRST + 10_000), WriteReg("PMOVSSET_EL0", BIT), SpinUntil(0, FIRST + 40_000))
    result = stage.run(on_little(), script, handling())
    assert [time for key, time in story(result) if key == "in"] == [FIRST + LATENCY]


def test_a_guest_that_keeps_it_masked_runs_on_undisturbed(stage):
    ends = SpinUntil(0, FIRST + 2 * LATENCY), Run(0, 5_000_000), ReadReg("PMOVSCLR_EL0")
    masked = stage.run(on_little(), after_boot(*ends), lambda cpu: None)
    quiet = stage.run(on_little(), after_boot(WriteReg("PMINTENCLR_EL1", BIT), *ends), lambda cpu: None)
    assert raised(masked) == raised(quiet) == [FIRST]
    assert story(masked) == story(quiet)[1:]
    for column in ("guest_ns", "guest_cycles", "instructions"):
        assert masked.tables["vcpus"][column] == quiet.tables["vcpus"][column]
    assert int(masked.tables["vcpus"]["guest_ns"][0]) == 20 * MS


def test_a_masked_interrupt_does_not_end_a_later_wfi(stage):
    result = stage.run(on_little(), after_boot(SpinUntil(0, FIRST + 2 * LATENCY), Sleep(MS)), lambda cpu: None)
    assert [time for _, time in story(result)] == [FIRST + 2 * LATENCY, FIRST + 2 * LATENCY + MS]


def test_the_interrupted_work_goes_on_where_it_was(stage):
    """A phase instance takes as much guest time with a handler of 10 us in its middle as without."""
    work = Run(2, 3_000_000)
    plain = stage.run(on_little(), after_boot(WriteReg("PMINTENCLR_EL1", BIT), work))
    broken = stage.run(on_little(), after_boot(work), handling([CLEAR, SPIN]))
    end = dict(story(broken))["step"]
    assert end > FIRST + LATENCY
    assert abs(end - (story(plain)[1][1] + 10_000)) <= 1  # the handler's instructions leave another residual


def test_the_handler_runs_at_el1_and_the_interrupted_phase_at_its_own_level_again(stage):
    levels = on_little(sample_ns=5_000)
    result = stage.run(levels, after_boot(SpinUntil(2, FOREVER)), handling([CLEAR, SPIN]))
    samples = result.tables["samples"]
    start = FIRST + LATENCY
    in_handler = (samples["t_ns"] > start) & (samples["t_ns"] < start + 10_000)
    assert in_handler.sum() == 1
    after_start = samples["t_ns"] > 0
    assert (samples["level"][in_handler] == 1).all()
    outside = after_start & ((samples["t_ns"] < start) | (samples["t_ns"] > start + 10_000))
    assert (samples["level"][outside] == 0).all()
