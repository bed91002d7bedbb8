"""A timer of the guest's kernel: when it fires in work, after a sleep, and after time in which the vCPU did not run."""

import pytest

from simcore.scenario import GuestSpec
from tests.fake_vcpu import NS_PER_TICK, FakeVcpu, guest_cpu
from workloads.actions import Report, Run, Sleep
from workloads.alarm import Alarm, work
from workloads.catalog import Workload
from workloads.phase import Phase, PhaseRates

MS = 1_000_000
RATES = (PhaseRates("little", 1.0, 0.0),)
WORKLOAD = Workload("w", "", (Phase("w", 0, RATES),), Phase("kernel", 1, RATES))


def alarm(fake, in_idle=False, period_ns=4 * MS):
    """An alarm that notes when it fires, in ns."""

    def fire():
        yield Report("fired", fake.now_ns)

    return Alarm(guest_cpu(), period_ns, fire, in_idle)


def test_it_fires_at_the_multiples_of_its_period():
    """Work of 18 ms from 1 ms on."""
    fake = FakeVcpu(now_ns=MS)
    timer = alarm(fake)
    fake.play(timer.start(), 9)
    fake.play(timer.execute(Run(0, 18 * MS)), 99)
    assert fake.reports("fired") == [4 * MS, 8 * MS, 12 * MS, 16 * MS]
    assert fake.now_ns == 19 * MS


def test_a_period_that_is_no_whole_number_of_ticks_does_not_drift():
    """At 300 Hz a tick is 3333333 ns, which the timer of 40 ns shows as the next of its own."""
    fake = FakeVcpu()
    timer = alarm(fake, period_ns=3_333_333)
    fake.play(timer.start(), 9)
    fake.play(timer.execute(Run(0, 11 * MS)), 99)
    assert fake.reports("fired") == [-(-n * 3_333_333 // NS_PER_TICK) * NS_PER_TICK for n in (1, 2, 3)]


def test_firings_that_were_missed_become_one():
    fake = FakeVcpu(now_ns=MS)
    timer = alarm(fake)
    fake.play(timer.start(), 9)
    fake.now_ns = 18 * MS  # the host ran something else
    fake.play(timer.execute(Run(0, 3 * MS)), 99)
    assert fake.reports("fired") == [18 * MS, 20 * MS]


@pytest.mark.parametrize("in_idle, fired", [(False, [8 * MS]), (True, [6 * MS, 8 * MS])])
def test_what_falls_due_in_a_sleep(in_idle, fired):
    """Rounds of 2 ms of work and 4 ms of sleep: the sleep from 2 to 6 ms hides 4 ms."""
    fake = FakeVcpu()
    spec = GuestSpec(quantum_instructions=2 * MS, quanta_per_wake=1, sleep_ns=4 * MS)
    fake.play(work(guest_cpu(), spec, WORKLOAD, alarm(fake, in_idle)), 30)
    assert len(fake.of(Sleep)) > 1
    assert [time for time in fake.reports("fired") if time <= 8 * MS] == fired
