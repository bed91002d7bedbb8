"""What is wrong or missing in a trace is counted with its line, costs no more than it must, and is never fatal."""

import re
from pathlib import Path

import pytest

from simcore.app.schedule import AMOUNTS, FINDINGS
from simcore.app.trace_reading import RECORD, read_schedule

IDLE = ("<idle>", 0)
VCPU = ("vcpu", 7)
TASK = ("task", 8)
HEADER = "cpus=2"


def event(us, cpu, thread, text):
    """Return a line of trace text: an event in the context of a thread."""
    return f"{thread[0]:>16}-{thread[1]:<7} [{cpu:03d}] d..2. {us // 10**6:5d}.{us % 10**6:06d}: {text}"


def switch(us, cpu, prev, following, state="S"):
    prev_comm, next_comm = (f"swapper/{cpu}" if thread == IDLE else thread[0] for thread in (prev, following))
    fields = f"prev_comm={prev_comm} prev_pid={prev[1]} prev_prio=120 prev_state={state}"
    return event(
        us, cpu, prev, f"sched_switch: {fields} ==> next_comm={next_comm} next_pid={following[1]} next_prio=120"
    )


def waking(us, cpu, by, thread, target):
    return event(us, cpu, by, f"sched_waking: comm={thread[0]} pid={thread[1]} prio=120 target_cpu={target:03d}")


@pytest.fixture
def read(tmp_path):
    """Return the function that reads lines as a trace, with a pair of KVM events of another thread where `kvm`."""

    def _read(*lines, threads="vcpu", ncpus=2):
        path = tmp_path / "trace.txt"
        path.write_text("\n".join(lines) + "\n")
        return read_schedule(str(path), threads, ncpus)

    return _read


def found(schedule, kind):
    """Return (count, lines, amount) of a kind of finding."""
    matching = [finding for finding in schedule.findings if finding.kind == kind]
    assert len(matching) <= 1
    return next(((finding.count, finding.lines, finding.amount) for finding in matching), None)


def kinds(schedule):
    return [finding.kind for finding in schedule.findings if finding.kind != "no-kvm-events"]


