"""Random operations on the virtual PMU against what must always hold, whatever the kernel revision."""

from dataclasses import replace

import hypothesis.strategies as st
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pmu.host import Host
from pmu.kernel import COUNTED, DISABLED, EXCLUDED_LEVEL, OFF_PMU
from pmu.storage import ENABLED, INTERRUPT, OVERFLOW, PMCR
from tests.pmu_machine import CYCLES, STREAMS, A, B, Machine

E = 1
MASK64 = (1 << 64) - 1
CYCLE_BIT = 1 << 31
UNLIMITED = Host(8, (replace(A, limited=False), replace(B, limited=False)), 6)
FIXED = "FIXED_COUNTERS_ONLY"

bitmaps = st.sampled_from(("PMCNTENSET", "PMCNTENCLR", "PMINTENSET", "PMINTENCLR", "PMOVSSET", "PMOVSCLR"))
values = st.one_of(
    st.integers(0, MASK64),
    st.integers(0, 20),
    st.integers((1 << 32) - 20, (1 << 32) + 20),
    st.sampled_from((CYCLE_BIT, CYCLE_BIT | 0x3F)),
)
counters = st.integers(0, 5)
types = st.builds(lambda event, levels: event | levels << 30, st.sampled_from((0, 3, 8, 0x11, 0x1E)), st.integers(0, 3))
cpus = st.integers(0, 7)
levels = st.integers(0, 1)
counts = st.integers(0, 5000)


class VirtualPmu(RuleBasedStateMachine):
    """One vCPU that is always in the guest, on two host PMUs without contention."""

    @initialize(
        kernel=st.sampled_from(("mainline", "v4", "v6", "v8", "review")), fixed=st.booleans(), quirks=st.booleans()
    )
    def start(self, kernel: str, fixed: bool, quirks: bool) -> None:
        self.machine = Machine(UNLIMITED, kernel, quirks=quirks)
        self.fixed = fixed and kernel != "mainline"
        if self.fixed:
            assert self.machine.set(FIXED) == 0
        self.machine.prep()
        self.vcpu = self.machine.enter()
        self.cpu = 0
        self.machine.cycles_on()

    @rule(name=bitmaps, value=values)
    def write_bitmap(self, name: str, value: int) -> None:
        assert self.machine.write(name, value) is None

    @rule(value=values)
    def write_pmcr(self, value: int) -> None:
        assert self.machine.write("PMCR", value) is None

    @rule(value=values)
    def write_cycle_counter(self, value: int) -> None:
        assert self.machine.write("PMCCNTR", value) is None
        assert self.machine.read("PMCCNTR") == value

    @rule(n=counters, value=values)
    def write_counter(self, n: int, value: int) -> None:
        assert (self.machine.write(f"PMEVCNTR{n}", value) is None) == (not self.fixed)
        assert self.machine.write("PMSELR", n) is None
        assert self.machine.read("PMXEVCNTR") == self.machine.read(f"PMEVCNTR{n}")

    @rule(n=counters, kind=types)
    def write_type(self, n: int, kind: int) -> None:
        assert (self.machine.write(f"PMEVTYPER{n}", kind) is None) == (not self.fixed)

    @rule(levels=st.integers(0, 3))
    def write_cycle_filter(self, levels: int) -> None:
        assert self.machine.write("PMCCFILTR", levels << 30) is None

    @rule(value=st.integers(0, 0x3F))
    def increment(self, value: int) -> None:
        assert self.machine.write("PMSWINC", value) is None

    @rule(cpu=cpus)
    def migrate(self, cpu: int) -> None:
        self.vcpu.migrate(cpu)
        self.cpu = cpu

    @rule(cpu=cpus, name=st.sampled_from(("PMCNTENSET", "PMOVSSET", "PMINTENSET")), value=values)
    def restore(self, cpu: int, name: str, value: int) -> None:
        self.vcpu.leave()
        assert self.machine.set_reg(name, value) == 0
        self.machine.enter(cpu)
        self.cpu = cpu

    @rule(cycles=counts, instructions=counts, level=levels)
    def execute(self, cycles: int, instructions: int, level: int) -> None:
        self.vcpu.set_level(level)
        expected = self._expected_category(level)
        before, booked = self.machine.read("PMCCNTR"), self.machine.ledger()
        slots = [int(stream) for stream in self.machine.bank.stream[0]]
        sums = self._ledger_sums()
        self.machine.execute({CYCLES: cycles, 0x08: instructions}, level=level)
        assert isinstance(before, int)
        counted = cycles if expected == COUNTED else 0
        assert self.machine.read("PMCCNTR") == (before + counted) & MASK64
        now = self.machine.ledger()
        assert now[expected] - booked[expected] == cycles
        assert sum(now) - sum(booked) == cycles
        true = {STREAMS[CYCLES]: cycles, STREAMS[0x08]: instructions}
        for slot, stream in enumerate(slots):
            if stream >= 0:
                assert self._ledger_sums()[slot] - sums[slot] == true.get(stream, 0)

    def _ledger_sums(self) -> list[int]:
        return [sum(self.machine.ledger(slot)) for slot in range(32)]

    def _expected_category(self, level: int) -> int:
        """Work out where cycles go from what the guest can read, and from where the vCPU is."""
        pmcr, enabled, kind = (self.machine.read(name) for name in ("PMCR", "PMCNTENSET", "PMCCFILTR"))
        assert isinstance(pmcr, int)
        assert isinstance(enabled, int)
        assert isinstance(kind, int)
        if not (pmcr & E and enabled & CYCLE_BIT):
            return DISABLED
        if kind >> (31 if level else 30) & 1:
            return EXCLUDED_LEVEL
        return COUNTED if self.fixed or self.cpu in A.cpus else OFF_PMU

    @invariant()
    def only_implemented_bits_stick(self) -> None:
        allowed = CYCLE_BIT if self.fixed else CYCLE_BIT | 0x3F
        for name in ("PMCNTENSET", "PMINTENCLR", "PMOVSSET"):
            value = self.machine.read(name)
            assert isinstance(value, int)
            assert not value & ~allowed

    @invariant()
    def the_line_follows_the_rule(self) -> None:
        regs = self.vcpu.counters.regs
        assert self.vcpu.irq_level == bool(regs[OVERFLOW] & regs[INTERRUPT] and regs[PMCR] & E)
        assert regs[ENABLED] == self.machine.read("PMCNTENCLR")

    @invariant()
    def the_guest_stays_in(self) -> None:
        assert self.vcpu.in_guest


