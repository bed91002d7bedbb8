"""The guest's armv8_pmuv3 driver: what it does with the registers, access by access."""

import pytest

from tests.fake_vcpu import FakeVcpu
from workloads.actions import ReadReg, WriteReg
from workloads.linux_pmu import CpuPmu, GuestPmu, HwEvent, probe, reset

SIX = GuestPmu(6, (1 << 64) - 1, (1 << 64) - 1)
HALF32 = 0x8000_0001
HIGH = 0xFFFF_FFFF_0000_0000


def driven(*events, pmu=SIX, overflowed=None):
    """Return the driver of a CPU with these events on its counters, and the fake vCPU."""
    cpu = CpuPmu(pmu, overflowed) if overflowed else CpuPmu(pmu)
    fake = FakeVcpu()
    for event in events:
        fake.play(cpu.add(event), 20)
    fake.log.clear()
    return cpu, fake


def returned(part, fake):
    """Play a part of a program to its end and return what it returns."""
    answer = None
    while True:
        try:
            action = part.send(answer)
        except StopIteration as end:
            return end.value
        fake.log.append(action)
        answer = fake.answer(action)


@pytest.mark.parametrize("pmuver, found", [(0, False), (15, False), (1, True), (4, True), (6, True)])
def test_probe_looks_at_pmuver_first(pmuver, found):
    registers = {"ID_AA64DFR0_EL1": pmuver << 8 | 0x6, "PMCR_EL0": 6 << 11, "PMCEID0_EL0": 5, "PMCEID1_EL0": 1 << 40}
    fake = FakeVcpu(registers=registers)
    assert returned(probe(), fake) == (GuestPmu(6, 5, 1 << 40, pmuver) if found else None)
    names = [action.name for action in fake.of(ReadReg)]
    assert names == ["ID_AA64DFR0_EL1", *(["PMCR_EL0", "PMCEID0_EL0", "PMCEID1_EL0"] if found else [])]


@pytest.mark.parametrize("pmuver, pmcr", [(1, 0x46), (5, 0x46), (6, 0xC6)])
def test_reset_disables_all_and_makes_counters_long_from_v3p5_on(pmuver, pmcr):
    fake = FakeVcpu().play(reset(GuestPmu(6, 0, 0, pmuver)), 20)
    assert fake.log == [
        WriteReg("PMCNTENCLR_EL0", 0xFFFFFFFF), WriteReg("PMINTENCLR_EL1", 0xFFFFFFFF),
        WriteReg("PMOVSCLR_EL0", 0xFFFFFFFF), WriteReg("PMCR_EL0", pmcr),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "event, pmuver, period, written",
    [
        (0x08, 4, 1000, 0xFFFF_FC18),
        (0x08, 6, 1000, HIGH | 0xFFFF_FC18),
        (0x11, 4, 1000, HIGH | 0xFFFF_FC18),
        (0x08, 4, 1 << 40, HALF32),
        (0x08, 4, (1 << 31) - 1, HALF32),
    ],
)
def test_a_counter_starts_a_period_before_its_overflow(event, pmuver, period, written):
    counting = HwEvent(event, period)
    _, fake = driven(counting, pmu=GuestPmu(6, 0, 0, pmuver))
    assert (fake.counter if event == 0x11 else fake.registers["PMEVCNTR0_EL0"]) == written


def test_an_event_that_does_not_sample_has_half_the_range_as_period():
    event = HwEvent(0x08)
    _, fake = driven(event)
    assert fake.registers["PMEVCNTR0_EL0"] == HALF32
    assert event.period == event.left == (1 << 31) - 1


@pytest.mark.parametrize(
    "counted, over, left", [(999, False, 1), (1000, True, 1000), (1007, True, 993), (1999, True, 1), (2000, True, 1000)]
)
def test_what_was_counted_beyond_a_period_shortens_the_next(counted, over, left):
    """A whole period too late: the next one begins anew (armpmu_event_set_period)."""
    event = HwEvent(0x08, 1000)
    _, fake = driven(event)
    fake.registers["PMEVCNTR0_EL0"] = (-1000 + counted) & 0xFFFFFFFF
    assert returned(event.update(), fake) == counted
    assert returned(event.set_period(), fake) is over
    assert (event.left, event.total, fake.registers["PMEVCNTR0_EL0"]) == (left, counted, -left & 0xFFFFFFFF)


