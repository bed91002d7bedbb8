"""The threads of rt-app files by hand on the duo: what each runs against what its file asks for, on host and guest.

CPU 0 has 1 GHz and capacity 256, CPU 1 2 GHz and 1024: a `run` that CPU 1 calibrated takes four times as long on CPU 0.
Costs are zero and the clocks stand at the top, so that times are exact.
"""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simcore.app.checking import checked
from simcore.app.cli import exit_code
from simcore.app.running import run
from simcore.app.storing import load_result
from simcore.errors import InputError
from simcore.scenario import ALL_CAUSES, GuestSpec, PinSpec, RtappSpec, Scenario, VmSpec
from tests.scenes import EXAMPLES, MS, scene

US = 1000
HOST = -1
IDLE = GuestSpec("none", "dhrystone", boot_ns=0, sleep_ns=10**12, quanta_per_wake=1, quantum_instructions=1)
IDLE_VM = VmSpec(guest=IDLE, vcpus=1, cpus=(0,))


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a file of tasks and returns its path."""

    def written(tasks, calibration="CPU1", duration=-1, **settings):
        path = tmp_path / "app.json"
        settings |= {"calibration": calibration, "duration": duration}
        path.write_text(f'{{"tasks": {{{tasks}}}, "global": {json.dumps(settings)}}}')
        return str(path)

    return written


def on_host(file, ignore=(), **changes) -> Scenario:
    """Return a scenario with the threads on the host, beside a VM that hardly does anything on CPU 0."""
    return scene(vms=(IDLE_VM,), rtapp=RtappSpec(file, ignore), **{"seconds_ns": 30 * MS, **changes})


def rows(result, thread, vm=HOST):
    """Return start, end, run, slack and wakeup latency of each repetition of a phase by a thread."""
    table = result.tables["rtapp"]
    found = table[(table["vm"] == vm) & (table["thread"] == thread)]
    names = ("start_ns", "end_ns", "run_ns", "slack_ns", "wakeup_latency_ns")
    return [tuple(int(row[name]) for name in names) for row in found]


BIG = '"cpus": [1]'


def test_runtime_and_sleep_are_exact(write):
    result = run(on_host(write(f'"a": {{{BIG}, "loop": 4, "runtime": 300, "sleep": 700, "run": 500}}')))
    period = 1500 * US
    assert rows(result, 0) == [(n * period, (n + 1) * period, 800 * US, 0, 0) for n in range(4)]
    assert set(result.tables["rtapp"]["asked_run_ns"]) == {800 * US}


@pytest.mark.parametrize(
    "cpu, calibration, times", [(1, "CPU1", 1), (0, "CPU1", 4), (0, "CPU0", 1), (1, 50, 1), (0, 50, 4)]
)
def test_a_run_is_work_that_the_calibrated_cpu_measures(write, cpu, calibration, times):
    file = write(f'"a": {{"cpus": [{cpu}], "loop": 3, "sleep": 1000, "run": 250}}', calibration)
    result = run(on_host(file))
    assert [row[2] for row in rows(result, 0)] == [250 * US * times] * 3


def test_runtime_takes_as_long_on_every_cpu(write):
    result = run(on_host(write('"a": {"cpus": [0], "loop": 3, "sleep": 1000, "runtime": 250}')))
    assert [row[2] for row in rows(result, 0)] == [250 * US] * 3


def test_a_timer_counts_from_its_last_expiry(write):
    result = run(on_host(write(f'"a": {{{BIG}, "loop": 3, "run": 400, "timer": {{"ref": "unique", "period": 1000}}}}')))
    assert rows(result, 0) == [(n * MS, (n + 1) * MS, 400 * US, 600 * US, 0) for n in range(3)]


def test_a_relative_timer_that_is_missed_starts_anew(write):
    tasks = f""""a": {{{BIG}, "loop": 1, "phases": {{
        "p": {{"run": 2500, "timer": {{"ref": "x", "period": 1000}}}},
        "q": {{"run": 400, "timer": {{"ref": "x", "period": 1000}}}} }} }}"""
    result = run(on_host(write(tasks)))
    assert rows(result, 0) == [(0, 2500 * US, 2500 * US, -1500 * US, 0), (2500 * US, 3500 * US, 400 * US, 600 * US, 0)]


def test_an_absolute_timer_that_is_missed_catches_up(write):
    timer = '"timer": {"ref": "unique", "period": 1000, "mode": "absolute"}'
    phases = f'"p": {{"run": 1500, {timer}}}, "q": {{"run": 200, "loop": 2, {timer}}}'
    tasks = f'"a": {{{BIG}, "loop": 1, "phases": {{{phases}}} }}'
    result = run(on_host(write(tasks)))
    assert [row[1] for row in rows(result, 0)] == [1500 * US, 2000 * US, 3000 * US]


def test_slack_of_several_timers_can_be_summed(write):
    timers = '"timer": {"ref": "x", "period": 1000}, "run": 100, "timer": {"ref": "x", "period": 1000}'
    for wanted, slack in (({}, 900 * US), ({"cumulative_slack": True}, 1900 * US)):
        result = run(on_host(write(f'"a": {{{BIG}, "loop": 1, {timers}}}', **wanted)))
        assert rows(result, 0) == [(0, 2 * MS, 100 * US, slack, 0)]


TIMERS = ("relative", "absolute")
EVENTS = st.tuples(st.sampled_from(["run", "runtime", "sleep", *TIMERS]), st.integers(1, 1500))


def by_arithmetic(events, loop):
    """Return start, end, run and slack of each repetition, in us, from rt-app's tutorial alone."""
    now, expiry, found = 0, dict.fromkeys(TIMERS, 0), []
    for _ in range(loop):
        start, ran, slack = now, 0, 0
        for kind, us in events:
            if kind in TIMERS:
                expiry[kind] += us
                slack = expiry[kind] - now
                if slack <= 0 and kind == "relative":
                    expiry[kind] = now
                now = max(now, expiry[kind])
            else:
                now += us
                ran += us if kind != "sleep" else 0
        found.append((start * US, now * US, ran * US, slack * US, 0))
    return found


