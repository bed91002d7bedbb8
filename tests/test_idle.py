"""Idle states: what menu expects and chooses, when a pCPU is awake again, and where its time went."""

import dataclasses
import random
from pathlib import Path

import numpy as np
import pytest

from scheduler import kernel_idle as ki
from scheduler import kernel_state as ks
from scheduler.bare import bare_state
from scheduler.kernel_handle import handle_of
from simcore.app.running import run
from simcore.scenario import AffinityChange, IdleSpec, OppChange, Scenario
from tests.scenes import DUO, MS, Report, Run, Sleep, SpinUntil, Stage, scene
from workloads.actions import Halt, ReadTimer, Wake

US = 1_000
UNKNOWN = ki.UNKNOWN_US
ANY = IdleSpec()
BIG = {"cpus": (1,)}


@pytest.fixture
def stage(monkeypatch):
    return Stage(monkeypatch)


def sleepy(tmp_path: Path, *states: tuple[int, int, int]) -> str:
    """Write a duo whose big core has idle states of these entry and exit latencies and residencies in us."""
    text = Path(DUO).read_text(encoding="utf-8")
    names = [f"S{number}" for number in range(len(states))]
    text = text.replace('perf_domain = "fast"\n', f'perf_domain = "fast"\nidle_states = {names}\n'.replace("'", '"'), 1)
    for name, (entry, exit_us, residency) in zip(names, states, strict=True):
        text += f'\n[[idle_state]]\nname = "{name}"\nentry_us = {entry}\nexit_us = {exit_us}\n'
        text += f"min_residency_us = {residency}\n"
    path = tmp_path / "sleepy.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def states_of(result, cpu=1):
    """Return ``(ns, entered, too deep, too shallow)`` of each idle state of a pCPU."""
    table = result.tables["idle_states"]
    rows = table[table["cpu"] == cpu]
    return [tuple(int(row[name]) for name in ("time_ns", "entered", "too_deep", "too_shallow")) for row in rows]


# --- menu ----------------------------------------------------------------------------------------------------


def typical(values):
    """Say what menu says, with the values as a list that loses its outliers."""
    kept = list(values)
    while kept and max(kept) > 0:
        n = len(kept)
        mean = sum(kept) // n
        variance = sum(value * value for value in kept) // n - mean * mean
        if variance <= 400 or (n >= 6 and mean * mean > 36 * variance):
            return mean
        if n <= 6:
            return max(kept) if n >= 4 else UNKNOWN
        outlier = min(kept) if mean - min(kept) > max(kept) - mean else max(kept)
        kept = [value for value in kept if value != outlier]
    return UNKNOWN


@pytest.mark.parametrize(
    "values, expected",
    [
        ([0] * 8, UNKNOWN),
        ([1000] * 8, 1000),
        ([100, 110, 90, 105, 95, 100, 100, 100], 100),
        ([2000, 2000, 2000, 2000, 2000, 2000, 2000, 50], 2000),
        ([2000, 2000, 2000, 2000, 2000, 2000, 9000, 50], 2000),
        ([10, 900, 20, 800, 1500, 60, 3000, 400], 900),
        ([10, 10, 10, 10, 10, 4000, 4000, 4000], 10),
    ],
)
def test_the_typical_interval_leaves_outliers_out(values, expected):
    assert ki.typical_interval(np.array(values, np.int64)) == expected
    assert typical(values) == expected


