"""`hetpmu replay` of an exported run gives the same schedule back, to the nanosecond and to the cycle.

Over drawn scenarios: overcommit, several VMs, crossings, wakeups, frequency changes in a run, other threads, and guests
that wait, read registers and die. What is equal is listed in docs/exports.md.
"""

import dataclasses
import io
import tempfile
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.kernel_state import OTHER_CAUSE, WAKEUP
from simcore.app.export_threads import threads_of
from simcore.app.ftrace_text import write_ftrace
from simcore.app.running import run
from simcore.app.trace_replay import replay
from simcore.loader import load_platform
from simcore.scenario import AffinityChange, BackgroundTask, GuestSpec, OppChange, RtappSpec, Scenario, VmSpec
from tests.scenes import DUO, FREE, MS

PLAYER = "docs/examples/player.json"
LENGTH = 12 * MS
VCPUS = "CPU [0-9]+/KVM"
SIGHTS = {
    "overcommit", "two VMs", "crossing", "frequency in a run", "wakeup elsewhere", "others", "preempted in the guest",
    "waits", "register access", "cut at the end", "rt-app", "dies", "many exits at no cost",
}  # fmt: skip

GUESTS = st.builds(
    GuestSpec,
    name=st.sampled_from(("busy", "windows", "ticking", "linux-perf-stat")),
    boot_ns=st.just(MS),
    window_ns=st.just(MS),
    quantum_instructions=st.sampled_from((50_000, 400_000)),
    quanta_per_wake=st.just(2),
    sleep_ns=st.sampled_from((100_000, 700_000)),
    tick_hz=st.just(1000),
)
VMS = st.builds(VmSpec, guest=GUESTS, vcpus=st.integers(1, 3), policy=st.sampled_from(("default", None)))
TASKS = st.builds(
    BackgroundTask,
    burst_ns=st.sampled_from((200_000, 1_500_000)),
    sleep_ns=st.sampled_from((300_000, 3_000_000)),
    policy=st.sampled_from(("other", "other", "fifo", "batch")),
)


@st.composite
def scenarios(draw):
    platform = draw(st.sampled_from((DUO, DUO, "rk3399")))
    cpus = range(len(load_platform(platform).cpus))
    times = st.integers(0, LENGTH - 1)
    changes = st.builds(OppChange, times, st.integers(0, 1), st.just(0))
    domains = load_platform(platform).perf_domains
    opps = tuple(
        dataclasses.replace(change, khz=draw(st.sampled_from([opp.khz for opp in domains[change.domain].opps])))
        for change in draw(st.lists(changes, max_size=4))
    )
    vms = tuple(draw(st.lists(VMS, min_size=1, max_size=2)))
    moves = st.builds(
        AffinityChange, times, st.just(0), st.just(0), st.sets(st.sampled_from(cpus), min_size=1).map(tuple)
    )
    return Scenario(
        platform=platform,
        vms=vms,
        seconds_ns=LENGTH,
        seed=draw(st.integers(0, 99)),
        scheduler=draw(st.sampled_from(("eas", "eevdf", "random:1000", "round-robin:1ms"))),
        background=tuple(draw(st.lists(TASKS, max_size=3))),
        opp_changes=opps,
        affinity_changes=tuple(draw(st.lists(moves, max_size=3))),
        rtapp=RtappSpec(draw(st.sampled_from((None, None, PLAYER)))),
        halt_poll_ns=draw(st.sampled_from((0, 500_000))),
        costs=FREE if draw(st.booleans()) else Scenario().costs,
        schedule=True,
        trace=True,
        sample_ns=0,
    )


def exported(result):
    """Return a run as text."""
    platform = load_platform(result.scenario.platform)
    sink = io.StringIO()
    write_ftrace(sink, result.tables, threads_of(result), platform, result.summary["ended_ns"])
    return sink.getvalue()


def replayed(result, **options):
    """Replay what a run exports; its answer and the tables of the replay."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(exported(result))
        file.flush()
        return replay(file.name, VCPUS, result.scenario.platform, schedule=True, history=True, **options)


def merged(segments):
    """Return where and at which frequency each vCPU executed, whatever its phases: start, end, vcpu, cpu, khz, rest."""
    rows = np.sort(segments, order=["vcpu", "start_ns"])
    whole: list[list[int]] = []
    for start, end, vcpu, cpu, _, khz, rest in rows.tolist():
        if whole and whole[-1][1:5] == [start, vcpu, cpu, khz]:
            whole[-1][1] = end
        else:
            whole.append([start, end, vcpu, cpu, khz, rest])
    return whole


def steps_of(frequencies):
    """Return {ns: kHz} of each perf domain; the last change at one nanosecond counts."""
    return [
        dict(frequencies[["t_ns", "khz"]][frequencies["cpu"] == cpu].tolist()) for cpu in np.unique(frequencies["cpu"])
    ]


def runs_of(switches, vcpu, ended_ns):
    """Return (start, end, cpu, what became of it) of each stretch in which a vCPU's thread ran."""
    found = []
    for cpu in np.unique(switches["cpu"]).tolist():
        rows = switches[switches["cpu"] == cpu]
        ends = [*rows[["t_ns", "state"]].tolist()[1:], (ended_ns, 0)]
        found += [
            (row[0], end, cpu, state) for row, (end, state) in zip(rows.tolist(), ends, strict=True) if row[2] == vcpu
        ]
    return sorted(found)