@settings(max_examples=EXAMPLES * 2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(EVENTS, min_size=1, max_size=5), st.integers(1, 3))
def test_an_idle_host_does_what_the_file_says_to_the_nanosecond(write, events, loop):
    forms = {kind: f'"timer{{n}}": {{{{"ref": "{kind}", "mode": "{kind}", "period": {{us}}}}}}' for kind in TIMERS}
    members = [forms.get(kind, f'"{kind}{{n}}": {{us}}').format(n=n, us=us) for n, (kind, us) in enumerate(events)]
    result = run(on_host(write(f'"a": {{{BIG}, "loop": {loop}, {", ".join(members)}}}'), sample_ns=0))
    assert rows(result, 0) == by_arithmetic(events, loop)


def test_unique_timers_belong_to_each_instance(write):
    tasks = '"a": {"instance": 2, "cpus": [1], "loop": 3, "timer": {"ref": "%s", "period": 1000}}'
    ends = {
        ref: [[row[1] // MS for row in rows(run(on_host(write(tasks % ref))), thread)] for thread in (0, 1)]
        for ref in ("unique", "shared")
    }
    assert ends["unique"] == [[1, 2, 3], [1, 2, 3]]
    assert sorted([*ends["shared"][0], *ends["shared"][1]]) == [1, 2, 3, 4, 5, 6]


def test_a_delay_shifts_the_start_and_the_timers(write):
    result = run(
        on_host(write(f'"a": {{{BIG}, "delay": 700, "loop": 2, "run": 100, "timer": {{"ref": "x", "period": 1000}}}}'))
    )
    assert [row[:2] for row in rows(result, 0)] == [(700 * US, 1700 * US), (1700 * US, 2700 * US)]


def test_threads_end_after_the_duration(write):
    result = run(
        on_host(write(f'"a": {{{BIG}, "run": 100, "sleep": 900}}', duration=1), seconds_ns=1200 * MS, sample_ns=0)
    )
    assert len(rows(result, 0)) == 1000


def test_resume_wakes_who_is_suspended_and_is_lost_on_others(write):
    tasks = f"""
        "early": {{{BIG}, "loop": 1, "sleep": 1000, "resume": "worker", "sleep": 4000, "resume": "worker"}},
        "worker": {{{BIG}, "loop": 1, "run": 3000, "suspend": "worker", "run": 500}}"""
    result = run(on_host(write(tasks)))
    assert rows(result, 1) == [(0, 5500 * US, 3500 * US, 0, 0)]


def test_resume_wakes_every_instance_that_is_suspended(write):
    tasks = f"""
        "worker": {{"instance": 2, {BIG}, "loop": 1, "suspend": ""}},
        "waker": {{{BIG}, "loop": 1, "sleep": 1000, "resume": "worker"}}"""
    result = run(on_host(write(tasks)))
    assert [rows(result, thread)[0][1] for thread in (0, 1)] == [1000 * US] * 2


def test_a_mutex_excludes_and_a_condition_passes_the_turn(write):
    tasks = """
        "a": {"cpus": [1], "loop": 1, "lock": "m", "run": 1000, "wait": {"ref": "q", "mutex": "m"}, "run": 300,
              "unlock": "m"},
        "b": {"cpus": [0], "loop": 1, "sleep": 200, "lock": "m", "run": 500, "signal": "q", "unlock": "m", "run": 10}"""
    result = run(on_host(write(tasks)))
    took_mutex = 1000 * US
    gave_mutex = took_mutex + 4 * 500 * US
    assert rows(result, 0) == [(0, gave_mutex + 300 * US, 1300 * US, 0, 0)]
    assert rows(result, 1) == [(0, gave_mutex + 40 * US, 2040 * US, 0, 0)]


def test_broad_wakes_all_and_signal_one(write):
    waiter = '"lock": "m", "wait": {"ref": "q", "mutex": "m"}, "unlock": "m"'
    for event, woken in (("signal", 1), ("broad", 2)):
        tasks = f"""
            "w": {{"instance": 2, {BIG}, "loop": 1, {waiter}}},
            "s": {{{BIG}, "loop": 1, "sleep": 1000, "lock": "m", "{event}": "q", "unlock": "m"}}"""
        result = run(on_host(write(tasks)))
        assert [len(rows(result, thread)) for thread in (0, 1)] == [1, woken - 1]


def test_sync_is_lock_signal_wait_unlock(write):
    tasks = """
        "a": {"cpus": [1], "loop": 2, "sync": {"ref": "q", "mutex": "m"}, "run": 1000},
        "b": {"cpus": [0], "loop": 2, "sleep": 500, "sync": {"ref": "q", "mutex": "m"}}"""
    result = run(on_host(write(tasks)))
    assert rows(result, 0)[0][:3] == (0, 1500 * US, 1000 * US)
    assert rows(result, 1)[0][1] == 1500 * US


def test_a_barrier_waits_for_every_instance(write):
    tasks = f"""
        "a": {{"instance": 2, {BIG}, "loop": 1, "barrier": "x"}},
        "b": {{{BIG}, "loop": 1, "sleep": 3000, "barrier": "x"}}"""
    result = run(on_host(write(tasks)))
    assert [rows(result, thread)[0][1] for thread in (0, 1, 2)] == [3000 * US] * 3


def test_a_phase_may_move_its_thread(write):
    tasks = '"a": {"loop": 2, "cpus": [1], "phases": {"big": {"run": 250}, "little": {"cpus": [0], "run": 250}}}'
    result = run(on_host(write(tasks)))
    assert [row[2] for row in rows(result, 0)] == [250 * US, MS] * 2


def test_a_preempted_runtime_ends_when_its_time_is_up(write):
    """The real-time thread takes the CPU for 2 ms at 1 ms; the other one's 1.5 ms are over when it runs again."""
    tasks = f"""
        "fair": {{{BIG}, "loop": 1, "runtime": 1500}},
        "rt": {{{BIG}, "loop": 1, "policy": "SCHED_FIFO", "sleep": 1000, "run": 2000}}"""
    result = run(on_host(write(tasks), causes=ALL_CAUSES))
    assert rows(result, 0) == [(0, 3 * MS, 3 * MS, 0, 0)]
    assert rows(result, 1) == [(0, 3 * MS, 2 * MS, 0, 0)]


def test_a_loop_that_takes_no_time_is_refused(write):
    tasks = f'"a": {{{BIG}, "lock": "m", "unlock": "m"}}'
    with pytest.raises(InputError, match="'a' does 10000 events without any time passing"):
        run(on_host(write(tasks)))


@pytest.mark.parametrize(
    "tasks, calibration, expected",
    [
        ('"a": {"run": 1, "cpus": [2]}', "CPU1", "no CPU 2 on this platform"),
        ('"a": {"phases": {"p": {"run": 1, "cpus": [7]}}}', "CPU1", "no CPU 7 on this platform"),
        ('"a": {"run": 1}', "CPU2", "no CPU 2 on this platform"),
    ],
)
def test_a_cpu_that_the_host_has_not_is_refused_before_the_run(write, tasks, calibration, expected):
    with pytest.raises(InputError, match=expected):
        checked(on_host(write(tasks, calibration)))


def in_guest(file, vcpus=2, ignore=(), **changes) -> Scenario:
    """Return a scenario with the threads in a guest, vCPU i on CPU i."""
    guest = GuestSpec(name=f"rt-app:{file}", workload="dhrystone", boot_ns=MS, rtapp_ignore=ignore)
    pin = PinSpec(vcpu=((0,), (1,)))
    vm = VmSpec(guest=guest, vcpus=vcpus, pin=pin, pin_delay_ns=0, policy=changes.pop("policy", "default"))
    return scene(vms=(vm,), **{"seconds_ns": 30 * MS, **changes})


GUEST_TASKS = """
    "time": {"loop": 5, "runtime": 300, "sleep": 700},
    "work": {"loop": 5, "run": 400, "timer": {"ref": "unique", "period": 1000}}"""


def test_a_guest_measures_a_run_by_its_calibrated_vcpu(write):
    """The duo's timer has 1 GHz, so that the guest's clock is exact; its threads start when it has calibrated."""
    result = run(in_guest(write(GUEST_TASKS)))
    start = rows(result, 0, vm=0)[0][0]
    assert rows(result, 0, vm=0) == [(start + n * MS, start + (n + 1) * MS, 300 * US, 0, 0) for n in range(5)]
    assert rows(result, 1, vm=0) == [(start + n * MS, start + (n + 1) * MS, 400 * US, 600 * US, 0) for n in range(5)]


def test_a_guest_calibrated_on_a_slow_core_runs_faster_on_the_other(write):
    slow = {cpu: rows(run(in_guest(write(GUEST_TASKS, f"CPU{cpu}"))), 1, vm=0)[0][2] for cpu in (0, 1)}
    assert slow[1] == 400 * US
    assert slow[0] < slow[1] / 2


@pytest.mark.parametrize("policy", ["default", None])
def test_threads_of_a_guest_wait_for_each_other(write, policy):
    tasks = """
        "b": {"loop": 3, "sleep": 500, "resume": "a", "barrier": "x"},
        "a": {"loop": 3, "suspend": "", "run": 100, "barrier": "x"}"""
    result = run(in_guest(write(tasks), policy=policy))
    start = rows(result, 0, vm=0)[0][0]
    for thread in (0, 1):
        assert [row[1] - start for row in rows(result, thread, vm=0)] == [n * 600 * US for n in (1, 2, 3)]


@pytest.mark.parametrize(
    "tasks, vcpus, ignore, expected",
    [
        ('"a": {"instance": 3, "run": 1}', 2, (), "3 threads of the rt-app file on 2 vCPUs"),
        ('"a": {"run": 1, "cpus": [1]}', 2, (), "'a' may not run on vCPU 0, which is its own"),
        ('"a": {"run": 1}', 1, (), "no vCPU 1 to calibrate on"),
        ('"a": {"run": 1, "cpus": [1]}', 2, ("cpus",), None),
    ],
)
def test_a_guest_without_a_scheduler_needs_a_vcpu_for_each_thread(write, tasks, vcpus, ignore, expected):
    scenario = in_guest(write(tasks), vcpus, ignore)
    if expected is None:
        checked(scenario)
    else:
        with pytest.raises(InputError, match=expected):
            checked(scenario)


def test_compare_takes_a_guest_by_its_file(write, capsys):
    file = write('"a": {"run": 400, "mem": 5, "sleep": 600}', "CPU0")
    command = [
        "compare",
        "--guest",
        f"rt-app:{file}",
        "--vcpus",
        "1",
        "--seconds",
        "20ms",
        "--seeds",
        "1",
        "--workers",
        "1",
    ]
    policies = ["--policies", "default", "--json", "-"]
    assert exit_code([*command, *policies]) == 2
    assert "tasks.a.mem: mem is not supported" in capsys.readouterr().err
    assert exit_code([*command, *policies, "--ignore", "mem"]) == 0
    assert json.loads(capsys.readouterr().out)["guest"] == f"rt-app:{file}"


def test_a_guest_without_file_is_told_so(capsys):
    assert exit_code(["compare", "--guest", "rt-app:", "--seeds", "1", "--workers", "1", "--policies", "default"]) == 2
    assert capsys.readouterr().err == "hetpmu: guest 'rt-app:' names no file\nvalid: rt-app:FILE\n"


def test_the_baseline_of_a_comparison_runs_the_same_file(write, tmp_path, capsys):
    write('"a": {"run": 1, "sleep": 20000}', "CPU0")
    path = tmp_path / "s.toml"
    guest = '[[vms]]\nvcpus = 2\n[vms.guest]\nname = "rt-app:app.json"\nboot = "1ms"\n'
    path.write_text(f'format = "hetpmu-scenario/1"\nseconds = "60ms"\nbackground = []\n{guest}')
    command = ["compare", str(path), "--seeds", "1", "--workers", "1", "--policies", "default", "--json", "-"]
    assert exit_code(command) == 0
    (row,) = json.loads(capsys.readouterr().out)["policies"]
    assert row["throughput"] == pytest.approx(1, abs=0.1)


def test_run_shows_what_each_thread_ran_beside_what_was_asked(write, tmp_path, capsys):
    path = tmp_path / "s.toml"
    write('"a": {"loop": 4, "runtime": 300, "cpus": [7], "timer": {"ref": "x", "period": 1000}}')
    head = 'format = "hetpmu-scenario/1"\nseconds = "6ms"\nbackground = []\n'
    path.write_text(head + '[rtapp]\nfile = "app.json"\n[[vms]]\nvcpus = 1\ncpus = [0]\n')
    kept = tmp_path / "kept"
    assert exit_code(["run", str(path), "--json", str(tmp_path / "r.json"), "--out", str(kept)]) == 0
    assert load_result(kept).scenario.rtapp.file == str(kept / "files" / "app.json")
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("0 a "))
    assert line.split()[:6] == ["0", "a", "host", "4", "1.2ms", "1.2ms"]
    (row,) = json.loads((tmp_path / "r.json").read_text())["rtapp"]
    assert (row["vm"], row["name"], row["repetitions"]) == (HOST, "a", 4)
    assert row["run_ns"] == row["asked_run_ns"] == 1200 * US
