"""perf record, the hard-lockup detector and rr on one LITTLE (1 GHz) and one big core (2 GHz): outcomes by hand.

One vCPU that never sleeps and boots for 1 ms; host costs are zero, the interrupt latency 1 ns unless a test says more.
"""

import dataclasses
from collections import Counter
from itertools import count
from pathlib import Path

import pytest

from simcore.app.aggregating import run_answer
from simcore.app.running import run
from simcore.scenario import AffinityChange, GuestSpec, Scenario
from tests.fake_vcpu import FakeVcpu, guest_cpu
from tests.scenes import DUO, FREE, MS, scene
from workloads.actions import Truth
from workloads.catalog import load_workload
from workloads.guest_rr import Tracee
from workloads.linux_pmu import CpuPmu, GuestPmu

US = 1_000
PINNED_AT_ONCE = {"pin_delay_ns": 0}


def guest_scene(name, policy, *moves, latency=0, seconds_ns=20_400_000, platform=DUO, **guest) -> Scenario:
    """A scene of this guest; ``moves`` are (ns, CPU)."""
    spec = GuestSpec(
        name, "dhrystone", boot_ns=MS, sleep_ns=0, quantum_instructions=guest.pop("quantum", 100_000), **guest
    )
    kernel = "v8" if policy == "fixed-counters-only" else "mainline"
    base = scene(
        policy,
        kernel,
        vm={"init_placement": "large" if policy == "set-pmu:pmu_big" else "small"} | PINNED_AT_ONCE,
        affinity_changes=tuple(AffinityChange(ns, 0, 0, (cpu,)) for ns, cpu in moves),
        costs=dataclasses.replace(FREE, interrupt_latency=latency),
        seconds_ns=seconds_ns,
        platform=platform,
    )
    return dataclasses.replace(base, vms=(dataclasses.replace(base.vms[0], guest=spec),))


def found(result):
    return run_answer(result)["policies"][0]["guest_findings"]


# --- perf record ---------------------------------------------------------------------------------------

AWAY = ((10_500_000, 1), (15_500_000, 0))
"""On the LITTLE core from 1 to 10.5 ms and from 15.5 to 20.4 ms (14.4 M cycles), on the big one between (10 M)."""


@pytest.mark.parametrize("policy, moves, by, little, big", [
    ("default", AWAY, "counter", 14, 0),  # at 2 .. 10 ms; half a period is left at 10.5 ms, so 16 .. 20 ms
    ("set-pmu-unpinned:pmu_little", AWAY, "counter", 14, 0),  # it does not run at all on the big core
    ("set-pmu:pmu_little", (), "counter", 19, 0),  # at 2 .. 20 ms
    ("set-pmu:pmu_big", (), "counter", 0, 38),  # at 1.5, 2 .. 20 ms
    ("default-pinned:pmu_little", (), "counter", 19, 0),
    ("default-pinned:pmu_big", (), "counter", 0, 0),  # backed by the LITTLE core's PMU, where KVM_ARM_VCPU_INIT ran
    ("fixed-counters-only", AWAY, "cpu-clock", 14, 5),  # no cycles event; the timer does not care where it is
    (None, AWAY, "cpu-clock", 14, 5),
])  # fmt: skip
def test_samples_of_a_million_cycles(policy, moves, by, little, big):
    result = run(guest_scene("linux-perf-record", policy, *moves, record_period=1_000_000))
    assert found(result)["sampled_by"] == by
    assert Counter(result.tables["perf_samples"]["cpu"].tolist()) == +Counter({0: little, 1: big})
    assert set(result.tables["perf_samples"]["period"].tolist()) <= {1_000_000}


def test_bias_by_host_pmu():
    result = run(guest_scene("linux-perf-record", "default", *AWAY, record_period=1_000_000))
    sampling = run_answer(result)["policies"][0]["sampling"]
    big = {"samples": 0, "samples_share": 0, "cycles_share": 10 / 24.4, "time_share": 5 / 19.4}
    little = {"samples": 14, "samples_share": 1, "cycles_share": 14.4 / 24.4, "time_share": 14.4 / 19.4}
    assert sampling == {"pmu_big": pytest.approx(big), "pmu_little": pytest.approx(little)}


def test_a_sample_comes_one_interrupt_latency_late():
    """The period goes on from the overflow, so that the times stay multiples of a period plus the latency."""
    result = run(guest_scene("linux-perf-record", "default", record_period=1_000_000, latency=3_000))
    samples = result.tables["perf_samples"]
    assert samples["t_ns"][:3].tolist() == [2_003_000, 3_003_000, 4_003_000]
    assert set(samples["skid"].tolist()) == {3_000}
    assert found(result)["skid"] == 3_000


