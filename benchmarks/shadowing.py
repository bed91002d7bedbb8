"""Several policies over one schedule: what four cost more than one, and what three shadows add to a run."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.case import Case
from benchmarks.engine import Simulation
from benchmarks.measure import Contender
from benchmarks.ticks import EVENTS, drawn
from pmu import kernel
from pmu import kernel_policies as kp
from simcore.scenario import GuestSpec, Scenario, VmSpec
from simcore.units import NS_PER_S

SEGMENTS, KHZ = 16_384, 2_000_000
SHORTEST_NS, DRAWN_NS = 20_000, 1 << 16
"""A segment is as long as one of a guest that wakes up some thousand times a second, 53 us in the mean."""
SEGMENTS_A_CROSSING = 64
STEP_NS = 1_000_000
SHADOWS = ("default@mainline", "default@v6", "fixed-counters-only@v8")


def schedule() -> NDArray[np.int64]:
    """Draw a schedule: segments without gaps at 2 GHz, on the other host PMU after each so many."""
    lengths = SHORTEST_NS + drawn(1, "length", (SEGMENTS,), DRAWN_NS).astype(np.int64)
    segments = np.zeros((SEGMENTS, kp.SEGMENT_COLUMNS), np.int64)
    segments[:, kp.TO] = lengths.cumsum()
    segments[1:, kp.FROM] = segments[:-1, kp.TO]
    segments[:, kp.SETTING] = np.arange(SEGMENTS) // SEGMENTS_A_CROSSING % 2
    segments[:, kp.RATES] = 8 * segments[:, kp.SETTING] + drawn(1, "phase", (SEGMENTS,), 8).astype(np.int64)
    segments[:, kp.KHZ] = KHZ
    return segments


def policies(number: int) -> Contender:
    """Return one pass through the schedule under so many policies: 32 counters each, a sample of all every ms.

    Every second policy counts on one of the host PMUs only. The units are segments.
    """
    segments = schedule()
    ended_ns = int(segments[-1, kp.TO])
    shape = (2, number, kernel.SLOTS)
    category = np.full(shape, kernel.COUNTED, np.int64)
    category[1, ::2] = kernel.OFF_PMU
    stream = np.broadcast_to(drawn(1, "stream", (kernel.SLOTS,), EVENTS).astype(np.int64), shape).copy()
    rate, time_tied = drawn(1, "rate", (16, EVENTS), 1 << 33), (np.arange(EVENTS) == EVENTS - 1).astype(np.uint8)
    at, streams = np.zeros(kp.AT_COLUMNS, np.int64), np.zeros((5, EVENTS), np.uint64)
    saved, count, left = np.zeros((3, number, kernel.SLOTS), np.uint64)
    ledger = np.zeros((number, kernel.SLOTS, kernel.CATEGORIES), np.uint64)
    overflowed = np.zeros(number, np.int64)
    sample = np.zeros((ended_ns // STEP_NS + 1, number, kernel.SLOTS), np.uint64)
    counted = np.zeros(sample.shape[:2], np.uint64)

    def begin() -> None:
        at[:] = 0
        left[:] = 1 << 62

    def call() -> None:
        kp.follow(
            segments, at, ended_ns, STEP_NS, rate, time_tied, *streams, stream, category, saved, count, left, ledger,
            overflowed, sample, counted,
        )  # fmt: skip

    return Contender(call, SEGMENTS, begin)


def watched(shadows: tuple[str, ...]) -> Callable[[], Contender]:
    """Return a run of Windows on four vCPUs of RK3588 that so many shadows watch; its units are simulated seconds."""
    vm = VmSpec(GuestSpec("windows"), vcpus=4, policy="fixed-counters-only", kernel="v8", shadows=shadows)
    scenario = Scenario(platform="rk3588", vms=(vm,), seconds_ns=NS_PER_S)

    def contender() -> Contender:
        simulation = Simulation(scenario)
        return Contender(simulation.run, scenario.seconds_ns / NS_PER_S, simulation.build)

    return contender


CASES = (
    Case(
        "multi4",
        "hot",
        "segments/s",
        lambda: policies(4),
        {"single": lambda: policies(1)},
        limits={"single": 1.6},
        time_ratios=True,
    ),
    Case(
        "shadow3",
        "whole",
        "simulated s/s",
        watched(SHADOWS),
        {"run": watched(())},
        limits={"run": 1.1},
        time_ratios=True,
    ),
)
