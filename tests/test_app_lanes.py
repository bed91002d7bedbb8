"""Lanes: counters from samples, core types from migrations, rates from windows."""

import numpy as np
import pytest

from simcore.app import lanes
from simcore.app.lanes import Segment
from simcore.errors import InputError
from simcore.loader import load_platform
from simcore.result import Result
from simcore.scenario import Scenario, VmSpec
from simcore.trace import DTYPES

MS = 1_000_000


def table(name, *rows):
    return np.array(list(rows), np.dtype(DTYPES[name]))


def sample(t_ms, counted, cycles, guest_ms, policy=0, vcpu=0, category=0, cpu=0, pmccntr=0):
    counters = np.zeros(31, np.uint64)
    return (t_ms * MS, vcpu, policy, cpu, 0, guest_ms * MS, cycles, pmccntr, counted, category, counters)


def result(**changed):
    tables = {
        "samples": table(
            "samples",
            sample(10, 7, 7, 5, category=1),
            sample(20, 100, 1000, 10),
            sample(30, 300, 1400, 12, cpu=-1),
            sample(40, 300, 1800, 14, category=5),
            sample(30, 900, 1400, 12, policy=1),
            sample(40, 990, 1800, 14, policy=1),
            sample(20, 5, 5, 5, vcpu=1),
        ),
        "migrations": table("migrations", (25 * MS, 0, 0, 1, 0, 0), (35 * MS, 0, 1, 4, 2, 1), (36 * MS, 1, 0, 4, 2, 1)),
        "stalls": table("stalls", (35 * MS, 40 * MS, 0, 0, 1), (35 * MS, 39 * MS, 0, 1, 1), (1, 2, 1, 0, 1)),
        "interrupts": table("interrupts", (33 * MS, 0, 0, 31), (34 * MS, 0, 1, 31)),
        "reports": table(
            "reports",
            (22 * MS, 0, "calibrated_hz", 5),
            (30 * MS, 0, "clock_ns", 90),
            (30 * MS, 0, "timer_ns", 100),
            (40 * MS, 0, "clock_ns", 1),
        ),
        "live_migrations": table(
            "live_migrations",
            (35 * MS, 36 * MS, 0, "default@v8", "armv8_cortex_a55", 6, 0),
            (36 * MS, 37 * MS, 1, "default@v8", "", 6, 0),
        ),
        "guests": table("guests", (0, "alive", -1, "armv8_cortex_a55", 6, 1, 1)),
    }
    scenario = Scenario(vms=(VmSpec(vcpus=2, shadows=("fixed-counters-only@v8",)),), seed=9)
    return Result(scenario, {**tables, **changed}, {"policies": [["default@mainline", "fixed-counters-only@v8"]]})


def test_a_lane_for_the_policy_and_one_for_each_shadow():
    real, shadow = lanes.lanes(result(), load_platform("rk3588"), 0)
    assert (real.policy, shadow.policy) == ("default@mainline", "fixed-counters-only@v8")
    assert real.t_ns.tolist() == [20 * MS, 30 * MS, 40 * MS]
    assert real.counted.tolist() == [0, 200, 200]
    assert real.true.tolist() == [0, 400, 800]
    assert shadow.counted.tolist() == [0, 90]
    assert real.stalls_ns == ((35 * MS, 40 * MS),)
    assert shadow.stalls_ns == ((35 * MS, 39 * MS),)
    assert real.interrupts_ns.tolist() == [33 * MS]
    assert (real.seed, real.backing, real.died_ns, real.end_ns) == (9, "armv8_cortex_a55", None, 40 * MS)


def test_crossings_are_told_from_other_migrations():
    real = lanes.lanes(result(), load_platform("rk3588"), 0)[0]
    assert real.migrations_ns.tolist() == [25 * MS]
    assert real.crossings_ns.tolist() == [35 * MS]
    assert real.segments == (Segment(0, 35 * MS, "Arm Cortex-A55"), Segment(35 * MS, 40 * MS, "Arm Cortex-A76"))
    assert real.cores == ("Arm Cortex-A55", "Arm Cortex-A76")


def test_the_clock_is_what_the_guest_reported():
    real = lanes.lanes(result(), load_platform("rk3588"), 0)[0]
    assert real.clock_ns.tolist() == [30 * MS]
    assert real.clock_error.tolist() == pytest.approx([-0.1])


def test_a_death_ends_the_lane():
    died = table("guests", (0, "division by zero", 38 * MS, "armv8_cortex_a55", 6, 1, 1))
    real, shadow = lanes.lanes(result(guests=died), load_platform("rk3588"), 0)
    assert (real.died_ns, real.outcome, real.fatal) == (38 * MS, "division by zero", True)
    assert (shadow.died_ns, shadow.shadow_of, shadow.fatal) == (38 * MS, "default@mainline", False)


def test_runs_of_one_policy_are_told_apart_by_their_host_pmus():
    other = result(guests=table("guests", (0, "alive", -1, "armv8_cortex_a76", 6, 1, 1)))
    assert lanes.run_names([result()]) == ["default@mainline"]
    assert lanes.run_names([result(), other]) == [
        "default@mainline, armv8_cortex_a55",
        "default@mainline, armv8_cortex_a76",
    ]


def test_what_cannot_be_drawn_is_bad_input():
    platform = load_platform("rk3588")
    with pytest.raises(InputError, match="no vCPU 2"):
        lanes.lanes(result(), platform, 2)
    with pytest.raises(InputError, match="--sample"):
        lanes.lanes(result(samples=table("samples")), platform, 0)


def test_cycles_are_told_from_the_first_sample_on():
    assert lanes.since_first(np.array([2**63 + 5, 2**63 + 9], np.uint64)).tolist() == [0, 4]


def test_rates_are_per_guest_time_and_unknown_where_there_is_little_of_it():
    t_ns = np.arange(0, 41, 10) * MS
    guest_ns = np.array([0, 5, 5, 15, 15.5]) * MS
    ends, mhz = lanes.windowed_rate(t_ns, guest_ns.astype(np.int64), np.array([0, 10, 10, 10, 99]) * MS, 10 * MS)
    assert ends.tolist() == [10 * MS, 20 * MS, 30 * MS, 40 * MS]
    assert mhz.tolist() == pytest.approx([2000, np.nan, 0, np.nan], nan_ok=True)


def test_stops_are_those_of_the_first_vm():
    assert lanes.lanes(result(), load_platform("rk3588"), 0)[0].stopped_ns == ((35 * MS, 36 * MS),)