def busy_by_khz(tables, cpu, domain, ended_ns):
    """Return how long a pCPU ran a thread at each frequency, from its switches and the steps of its perf domain."""
    switches = tables["switches"][tables["switches"]["cpu"] == cpu]
    steps = tables["frequencies"][tables["frequencies"]["cpu"] == domain.cpus[0]]
    edges = sorted({0, ended_ns, *switches["t_ns"].tolist(), *steps["t_ns"].tolist()})
    sums: dict[int, int] = {}
    for start, end in pairwise(edges):
        before = np.flatnonzero(switches["t_ns"] <= start)
        if len(before) and switches["task"][before[-1]] >= 0:
            khz = int(steps["khz"][np.flatnonzero(steps["t_ns"] <= start)[-1]])
            sums[khz] = sums.get(khz, 0) + end - start
    return sums


VM = VmSpec(
    vcpus=2, guest=GuestSpec("windows", boot_ns=MS, window_ns=MS, quantum_instructions=50_000, sleep_ns=100_000)
)
BASE = Scenario(platform=DUO, vms=(VM,), seconds_ns=LENGTH, background=(), schedule=True, trace=True, sample_ns=0)
SHOWN = (
    dataclasses.replace(
        BASE,
        vms=(VM, dataclasses.replace(VM, vcpus=3, guest=GuestSpec("busy"))),
        scheduler="random:1000",
        background=(BackgroundTask(200_000, 300_000),) * 2,
        rtapp=RtappSpec(PLAYER),
    ),
    dataclasses.replace(
        BASE,
        platform="rk3399",
        costs=FREE,
        halt_poll_ns=0,
        vms=(dataclasses.replace(VM, vcpus=3, guest=dataclasses.replace(VM.guest, quanta_per_wake=1)),),
        background=(BackgroundTask(200_000, 300_000),) * 3,
        opp_changes=(OppChange(5_000_001, 0, 600_000), OppChange(9_000_007, 1, 1_416_000)),
        seed=3,
    ),
    dataclasses.replace(BASE, vms=(dataclasses.replace(VM, policy=None),), seed=2),
    dataclasses.replace(
        BASE, vms=(VmSpec(vcpus=1, guest=GuestSpec("busy")),), scheduler="pinned", governor="performance", costs=FREE
    ),
)
"""Scenarios that have all of SIGHTS together; in the last one no vCPU ever leaves its guest."""


@pytest.mark.parametrize("scenario", SHOWN)
def test_a_replay_of_an_export_is_the_run(scenario):
    checked(scenario)


def test_the_scenarios_show_what_they_are_for():
    assert set.union(*(sights(run(scenario)) for scenario in SHOWN)) == SIGHTS


@settings(max_examples=5, suppress_health_check=list(HealthCheck))
@given(scenario=scenarios())
def test_a_replay_of_any_export_is_the_run(scenario):
    checked(scenario)


@pytest.mark.slow
@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(scenario=scenarios())
def test_a_replay_of_very_many_exports_is_the_run(scenario):
    checked(scenario)


def checked(scenario):
    """Compare a run with the replay of its export."""
    result = run(scenario)
    ran = np.unique(result.tables["switches"]["task"])
    compared(result, [task for task in ran.tolist() if 0 <= task < len(result.tables["vcpus"])])


SHADOWS = ("set-pmu-unpinned:pmu_little@mainline", "set-pmu-unpinned:pmu_big@v8", "fixed-counters-only@v8")


@pytest.mark.parametrize("seed", [1, 2])
def test_counters_of_a_replay_are_those_of_shadows_in_the_run(seed):
    """Law 8 across the text: ledgers, events and stalls, with crossings, overcommit and another frequency."""
    vm = VmSpec(guest=GuestSpec("busy"), vcpus=3, policy=None, shadows=SHADOWS)
    steps, others = (OppChange(5 * MS, 0, 500_000),), (BackgroundTask(200_000, 900_000),)
    result = run(
        dataclasses.replace(BASE, vms=(vm,), seed=seed, scheduler="random:1000", opp_changes=steps, background=others)
    )
    assert result.tables["migrations"]["crossing"].sum() > 5
    found = replayed(result, policies=SHADOWS, seed=seed)
    assert [seat.pair.label for seat in found.seats] == list(SHADOWS)
    for number, again in enumerate(found.results, 1):
        assert again.tables["events"].tolist() == result.tables["events"].tolist()
        for name in ("ledger", "stalls", "vpmus"):
            rows = result.tables[name][result.tables[name]["policy"] == number]
            columns = [column for column in rows.dtype.names if column not in ("policy", "reloads")]
            assert rows[columns].tolist() == again.tables[name][columns].tolist(), (name, SHADOWS[number - 1])


