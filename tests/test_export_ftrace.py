"""`hetpmu export ftrace`: the text against one written by hand and a strict reader, and what the command refuses."""

import dataclasses
import io
import re

import numpy as np
import pytest

from scheduler.kernel_state import BALANCE, MISFIT
from simcore.app.cli import exit_code
from simcore.app.export_threads import Thread, threads_of
from simcore.app.ftrace_text import write_ftrace
from simcore.app.running import run
from simcore.app.trace_replay import replay
from simcore.loader import load_platform
from simcore.scenario import BackgroundTask, GuestSpec, Scenario, VmmThreadsSpec, VmSpec
from tests.ftrace_reader import WITH_FLAGS, WITH_PROCESS, WITHOUT_FLAGS, read
from tests.scenes import DUO, FREE, MS, ReadReg, Sleep, SpinUntil, Stage, scene

PC = "PC: 0x0000000000000000"
SCENARIO = """\
format = "hetpmu-scenario/1"
platform = "rk3588"
seconds = "20ms"
sample = "5ms"
[[vms]]
vcpus = 2
guest = { boot = "5ms" }
"""


def text_of(result, **options):
    sink = io.StringIO()
    platform = load_platform(result.scenario.platform)
    count = write_ftrace(sink, result.tables, threads_of(result), platform, result.summary["ended_ns"], **options)
    assert count == sum(not line.startswith("#") for line in sink.getvalue().splitlines())
    return sink.getvalue()


def test_a_text_written_by_hand(monkeypatch):
    """A vCPU on the LITTLE core spins to 1 ms, waits for 1 s, reads a register, and executes on for 1 ms."""

    def script(cpu):
        yield SpinUntil(0, MS)
        yield Sleep(1_000 * MS)
        yield ReadReg("PMCCNTR_EL0")
        yield SpinUntil(0, 1 << 40)

    costs = dataclasses.replace(FREE, context_switch=2_000, trap=1_500)
    staged = scene(vm={"init_placement": "small"}, costs=costs, trace=True, seconds_ns=1_002 * MS, hz=100)
    result = Stage(monkeypatch).run(staged, script)
    assert (
        text_of(result)
        == f"""\
# tracer: nop
#
# entries-in-buffer/entries-written: 15/15   #P:2
#
#           TASK-PID     CPU#     TIMESTAMP  FUNCTION
#              | |         |         |         |
          <idle>-0       [000]      0.000000000: sched_wakeup_new: comm=CPU 0/KVM pid=1001 prio=120 target_cpu=000
          <idle>-0       [000]      0.000000000: cpu_frequency: state=1000000 cpu_id=0
          <idle>-0       [001]      0.000000000: cpu_frequency: state=2000000 cpu_id=1
          <idle>-0       [000]      0.000000000: sched_switch: prev_comm=swapper/0 prev_pid=0 prev_prio=120 \
prev_state=R ==> next_comm=CPU 0/KVM next_pid=1001 next_prio=120
       CPU 0/KVM-1001    [000]      0.000002000: kvm_entry: {PC}
       CPU 0/KVM-1001    [000]      0.001000000: kvm_exit: TRAP: HSR_EC: 0x0001 (WFx), {PC}
       CPU 0/KVM-1001    [000]      0.001000000: sched_switch: prev_comm=CPU 0/KVM prev_pid=1001 prev_prio=120 \
prev_state=S ==> next_comm=swapper/0 next_pid=0 next_prio=120
          <idle>-0       [000]      1.001000000: sched_waking: comm=CPU 0/KVM pid=1001 prio=120 target_cpu=000
          <idle>-0       [000]      1.001000000: sched_wakeup: comm=CPU 0/KVM pid=1001 prio=120 target_cpu=000
          <idle>-0       [000]      1.001000000: sched_switch: prev_comm=swapper/0 prev_pid=0 prev_prio=120 \
prev_state=R ==> next_comm=CPU 0/KVM next_pid=1001 next_prio=120
       CPU 0/KVM-1001    [000]      1.001002000: kvm_entry: {PC}
       CPU 0/KVM-1001    [000]      1.001002000: kvm_exit: TRAP: HSR_EC: 0x0018 (SYS64), {PC}
       CPU 0/KVM-1001    [000]      1.001003500: kvm_entry: {PC}
       CPU 0/KVM-1001    [000]      1.002000000: cpu_frequency: state=1000000 cpu_id=0
          <idle>-0       [001]      1.002000000: cpu_frequency: state=2000000 cpu_id=1
"""
    )
    assert len(read(text_of(result), 2)) == 15


