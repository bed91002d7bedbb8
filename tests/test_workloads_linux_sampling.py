"""perf's period arithmetic against integers computed by hand, and what an overflow and an HZ tick do with it."""

import pytest

from tests.fake_vcpu import FakeVcpu
from workloads.actions import WriteReg
from workloads.linux_pmu import CpuPmu, GuestPmu, HwEvent
from workloads.linux_sampling import Sampler, calculate_period, next_period

TICK = 4_000_000


@pytest.mark.parametrize("frequency, nsec, count, period", [
    (4_000, 4_000_000, 8_000_000, 500_000),
    (4_000, 3_001, 12, 999),  # 12 * 10^9 / 12004000 = 999.67
    (4_000, 1_003_001, 1, 0),
    (4_000, TICK, 1 << 40, 68_719_476_736),  # 71 bits above: 7 bits of each lost, none of them set
    (4_000, TICK, (1 << 40) + 127, 68_719_476_736),  # exact: ...743; the kernel loses the 7 low bits of the count
    (1 << 10, 1 << 60, 1 << 60, 976_562),  # neither product fits
    (1, 1, 1 << 60, (1 << 33) * 10**9),  # 27 bits lost below leave a divisor of 0
    (1 << 20, 1 << 50, 1 << 30, 0),  # 72 bits below: 8 bits of both lost
])  # fmt: skip
def test_calculated_period(frequency, nsec, count, period):
    assert calculate_period(frequency, nsec, count) == period


@pytest.mark.parametrize("current, wanted, following", [
    (1, 83, 12),  # (82 + 7) / 8 = 11
    (12, 999, 136),
    (100, 100, 100),
    (100, 101, 101),  # (1 + 7) / 8
    (100, 99, 99),  # (-1 - 7) / 8: a small negative step counts too
    (100, 0, 87),  # -107 / 8 = -13
    (1, 0, 1),  # 0 becomes 1
])  # fmt: skip
def test_low_pass_filter(current, wanted, following):
    assert next_period(current, wanted) == following


def sampler(frequency=4_000, period=1, **registers):
    fake = FakeVcpu(registers={"PMCR_EL0": 1} | registers)
    made = Sampler(CpuPmu(GuestPmu(6, 1 << 0x11, 0)), HwEvent(0x11, period), frequency, TICK)
    fake.play(made.pmu.add(made.event), 99)
    fake.log.clear()
    return made, fake


def test_an_overflow_adjusts_by_the_time_since_the_last_one():
    made, fake = sampler(period=12)
    fake.play(made.account(50_000_000), 99)
    assert made.event.period == 12  # the first: the time since boot is longer than two ticks
    fake.play(made.account(50_003_001), 99)
    assert made.event.period == 136
    fake.play(made.account(50_003_001), 99)
    assert made.event.period == 136  # no time has passed


def test_what_is_left_of_a_much_too_long_period_is_dropped():
    """1000 events in 7.9 ms at 4 kHz: 31; from 1000 an eighth of the way, -976 / 8 = -122."""
    made, fake = sampler(period=1_000)
    fake.play(made.account(10_000_000), 99)
    made.event.left = 8 * 878 + 1
    fake.play(made.account(17_900_000), 99)
    assert made.event.period == made.event.left == 878
    assert WriteReg("PMCCNTR_EL0", (1 << 64) - 878) in fake.log


def test_a_tick_adjusts_by_the_count_since_the_last_one():
    """8 M events in a tick of 4 ms at 4 kHz: 500,000; (500000 - 1000 + 7) / 8 = 62375."""
    made, fake = sampler(period=1_000)
    fake.execute(TICK)
    fake.play(made.tick(), 99)
    assert made.event.period == 63_375
    fake.play(made.tick(), 99)  # nothing counted: no adjustment
    assert made.event.period == 63_375


def test_a_tick_leaves_the_pmu_alone_with_a_fixed_period():
    made, fake = sampler(frequency=0, period=1_000)
    assert fake.play(made.tick(), 99).log == []


def test_the_400th_sample_of_a_tick_is_the_last():
    """100,000 samples a second at 250 Hz."""
    made, fake = sampler(frequency=0, period=1_000)
    for number in range(399):
        fake.play(made.account(number), 99)
    assert (made.stopped, made.throttled, fake.log) == (False, 0, [])
    fake.play(made.account(400), 99)
    assert (made.stopped, made.throttled) == (True, 1)
    assert WriteReg("PMCNTENCLR_EL0", 1 << 31) in fake.log
    fake.log.clear()
    fake.play(made.tick(), 99)
    assert not made.stopped
    assert WriteReg("PMCNTENSET_EL0", 1 << 31) in fake.log