def test_a_period_beyond_half_the_range_takes_several_rounds_of_the_counter():
    event = HwEvent(0x08, 1 << 32)
    _, fake = driven(event)
    ends = []
    for _ in range(3):
        fake.registers["PMEVCNTR0_EL0"] = 0
        returned(event.update(), fake)
        ends.append(returned(event.set_period(), fake))
    assert ends == [False, False, True]
    assert event.total == 1 << 32  # 2^31 - 1 twice, then 2


def test_a_counter_that_is_given_back_keeps_its_count_and_its_period():
    event, other = HwEvent(0x08, 1000), HwEvent(0x03)
    cpu, fake = driven(event)
    fake.registers["PMEVCNTR0_EL0"] += 300
    fake.play(cpu.remove(event), 20)
    assert fake.log == [
        WriteReg("PMCNTENCLR_EL0", 1), WriteReg("PMINTENCLR_EL1", 1), WriteReg("PMOVSCLR_EL0", 1),
        ReadReg("PMEVCNTR0_EL0"),
    ]  # fmt: skip
    fake.play(cpu.add(other), 20)
    fake.play(cpu.add(event), 20)
    assert (other.index, event.index, event.total) == (0, 1, 300)
    assert fake.registers["PMEVCNTR1_EL0"] == -700 & 0xFFFFFFFF


def test_the_handler_stops_the_pmu_folds_what_overflowed_and_goes_on():
    ended = []

    def overflowed(event):
        ended.append((event.event, event.last_period))
        yield from ()

    first, second = HwEvent(0x03, 1000), HwEvent(0x10, 2000)
    cpu, fake = driven(first, second, overflowed=overflowed)
    fake.registers.update({"PMCR_EL0": 0x47, "PMEVCNTR1_EL0": 7, "PMOVSCLR_EL0": 1 << 1})
    returned(cpu.handle_irq(), fake)
    assert fake.log == [
        ReadReg("PMOVSCLR_EL0"), WriteReg("PMOVSCLR_EL0", 1 << 1),
        ReadReg("PMCR_EL0"), WriteReg("PMCR_EL0", 0x46),
        ReadReg("PMEVCNTR1_EL0"), WriteReg("PMEVCNTR1_EL0", -1993 & 0xFFFFFFFF),
        ReadReg("PMCR_EL0"), WriteReg("PMCR_EL0", 0x47),
    ]  # fmt: skip
    assert ended == [(0x10, 2000)]
    assert (first.total, second.total) == (0, 2007)


def test_an_interrupt_without_an_overflow_changes_nothing():
    cpu, fake = driven(HwEvent(0x03))
    fake.registers["PMOVSCLR_EL0"] = 0
    returned(cpu.handle_irq(), fake)
    assert fake.log == [ReadReg("PMOVSCLR_EL0"), WriteReg("PMOVSCLR_EL0", 0)]


def test_an_interrupt_that_comes_while_masked_is_handled_afterwards():
    event = HwEvent(0x03, 1000)
    cpu, fake = driven(event)
    reading = cpu.masked(event.update())
    assert reading.send(None) == ReadReg("PMEVCNTR0_EL0")
    assert cpu.interrupt() is None
    assert reading.send(-1 & 0xFFFFFFFF) == ReadReg("PMOVSCLR_EL0")
    fake.play(reading, 0)
    assert cpu.interrupt() is None  # the handler runs masked too
    reading.send(0)
    assert reading.send(None) == ReadReg("PMOVSCLR_EL0")  # the second one
    reading.send(0)
    with pytest.raises(StopIteration):
        reading.send(None)
    assert cpu.interrupt() is not None


def test_a_read_that_the_handler_overtakes_is_repeated():
    event = HwEvent(0x03)
    _, fake = driven(event)
    reading = event.update()
    assert reading.send(None) == ReadReg("PMEVCNTR0_EL0")
    # the counter showed 5, but before the guest goes on, an NMI folds 5 and starts a new period
    fake.registers["PMEVCNTR0_EL0"] = 5
    returned(event.update(), fake)
    returned(event.set_period(), fake)
    assert reading.send(5) == ReadReg("PMEVCNTR0_EL0")
    with pytest.raises(StopIteration):
        reading.send((event.previous + 3) & 0xFFFFFFFF)
    assert event.total == ((5 - HALF32) & 0xFFFF_FFFF) + 3


def test_chain_is_never_opened():
    assert not SIX.supports(0x1E)