@pytest.fixture(scope="module")
def busy():
    """Return a run with two VMs of which one has threads of its own, on a host with other threads."""
    guest = GuestSpec(boot_ns=2 * MS, window_ns=MS, sleep_ns=200_000, quantum_instructions=100_000)
    first = VmSpec(vcpus=2, guest=guest, vmm_threads=VmmThreadsSpec(main=True, io=1))
    others = (BackgroundTask(400_000, 600_000, policy="fifo", priority=30), BackgroundTask(400_000, 600_000, nice=5))
    return run(Scenario(platform=DUO, vms=(first, VmSpec(vcpus=1, guest=guest)), seconds_ns=40 * MS, seed=2,
                        background=others, trace=True))  # fmt: skip


@pytest.mark.parametrize(
    "options, columns", [({}, WITHOUT_FLAGS), ({"irq_info": True}, WITH_FLAGS), ({"tgid": True}, WITH_PROCESS)]
)
def test_every_line_has_the_kernels_form_and_events_agree(busy, options, columns):
    lines = read(text_of(busy, **options), 2, columns)
    tables = busy.tables
    count = {name: sum(line.event == name for line in lines) for name in ("sched_switch", "sched_migrate_task")}
    assert count == {"sched_switch": len(tables["switches"]), "sched_migrate_task": len(tables["moves"])}
    assert sum(line.event.startswith("kvm_") for line in lines) == len(tables["entries"])
    woken = [line for line in lines if line.event == "sched_waking"]
    assert len(woken) == (tables["wakings"]["new"] == 0).sum() == sum(line.event == "sched_wakeup" for line in lines)
    if options.get("tgid"):
        assert {line.tgid for line in lines if line.comm == "CPU 0/KVM"} == {"1000", "2000"}


def test_threads_have_names_ids_and_priorities_of_linux(busy):
    lines = read(text_of(busy), 2)
    seen = {(line.fields[4], line.fields[6]) for line in lines if line.event == "sched_switch"}
    wanted = {("CPU 0/KVM", "120"), ("CPU 1/KVM", "120"), ("background/0", "69"), ("background/1", "125")}
    assert wanted | {("IO iothread0", "120"), ("swapper/0", "120")} <= seen
    assert len({line.pid for line in lines if line.comm == "CPU 0/KVM"}) == 2, "one in each VM"


def test_a_wakeup_names_the_pcpu_before_and_the_one_after(busy):
    lines = read(text_of(busy), 2)
    elsewhere = 0
    for number, line in enumerate(lines):
        if line.event != "sched_waking":
            continue
        after = next(other for other in lines[number:] if other.event == "sched_wakeup")
        assert after.fields[:3] == line.fields[:3]
        if after.fields[3] != line.fields[3]:
            moved = lines[number + 1]
            assert (moved.event, moved.fields[:3]) == ("sched_migrate_task", line.fields[:3])
            assert line.cpu == moved.cpu == after.cpu, "on the pCPU of the waker"
            assert [int(moved.fields[3]), int(moved.fields[4])] == [int(line.fields[3]), int(after.fields[3])]
            elsewhere += 1
    assert elsewhere


def test_raw_fields_are_numbers_and_say_the_same(busy, tmp_path):
    answers = []
    for raw in (False, True):
        path = tmp_path / f"raw-{raw}"
        path.write_text(text_of(busy, raw=raw))
        found = replay(str(path), "CPU [0-9]+/KVM", DUO, policies=("fixed-counters-only",)).as_json()
        answers.append({key: found[key] for key in ("events", "threads", "cpus", "findings", "policies")})
    assert answers[0] == answers[1]
    text = text_of(busy, raw=True)
    assert "prev_pid=1001 prev_prio=120 prev_state=1 next_comm=swapper/" in text
    assert "kvm_exit: ret=2 esr_ec=0x1 vcpu_pc=0x0\n" in text
    assert {line.split("prev_state=")[1].split()[0] for line in text.splitlines() if "prev_state" in line} == {
        "0",
        "1",
        "0x10",
    }


# --- the command ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Return the directory of a run with a trace."""
    folder = tmp_path_factory.mktemp("kept")
    (folder / "scenario.toml").write_text(SCENARIO)
    assert exit_code(["run", str(folder / "scenario.toml"), "--set", "trace=true", "--out", str(folder / "run")]) == 0
    return folder / "run"