TestVirtualPmu = VirtualPmu.TestCase
TestVirtualPmu.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


@given(
    st.lists(st.tuples(cpus, st.integers(1, 3_000_000_000)), min_size=1, max_size=30),
    st.sampled_from(("v4", "v6", "v8", "review")),
)
def test_continuity_under_fixed_counters_only(path: list[tuple[int, int]], kernel: str):
    machine = Machine(UNLIMITED, kernel)
    assert machine.set(FIXED) == 0
    machine.prep()
    vcpu = machine.enter()
    machine.quiet()
    machine.cycles_on()
    total = 0
    for cpu, cycles in path:
        vcpu.migrate(cpu)
        machine.execute({CYCLES: cycles})
        total += cycles
        assert machine.read("PMCCNTR") == total
    assert machine.ledger()[COUNTED] == total


@given(st.integers(0, MASK64), st.lists(st.integers(1, 1 << 33), min_size=1, max_size=6))
def test_without_quirks_the_overflow_comes_at_each_wrap(start: int, steps: list[int]):
    machine = Machine(UNLIMITED, quirks=False).prep()
    machine.enter()
    machine.quiet()
    machine.cycles_on()
    assert machine.write("PMCCNTR", start) is None
    value = start
    for step in steps:
        wraps = (value + step >> 32) - (value >> 32)
        assert machine.execute({CYCLES: step}) == wraps
        value += step
        assert machine.read("PMCCNTR") == value & MASK64
