"""Any schedule that is written as a trace is read back as it was, in the style of any tool."""

import re
from collections import defaultdict
from io import StringIO
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.app.trace_building import ThreadTables, cpu_schedule
from simcore.app.trace_states import TraceStates
from simcore.app.trace_text import TextTrace

CPU = re.compile(r" \[(\d+)\] d")
NCPUS = 3
START_NS = 7_000_000_000
STEPS = st.lists(st.tuples(st.integers(0, 3000), st.integers(0, NCPUS - 1), st.integers(0, 5)), min_size=1, max_size=60)


def name_of(pid, cpu):
    return f"a task-{pid} [x]" if pid else f"swapper/{cpu}"


def classic(prev, following, state):
    return f"sched_switch:  {prev[0]}:{prev[1]} [120] {state} ==> {following[0]}:{following[1]} [98]"


def fields(prev, following, state):
    before = f"prev_comm={prev[0]} prev_pid={prev[1]} prev_prio=120 prev_state={state}"
    return f"sched_switch: {before} ==> next_comm={following[0]} next_pid={following[1]} next_prio=98"


def trace_cmd(comm, pid, cpu, t_ns, text):
    return f"{comm:>16}-{pid:<5} [{cpu:03d}] {t_ns // 10**9:5d}.{t_ns % 10**9:09d}: {text}"


def ftrace(comm, pid, cpu, t_ns, text):
    return f"{comm:>16}-{pid:<7} [{cpu:03d}] dN.2. {t_ns // 10**9:5d}.{t_ns % 10**9:09d}: {text}"


def perf(comm, pid, cpu, t_ns, text):
    return f"{comm:>16} {pid:5d} [{cpu:03d}] {t_ns // 10**9:5d}.{t_ns % 10**9:09d}:       sched:{text}"


def written(steps, line, style):
    """Return the lines of a schedule, and its runs as (start, end, cpu) by thread; every CPU begins and ends idle."""
    lines, runs, running, now = [], defaultdict(list), dict.fromkeys(range(NCPUS), (0, START_NS)), START_NS
    for wait, cpu, pid in [*steps, *((5, cpu, 0) for cpu in range(NCPUS))]:
        now += wait
        prev, since = running[cpu]
        if pid == prev or (pid and any(pid == other for other, _ in running.values())):
            continue
        if prev:
            runs[prev].append((since, now, cpu))
        running[cpu] = (pid, now)
        text = style((name_of(prev, cpu), prev), (name_of(pid, cpu), pid), "S")
        lines.append(line(name_of(prev, cpu) if prev else "<idle>", prev, cpu, now, text))
    return lines, runs


def read(lines):
    trace, states = TextTrace(StringIO("\n".join(lines))), TraceStates(NCPUS)
    for event in trace.events():
        states.add(event)
    states.finish()
    return states


def lengths(rows):
    return sum(end - start for start, end, *_ in rows)


@pytest.mark.parametrize("style", (classic, fields))
@pytest.mark.parametrize("line", (trace_cmd, ftrace, perf))
@given(steps=STEPS, chosen=st.sets(st.integers(1, 5)))
def test_every_run_is_read_back(line, style, steps, chosen):
    lines, runs = written(steps, line, style)
    if not lines:
        return
    states = read(lines)
    tables = ThreadTables(states)
    assert states.findings() == ()
    assert {time.pid: time.run_ns for time in tables.times()} == {pid: lengths(rows) for pid, rows in runs.items()}
    for pid, rows in runs.items():
        assert [tuple(row) for row in tables.thread(pid).runs.tolist()] == rows
    for number, cpu in enumerate(states.cpus):
        here = [(start, end, pid) for pid, rows in runs.items() for start, end, on in rows if on == number]
        found = cpu_schedule(cpu, sorted(chosen), states.start_ns, np.zeros((0, 2), np.int64))
        assert found.busy_ns == lengths(here)
        assert lengths(found.others.tolist()) == lengths(row for row in here if row[2] not in chosen)
        assert (found.others[1:, 0] > found.others[:-1, 1]).all()


def with_losses(lines, random):
    """Return lines of which some are left out, with a mark before the next one of the same CPU."""
    left: list[str] = []
    lost: defaultdict[int, int] = defaultdict(int)
    for line in lines:
        cpu = int(CPU.findall(line)[0])
        if random.random() < 0.2:
            lost[cpu] += 1
            continue
        if lost[cpu]:
            left.append(f"CPU:{cpu} [LOST {lost.pop(cpu)} EVENTS]")
        left.append(line)
    return left, lost


@given(steps=STEPS, seed=st.integers(0, 999))
def test_lost_events_never_give_a_thread_time_that_it_did_not_run(steps, seed):
    lines, runs = written(steps, ftrace, fields)
    left, lost = with_losses(lines, Random(seed))
    if not left:
        return
    states = read(left)
    tables = ThreadTables(states)
    for time in tables.times():
        for start, end, cpu in tables.thread(time.pid).runs.tolist():
            inside = [row for row in runs[time.pid] if row[2] == cpu and row[0] <= start and end <= row[1]]
            assert inside or (lost[cpu] and end == states.end_ns), "only losses after the last line are not told"