def test_a_frequency_begins_with_a_period_of_one_and_grows():
    """Latency 3 us. A sample tells the period that ended; what is adjusted is programmed at the overflow after next.

    1st: 1.003 ms since boot, 1 event: 0, so 1. 2nd and 3rd: 1 and 12 events in 3001 ns at 4 kHz: 83 and 999, so
    1 + 11 = 12 and 12 + 124 = 136. 4th: 136 events in 3012 ns: 11288, so 136 + 1394 = 1530.
    """
    result = run(guest_scene("linux-perf-record", "default", latency=3_000))
    samples = result.tables["perf_samples"]
    assert samples["t_ns"][:6].tolist() == [1_003_001, 1_006_002, 1_009_003, 1_012_015, 1_015_151, 1_019_681]
    assert samples["period"][:6].tolist() == [1, 1, 1, 12, 136, 1530]


def test_a_frequency_settles_at_the_wanted_period():
    """4 kHz of 1 GHz."""
    result = run(guest_scene("linux-perf-record", "set-pmu:pmu_little", latency=3_000, seconds_ns=50 * MS))
    assert result.tables["perf_samples"]["period"][-20:].tolist() == pytest.approx([250_000] * 20, rel=0.01)


def test_more_samples_than_a_tick_allows_are_throttled():
    """A period of 1000 cycles is a microsecond: 400 samples a tick of 4 ms, the first tick at 4 ms."""
    result = run(guest_scene("linux-perf-record", "default", record_period=1_000, seconds_ns=4 * MS - 1))
    assert len(result.tables["perf_samples"]) == 400
    assert found(result)["throttled"] == 1


def test_another_event_than_cycles_has_no_fallback():
    result = run(guest_scene("linux-perf-record", "fixed-counters-only", record_event=0x08))
    assert found(result)["sampled_by"] == "<not supported>"
    assert len(result.tables["perf_samples"]) == 0


# --- hard-lockup detector ------------------------------------------------------------------------------

WATCH = {
    "watchdog_thresh_ns": 10 * MS,
    "watchdog_max_khz": 1_000_000,
    "lockup_at_ns": 30 * MS,
    "lockup_for_ns": 45 * MS,
    "seconds_ns": 90 * MS,
}
"""A look each 10 M cycles from 1 ms on, the timer each 4 ms; the lockup lasts from 30 ms (and a quantum) to 75 ms."""


def watched(policy, *moves, **changes):
    return run(guest_scene("linux-watchdog", policy, *moves, **WATCH | changes))


@pytest.mark.parametrize("policy, moves, enabled, told_at", [
    ("default", (), 1, 41),  # looks at 21, 31, 41 ms; the timer fired last at 28 ms
    ("default", ((25 * MS, 1), (85 * MS, 0)), 1, None),  # 4 of 10 ms are left as the counter stops
    ("default", ((32 * MS, 1), (60 * MS, 0)), 1, 69),  # 9 ms are left when it stops at 32 ms
    ("set-pmu:pmu_little", (), 1, 41),
    ("set-pmu:pmu_big", (), 1, 36),  # looks at 26, 31, 36 ms
    ("set-pmu-unpinned:pmu_little", ((32 * MS, 1), (60 * MS, 0)), 1, 69),
    ("default-pinned:pmu_little", (), 1, 41),
    ("default-pinned:pmu_big", (), 1, None),
    ("fixed-counters-only", (), "none", None),
    (None, (), "none", None),
])  # fmt: skip
def test_when_a_lockup_is_told(policy, moves, enabled, told_at):
    result = watched(policy, *moves)
    reports = [(str(row["key"]), int(row["t_ns"])) for row in result.tables["reports"] if row["value"] > 0]
    locked_at = dict(reports)["watchdog:lockups"]
    assert 30 * MS <= locked_at < 30 * MS + 200 * US
    assert found(result) == {
        "watched": enabled,
        "lockups": 1,
        "detected": int(told_at is not None),
        "median_delay": None if told_at is None else told_at * MS + 1 - locked_at,
        "longest_delay": None if told_at is None else told_at * MS + 1 - locked_at,
        "false_alarms": 0 if enabled == 1 else None,
    }


def test_a_period_below_the_timers_gives_false_alarms():
    """A look each 2 ms, the timer at 4, 8, .. ms: alarms at 3, 7 .. 27 ms; at 31 ms the lockup is told.

    At its end at 75 ms the timer fires, and at 76, 80 .. ms: alarms at 79, 83, 87 ms.
    """
    assert found(watched("default", watchdog_max_khz=200_000)) == {
        "watched": 1, "lockups": 1, "detected": 1, "false_alarms": 10,
        "median_delay": pytest.approx(MS, rel=0.2), "longest_delay": pytest.approx(MS, rel=0.2),
    }  # fmt: skip


def test_a_guest_without_lockup_finds_none():
    quiet = found(watched("default", lockup_for_ns=0, seconds_ns=40 * MS))
    assert (quiet["lockups"], quiet["detected"], quiet["false_alarms"]) == (None, None, 0)


# --- rr ------------------------------------------------------------------------------------------------


