"""A real recording of rt-app on six CPUs: busy and run times are those that a few lines of regex get from the file."""

import gzip
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from simcore.app.trace_reading import read_schedule
from simcore.errors import InputError

TRACES = Path(__file__).parent / "data" / "traces"
SHARED = Path(__file__).parents[2] / "shared" / "data" / "traces"
SWITCH = re.compile(r"\[(\d+)\].* (\d+)\.(\d+): sched_switch: +(.*):(\d+) \[\d+\] \S+ ==> (.*):(\d+) \[\d+\]$")
FREQUENCY = re.compile(r" (\d+)\.(\d+): .*cpu_frequency: +state=(\d+) cpu_id=(\d+)$")
NCPUS = 6
SELECTED = "rt-app|task_r20"


def times_of(text):
    """Return the busy time of each CPU and the run time of each thread, from the switches alone."""
    busy: Counter[int] = Counter()
    run: Counter[int] = Counter()
    since: dict[str, int] = {}
    for found in filter(None, map(SWITCH.search, text.splitlines())):
        cpu, seconds, fraction, _, prev, _, _ = found.groups()
        t_ns = int(seconds) * 10**9 + int(fraction.ljust(9, "0"))
        if prev != "0" and cpu in since:
            busy[int(cpu)] += t_ns - since[cpu]
            run[int(prev)] += t_ns - since[cpu]
        since[cpu] = t_ns
    return busy, run


def frequencies_of(text):
    """Return the steps of each CPU's frequency, the repeated ones left out."""
    steps: dict[int, list[list[int]]] = {cpu: [] for cpu in range(NCPUS)}
    for found in filter(None, map(FREQUENCY.search, text.splitlines())):
        seconds, fraction, khz, cpu = found.groups()
        of_cpu = steps[int(cpu)]
        if not of_cpu or of_cpu[-1][1] != int(khz):
            of_cpu.append([int(seconds) * 10**9 + int(fraction.ljust(9, "0")), int(khz)])
    return steps


def assert_equal_to_the_text(schedule, text):
    busy, run = times_of(text)
    assert sum(busy.values()) > 4_000_000_000
    assert len(run) > 50
    assert {number: cpu.busy_ns for number, cpu in enumerate(schedule.cpus)} == {n: busy[n] for n in range(NCPUS)}
    assert {time.pid: time.run_ns for time in schedule.thread_times if time.run_ns} == {
        p: n for p, n in run.items() if n
    }
    steps = {number: cpu.frequencies.tolist() for number, cpu in enumerate(schedule.cpus)}
    assert steps == frequencies_of(text)
    assert_whole(schedule)


def assert_whole(schedule):
    """What is selected and all others together are what each CPU did."""
    selected = [row for thread in schedule.threads for row in thread.runs.tolist()]
    for number, cpu in enumerate(schedule.cpus):
        others = int((cpu.others[:, 1] - cpu.others[:, 0]).sum())
        assert others + sum(end - start for start, end, on in selected if on == number) == cpu.busy_ns
        assert (cpu.others[1:, 0] > cpu.others[:-1, 1]).all()
    for thread in schedule.threads:
        assert (thread.runs[1:, 0] >= thread.runs[:-1, 1]).all()
        assert int((thread.runs[:, 1] - thread.runs[:, 0]).sum()) == thread.run_ns
        assert (thread.ready_ns <= thread.runs[:, 0]).all()


def unpacked(name, folder):
    path = folder / name
    path.write_bytes(gzip.decompress((TRACES / f"{name}.gz").read_bytes()))
    return str(path)


def reported(path, tool):
    """Return what trace-cmd prints of a trace.dat, with nine digits of the time."""
    done = subprocess.run([tool, "report", "-t", "-i", path], capture_output=True, text=True, check=True)
    return done.stdout


def test_the_text_to_the_microsecond():
    path = TRACES / "rtapp_6cpu.report.txt.gz"
    schedule = read_schedule(str(path), SELECTED, NCPUS)
    assert schedule.resolution_ns == 1000
    assert_equal_to_the_text(schedule, gzip.decompress(path.read_bytes()).decode())


def test_the_recording_to_the_nanosecond(tmp_path, require_tool):
    tool = require_tool("trace-cmd")
    path = unpacked("rtapp_6cpu.dat", tmp_path)
    schedule = read_schedule(path, SELECTED, NCPUS)
    assert (schedule.form, schedule.resolution_ns) == ("trace.dat", 1)
    assert any(time.run_ns % 1000 for time in schedule.thread_times)
    assert_equal_to_the_text(schedule, reported(path, tool))


def test_the_whole_recording_gives_what_the_one_kept_here_gives(tmp_path, require_tool):
    require_tool("trace-cmd")
    whole = SHARED / "rtapp_6cpu.dat"
    if not whole.exists():
        pytest.skip("the whole recording is not here")
    wholly = read_schedule(str(whole), SELECTED, NCPUS)
    kept = read_schedule(unpacked("rtapp_6cpu.dat", tmp_path), SELECTED, NCPUS)
    assert wholly.thread_times == kept.thread_times
    assert [thread.runs.tolist() for thread in wholly.threads] == [thread.runs.tolist() for thread in kept.threads]
    assert [cpu.frequencies.tolist() for cpu in wholly.cpus] == [cpu.frequencies.tolist() for cpu in kept.cpus]


def test_a_recording_that_trace_cmd_cannot_read_is_refused(tmp_path, require_tool):
    require_tool("trace-cmd")
    path = Path(unpacked("rtapp_6cpu.dat", tmp_path))
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(InputError, match="trace-cmd reports no event of it") as caught:
        read_schedule(str(path), ".", NCPUS)
    assert caught.value.where == str(path)


def test_the_first_frequencies_come_as_marks():
    schedule = read_schedule(str(TRACES / "rtapp_6cpu.report.txt.gz"), SELECTED, NCPUS)
    assert [cpu.frequencies[0].tolist() for cpu in schedule.cpus] == [
        [259445764420000, 450000],
        [259445764517000, 1100000],
        [259445764596000, 1100000],
        [259445764673000, 450000],
        [259445764749000, 450000],
        [259445764852000, 450000],
    ]


def test_the_big_task_is_there_under_both_its_names():
    (thread,) = read_schedule(str(TRACES / "rtapp_6cpu.report.txt.gz"), "^task_r20_5-60$", NCPUS).threads
    assert (thread.pid, thread.names, thread.run_ns) == (6984, ("rt-app", "task_r20_5-60"), 4_536_479_000)


def test_without_kvm_events_guest_time_is_run_time_and_that_is_said():
    schedule = read_schedule(str(TRACES / "rtapp_6cpu.report.txt.gz"), SELECTED, NCPUS)
    assert schedule.guest_time == "run"
    assert all(thread.guest.tolist() == thread.runs.tolist() for thread in schedule.threads)
    assert [(finding.kind, finding.amount) for finding in schedule.findings] == [
        ("no-kvm-events", 0),
        ("missing-first-state", 0),
        ("running-at-end", 0),
    ]
