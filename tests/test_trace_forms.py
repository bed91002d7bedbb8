"""One scene of two vCPUs, written in every form of trace that is read: all give the same schedule."""

import gzip
from pathlib import Path

import pytest

from simcore.app.trace_reading import read_schedule

TRACES = Path(__file__).parent / "data" / "traces"
START = 100_000_000_000
FORMS = {
    "report_classic.txt": ("trace-cmd or ftrace text", 1000),
    "report_fields.txt": ("trace-cmd or ftrace text", 1),
    "report_raw.txt": ("trace-cmd or ftrace text", 1000),
    "report_latency.txt": ("trace-cmd latency text", 1000),
    "ftrace.txt": ("trace-cmd or ftrace text", 1000),
    "ftrace_tgid.txt": ("trace-cmd or ftrace text", 1000),
    "ftrace_latency.txt": ("ftrace latency text", 1000),
    "perf_sched.txt": ("perf script text", 1000),
    "perf_ns_stacks.txt": ("perf script text", 1),
    "plain.perfetto-trace": ("Perfetto trace", 1),
    "compact.perfetto-trace": ("Perfetto trace", 1),
}


@pytest.fixture(params=FORMS)
def name(request):
    return request.param


def read(name, threads="KVM", ncpus=2):
    return read_schedule(str(TRACES / name), threads, ncpus)


def in_us(table, times):
    """Return rows as tuples, with the first `times` columns as microseconds since the start of the scene."""
    rows = table.tolist()
    assert all((value - START) % 1000 == 0 for row in rows for value in row[:times])
    return [(*((value - START) // 1000 for value in row[:times]), *row[times:]) for row in rows]


def test_there_is_a_fixture_of_every_form():
    files = {path.name for path in TRACES.iterdir()}
    assert files == {*FORMS, "README.md", "rtapp_6cpu.dat.gz", "rtapp_6cpu.report.txt.gz"}


def test_the_form_and_its_resolution_are_told(name):
    schedule = read(name)
    assert (schedule.form, schedule.resolution_ns) == FORMS[name]
    assert (schedule.start_ns, schedule.end_ns) == (START, START + 91_000)
    assert schedule.unit == ("packet" if "perfetto" in name else "line")


def test_threads_run_where_and_when_the_trace_says(name):
    first, second = read(name).threads
    assert (first.pid, first.comm, first.run_ns) == (101, "CPU 0/KVM", 65_000)
    assert in_us(first.runs, 2) == [(0, 46, 0), (71, 90, 1)]
    assert (second.pid, second.comm, second.run_ns) == (102, "CPU 1/KVM", 55_000)
    assert in_us(second.runs, 2) == [(10, 31, 1), (46, 80, 0)]


def test_guest_time_is_between_entry_and_exit(name):
    schedule = read(name)
    first, second = schedule.threads
    assert schedule.guest_time == "kvm"
    assert in_us(first.guest, 2) == [(5, 20, 0), (22, 44, 0)]
    assert in_us(second.guest, 2) == [(12, 30, 1), (48, 60, 0)]
    assert (first.guest_ns, second.guest_ns) == (37_000, 30_000)


def test_waiting_begins_with_a_wakeup_or_a_preemption(name):
    first, second = read(name).threads
    assert in_us(first.ready_ns.reshape(-1, 1), 1) == [(0,), (69,)]
    assert first.runnable.tolist() == [False, False]
    assert in_us(second.ready_ns.reshape(-1, 1), 1) == [(10,), (31,)]
    assert second.runnable.tolist() == [True, False]


def test_wakings_and_migrations_are_kept(name):
    first, second = read(name).threads
    assert in_us(first.wakings, 1) == [(69, 1)]
    assert in_us(second.migrations, 1) == [(45, 1, 0)]
    assert not len(first.migrations)


def test_cpus_have_frequencies_idle_states_others_and_gaps(name):
    cpu0, cpu1 = read(name).cpus
    assert (cpu0.busy_ns, cpu1.busy_ns) == (80_000, 49_000)
    assert (in_us(cpu0.others, 2), in_us(cpu1.others, 2)) == ([], [(31, 40)])
    assert (in_us(cpu0.unknown, 2), in_us(cpu1.unknown, 2)) == ([], [(0, 10)])
    assert in_us(cpu0.frequencies, 1) == [(61, 1_800_000)]
    assert in_us(cpu1.frequencies, 1) == [(62, 600_000)], "a mark from user space"
    assert (in_us(cpu0.idles, 1), in_us(cpu1.idles, 1)) == ([], [(41, 1), (70, -1)])


def test_events_are_counted(name):
    counted = {"sched_switch": 8, "sched_waking": 2, "sched_migrate_task": 1, "cpu_frequency": 2, "cpu_idle": 2}
    assert read(name).events == {**counted, "kvm_entry": 4, "kvm_exit": 4, "other": 1}


def test_nothing_is_found_wrong_but_that_a_thread_ran_before_the_first_switch(name):
    (finding,) = read(name).findings
    assert (finding.kind, finding.amount) == ("missing-first-state", 10_000)


def test_a_name_with_spaces_and_a_hyphen_is_whole(name):
    (thread,) = read(name, "^my task-7$").threads
    assert (thread.pid, thread.comm, thread.run_ns) == (55, "my task-7", 9_000)


@pytest.mark.parametrize("threads, pids", (("/KVM-10[12]$", [101, 102]), (":102$", [102]), ("^(my|CPU 1)", [55, 102])))
def test_threads_are_found_by_name_and_pid_and_come_by_pid(threads, pids):
    assert [thread.pid for thread in read("ftrace.txt", threads).threads] == pids


def test_a_cpu_without_events_is_unknown_all_the_time():
    *_, last = read("ftrace.txt", ncpus=3).cpus
    assert in_us(last.unknown, 2) == [(0, 91)]
    assert last.busy_ns == 0


@pytest.mark.parametrize("name", ("report_classic.txt", "compact.perfetto-trace"), indirect=True)
def test_a_gzipped_trace_is_read_as_it_is(name, tmp_path):
    path = tmp_path / "trace.gz"
    path.write_bytes(gzip.compress((TRACES / name).read_bytes()))
    (thread,) = read_schedule(str(path), "CPU 0", 2).threads
    assert (thread.run_ns, thread.guest_ns) == (65_000, 37_000)


def test_lines_that_end_in_carriage_returns_are_read(tmp_path):
    path = tmp_path / "trace.txt"
    path.write_bytes((TRACES / "perf_sched.txt").read_bytes().replace(b"\n", b"\r\n"))
    schedule = read_schedule(str(path), "my task-7", 2)
    assert [finding.kind for finding in schedule.findings] == ["never-in-guest", "missing-first-state"]