def compared(result, vcpus):
    """Compare a run with the replay of its export; `vcpus` are those whose threads ran."""
    number = {vcpu: place for place, vcpu in enumerate(vcpus)}
    found = replayed(result, policies=("fixed-counters-only",))
    kept, again, answer = result.tables, found.results[0].tables, found.as_json()
    ended_ns = result.summary["ended_ns"]
    assert (found.recording.schedule.start_ns, found.recording.schedule.end_ns) == (0, ended_ns)
    kinds = {row["kind"] for row in answer["findings"]}
    assert kinds <= {"running-at-end", "never-in-guest"}, kinds
    pids = [thread.pid for thread in threads_of(result)]
    assert [row["pid"] for row in answer["threads"]] == [pids[vcpu] for vcpu in vcpus]

    segments = [[*row[:2], number[row[2]], *row[3:]] for row in merged(kept["segments"])]
    assert merged(again["segments"]) == segments
    assert again["vcpus"][["guest_ns", "guest_cycles"]].tolist() == [
        row[["guest_ns", "guest_cycles"]].tolist() for row in kept["vcpus"][vcpus]
    ]
    assert steps_of(again["frequencies"]) == steps_of(kept["frequencies"])
    assert again["cpus"]["busy_ns"].tolist() == kept["cpus"]["busy_ns"].tolist()
    platform = load_platform(result.scenario.platform)
    for cpu, row in zip(platform.cpus, answer["cpus"], strict=True):
        by_khz = busy_by_khz(kept, cpu.number, platform.perf_domains[cpu.perf_domain], ended_ns)
        assert {int(khz): ns for khz, ns in row["busy_ns_by_khz"].items()} == by_khz
    for vcpu in vcpus:
        compare_thread(result, found, vcpu, number[vcpu], ended_ns)


def compare_thread(result, found, vcpu, place, ended_ns):
    kept, thread = result.tables, found.recording.schedule.threads[place]
    runs = runs_of(kept["switches"], vcpu, ended_ns)
    assert thread.runs.tolist() == [list(row[:3]) for row in runs]
    assert thread.runnable.tolist() == [row[3] == 0 for row in runs]
    moves = kept["migrations"][kept["migrations"]["vcpu"] == vcpu]
    assert thread.migrations.tolist() == [list(row) for row in moves[["t_ns", "from_cpu", "to_cpu"]].tolist()]
    again = found.results[0].tables["migrations"]
    causes = [
        (after[0], before[2], after[2], WAKEUP if before[3] == 1 else OTHER_CAUSE)
        for before, after in pairwise(runs)
        if before[2] != after[2]
    ]
    chosen = again["vcpu"] == place
    assert again[["t_ns", "from_cpu", "to_cpu", "cause"]][chosen].tolist() == causes
    loads = found.results[0].tables["loads"]
    assert loads[["t_ns", "cpu"]][loads["vcpu"] == place].tolist() == first_entries(
        kept["entries"], vcpu, runs, ended_ns
    )


def first_entries(entries, vcpu, runs, ended_ns):
    """Return when and where a vCPU first executed in its guest in each run of its thread."""
    rows = entries[entries["vcpu"] == vcpu]
    times = [*rows["t_ns"].tolist(), ended_ns]
    inside = [
        (start, end)
        for start, end, enter in zip(times, times[1:], rows["enter"], strict=False)
        if enter and end > start
    ]
    firsts = [(min((t for t, _ in inside if start <= t < end), default=None), cpu) for start, end, cpu, _ in runs]
    return [first for first in firsts if first[0] is not None]


def sights(result):
    """Return which of SIGHTS a run has."""
    kept, scenario = result.tables, result.scenario
    entries, moves, vcpus = kept["entries"], kept["moves"], len(kept["vcpus"])
    segments = kept["segments"]
    steps = kept["frequencies"]["t_ns"]
    exits = entries[entries["enter"] == 0]
    shown = {
        "overcommit": vcpus > len(kept["cpus"]),
        "two VMs": len(scenario.vms) > 1,
        "crossing": kept["migrations"]["crossing"].any(),
        "frequency in a run": any(((steps > row["t_ns"]) & (steps < row["t_ns"] + MS)).any() for row in entries),
        "wakeup elsewhere": (moves["cause"] == WAKEUP).any(),
        "others": (kept["switches"]["task"] >= vcpus).any(),
        "preempted in the guest": (exits["reason"] == 1).any(),
        "waits": (exits["reason"] == 2).any(),
        "register access": (exits["reason"] == 3).any(),
        "cut at the end": (segments["end_ns"] == result.summary["ended_ns"]).any(),
        "rt-app": scenario.rtapp.file is not None,
        "dies": (kept["guests"]["died_ns"] > 0).any(),
        "many exits at no cost": scenario.costs == FREE and len(exits) > 10,
    }
    return {name for name, there in shown.items() if there}
