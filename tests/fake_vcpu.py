"""A vCPU for tests of guest programs: answers actions by a model simple enough to compute by hand.

One instruction takes one nanosecond and two cycles; spinning also runs at two cycles a nanosecond. The cycle
counter moves only while `counts(now_ns)` says so at the start of the stretch. Registers else keep what is written.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from workloads.actions import (
    UNDEF,
    Die,
    ReadReg,
    ReadTimer,
    Report,
    Run,
    RunUntil,
    Script,
    Sleep,
    SpinUntil,
    Wake,
    WriteReg,
    singles,
)
from workloads.program import GuestCpu

CYCLES_PER_NS = 2
CNTFRQ_HZ = 25_000_000
NS_PER_TICK = 40


def guest_cpu(vcpu=0, vcpus=1, draw=lambda purpose, index: 1 << 63):
    """Make the view of a vCPU that a program gets; draws are the middle of their range."""

    def uniform(limit, purpose, first, number):
        return np.array([draw(purpose, first + n) * limit >> 64 for n in range(number)], np.int64)

    return GuestCpu(vcpu, vcpus, CNTFRQ_HZ, draw, uniform)


@dataclass
class FakeVcpu:
    now_ns: int = 0
    counter: int = 0
    undefined: frozenset[str] = frozenset()
    registers: dict[str, int] = field(default_factory=dict)
    counts: Callable[[int], bool] = lambda now_ns: True
    on_read: Callable[[str], None] = lambda name: None
    log: list = field(default_factory=list)

    def play(self, steps, actions):
        """Answer up to `actions` actions; returns self."""
        answer = None
        for _ in range(actions):
            try:
                action = steps.send(answer)
            except StopIteration:
                break
            for each in singles(action) if isinstance(action, Script) else [action]:
                self.log.append(each)
                answer = self.answer(each)
        return self

    def answer(self, action):
        match action:
            case Run(_, instructions):
                self.execute(instructions)
            case RunUntil(_, instructions, ticks):
                done = min(instructions, max(0, ticks * NS_PER_TICK - self.now_ns))
                self.execute(done)
                return instructions - done
            case SpinUntil(_, ticks):
                self.execute(max(0, ticks * NS_PER_TICK - self.now_ns))
            case Sleep(ns, _):
                self.now_ns += ns
            case ReadTimer():
                return self.now_ns // NS_PER_TICK
            case ReadReg(name) | WriteReg(name, _) if name in self.undefined:
                return UNDEF
            case ReadReg(name):
                self.on_read(name)
                return self.counter if name == "PMCCNTR_EL0" else self.registers.get(name, 0)
            case WriteReg("PMCCNTR_EL0", value):
                self.counter = value
            case WriteReg(name, value):
                self.registers[name] = value
        return None

    def execute(self, ns):
        if self.counts(self.now_ns):
            self.counter = (self.counter + CYCLES_PER_NS * ns) & (1 << 64) - 1
        self.now_ns += ns

    def of(self, kind):
        return [action for action in self.log if isinstance(action, kind)]

    def reports(self, key):
        return [action.value for action in self.of(Report) if action.key == key]

    @property
    def deaths(self):
        return [action.reason for action in self.of(Die)]

    @property
    def woken(self):
        return [action.vcpu for action in self.of(Wake)]