def test_the_typical_interval_of_thousands_of_random_histories():
    rng = random.Random(1)
    seen = set()
    for _ in range(3000):
        scale = rng.choice((3, 60, 5_000, 1_000_000_000))
        middle = rng.randrange(scale + 1)
        values = [
            rng.choice((middle, middle + rng.randrange(1 + scale // 8), rng.randrange(scale + 1))) for _ in range(8)
        ]
        got = int(ki.typical_interval(np.array(values, np.int64)))
        assert got == typical(values), values
        seen.add("none" if got == UNKNOWN else "longest" if got == max(values) else "mean")
    assert seen == {"none", "longest", "mean"}


def machine(*states: tuple[int, int], history=0, timer_us=None, now_us=100):
    """Return a pCPU with idle states of these latencies and residencies in us, beyond WFI."""
    state = bare_state(1, 1)
    row = state.idle[0]
    row[ki.N_STATES] = 1 + len(states)
    row[ki.LATENCY_LIMIT] = ks.NEVER
    row[ki.FIRST_FACTOR :] = ki.FACTOR_UNIT
    row[ki.FIRST_INTERVAL : ki.FIRST_FACTOR] = history
    table = np.zeros((1, 1 + len(states), ki.STATE_COLUMNS), np.int64)
    table[0, :, ki.LATENCY] = [US, *(latency * US for latency, _ in states)]
    table[0, :, ki.RESIDENCY] = [US, *(residency * US for _, residency in states)]
    state = state._replace(idle_state=table)
    state.glob[ks.NOW] = now_us * US
    if timer_us is not None:
        state.task[0, ks.WAKE_AT] = (now_us + timer_us) * US
        ki.arm(handle_of(state), 0, 0)
    return state


TWO = ((250, 1000), (500, 3000))


@pytest.mark.parametrize(
    "history, timer_us, now_us, chosen",
    [
        (0, 999, 100, (0, False)),  # the timer comes before the first state is worth it
        (0, 1000, 100, (1, True)),
        (0, 2999, 100, (1, True)),
        (0, 3000, 100, (2, True)),
        (0, 4000, 100, (2, False)),  # no shorter than a tick: it stops
        (0, None, 100, (2, False)),
        (10, None, 100, (0, True)),  # always idle for 10 us
        (1500, None, 100, (1, True)),
        (1500, None, 2999, (1, True)),  # 1.001 ms before the tick of 4 ms
        (1500, None, 3001, (0, True)),
        (5000, 3500, 100, (2, True)),
    ],
)
def test_the_state_is_the_deepest_that_is_worth_it(history, timer_us, now_us, chosen):
    assert ki.select(handle_of(machine(*TWO, history=history, timer_us=timer_us, now_us=now_us)), 0) == chosen


@pytest.mark.parametrize("limit_us, state", [(0, 0), (249, 0), (250, 1), (499, 1), (500, 2)])
def test_a_latency_limit_keeps_the_deeper_states_out(limit_us, state):
    sleeping = machine(*TWO)
    sleeping.idle[0, ki.LATENCY_LIMIT] = limit_us * US
    assert ki.select(handle_of(sleeping), 0) == (state, False)


def test_a_shallow_state_keeps_the_tick_if_the_next_one_is_not_worth_it_for_a_long_time():
    assert ki.select(handle_of(machine((250, 1000), (500, 6000), timer_us=5000)), 0) == (1, True)


def test_a_correction_factor_follows_what_timers_promise_and_keep():
    """Timers of 2 ms, woken after 600 us each: 350 us without the latency, 8192 * (7/8)^n + 179 each time."""
    state = machine(*TWO)
    handle = handle_of(state)
    factor = 8192
    for _ in range(3):
        state.task[0, ks.WAKE_AT] = state.glob[ks.NOW] + 2 * MS
        ki.disarm(handle, 0)
        ki.arm(handle, 0, 0)
        state.idle[0, ki.FIRST_INTERVAL : ki.FIRST_FACTOR] = 0
        ki.enter(handle, 0)
        assert state.idle[0, ki.STATE] == 1
        state.glob[ks.NOW] += 600 * US
        ki.leave(handle, 0, 0)
        factor += -(factor // 8) + 1024 * 350 // 2000
        assert state.idle[0, ki.FIRST_FACTOR + 3] == factor
        assert 350 in state.idle[0, ki.FIRST_INTERVAL : ki.FIRST_FACTOR]
    assert state.idle_state[0, 1, [ki.ENTERED, ki.TOO_DEEP, ki.TOO_SHALLOW]].tolist() == [3, 3, 0]


@pytest.mark.parametrize("idle_us, learnt_us", [(200, 100), (300, 150), (500, 250), (501, 251), (1500, 1250)])
def test_what_is_learnt_of_an_idle_time_is_it_without_the_latency(idle_us, learnt_us):
    """The latency is 250 us; of a time that is not longer than twice that it is taken to be one half."""
    state = machine(*TWO, timer_us=2000)
    handle = handle_of(state)
    ki.enter(handle, 0)
    state.glob[ks.NOW] += idle_us * US
    ki.leave(handle, 0, 0)
    assert state.idle[0, ki.FIRST_INTERVAL] == learnt_us


# --- in a run ------------------------------------------------------------------------------------------------


def sleeps(*lengths_us, work=0):
    """Sleep for these times, and report the time after each."""

    def script(cpu):
        for length in lengths_us:
            yield Sleep(length * US)
            now = yield ReadTimer()
            yield Report("awake", now)
            if work:
                yield Run(0, work)
        yield SpinUntil(0, 1 << 40)

    return script


def reported(result):
    return result.tables["reports"]["value"].tolist()


def test_a_thread_waits_until_its_pcpu_is_awake(stage, tmp_path):
    """2 ms in a state of 50 us to enter and 150 us to leave; then 100 us, for which WFI is enough."""
    result = stage.run(scene(idle=ANY, vm=BIG, platform=sleepy(tmp_path, (50, 150, 1000))), sleeps(2000, 100))
    assert reported(result) == [2150 * US, 2250 * US]
    assert states_of(result) == [(100 * US, 2, 0, 0), (2150 * US, 1, 0, 0)]
    assert int(result.tables["cpus"]["busy_ns"][1]) == 20 * MS - 2250 * US


def test_a_change_of_frequency_delays_no_pcpu_that_is_waking_up(stage, tmp_path):
    change = (OppChange(2100 * US, 1, 1_000_000),)
    place = scene(idle=ANY, vm=BIG, platform=sleepy(tmp_path, (50, 150, 1000)), opp_changes=change)
    assert reported(stage.run(place, sleeps(2000))) == [2150 * US]


def test_a_wakeup_during_the_entry_waits_for_the_rest_of_it(stage, tmp_path):
    """The other vCPU wakes it 100 us after it began to enter a state of 400 us and 300 us."""

    def script(cpu):
        if cpu.vcpu == 1:
            yield SpinUntil(0, 5_100 * US)
            yield Wake(0)
        else:
            yield SpinUntil(0, 5 * MS)
            yield Halt()
            yield Report("awake", (yield ReadTimer()))
        yield SpinUntil(0, 1 << 40)

    platform = sleepy(tmp_path, (400, 300, 1000))
    places = (AffinityChange(MS, 0, 0, (1,)), AffinityChange(MS, 0, 1, (0,)))
    result = stage.run(scene(idle=ANY, vm={"vcpus": 2}, platform=platform, affinity_changes=places), script)
    assert reported(result) == [5_700 * US]
    assert states_of(result)[1][1:] == (1, 1, 0)


def test_a_pcpu_that_expected_little_chooses_anew_at_the_tick(stage, tmp_path):
    """Eight idle times of 200 us, then one of 40 ms: WFI up to the third tick, when too few of the last eight agree."""
    longer = scene(idle=ANY, vm=BIG, platform=sleepy(tmp_path, (0, 0, 1000)), seconds_ns=50 * MS)
    result = stage.run(longer, sleeps(*[200] * 8, 40_000))
    assert states_of(result) == [(12 * MS, 12, 0, 3), (29_600 * US, 1, 0, 0)]


def test_without_a_deeper_state_nothing_is_late(stage):
    result = stage.run(scene(vm=BIG), sleeps(2000, 100))
    assert reported(result) == [2000 * US, 2100 * US]


def test_busy_and_idle_time_add_up_for_every_pcpu():
    """On a board whose cores have idle states, with guests and host threads that sleep at random."""
    result = run(Scenario(seconds_ns=50 * MS, idle=IdleSpec()))
    idle = result.tables["idle_states"]
    for cpu, busy_ns in result.tables["cpus"]:
        assert busy_ns + idle["time_ns"][idle["cpu"] == cpu].sum() == 50 * MS
    assert (idle["entered"][idle["state"] == 1] > 0).any()
    assert (idle["too_deep"] + idle["too_shallow"] <= idle["entered"]).all()
    shallow = run(Scenario(seconds_ns=50 * MS, idle=IdleSpec(latency_limit_ns=0)))
    assert not shallow.tables["idle_states"]["time_ns"][shallow.tables["idle_states"]["state"] > 0].any()


def test_powers_of_idle_states_change_the_energy_and_nothing_else():
    base = Scenario(seconds_ns=20 * MS)
    low, high = (
        run(dataclasses.replace(base, idle=IdleSpec(wfi_power=power, sleep_power=power))) for power in (0, 1000)
    )
    assert not low.tables["energy"]["idle_uj"].any()
    assert (high.tables["energy"]["idle_uj"] > 0).all()
    assert low.digest(frozenset({"energy"})) == high.digest(frozenset({"energy"}))
