"""What cannot be replayed at all is bad input: what, where, why, and what would be valid."""

import gzip
import os
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simcore.app.trace_reading import RECORD, read_schedule
from simcore.errors import InputError

TRACES = Path(__file__).parent / "data" / "traces"
SCENES = sorted(path for path in TRACES.iterdir() if path.suffix in (".txt", ".perfetto-trace"))


def error_of(path, threads="vcpu", ncpus=2):
    with pytest.raises(InputError) as caught:
        read_schedule(str(path), threads, ncpus)
    assert len(str(caught.value).splitlines()) <= 3
    return caught.value


def written(tmp_path, data):
    path = tmp_path / "trace"
    path.write_bytes(data)
    return path


def test_no_thread_that_matches_lists_the_ten_busiest_names_with_their_times():
    error = error_of(TRACES / "rtapp_6cpu.report.txt.gz", "qemu", 6)
    assert error.what == "no thread that ran matches 'qemu'"
    assert error.where.endswith("rtapp_6cpu.report.txt.gz")
    names = error.valid.removeprefix("the busiest names: ").split(", ")
    assert len(names) == 10
    assert names[:2] == ["task_r20_5-60 (4536.479 ms)", "rt-app (109.969 ms)"]


def test_threads_of_one_name_are_listed_once(tmp_path):
    lines = []
    for index, pid in enumerate((7, 8)):
        start = f"1.0000{index}0"
        lines.append(f"<idle>-0 [000] {start}: sched_switch: swapper/0:0 [120] R ==> worker:{pid} [120]")
        lines.append(f"worker-{pid} [000] {start[:-1]}5: sched_switch: worker:{pid} [120] S ==> swapper/0:0 [120]")
    error = error_of(written(tmp_path, "\n".join(lines).encode()), "vcpu")
    assert error.valid == "the busiest names: worker (0.010 ms)"


def test_a_trace_in_which_nothing_ran_says_so(tmp_path):
    line = b"<idle>-0 [000] 1.000000: sched_switch: swapper/0:0 [120] R ==> swapper/0:0 [120]\n"
    assert error_of(written(tmp_path, line)).valid == "no thread ran in this trace"


def test_a_pattern_that_is_no_regular_expression():
    error = error_of(TRACES / "ftrace.txt", "CPU (")
    assert (error.where, error.what) == ("--threads", "'CPU (' is no regular expression")


def test_no_file(tmp_path):
    assert "No such file" in error_of(tmp_path / "nothing").what


def test_a_folder(tmp_path):
    assert "Is a directory" in error_of(tmp_path).what


@pytest.mark.parametrize(
    "data", (b"", b"\n", b"# tracer: nop\n", b"cpus=2\n", b"some text\nof no trace\n", b"\n#!\n" * 50)
)
def test_text_without_a_line_of_a_trace(tmp_path, data):
    assert error_of(written(tmp_path, data)).what == "no line of a trace in it"


@pytest.mark.parametrize(
    "data", (b"\x00\x01\x02\x03", b"\x89PNG\r\n\x1a\n\x00", b"\x0a\x02\x08\x01\x0bjunk\x00", b"PK\x03\x04")
)
def test_bytes_that_are_no_trace(tmp_path, data):
    assert error_of(written(tmp_path, data)).what == "not a trace of a form that is known"


def test_perf_data_is_to_be_printed_first(tmp_path):
    error = error_of(written(tmp_path, b"PERFILE2" + bytes(96)))
    assert error.what == "a perf.data file"
    assert error.valid.startswith("perf sched script --ns -i ")


def test_a_trace_without_sched_switch_says_how_to_record(tmp_path):
    error = error_of(written(tmp_path, b"vcpu-7 [000] 1.000000: kvm_entry: PC: 0x0\n"))
    assert error.what == "no sched_switch event in it"
    assert error.valid == RECORD


def test_a_damaged_gzip_file(tmp_path):
    data = gzip.compress((TRACES / "ftrace.txt").read_bytes())
    assert error_of(written(tmp_path, data[: len(data) // 2])).what == "damaged gzip file"


def test_a_gzipped_trace_dat(tmp_path):
    assert error_of(TRACES / "rtapp_6cpu.dat.gz").what == "a gzipped trace.dat"


def test_a_trace_dat_without_trace_cmd(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    error = error_of(written(tmp_path, b"\x17\x08\x44tracing6\x00"))
    assert error.what == "a trace.dat is read by the program trace-cmd, which is not installed"
    assert "trace-cmd report -t" in error.valid


def fake_trace_cmd(tmp_path, monkeypatch, script):
    program = tmp_path / "trace-cmd"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return written(tmp_path, b"\x17\x08\x44tracing6\x00")


def test_trace_cmd_is_asked_for_nine_digits(tmp_path, monkeypatch):
    path = fake_trace_cmd(tmp_path, monkeypatch, f'echo "$*" > {tmp_path}/asked; cat {TRACES}/report_fields.txt')
    schedule = read_schedule(str(path), "KVM", 2)
    assert (tmp_path / "asked").read_text() == f"report -t -i {path}\n"
    assert (schedule.form, schedule.resolution_ns, len(schedule.threads)) == ("trace.dat", 1, 2)


def test_a_trace_cmd_that_fails_on_the_way_leaves_a_finding(tmp_path, monkeypatch):
    path = fake_trace_cmd(tmp_path, monkeypatch, f"cat {TRACES}/report_fields.txt; exit 3")
    assert ("truncated", (25,)) in [(found.kind, found.lines) for found in read_schedule(str(path), "KVM", 2).findings]


def test_a_trace_cmd_that_fails_at_once_is_quoted(tmp_path, monkeypatch):
    path = fake_trace_cmd(tmp_path, monkeypatch, "echo 'cannot do that' >&2; exit 3")
    error = error_of(path)
    assert (error.what, error.why) == ("trace-cmd reports no event of it", "cannot do that")


@pytest.mark.parametrize("path", SCENES, ids=lambda path: path.name)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_trace_with_any_bytes_changed_is_read_or_refused(path, tmp_path, data):
    whole = bytearray(path.read_bytes())
    places = data.draw(st.lists(st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255)), max_size=20))
    for place, value in places:
        whole[place] = value
    cut = data.draw(st.integers(0, len(whole)) | st.just(len(whole)))
    try:
        schedule = read_schedule(str(written(tmp_path, bytes(whole[:cut]))), ".", 2)
    except InputError:
        return
    for thread in schedule.threads:
        assert (thread.runs[:, 1] >= thread.runs[:, 0]).all()
        assert (thread.runs[1:, 0] >= thread.runs[:-1, 1]).all()
        assert (thread.guest[:, 1] >= thread.guest[:, 0]).all()
    for cpu in schedule.cpus:
        assert (cpu.others[:, 1] > cpu.others[:, 0]).all()
        assert (cpu.others[1:, 0] > cpu.others[:-1, 1]).all()
