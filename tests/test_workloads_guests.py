"""The guests windows and none against a fake vCPU, with outcomes computed by hand."""

import pytest

from simcore.errors import InputError
from simcore.scenario import GuestSpec
from tests.fake_vcpu import NS_PER_TICK, FakeVcpu, guest_cpu
from workloads.actions import Halt, ReadReg, Run, Sleep, SpinUntil, WriteReg
from workloads.catalog import Workload
from workloads.guest_windows import CycleClock
from workloads.guests import GUESTS, make_guest
from workloads.phase import Phase, PhaseRates
from workloads.steps import quantum

MS = 1_000_000
SLEEPERS = [name for name in GUESTS if name not in ("busy", "ticking")]
RATES = (PhaseRates("little", 1.0, 0.0),)
WORKLOAD = Workload("w", "", (Phase("w", 0, RATES),), Phase("kernel", 1, RATES))


def spec(name="windows", **changes):
    base = {"window_ns": 10 * MS, "boot_ns": 20 * MS, "quantum_instructions": MS, "quanta_per_wake": 3,
            "sleep_ns": 2 * MS}  # fmt: skip
    return GuestSpec(name=name, **{**base, **changes})


def play(guest, actions=200, vcpus=1, vcpu=0, **fake):
    cpu = guest_cpu(vcpu, vcpus)
    return FakeVcpu(**fake).play(guest.vcpu(cpu), actions)


def test_windows_calibrates_exactly_when_the_rate_is_constant():
    seen = play(make_guest(spec(), WORKLOAD))
    assert seen.reports("calibrated_hz") == [2_000_000_000]
    assert seen.deaths == []