@pytest.fixture
def branches(tmp_path):
    """The duo with BR_RETIRED on both cores."""
    text = Path(DUO).read_text(encoding="utf-8")
    path = tmp_path / "duo.toml"
    path.write_text(text.replace("SW_INCR = 0\n", "SW_INCR = 0\nBR_RETIRED = 33\n"), encoding="utf-8")
    return str(path)


RR = {"quantum": 1_000_000, "rr_syscalls": 2, "rr_timeslice": 1_000_000}
"""Two system calls, 1 M instructions or 1.05 ms of the LITTLE core apart, recorded from 1.1 and replayed from 3.2 ms.

The second session begins at 5.3 ms. The big core, at 2.8 instructions a cycle, does such a stretch in 0.18 ms.
"""


def replayed(policy, *moves, platform, **changes):
    options = {"seconds_ns": 9_600_000, "platform": platform} | RR | changes
    return run(guest_scene("rr", policy, *moves, **options))


@pytest.mark.parametrize("policy, moves, started, replays, differ", [
    ("default", (), 1, 2, 0),
    ("default", ((2 * MS, 1), (2_010_000, 0)), 1, 2, 0.5),  # the recording missed branches, the replay did not
    ("default", ((4 * MS, 1), (4_010_000, 0)), 1, 2, 0.5),  # the other way round
    ("default", ((10 * US, 1),), "refused", None, None),  # off-PMU, its 500 branches are not counted
    ("set-pmu:pmu_little", (), 1, 2, 0),
    ("set-pmu-unpinned:pmu_little", ((4 * MS, 1), (4_010_000, 0)), 1, 2, 0),
    ("default-pinned:pmu_little", (), 1, 2, 0),
    ("default-pinned:pmu_big", (), "refused", None, None),
    ("fixed-counters-only", (), "refused", None, None),  # no event counter
    (None, (), "refused", None, None),
])  # fmt: skip
def test_a_replay_fails_where_the_counter_missed_other_branches_than_in_the_recording(
    branches, policy, moves, started, replays, differ
):
    seen = found(replayed(policy, *moves, platform=branches))
    assert (seen["started"], seen["replays"], seen["ticks"]) == (started, replays, differ)
    if replays:
        assert (seen["counted"] < 1) == (differ > 0)
        assert (seen["overshot"], seen["missing"]) == (0, 0)


def test_a_counter_that_stands_still_in_recording_and_replay_shows_rr_no_difference(branches):
    """From the second recording on (5.3 ms) all is on the big core, off-PMU: 0 ticks each time, whatever was retired.

    Stretches end at whole ns, so the branches retired differ a little from one to the next; rr cannot know.
    """
    seen = found(replayed("default", (5_250_000, 1), platform=branches, quantum=300_000, seconds_ns=12 * MS))
    assert seen["replays"] > 10
    assert seen["ticks"] * seen["replays"] <= 1  # the one that was under way
    assert seen["counted"] < 0.5


@pytest.mark.parametrize("skid, overshot", [(1_000, 1), (10_001, 0)])
def test_an_interrupt_that_comes_later_than_the_skid_allows_overshoots(branches, skid, overshot):
    """50 us are some 5600 branches; the switch that was recorded after 60,000 of them is to be replayed."""
    seen = found(
        replayed("default", platform=branches, latency=50 * US, rr_timeslice=60_000, rr_skid=skid, seconds_ns=5_600_000)
    )
    assert (seen["replays"], seen["overshot"], seen["missing"], seen["counted"]) == (1, overshot, 0, 1)


@pytest.mark.parametrize("skid, missing", [(100, 1), (40_000, 0)])
def test_an_interrupt_is_missing_where_the_counter_stands_still(branches, skid, missing):
    """With less than twice the skid left none is asked for; then the ticks of the system call tell."""
    away = ((3_200_000, 1),)
    seen = found(replayed("default", *away, platform=branches, rr_timeslice=60_000, rr_skid=skid, seconds_ns=3_600_000))
    assert (seen["replays"], seen["missing"], seen["ticks"]) == (1, missing, 1 - missing)


def test_rr_counts_user_space_only():
    pmu = CpuPmu(GuestPmu(6, 0, 0))
    tracee = Tracee(guest_cpu(), GuestSpec("rr"), load_workload("dhrystone", ()), pmu, count())
    assert FakeVcpu().play(pmu.add(tracee.event), 99).registers["PMEVTYPER0_EL0"] == 1 << 31 | 0x21


def test_each_sleep_of_a_recording_draws_its_own_length():
    class Judged(FakeVcpu):
        def answer(self, action):
            return 0 if isinstance(action, Truth) else super().answer(action)

    drawn = []

    def draw(purpose, index):
        drawn.append((purpose, index))
        return 0

    cpu = guest_cpu(draw=draw)
    spec = GuestSpec("rr", rr_syscalls=4, quanta_per_wake=2)
    tracee = Tracee(cpu, spec, load_workload("dhrystone", ()), CpuPmu(GuestPmu(6, 0, 0)), count())
    fake = Judged()
    for _ in range(2):
        fake.play(tracee.session(), 999)
    assert drawn == [("sleep", index) for index in range(4)]
