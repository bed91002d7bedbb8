"""The checks of a PMU unit test, after arm/pmu.c of kvm-unit-tests: each a small function over one CPU's registers.

A check returns PASS, SKIP, or the number of its first step that failed. docs/guests.md says what each step demands.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from workloads.actions import Run, SpinUntil
from workloads.linux_pmu import CHAIN, PMUVER_V3P5, GuestPmu
from workloads.phase import CPU_CYCLES, INST_RETIRED
from workloads.program import GuestCpu
from workloads.steps import ALL_COUNTERS, CYCLE_COUNTER, PMCR_C, PMCR_E, PMCR_LC, PMCR_P, Part, read, timer, write

PASS, SKIP = 0, -1
SW_INCR, MEM_ACCESS, INST_SPEC, STALL_FRONTEND, STALL_BACKEND = 0x00, 0x13, 0x1B, 0x23, 0x24
PMUVER_V3P1 = 4
EXCLUDE_EL0 = 1 << 30
PRE_OVERFLOW = 0xFFFF_FFF0
UNKNOWN_EVENT, PATTERN = 0xEA, 0xDEAD_BEEF
SAMPLES, INCREMENTS, SOME_INCREMENTS = 10, 100, 20
READ_INSTRUCTIONS, LOOP_INSTRUCTIONS = 4, 200
LENGTHS = range(4, 300, 32)
MOST_IPC = 16
WAIT_NS = 100_000
"""For how long a check waits for an interrupt."""


@dataclass(slots=True)
class Lab:
    """One CPU under test: what its PMU shows, and the interrupts that it took since they were last forgotten."""

    cpu: GuestCpu
    phase: int
    offered: GuestPmu
    read_only: int
    taken: dict[int, int] = field(default_factory=dict)
    unmasked: bool = False

    def lacks(self, *events: int) -> bool:
        """Tell whether there are too few counters, or an event is not shown."""
        bits = self.offered.pmceid0 & ALL_COUNTERS | (self.offered.pmceid1 & ALL_COUNTERS) << 32
        return self.offered.counters < len(events) or not all(bits >> event & 1 for event in events)

    @property
    def mask(self) -> int:
        """Return the bits of an event counter that count."""
        return (1 << 64) - 1 if self.offered.pmuver >= PMUVER_V3P5 else ALL_COUNTERS

    def reset(self) -> Part[None]:
        """Stop and clear everything, and forget the interrupts taken."""
        yield from write("PMCR_EL0", self.read_only | PMCR_LC | PMCR_C | PMCR_P)
        for name in ("PMCNTENCLR_EL0", "PMOVSCLR_EL0", "PMINTENCLR_EL1"):
            yield from write(name, ALL_COUNTERS)
        self.taken.clear()

    def loop(self, instructions: int = LOOP_INSTRUCTIONS) -> Part[None]:
        """Execute while the counters run."""
        yield from write("PMCR_EL0", self.read_only | PMCR_E)
        yield Run(self.phase, instructions)
        yield from write("PMCR_EL0", 0)

    def increments(self, mask: int) -> Part[None]:
        """Write PMSWINC_EL0 a hundred times."""
        for _ in range(INCREMENTS):
            yield from write("PMSWINC_EL0", mask)

    def handler(self) -> Part[None]:
        """Take the PMU interrupt: note which counters overflowed, clear them all."""
        flags = yield from read("PMOVSCLR_EL0")
        for index in range(flags.bit_length()):
            if flags >> index & 1:
                self.taken[index] = self.taken.get(index, 0) + 1
        yield from write("PMOVSCLR_EL0", ALL_COUNTERS)


Check = Callable[[Lab], Part[int]]


def verdict(good: list[bool]) -> int:
    """Return PASS, or the number, from 1, of the first step that is not good."""
    return PASS if all(good) else good.index(False) + 1


def set_up(*events: int) -> Part[None]:
    """Let the counters from 0 on count these events at EL1, enabled, but not running yet."""
    for index, event in enumerate(events):
        yield from write(f"PMEVTYPER{index}_EL0", event | EXCLUDE_EL0)
    yield from write("PMCNTENSET_EL0", (1 << len(events)) - 1)


def preset(*values: int) -> Part[None]:
    """Set the event counters from 0 on."""
    for index, value in enumerate(values):
        yield from write(f"PMEVCNTR{index}_EL0", value)


def start_cycles(lab: Lab) -> Part[None]:
    """Let the cycle counter alone be enabled, at every exception level."""
    yield from lab.reset()
    yield from write("PMCNTENSET_EL0", 1 << CYCLE_COUNTER)
    yield from write("PMCCFILTR_EL0", 0)


def cycle_counter(lab: Lab) -> Part[int]:
    """Successive reads of the running cycle counter must grow."""
    yield from start_cycles(lab)
    yield from write("PMCR_EL0", lab.read_only | PMCR_LC | PMCR_C | PMCR_E)
    good = []
    for _ in range(SAMPLES):
        before = yield from read("PMCCNTR_EL0")
        yield Run(lab.phase, READ_INSTRUCTIONS)
        good.append(before < (yield from read("PMCCNTR_EL0")))
    yield from write("PMCR_EL0", lab.read_only)
    return verdict([all(good)])


def cycles_per_instruction(lab: Lab) -> Part[int]:
    """Loops of known length must take cycles, fewer than 2^32, and not fewer than the widest core needs."""
    yield from start_cycles(lab)
    cycles = []
    for instructions in LENGTHS:
        yield from write("PMCCNTR_EL0", 0)
        yield from lab.loop(instructions)
        cycles.append((yield from read("PMCCNTR_EL0")))
    plausible = [count * MOST_IPC >= instructions for count, instructions in zip(cycles, LENGTHS, strict=True)]
    return verdict([all(cycles), max(cycles) < 1 << 32, all(plausible)])


def event_introspection(lab: Lab) -> Part[int]:
    """The events that PMUv3 requires must be shown."""
    yield from ()
    if not lab.offered.counters:
        return SKIP
    stalls = lab.offered.pmuver >= PMUVER_V3P1 and (lab.lacks(STALL_FRONTEND) or lab.lacks(STALL_BACKEND))
    instructions = not lab.lacks(INST_RETIRED) or not lab.lacks(INST_SPEC)
    return verdict([not lab.lacks(SW_INCR), not lab.lacks(CPU_CYCLES), instructions, not stalls])


def event_counter_config(lab: Lab) -> Part[int]:
    """A counter must be the same by number and by PMSELR_EL0, whatever event it is set to."""
    if lab.offered.counters < 2:
        return SKIP
    yield from lab.reset()
    yield from write("PMSELR_EL0", 1)
    yield from write("PMXEVTYPER_EL0", UNKNOWN_EVENT)
    yield from write("PMXEVCNTR_EL0", PATTERN)
    good = [(yield from read("PMEVTYPER1_EL0")) & 0xFFF == UNKNOWN_EVENT]
    good.append((yield from read("PMEVCNTR1_EL0")) == PATTERN)
    yield from write("PMSELR_EL0", 0)
    yield from write("PMXEVCNTR_EL0", UNKNOWN_EVENT)
    good.append((yield from read("PMXEVCNTR_EL0")) == UNKNOWN_EVENT)
    return verdict(good)


def basic_event_count(lab: Lab) -> Part[int]:
    """Two counters must be preset, enabled, counted and overflow as the registers say, and no other."""
    if lab.lacks(CPU_CYCLES, INST_RETIRED):
        return SKIP
    implemented = (1 << lab.offered.counters) - 1
    yield from lab.reset()
    yield from write("PMEVTYPER0_EL0", CPU_CYCLES | EXCLUDE_EL0)
    yield from write("PMEVTYPER1_EL0", INST_RETIRED | EXCLUDE_EL0)
    good = [(yield from both("PMCNTENCLR_EL0", "PMCNTENSET_EL0")) == (0, 0)]
    good.append((yield from read("PMCR_EL0")) == lab.read_only | PMCR_LC)
    yield from preset(PRE_OVERFLOW)
    good.append((yield from both("PMEVCNTR0_EL0", "PMEVCNTR1_EL0")) == (PRE_OVERFLOW, 0))
    yield from write("PMCNTENSET_EL0", ALL_COUNTERS & ~(1 << CYCLE_COUNTER))
    good.append((yield from both("PMCNTENSET_EL0", "PMCNTENCLR_EL0")) == (implemented, implemented))
    yield from write("PMCNTENCLR_EL0", ALL_COUNTERS & ~0x3)
    good.append((yield from both("PMCNTENSET_EL0", "PMCNTENCLR_EL0")) == (0x3, 0x3))
    good.append((yield from both("PMOVSCLR_EL0", "PMINTENCLR_EL1")) == (0, 0))
    yield from write("PMINTENSET_EL1", ALL_COUNTERS & ~(1 << CYCLE_COUNTER))
    good.append((yield from read("PMINTENSET_EL1")) == implemented)
    yield from lab.loop()
    good.append((yield from read("PMOVSCLR_EL0")) & 0x1 == 0x1)
    return verdict(good)


def mem_access(lab: Lab) -> Part[int]:
    """Two counters of memory accesses must agree, and overflow together."""
    if lab.lacks(MEM_ACCESS, MEM_ACCESS):
        return SKIP
    yield from lab.reset()
    yield from set_up(MEM_ACCESS, MEM_ACCESS)
    yield from lab.loop()
    first, second = yield from both("PMEVCNTR0_EL0", "PMEVCNTR1_EL0")
    good = [first == second, first >= 20, (yield from read("PMOVSCLR_EL0")) == 0]
    yield from lab.reset()
    yield from preset(PRE_OVERFLOW, PRE_OVERFLOW)
    yield from write("PMCNTENSET_EL0", 0x3)
    yield from lab.loop()
    good.append((yield from read("PMOVSCLR_EL0")) == 0x3)
    return verdict(good)


def sw_incr(lab: Lab) -> Part[int]:
    """PMSWINC_EL0 must count where PMCR.E is set, and only there."""
    if lab.lacks(SW_INCR, SW_INCR):
        return SKIP
    yield from lab.reset()
    yield from set_up(SW_INCR, SW_INCR)
    yield from preset(PRE_OVERFLOW)
    yield from lab.increments(0x1)
    good = [(yield from read("PMEVCNTR0_EL0")) == PRE_OVERFLOW]
    yield from lab.reset()
    yield from preset(PRE_OVERFLOW)
    yield from write("PMCNTENSET_EL0", 0x3)
    yield from write("PMCR_EL0", lab.read_only | PMCR_E)
    yield from lab.increments(0x3)
    good.append((yield from read("PMEVCNTR0_EL0")) == (PRE_OVERFLOW + INCREMENTS) & lab.mask)
    good.append((yield from read("PMEVCNTR1_EL0")) == INCREMENTS)
    good.append((yield from read("PMOVSCLR_EL0")) == 0x1)
    yield from write("PMCR_EL0", 0)
    return verdict(good)


def chained_counters(lab: Lab) -> Part[int]:
    """A counter of CHAIN must count the overflows of the one before it."""
    if lab.lacks(CPU_CYCLES, CHAIN):
        return SKIP
    good = []
    yield from lab.reset()
    yield from set_up(CPU_CYCLES, CHAIN)
    for odd, expected, flags in ((0, 1, 0x1), (1, 2, 0x1), (lab.mask, 0, 0x3)):
        yield from lab.reset()
        yield from write("PMCNTENSET_EL0", 0x3)
        yield from preset(PRE_OVERFLOW, odd)
        yield from lab.loop()
        good.append((yield from read("PMEVCNTR1_EL0")) == expected)
        good.append((yield from read("PMOVSCLR_EL0")) == flags)
    return verdict(good)


def chained_sw_incr(lab: Lab) -> Part[int]:
    """A counter of CHAIN must count the overflows of one of SW_INCR too, which no hardware counts."""
    if lab.lacks(SW_INCR, CHAIN):
        return SKIP
    good = []
    for odd, flags in ((0, 0x1), (ALL_COUNTERS, 0x3)):
        yield from lab.reset()
        yield from set_up(SW_INCR, CHAIN)
        yield from preset(PRE_OVERFLOW, odd)
        yield from write("PMCR_EL0", lab.read_only | PMCR_E)
        yield from lab.increments(0x1)
        good.append((yield from read("PMEVCNTR1_EL0")) == (odd + 1) & lab.mask)
        good.append((yield from read("PMOVSCLR_EL0")) == flags)
        yield from write("PMCR_EL0", 0)
    return verdict(good)


def overflow_interrupt(lab: Lab) -> Part[int]:
    """Each overflow must interrupt once, where PMINTENSET_EL1 lets it."""
    if lab.lacks(MEM_ACCESS, SW_INCR):
        return SKIP
    yield from lab.reset()
    yield from set_up(MEM_ACCESS, SW_INCR)
    lab.unmasked = True
    good = [(yield from interrupts(lab, PRE_OVERFLOW, PRE_OVERFLOW)) == {}]
    yield from write("PMOVSCLR_EL0", ALL_COUNTERS)
    yield from write("PMINTENSET_EL1", ALL_COUNTERS)
    good.append((yield from interrupts(lab, PRE_OVERFLOW, PRE_OVERFLOW)) == {0: 1, 1: 1})
    yield from write("PMEVTYPER1_EL0", CHAIN | EXCLUDE_EL0)
    good.append((yield from interrupts(lab, PRE_OVERFLOW, 0)) == {0: 1})
    good.append((yield from interrupts(lab, PRE_OVERFLOW, lab.mask)) == {0: 1, 1: 1})
    lab.unmasked = False
    yield from lab.reset()
    return verdict(good)


def interrupts(lab: Lab, *values: int) -> Part[dict[int, int]]:
    """Preset the counters, execute and increment, and return how often each counter interrupted."""
    lab.taken.clear()
    yield from preset(*values)
    yield from write("PMCR_EL0", lab.read_only | PMCR_E)
    yield Run(lab.phase, LOOP_INSTRUCTIONS)
    for _ in range(SOME_INCREMENTS):
        yield from write("PMSWINC_EL0", 0x2)
    yield SpinUntil(lab.phase, (yield from timer()) + max(1, lab.cpu.ticks(WAIT_NS)))
    yield from write("PMCR_EL0", 0)
    return dict(lab.taken)


def both(first: str, second: str) -> Part[tuple[int, int]]:
    """Read two registers."""
    return (yield from read(first)), (yield from read(second))


CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "cycle-counter": cycle_counter,
        "cycles-per-instruction": cycles_per_instruction,
        "event-introspection": event_introspection,
        "event-counter-config": event_counter_config,
        "basic-event-count": basic_event_count,
        "mem-access": mem_access,
        "sw-incr": sw_incr,
        "chained-counters": chained_counters,
        "chained-sw-incr": chained_sw_incr,
        "overflow-interrupt": overflow_interrupt,
    }
)
"""The checks in their order."""