def test_windows_boots_then_spins_for_the_window():
    seen = play(make_guest(spec(), WORKLOAD))
    assert seen.of(SpinUntil) == [SpinUntil(1, 20 * MS // NS_PER_TICK), SpinUntil(1, 30 * MS // NS_PER_TICK)]


def test_windows_enables_the_cycle_counter_before_the_first_read():
    seen = play(make_guest(spec(), WORKLOAD))
    first_read = seen.log.index(ReadReg("PMCCNTR_EL0"))
    assert [a for a in seen.log[:first_read] if isinstance(a, WriteReg)] == [
        WriteReg("PMCNTENCLR_EL0", 0xFFFFFFFF), WriteReg("PMINTENCLR_EL1", 0xFFFFFFFF),
        WriteReg("PMOVSCLR_EL0", 0xFFFFFFFF),
        WriteReg("PMCCFILTR_EL0", 0), WriteReg("PMCNTENSET_EL0", 1 << 31), WriteReg("PMCR_EL0", 0x41),
    ]  # fmt: skip


def test_windows_dies_when_both_reads_are_equal():
    seen = play(make_guest(spec(), WORKLOAD), vcpus=4, counts=lambda now_ns: False)
    assert seen.reports("calibrated_hz") == [0]
    assert seen.deaths == ["division by zero: calibrated frequency is 0 Hz"]
    assert seen.woken == []
    assert seen.of(Run) == []


@pytest.mark.parametrize("cycles, hz, dies", [(9, 900, True), (10, 1000, False)])
def test_windows_dies_below_1000_hz_and_not_at_it(cycles, hz, dies):
    """So many cycles in a window of 10 ms."""
    reads = []

    def moves_once(name):
        reads.append(name)
        if len(reads) == 2:
            fake.counter += cycles

    fake = FakeVcpu(counts=lambda now_ns: False, on_read=moves_once)
    fake.play(make_guest(spec(), WORKLOAD).vcpu(guest_cpu()), 15)
    assert fake.reports("calibrated_hz") == [hz]
    assert bool(fake.deaths) == dies


def test_windows_counts_through_a_wrap():
    seen = play(make_guest(spec(), WORKLOAD), counter=(1 << 64) - 41 * MS)
    assert seen.reports("calibrated_hz") == [2_000_000_000]
    assert seen.reports("clock_ns") == seen.reports("timer_ns")


def test_windows_dies_of_an_undefined_register():
    seen = play(make_guest(spec(), WORKLOAD), undefined=frozenset({"PMCCNTR_EL0"}))
    assert seen.deaths == ["undefined instruction: access to PMCCNTR_EL0"]


def test_windows_starts_the_other_vcpus_after_calibration_only():
    guest = make_guest(spec(), WORKLOAD)
    second = guest.vcpu(guest_cpu(vcpu=1, vcpus=3))
    assert second.send(None) == Halt()
    first = play(guest, vcpus=3)
    assert first.woken == [1, 2]
    fake = FakeVcpu().play(second, 60)
    assert WriteReg("PMCNTENSET_EL0", 1 << 31) in fake.log  # its own counter: the PMU is per vCPU
    assert fake.reports("calibrated_hz") == []
    assert fake.reports("clock_ns") == fake.reports("timer_ns") != []


def test_windows_clock_stands_still_with_the_counter_and_forgets_sleep():
    # boot 20 ms + window 10 ms, then quanta of 1 ms: the first wake counts, the second does not
    seen = play(make_guest(spec(), WORKLOAD), actions=36, counts=lambda now_ns: now_ns < 34 * MS)
    assert seen.reports("timer_ns")[0] == 1 * MS
    assert seen.reports("clock_ns")[0] == 1 * MS
    long = play(make_guest(spec(), WORKLOAD), actions=140, counts=lambda now_ns: now_ns < 34 * MS)
    assert long.reports("clock_ns")[-1] == 3 * MS
    assert long.reports("timer_ns")[-1] > 10 * MS
    assert long.reports("timer_ns")[-1] < long.now_ns - 30 * MS - sum(a.ns for a in long.of(Sleep)) + 1


def test_windows_reports_its_clock_at_most_each_ten_milliseconds():
    seen = play(make_guest(spec(), WORKLOAD), actions=2000)
    lived_ms = (seen.now_ns - 30 * MS) / MS
    assert 1 <= len(seen.reports("clock_ns")) <= lived_ms / 10 + 1


def test_windows_reads_the_counter_at_each_thread_switch():
    seen = play(make_guest(spec(), WORKLOAD), actions=400)
    reads_of_calibration = 2
    wakes, quanta = len(seen.of(Sleep)) + 1, len(seen.of(Run))
    assert abs(len(seen.of(ReadReg)) - reads_of_calibration - wakes - quanta) <= 1


def test_cycle_clock_rounds_once():
    clock = CycleClock(hz=3, cntfrq_hz=3, report_every=1)
    clock.start(0, 0)
    for step in range(1, 4):
        clock.advance(step, step)
    assert (clock.clock_ns, clock.timer_ns) == (1_000_000_000, 1_000_000_000)


def test_plain_guest_touches_no_register():
    seen = play(make_guest(spec("none"), WORKLOAD), vcpus=2)
    assert seen.of(ReadReg) == []
    assert seen.of(WriteReg) == []
    assert seen.woken == [1]
    assert seen.of(Run)[0] == Run(0, MS)


def test_busy_guest_counts_and_reads_and_never_sleeps_whatever_it_is_answered():
    seen = play(make_guest(spec("busy"), WORKLOAD), actions=40, counts=lambda now_ns: False)
    assert seen.of(WriteReg)[3:] == [
        WriteReg("PMCCFILTR_EL0", 0), WriteReg("PMEVTYPER0_EL0", 0x08), WriteReg("PMEVTYPER1_EL0", 0x03),
        WriteReg("PMEVTYPER2_EL0", 0x10), WriteReg("PMEVTYPER3_EL0", 0x24),
        WriteReg("PMCNTENSET_EL0", 0x8000000F), WriteReg("PMCR_EL0", 0x41),
    ]  # fmt: skip
    assert seen.log[10:14] == [ReadReg("PMCCNTR_EL0"), Run(0, MS), ReadReg("PMCCNTR_EL0"), Run(0, MS)]
    assert seen.of(Sleep) == seen.deaths == []


@pytest.mark.parametrize("name", SLEEPERS)
def test_sleeps_alternate_and_stay_in_their_range(name):
    seen = play(make_guest(spec(name), WORKLOAD), actions=400)
    sleeps = seen.of(Sleep)
    assert len(sleeps) > 4
    assert [sleep.io for sleep in sleeps] == [index % 2 == 1 for index in range(len(sleeps))]
    assert {sleep.ns for sleep in sleeps} == {2 * MS}  # the fake draws the middle
    for draw, ns in ((0, MS), ((1 << 64) - 1, 3 * MS)):
        cpu = guest_cpu(draw=lambda purpose, index, bits=draw: bits)
        sleep = FakeVcpu().play(make_guest(spec(name), WORKLOAD).vcpu(cpu), 400).of(Sleep)[0]
        assert sleep.ns == ns


@pytest.mark.parametrize("name", GUESTS)
def test_no_sleep_where_the_mean_is_zero(name):
    assert play(make_guest(spec(name, sleep_ns=0), WORKLOAD)).of(Sleep) == []


@pytest.mark.parametrize("name", SLEEPERS)
def test_draws_depend_on_purpose_and_index_only(name):
    """Each (purpose, index) is drawn once and the indices count up: no shared sequence of draws."""
    drawn = []

    def record(purpose, index):
        drawn.append((purpose, index))
        return 0

    cpu = guest_cpu(draw=record)
    FakeVcpu().play(make_guest(spec(name), WORKLOAD).vcpu(cpu), 300)
    assert drawn == [("sleep", index) for index in range(len(drawn))] != []


@pytest.mark.parametrize("name", GUESTS)
def test_program_names_itself_and_its_phases(name):
    guest = make_guest(spec(name), WORKLOAD)
    assert guest.name == name
    assert [phase.name for phase in guest.phases] == ["w", "kernel"]


def test_bursts_have_the_stated_mean_and_spread():
    bursty = Workload("w", "", WORKLOAD.phases, WORKLOAD.kernel, burst_permille=250)
    short, long = (
        quantum(guest_cpu(draw=lambda purpose, index, bits=bits: bits), spec(), bursty, 0).instructions
        for bits in (0, (1 << 64) - 1)
    )
    assert (short, long) == (750_000, 1_250_000)


def test_phases_take_turns():
    two = Workload("w", "", WORKLOAD.phases * 2, WORKLOAD.kernel)
    assert [quantum(guest_cpu(), spec(), two, index).phase for index in range(4)] == [0, 1, 0, 1]


def test_unknown_guest_is_refused_with_near_matches():
    with pytest.raises(InputError, match="windows"):
        make_guest(spec("window"), WORKLOAD)


def test_a_ticking_guest_works_up_to_each_tick_and_handles_it():
    """250 Hz of a 25 MHz counter: every 100,000 ticks of it, after a boot of 20 ms."""
    seen = play(make_guest(spec("ticking", tick_instructions=5000), WORKLOAD), actions=6)
    assert seen.log[3:7] == [SpinUntil(0, 600_000), Run(1, 5000), SpinUntil(0, 700_000), Run(1, 5000)]
    assert len(seen.of(Run)) % 64 == 0  # many ticks a script
    assert seen.now_ns == 600_000 * NS_PER_TICK + 4 * MS * (len(seen.of(Run)) - 1) + 5000


def test_ticks_of_an_odd_rate_do_not_drift():
    seen = play(make_guest(spec("ticking", tick_hz=300), WORKLOAD), actions=12)
    until = [action.ticks for action in seen.of(SpinUntil)[1:]]
    assert until[:3] == [583_334, 666_667, 750_000]
