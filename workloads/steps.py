"""Short sequences of actions that several guests share: access with a check, boot, work, sleep.

A guest that has no handler for an undefined instruction dies of it: `Undefined` carries that up to `survive`.
"""

from collections.abc import Generator
from itertools import count
from typing import TypeVar

import numpy as np

from simcore.scenario import GuestSpec
from workloads.actions import (
    RUN,
    SLEEP,
    Action,
    Answer,
    Die,
    Halt,
    ReadReg,
    ReadTimer,
    Run,
    RunUntil,
    Script,
    Sleep,
    SpinUntil,
    Truth,
    Wake,
    WriteReg,
)
from workloads.catalog import Workload
from workloads.program import GuestCpu, Steps

T = TypeVar("T")
Part = Generator[Action, Answer, T]
"""A part of a program: yields actions and returns a T."""

PMCR_E, PMCR_P, PMCR_C, PMCR_LC, PMCR_LP = 1 << 0, 1 << 1, 1 << 2, 1 << 6, 1 << 7
CYCLE_COUNTER = 31
ALL_COUNTERS = (1 << 32) - 1
U64 = (1 << 64) - 1
ROWS_AT_ONCE = 256


class Undefined(Exception):
    """An access that was UNDEFINED, in a guest that does not expect one. Never leaves `survive`."""


def survive(steps: Steps) -> Steps:
    """Run a part of a program; an access that is UNDEFINED ends the guest."""
    try:
        yield from steps
    except Undefined as access:
        yield Die(f"undefined instruction: access to {access}")


def read(register: str) -> Part[int]:
    """Read a register."""
    value = yield ReadReg(register)
    if not isinstance(value, int):
        raise Undefined(register)
    return value


def write(register: str, value: int) -> Part[None]:
    """Write a register."""
    if (yield WriteReg(register, value)) is not None:
        raise Undefined(register)


def timer() -> Part[int]:
    """Read the architected timer, in ticks."""
    ticks = yield ReadTimer()
    if not isinstance(ticks, int):
        raise TypeError(f"the machine answered ReadTimer with {ticks!r}")
    return ticks


def run_until(phase: int, instructions: int, ticks: int) -> Part[int]:
    """Retire instructions, no longer than until the timer shows `ticks`; return how many are left."""
    left = yield RunUntil(phase, instructions, ticks)
    if not isinstance(left, int):
        raise TypeError(f"the machine answered RunUntil with {left!r}")
    return left


def truth(event: int) -> Part[int]:
    """Return how often an event really occurred on this vCPU, for the record only."""
    total = yield Truth(event)
    if not isinstance(total, int):
        raise TypeError(f"the machine answered Truth with {total!r}")
    return total


def boot(cpu: GuestCpu, spec: GuestSpec, kernel_phase: int) -> Part[None]:
    """Execute firmware and loader on vCPU 0; the other vCPUs wait to be started."""
    if cpu.vcpu:
        yield Halt()
    else:
        now = yield from timer()
        yield SpinUntil(kernel_phase, now + cpu.ticks(spec.boot_ns))


def start_others(cpu: GuestCpu) -> Part[None]:
    """Start every other vCPU, if this one is vCPU 0."""
    if cpu.vcpu == 0:
        for other in range(1, cpu.vcpus):
            yield Wake(other)


def quantum(cpu: GuestCpu, spec: GuestSpec, workload: Workload, index: int) -> Run:
    """Make the work of thread quantum number `index`: phases in turn, two lengths if there are bursts."""
    mean, permille = spec.quantum_instructions, workload.burst_permille
    sign = 2 * cpu.below(2, "burst", index) - 1 if permille else 0
    return Run(index % len(workload.phases), max(1, mean + sign * mean * permille // 1000))


def rounds(cpu: GuestCpu, spec: GuestSpec, workload: Workload, first: int, number: int) -> Script:
    """Make `number` rounds from number `first` on, each the quanta of one wakeup and the pause after them."""
    quanta = number * spec.quanta_per_wake
    index = np.arange(first * spec.quanta_per_wake, first * spec.quanta_per_wake + quanta)
    runs = np.zeros((quanta, 3), np.int64)
    runs[:, 0] = RUN
    runs[:, 1] = index % len(workload.phases)
    runs[:, 2] = quantum_lengths(cpu, spec, workload, index)
    rows = runs.reshape(number, spec.quanta_per_wake, 3)
    if spec.sleep_ns:
        wake = np.arange(first, first + number)
        ns = np.maximum(1, spec.sleep_ns // 2 + cpu.uniform(spec.sleep_ns + 1, "sleep", first, number))
        sleeps = np.stack([np.full(number, SLEEP), wake % 2, ns], axis=1)
        rows = np.concatenate([rows, sleeps.reshape(number, 1, 3)], axis=1)
    return Script(rows.reshape(-1, 3))


def endless_rounds(cpu: GuestCpu, spec: GuestSpec, workload: Workload) -> Part[None]:
    """Work and sleep for ever, as scripts that the machine plays without asking."""
    number = max(1, ROWS_AT_ONCE // (spec.quanta_per_wake + 1))
    for first in count(0, number):
        yield rounds(cpu, spec, workload, first, number)


def quantum_lengths(cpu: GuestCpu, spec: GuestSpec, workload: Workload, index: np.ndarray) -> np.ndarray:
    """Return the instructions of the quanta of these (successive) numbers, as `quantum` makes them."""
    mean, permille = spec.quantum_instructions, workload.burst_permille
    if not permille:
        return np.full(len(index), max(1, mean))
    signs = 2 * cpu.uniform(2, "burst", int(index[0]), len(index)) - 1
    lengths: np.ndarray = np.maximum(1, mean + signs * mean * permille // 1000)
    return lengths


def pause(cpu: GuestCpu, spec: GuestSpec, index: int) -> Generator[Sleep, None, None]:
    """Sleep, by turns for the timer and for I/O: uniform from half to one and a half times the mean."""
    if spec.sleep_ns:
        ns = spec.sleep_ns // 2 + cpu.below(spec.sleep_ns + 1, "sleep", index)
        yield Sleep(max(1, ns), io=index % 2 == 1)
