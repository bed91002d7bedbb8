"""A strict reader of ftrace text, from the kernel's formats alone: every line has its form, and events agree.

Linux 7.1.5: trace_print_context and trace_print_time (kernel/trace/trace_output.c), print_func_help_header and its like
(kernel/trace/trace.c), TP_printk of sched.h, power.h and arch/arm64/kvm/trace_arm.h. Imports nothing of the project.
"""

import re
from typing import NamedTuple

WITH_FLAGS = """\
#                                _-----=> irqs-off/BH-disabled
#                               / _----=> need-resched
#                              | / _---=> hardirq/softirq
#                              || / _--=> preempt-depth
#                              ||| / _-=> migrate-disable
#                              |||| /     delay
#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
#              | |         |   |||||     |         |
"""
WITHOUT_FLAGS = """\
#           TASK-PID     CPU#     TIMESTAMP  FUNCTION
#              | |         |         |         |
"""
WITH_PROCESS = """\
#           TASK-PID       TGID    CPU#     TIMESTAMP  FUNCTION
#              | |           |       |         |         |
"""
_COMM = r"[ -~]{1,15}?"
_FIELDS = {
    "sched_switch": rf"prev_comm=({_COMM}) prev_pid=(\d+) prev_prio=(\d+) prev_state=([RSDTtXZPI]\+?)"
    rf" ==> next_comm=({_COMM}) next_pid=(\d+) next_prio=(\d+)",
    "sched_waking": rf"comm=({_COMM}) pid=(\d+) prio=(\d+) target_cpu=(\d{{3}})",
    "sched_wakeup": rf"comm=({_COMM}) pid=(\d+) prio=(\d+) target_cpu=(\d{{3}})",
    "sched_wakeup_new": rf"comm=({_COMM}) pid=(\d+) prio=(\d+) target_cpu=(\d{{3}})",
    "sched_migrate_task": rf"comm=({_COMM}) pid=(\d+) prio=(\d+) orig_cpu=(\d+) dest_cpu=(\d+)",
    "cpu_frequency": r"state=(\d+) cpu_id=(\d+)",
    "kvm_entry": r"PC: 0x([0-9a-f]{16})",
    "kvm_exit": r"(IRQ|TRAP): HSR_EC: 0x([0-9a-f]{4}) \((UNKNOWN|WFx|SYS64)\), PC: 0x([0-9a-f]{16})",
}
FIELDS = {name: re.compile(text) for name, text in _FIELDS.items()}
LINE = re.compile(
    r"( *(\S.*?))-(\d+ *)( \([ \d]{7}\)| \(-{7}\))? \[(\d{3,})\]( \S{5}| ) ( {0,4}\d+)\.(\d{9}): (\w+): (.*)"
)


class Line(NamedTuple):
    """An event: the thread in whose context it was recorded, its CPU and time, its name and fields."""

    comm: str
    pid: int
    tgid: str
    cpu: int
    t_ns: int
    event: str
    fields: tuple[str, ...]


def read(text, cpus, columns=WITHOUT_FLAGS):
    """Return the events of a text whose head must have these columns, and check that they agree with each other."""
    head = [line for line in text.splitlines(keepends=True) if line.startswith("#")]
    body = text.splitlines()[len(head) :]
    entries = f"# entries-in-buffer/entries-written: {len(body)}/{len(body)}   #P:{cpus}\n"
    assert "".join(head) == "# tracer: nop\n#\n" + entries + "#\n" + columns
    lines = [_line(row, columns) for row in body]
    assert [line.t_ns for line in lines] == sorted(line.t_ns for line in lines)
    _assert_agreement(lines, cpus)
    return lines


def _line(row, columns):
    found = LINE.fullmatch(row)
    assert found, row
    padded, comm, pid, tgid, cpu, flags, seconds, fraction, event, fields = found.groups()
    assert (padded, pid) == (comm.rjust(16), str(int(pid)).ljust(7)), row
    assert len(seconds) == max(5, len(seconds.strip())), row
    assert (tgid is None, not flags.strip()) == (columns != WITH_PROCESS, columns != WITH_FLAGS), row
    parts = FIELDS[event].fullmatch(fields)
    assert parts, row
    t_ns = int(seconds) * 10**9 + int(fraction)
    return Line(comm, int(pid), (tgid or "").strip(" ()"), int(cpu), t_ns, event, parts.groups())


def _assert_agreement(lines, cpus):
    """Who runs is what switches say; only who runs enters its guest, leaves it, and is not there when it is off.

    But for one nanosecond: who goes to another CPU may be there before it has left the first (docs/exports.md).
    """
    running = dict.fromkeys(range(cpus), 0)
    inside: dict[int, Line] = {}
    names: dict[int, str] = {}
    for line in lines:
        assert line.pid == running[line.cpu], line
        assert line.comm == "<idle>" if line.pid == 0 else names.setdefault(line.pid, line.comm) == line.comm, line
        if line.event == "sched_switch":
            prev_comm, prev_pid, _, state, next_comm, next_pid, _ = line.fields
            assert int(prev_pid) == line.pid, line
            entered = inside.get(line.pid)
            assert entered is None or (entered.cpu != line.cpu and entered.t_ns == line.t_ns), line
            assert prev_comm == (line.comm if line.pid else f"swapper/{line.cpu}"), line
            assert line.pid or (state == "R" and next_pid != "0"), line
            assert next_pid != "0" or next_comm == f"swapper/{line.cpu}", line
            running[line.cpu] = int(next_pid)
        elif line.event == "kvm_entry":
            assert line.pid not in {0, *inside}, line
            inside[line.pid] = line
        elif line.event == "kvm_exit":
            del inside[line.pid]