def test_a_run_is_exported_replayed_and_exported_again(kept, tmp_path, capsys):
    one, two = tmp_path / "one.txt", tmp_path / "two.txt"
    assert exit_code(["export", "ftrace", str(kept), "-o", str(one)]) == 0
    told = capsys.readouterr().out
    first = read(one.read_text(), 8)
    assert f"written: {len(first)} events in {one}" in told
    again = ["--threads", "CPU [0-9]+/KVM", "--platform", "rk3588", "--policies", "fixed-counters-only,default"]
    assert exit_code(["replay", str(one), *again, "--trace", "--out", str(tmp_path / "again")]) == 0
    assert exit_code(["export", "ftrace", str(tmp_path / "again"), "-o", str(two)]) == 0
    second = read(two.read_text(), 8)

    assert stretches(second, 20 * MS) == stretches(first, 20 * MS)
    assert sorted((line.t_ns, *line.fields) for line in second if line.event == "cpu_frequency") == sorted(
        (line.t_ns, *line.fields) for line in first if line.event == "cpu_frequency"
    )


def stretches(lines, ended_ns):
    """Return (start, end, CPU, name) of all guest time of some length."""
    found, entered = [], {}
    for line in lines:
        if line.event == "kvm_entry":
            entered[line.pid] = (line.t_ns, line.cpu, line.comm)
        elif line.event == "kvm_exit":
            start, cpu, comm = entered.pop(line.pid)
            found.append((start, line.t_ns, cpu, comm))
    found += [(start, ended_ns, cpu, comm) for start, cpu, comm in entered.values()]
    return sorted(row for row in found if row[0] < row[1])


@pytest.mark.parametrize("option, columns", [("--irq-info", WITH_FLAGS), ("--record-tgid", WITH_PROCESS)])
def test_columns_are_options(kept, tmp_path, option, columns):
    assert exit_code(["export", "ftrace", str(kept), "-o", str(tmp_path / "trace"), option]) == 0
    read((tmp_path / "trace").read_text(), 8, columns)


def test_a_file_is_replaced_with_force_only(kept, tmp_path, capsys):
    (tmp_path / "trace").write_text("mine")
    asked = ["export", "ftrace", str(kept), "-o", str(tmp_path / "trace")]
    assert exit_code(asked) == 2
    assert (tmp_path / "trace").read_text() == "mine"
    assert "--force" in capsys.readouterr().err
    assert exit_code([*asked, "--force"]) == 0
    assert (tmp_path / "trace").read_text().startswith("# tracer: nop")


def test_a_run_without_a_trace_is_told_how_to_record_one(tmp_path, capsys):
    (tmp_path / "scenario.toml").write_text(SCENARIO)
    assert exit_code(["run", str(tmp_path / "scenario.toml"), "--out", str(tmp_path / "run")]) == 0
    capsys.readouterr()
    assert exit_code(["export", "ftrace", str(tmp_path / "run"), "-o", str(tmp_path / "trace")]) == 2
    told = capsys.readouterr().err
    assert "hetpmu run SCENARIO --set trace=true --out DIR" in told
    assert len(told.strip().splitlines()) <= 3
    assert not (tmp_path / "trace").exists()
    assert exit_code(["export", "ftrace", str(tmp_path / "nowhere"), "-o", str(tmp_path / "trace")]) == 2


def test_a_run_of_a_comparison_is_chosen_by_name(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("simcore.app.keeping.draw", lambda *_: None)
    (tmp_path / "scenario.toml").write_text(SCENARIO.replace("[[vms]]", "trace = true\n[[vms]]"))
    short = ["--seeds", "1", "--policies", "default,fixed-counters-only", "--workers", "1"]
    compared = str(tmp_path / "compared")
    assert exit_code(["compare", str(tmp_path / "scenario.toml"), *short, "--out", compared]) == 0
    capsys.readouterr()
    asked = ["export", "ftrace", compared, "-o", str(tmp_path / "trace")]
    assert exit_code(asked) == 2
    names = re.findall(r"\d\d-[\w@-]+", capsys.readouterr().err)
    assert names == ["01-default@mainline", "02-fixed-counters-only@v8"]
    assert exit_code([*asked, "--run", names[1]]) == 0
    assert exit_code([*asked, "--run", "03-none", "--force"]) == 2
    assert "02-fixed-counters-only@v8" in capsys.readouterr().err


def test_a_threads_name_never_leaves_its_line():
    assert Thread(7, 7, "a\nb\0\x1b\u2028\ud800 \u00fc", -1, 120).comm == "a?b???? \u00fc"


def test_a_move_is_traced_on_the_pcpu_that_pulls_or_on_the_one_that_is_left(busy):
    rows = busy.tables["moves"]
    rows = rows[np.argsort(rows["order"])]
    lines = [line for line in read(text_of(busy), 2) if line.event == "sched_migrate_task"]
    for cause, column in ((BALANCE, "to_cpu"), (MISFIT, "from_cpu")):
        chosen = np.flatnonzero(rows["cause"] == cause)
        assert [int(lines[number].cpu) for number in chosen] == rows[column][chosen].tolist()
        assert len(chosen) > 5