def runs_us(schedule):
    return [(start // 1000, end // 1000, cpu) for start, end, cpu in schedule.threads[0].runs.tolist()]


def guest_us(schedule):
    return [(start // 1000, end // 1000, cpu) for start, end, cpu in schedule.threads[0].guest.tolist()]


def unknown_us(schedule, cpu):
    return [(start // 1000, end // 1000) for start, end in schedule.cpus[cpu].unknown.tolist()]


def test_every_kind_has_a_meaning_and_amounts_are_of_known_kinds():
    assert set(AMOUNTS) < set(FINDINGS)


def test_the_page_on_replay_describes_every_kind():
    page = (Path(__file__).parents[1] / "docs" / "replay.md").read_text()
    rows = re.findall(r"^\| (`[^|]*) \|", page.partition("## What is wrong")[2].partition("\n## ")[0], re.MULTILINE)
    assert {kind.strip("`") for row in rows for kind in row.split(", ")} == set(FINDINGS)


def test_the_page_on_replay_says_how_to_record_what_is_read():
    page = (Path(__file__).parents[1] / "docs" / "replay.md").read_text()
    wanted = {word for word in RECORD.split() if "_" in word}
    assert wanted <= set(re.findall(r"-e \w+:(\w+)", page))


def test_a_trace_without_flaws_has_none(read):
    schedule = read(HEADER, switch(10, 0, IDLE, VCPU), switch(30, 0, VCPU, IDLE), switch(40, 0, IDLE, TASK, "R"))
    assert kinds(schedule) == ["running-at-end"]
    assert runs_us(schedule) == [(10, 30, 0)]


@pytest.mark.parametrize(
    "mark, events", (("CPU:0 [12 EVENTS DROPPED]", 12), ("CPU:0 [EVENTS DROPPED]", 0), ("CPU:0 [LOST 3 EVENTS]", 3))
)
def test_what_ran_while_events_were_lost_is_unknown(read, mark, events):
    schedule = read(
        switch(10, 0, IDLE, VCPU),
        event(20, 0, VCPU, "sched_stat_runtime: comm=vcpu pid=7 runtime=10000 [ns]"),
        event(25, 1, IDLE, "rcu_utilization: Start"),
        mark,
        switch(50, 0, VCPU, TASK),
        switch(60, 0, TASK, VCPU),
        switch(70, 0, VCPU, IDLE),
    )
    assert found(schedule, "lost-events") == (1, (4,), events)
    assert runs_us(schedule) == [(10, 20, 0), (60, 70, 0)]
    assert unknown_us(schedule, 0) == [(20, 50)]
    assert schedule.cpus[0].busy_ns == 30_000
    assert not schedule.threads[0].runnable[0], "what lost events did to it is not known"


def test_an_event_of_another_thread_is_no_sign_of_the_one_that_ran_before_the_loss(read):
    schedule = read(
        switch(10, 0, IDLE, VCPU),
        event(20, 0, TASK, "rcu_utilization: Start"),
        "CPU:0 [LOST 3 EVENTS]",
        switch(50, 0, TASK, IDLE),
    )
    assert runs_us(schedule) == [(10, 10, 0)]
    assert unknown_us(schedule, 0) == [(10, 50)]


def test_events_that_perf_lost_are_of_the_cpu_of_their_line(read):
    schedule = read(
        "swapper 0 [000] 1.000010: sched:sched_switch: prev_comm=swapper/0 prev_pid=0 prev_prio=120 prev_state=R ==> "
        "next_comm=vcpu next_pid=7 next_prio=120",
        "vcpu 7 [000] 1.000030: PERF_RECORD_LOST lost 5",
        "vcpu 7 [000] 1.000040: sched:sched_switch: prev_comm=vcpu prev_pid=7 prev_prio=120 prev_state=S ==> "
        "next_comm=swapper/0 next_pid=0 next_prio=120",
    )
    assert found(schedule, "lost-events") == (1, (2,), 5)
    assert schedule.threads[0].run_ns == 0


def test_the_guest_that_was_running_when_events_were_lost_ends_at_its_last_sign(read):
    schedule = read(
        switch(10, 0, IDLE, VCPU),
        event(20, 0, VCPU, "kvm_entry: PC: 0x0"),
        event(30, 0, VCPU, "kvm_exit: IRQ"),
        event(40, 0, VCPU, "kvm_entry: PC: 0x0"),
        event(45, 0, VCPU, "kvm_arm_set_dreg32: MDSCR: 0x0"),
        "CPU:0 [2 EVENTS DROPPED]",
        switch(90, 0, VCPU, IDLE),
    )
    assert guest_us(schedule) == [(20, 30, 0), (40, 45, 0)]
    assert runs_us(schedule) == [(10, 45, 0)]


@pytest.mark.parametrize(
    "heading", ("# entries-in-buffer/entries-written: 2/1002   #P:2", "# latency: 0 us, #2/1002, CPU#0 | (M:PREEMPT)")
)
def test_a_ring_buffer_that_went_round_is_told(read, heading):
    schedule = read("# tracer: nop", heading, switch(10, 0, IDLE, VCPU), switch(30, 0, VCPU, IDLE))
    assert found(schedule, "overwritten") == (1, (2,), 1000)


def test_a_ring_buffer_that_did_not_is_no_finding(read):
    heading = "# entries-in-buffer/entries-written: 2/2   #P:2"
    assert kinds(read(heading, switch(10, 0, IDLE, VCPU), switch(30, 0, VCPU, IDLE))) == []


@pytest.mark.parametrize(
    "line",
    (
        switch(20, 5, IDLE, TASK),
        waking(20, 0, VCPU, TASK, 5),
        event(20, 0, VCPU, "cpu_frequency: state=600000 cpu_id=5"),
        event(20, 0, VCPU, "cpu_idle: state=1 cpu_id=5"),
        event(20, 0, VCPU, "sched_migrate_task: comm=task pid=8 prio=120 orig_cpu=0 dest_cpu=5"),
        "CPU:5 [LOST 3 EVENTS]",
    ),
)
def test_a_cpu_that_the_platform_lacks_is_left_out(read, line):
    schedule = read(switch(10, 0, IDLE, VCPU), line, switch(30, 0, VCPU, IDLE))
    assert found(schedule, "unknown-cpu") == (1, (2,), 0)
    assert runs_us(schedule) == [(10, 30, 0)]
    assert [cpu.busy_ns for cpu in schedule.cpus] == [20_000, 0]


def test_an_event_before_the_one_above_it_is_taken_at_that_ones_time(read):
    schedule = read(
        switch(10, 0, IDLE, VCPU), switch(30, 0, VCPU, TASK), switch(25, 0, TASK, VCPU), switch(40, 0, VCPU, IDLE)
    )
    assert found(schedule, "time-goes-back") == (1, (3,), 0)
    assert runs_us(schedule) == [(10, 30, 0), (30, 40, 0)]
    assert schedule.threads[0].run_ns == 30_000


def test_time_that_goes_back_from_one_cpu_to_another_changes_neither(read):
    schedule = read(
        switch(10, 0, IDLE, VCPU), switch(30, 0, VCPU, IDLE), switch(15, 1, IDLE, TASK), switch(18, 1, TASK, IDLE)
    )
    assert found(schedule, "time-goes-back") == (1, (3,), 0)
    assert [cpu.busy_ns for cpu in schedule.cpus] == [20_000, 3_000]


def test_a_switch_from_a_thread_that_was_not_running_makes_the_time_unknown(read):
    schedule = read(
        switch(10, 0, IDLE, VCPU),
        event(14, 0, VCPU, "sched_stat_runtime: comm=vcpu pid=7 runtime=4000 [ns]"),
        event(20, 0, TASK, "sched_stat_runtime: comm=task pid=8 runtime=1000 [ns]"),
        switch(30, 0, TASK, VCPU),
        switch(50, 0, VCPU, IDLE),
    )
    assert found(schedule, "other-thread") == (1, (4,), 16_000)
    assert runs_us(schedule) == [(10, 14, 0), (30, 50, 0)], "up to the last event that shows that it ran"
    assert unknown_us(schedule, 0) == [(14, 30)]
    assert schedule.thread_times[1:] == () or schedule.thread_times[1].run_ns == 0


def test_a_thread_that_runs_before_the_first_switch_is_told_but_not_counted(read):
    schedule = read(
        event(10, 1, IDLE, "rcu_utilization: Start"),
        switch(30, 0, VCPU, TASK),
        switch(40, 0, TASK, VCPU),
        switch(60, 0, VCPU, IDLE),
    )
    assert found(schedule, "missing-first-state") == (1, (2,), 20_000)
    assert unknown_us(schedule, 0) == [(10, 30)]
    assert runs_us(schedule) == [(40, 60, 0)]


def test_a_cpu_that_is_idle_before_its_first_switch_was_idle(read):
    schedule = read(event(10, 1, IDLE, "rcu_utilization: Start"), switch(30, 0, IDLE, VCPU), switch(40, 0, VCPU, IDLE))
    assert kinds(schedule) == []
    assert unknown_us(schedule, 0) == []


def test_a_thread_that_runs_at_the_end_has_run_up_to_the_last_event_of_any_cpu(read):
    schedule = read(switch(10, 0, IDLE, VCPU), event(50, 1, IDLE, "rcu_utilization: Start"))
    assert found(schedule, "running-at-end") == (1, (1,), 40_000)
    assert runs_us(schedule) == [(10, 50, 0)]
    assert schedule.threads[0].runnable.tolist() == [True]


def test_a_guest_that_runs_at_the_end_has_run_up_to_the_last_event_of_any_cpu(read):
    schedule = read(
        switch(10, 0, IDLE, VCPU),
        event(12, 0, VCPU, "kvm_entry: PC: 0x0"),
        event(15, 0, VCPU, "kvm_exit: IRQ"),
        event(20, 0, VCPU, "kvm_entry: PC: 0x0"),
        event(50, 1, IDLE, "rcu_utilization: Start"),
    )
    assert guest_us(schedule) == [(12, 15, 0), (20, 50, 0)]


def test_a_thread_on_two_cpus_at_once_is_given_the_first_until_that_ends(read):
    schedule = read(
        switch(10, 0, IDLE, VCPU),
        switch(20, 1, IDLE, VCPU),
        switch(25, 0, VCPU, IDLE),
        switch(40, 1, VCPU, IDLE),
    )
    assert found(schedule, "on-two-cpus") == (1, (2,), 5_000)
    assert runs_us(schedule) == [(10, 25, 0), (25, 40, 1)]
    assert schedule.threads[0].run_ns == 35_000, "what the switches say"
    assert [cpu.busy_ns for cpu in schedule.cpus] == [15_000, 20_000]


def test_a_run_within_another_of_the_same_thread_is_left_out(read):
    schedule = read(
        switch(10, 0, IDLE, VCPU), switch(20, 1, IDLE, VCPU), switch(25, 1, VCPU, IDLE), switch(40, 0, VCPU, IDLE)
    )
    assert runs_us(schedule) == [(10, 40, 0)]
    assert len(schedule.threads[0].ready_ns) == len(schedule.threads[0].runnable) == 1


def test_what_overlaps_ends_with_the_last_of_the_runs_before(read):
    schedule = read(
        switch(10, 0, IDLE, VCPU),
        switch(20, 1, IDLE, VCPU),
        switch(25, 1, VCPU, IDLE),
        switch(30, 1, IDLE, VCPU),
        switch(40, 0, VCPU, IDLE),
        switch(50, 1, VCPU, IDLE),
    )
    assert runs_us(schedule) == [(10, 40, 0), (40, 50, 1)]


def test_a_run_that_ends_with_the_one_before_it_is_left_out(read):
    schedule = read(
        switch(10, 0, IDLE, VCPU), switch(20, 1, IDLE, VCPU), switch(40, 0, VCPU, IDLE), switch(40, 1, VCPU, IDLE)
    )
    assert runs_us(schedule) == [(10, 40, 0)]


def test_runs_without_length_are_no_overlap(read):
    schedule = read(
        switch(10, 1, IDLE, VCPU), switch(10, 1, VCPU, IDLE, "R"), switch(10, 0, IDLE, VCPU), switch(30, 0, VCPU, IDLE)
    )
    assert kinds(schedule) == []
    assert runs_us(schedule) == [(10, 10, 1), (10, 30, 0)]


def test_an_exit_or_entry_alone_gives_no_guest_time(read):
    schedule = read(
        switch(10, 0, IDLE, VCPU),
        event(12, 0, VCPU, "kvm_exit: IRQ"),
        event(15, 0, VCPU, "kvm_entry: PC: 0x0"),
        event(20, 0, VCPU, "kvm_entry: PC: 0x0"),
        event(25, 0, VCPU, "kvm_exit: IRQ"),
        event(30, 0, VCPU, "kvm_entry: PC: 0x0"),
        switch(40, 0, VCPU, IDLE),
    )
    assert found(schedule, "exit-without-entry") == (1, (2,), 0)
    assert found(schedule, "entry-without-exit") == (2, (3, 6), 0)
    assert guest_us(schedule) == [(20, 25, 0)]
    assert runs_us(schedule) == [(10, 40, 0)]


def test_an_exit_of_another_thread_than_entered_gives_neither_guest_time(read):
    schedule = read(
        switch(10, 0, IDLE, VCPU),
        event(12, 0, VCPU, "kvm_entry: PC: 0x0"),
        event(15, 0, VCPU, "kvm_exit: IRQ"),
        event(20, 0, VCPU, "kvm_entry: PC: 0x0"),
        event(40, 0, TASK, "kvm_exit: IRQ"),
        switch(50, 0, TASK, IDLE),
        threads="vcpu|task",
    )
    assert found(schedule, "other-thread") == (1, (5,), 20_000)
    assert found(schedule, "exit-without-entry") == (1, (5,), 0)
    assert [thread.guest_ns for thread in schedule.threads] == [3_000, 0]
    assert [thread.run_ns for thread in schedule.threads] == [10_000, 10_000]


def test_entries_without_any_exit_are_as_good_as_none(read):
    entry = event(15, 0, VCPU, "kvm_entry: PC: 0x0")
    schedule = read(
        switch(10, 0, IDLE, VCPU), entry, event(20, 0, VCPU, "kvm_entry: PC: 0x0"), event(40, 0, VCPU, "x: y")
    )
    assert schedule.guest_time == "run"
    assert found(schedule, "no-kvm-events") == (1, (), 0)
    assert guest_us(schedule) == [(10, 40, 0)]


def test_a_thread_that_never_switches_shows_by_its_kvm_events_that_it_runs(read):
    schedule = read(
        switch(10, 1, IDLE, TASK),
        event(20, 0, VCPU, "kvm_entry: PC: 0x0"),
        event(30, 0, VCPU, "kvm_exit: IRQ"),
        event(40, 0, VCPU, "kvm_entry: PC: 0x0"),
        switch(60, 1, TASK, IDLE),
    )
    assert runs_us(schedule) == [(20, 60, 0)]
    assert guest_us(schedule) == [(20, 30, 0), (40, 60, 0)]
    assert found(schedule, "missing-first-state") == (1, (2,), 10_000)


def test_a_selected_thread_that_never_enters_the_guest_is_told(read):
    schedule = read(
        switch(10, 0, IDLE, VCPU),
        event(12, 0, VCPU, "kvm_entry: PC: 0x0"),
        event(15, 0, VCPU, "kvm_exit: IRQ"),
        switch(20, 0, VCPU, TASK),
        switch(30, 0, TASK, IDLE),
        threads="vcpu|task",
    )
    assert found(schedule, "never-in-guest") == (1, (), 0)
    assert [thread.guest_ns for thread in schedule.threads] == [3_000, 0]


def test_lines_that_are_none_of_a_trace_are_counted_and_the_first_five_are_named(read):
    junk = ["what is this"] * 7
    schedule = read("junk before", switch(10, 0, IDLE, VCPU), *junk, switch(30, 0, VCPU, IDLE))
    assert found(schedule, "unreadable-line") == (8, (1, 3, 4, 5, 6), 0)
    assert runs_us(schedule) == [(10, 30, 0)]


@pytest.mark.parametrize(
    "text",
    (
        "sched_switch: prev_comm=vcpu prev_pid=7",
        "sched_switch: ",
        "sched_waking: comm=vcpu",
        "sched_migrate_task: comm=vcpu pid=7 prio=120",
        "cpu_frequency: state=fast cpu_id=0",
        "cpu_frequency: state=0 cpu_id=0",
        "cpu_idle: cpu_id=0",
    ),
)
def test_an_event_without_its_fields_is_left_out(read, text):
    schedule = read(switch(10, 0, IDLE, VCPU), event(20, 0, VCPU, text), switch(30, 0, VCPU, IDLE))
    assert found(schedule, "malformed-event") == (1, (2,), 0)
    assert runs_us(schedule) == [(10, 30, 0)]


def test_a_kvm_event_of_the_idle_thread_is_malformed(read):
    schedule = read(switch(10, 0, IDLE, VCPU), switch(30, 0, VCPU, IDLE), event(35, 0, IDLE, "kvm_entry: PC: 0x0"))
    assert found(schedule, "malformed-event") == (1, (3,), 0)


@pytest.mark.parametrize(
    "line",
    (
        "vcpu-7 [000] 99999999999.000000: sched_switch: x",
        "vcpu-7 [000] 9223372037.000000: sched_switch: x",
        "vcpu-7 [123456] 1.000000: sched_switch: x",
        "vcpu-99999999999 [000] 1.000000: sched_switch: x",
    ),
)
def test_numbers_that_are_no_time_cpu_or_pid_make_an_unreadable_line(read, line):
    schedule = read(switch(10, 0, IDLE, VCPU), line, switch(30, 0, VCPU, IDLE))
    assert found(schedule, "unreadable-line") == (1, (2,), 0)


def test_what_tools_print_between_events_is_no_finding(read):
    schedule = read(
        "version = 6",
        "cpus=2",
        "CPU 1 is empty",
        "# tracer: nop",
        "",
        switch(10, 0, IDLE, VCPU),
        "##### CPU 1 buffer started ####",
        " => schedule+0x38/0xd0",
        "          ffffffff81234567 schedule+0x0 ([kernel.kallsyms])",
        " <stack trace>",
        event(20, 0, VCPU, "print: tracing_mark_write: B|7|doFrame"),
        event(21, 0, VCPU, "vfs_read <-ksys_read"),
        switch(30, 0, VCPU, IDLE),
    )
    assert kinds(schedule) == []
    assert schedule.events == {"sched_switch": 2, "other": 2}


def test_a_finding_counts_all_and_names_five_lines(read):
    lines = [waking(11 + index, 0, VCPU, TASK, 9) for index in range(9)]
    schedule = read(switch(10, 0, IDLE, VCPU), *lines, switch(30, 0, VCPU, IDLE))
    assert found(schedule, "unknown-cpu") == (9, (2, 3, 4, 5, 6), 0)


def test_a_preempted_thread_waits_from_there_and_a_blocked_one_from_its_first_wakeup(read):
    schedule = read(
        switch(10, 0, IDLE, VCPU),
        switch(20, 0, VCPU, TASK, "R+"),
        waking(24, 1, IDLE, VCPU, 0),
        switch(30, 0, TASK, VCPU),
        switch(40, 0, VCPU, TASK, "S"),
        waking(44, 1, IDLE, VCPU, 0),
        waking(46, 1, IDLE, VCPU, 0),
        switch(50, 0, TASK, VCPU),
        switch(60, 0, VCPU, TASK, "D|W"),
        switch(70, 0, TASK, VCPU),
        switch(80, 0, VCPU, IDLE),
    )
    thread = schedule.threads[0]
    assert [ready // 1000 for ready in thread.ready_ns.tolist()] == [10, 20, 44, 70]
    assert thread.runnable.tolist() == [True, False, False, False]


def test_a_frequency_that_does_not_change_is_no_step(read):
    steps = [
        event(11 + index, 0, VCPU, f"cpu_frequency: state={khz} cpu_id=1") for index, khz in enumerate((5, 5, 6, 5))
    ]
    schedule = read(switch(10, 0, IDLE, VCPU), *steps, switch(30, 0, VCPU, IDLE))
    assert schedule.cpus[1].frequencies.tolist() == [[11_000, 5], [13_000, 6], [14_000, 5]]


@pytest.mark.parametrize("kind", ("sched_waking", "sched_wakeup", "sched_wakeup_new"))
@pytest.mark.parametrize(
    "style", ("comm=vcpu pid=7 prio=120 success=1 target_cpu=000", "vcpu:7 [120] success=1 CPU:000")
)
def test_all_wakeups_are_read_in_both_styles(read, kind, style):
    schedule = read(event(10, 1, IDLE, f"{kind}: {style}"), switch(15, 0, IDLE, VCPU), switch(30, 0, VCPU, IDLE))
    assert kinds(schedule) == []
    assert schedule.threads[0].ready_ns.tolist() == [10_000]
    assert schedule.threads[0].wakings.tolist() == [[10_000, 0]]


@pytest.mark.parametrize(
    "text",
    (
        "tracing_mark_write: cpu_frequency: state=600000 cpu_id=1",
        "tracing_mark_write: cpu_frequency_devlib: state=600000 cpu_id=1",
        "print:                tracing_mark_write: cpu_frequency:        state=600000 cpu_id=1",
        "print: 0xffffffc000175aa4: cpu_frequency:        state=600000 cpu_id=1",
        "cpu_frequency: state=600000 cpu_id=1",
    ),
)
def test_frequencies_are_read_as_events_and_as_marks(read, text):
    schedule = read(switch(10, 0, IDLE, VCPU), event(20, 0, VCPU, text), switch(30, 0, VCPU, IDLE))
    assert schedule.cpus[1].frequencies.tolist() == [[20_000, 600_000]]


def test_steps_of_one_cpu_that_others_recorded_come_in_the_order_of_time(read):
    schedule = read(
        switch(10, 0, IDLE, VCPU),
        event(30, 0, VCPU, "cpu_frequency: state=5 cpu_id=1"),
        event(20, 1, IDLE, "cpu_frequency: state=6 cpu_id=1"),
        switch(40, 0, VCPU, IDLE),
    )
    assert schedule.cpus[1].frequencies.tolist() == [[20_000, 6], [30_000, 5]]


def test_raw_fields_that_trace_cmd_did_not_understand_are_read(read):
    text = (
        "sched_switch: [FAILED TO PARSE] prev_comm=vcpu prev_pid=7 prev_prio=120 prev_state=0 "
        "next_comm=swapper/0 next_pid=0 next_prio=120"
    )
    schedule = read(switch(10, 0, IDLE, VCPU), event(30, 0, VCPU, text))
    assert runs_us(schedule) == [(10, 30, 0)]
    assert schedule.threads[0].runnable.tolist() == [True]


def test_a_thread_has_each_of_its_names_once_and_the_last_one_last(read):
    names = ("first", "second", "first")
    lines = []
    for index, comm in enumerate(names):
        lines += [switch(10 + 10 * index, 0, IDLE, (comm, 7)), switch(15 + 10 * index, 0, (comm, 7), IDLE)]
    (thread,) = read(*lines, threads="second").threads
    assert (thread.comm, thread.names) == ("first", ("second", "first"))


@pytest.mark.parametrize("state, wants", [("0", True), ("256", True), ("2", False), ("\u00b2", False), ("R+", True)])
def test_a_state_is_a_raw_number_or_a_word(read, state, wants):
    schedule = read(switch(10, 0, IDLE, VCPU), switch(30, 0, VCPU, IDLE, state))
    assert runs_us(schedule) == [(10, 30, 0)]
    assert schedule.threads[0].runnable[0] == wants
