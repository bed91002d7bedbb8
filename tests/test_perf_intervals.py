"""`perf stat -I` in a guest: when it reads its events, what it notes, and what that costs.

The fake vCPU takes a nanosecond and two cycles an instruction, and boots for 1 ms, when perf begins.
"""

import dataclasses

import pytest

from simcore.app.running import run
from tests.fake_vcpu import FakeVcpu, guest_cpu
from tests.scenes import FREE, guest_scene
from tests.test_workloads_perf_stat import MS, SPEC, WORKLOAD, play, registers
from workloads.actions import PerfRead, ReadReg, Sleep
from workloads.guest_perf_stat import LinuxPerfStat

EACH_10_MS = dataclasses.replace(SPEC, perf_interval_ns=10 * MS)


def reads(seen, event=0x11):
    return [
        (read.perf_ns // MS, read.interval, read.value, read.enabled_ns, read.running_ns)
        for read in seen.of(PerfRead)
        if read.event == event
    ]


def guest(**changes):
    return LinuxPerfStat(dataclasses.replace(EACH_10_MS, **changes), WORKLOAD)


def test_every_event_is_read_at_each_multiple_of_the_interval():
    seen = play(actions=400, guest=guest(), registers=registers())
    assert reads(seen)[:2] == [(10, 1, 20 * MS, 10 * MS, 10 * MS), (20, 2, 40 * MS, 20 * MS, 20 * MS)]
    assert [read.event for read in seen.of(PerfRead)[:5]] == [0x11, 0x08, 0x03, 0x10, 0x24]


def test_a_read_is_of_the_counter_alone_and_not_scaled():
    """Two event counters for four events: cycles run in some of the turns of 4 ms, and so much is read."""
    seen = play(actions=400, guest=guest(), registers=registers(2))
    perf_ms, _, value, enabled, running = reads(seen)[0]
    assert (perf_ms, enabled, running) == (10, 10 * MS, 3 * MS)  # 1 to 4 ms; then two turns without
    assert value == 2 * running


def test_an_interval_ends_a_sleep_but_no_wait_for_io():
    """1 ms of work up to 2 ms, sleep up to 32 ms; work, I/O from 33 to 63 ms: its ends are at 41, 51 and 61 ms."""
    seen = play(actions=300, guest=guest(sleep_ns=30 * MS, quanta_per_wake=1), registers=registers())
    assert [(sleep.ns // MS, sleep.io) for sleep in seen.of(Sleep)[:5]] == [
        (9, False), (10, False), (10, False), (1, False), (30, True),
    ]  # fmt: skip
    assert [(at, number) for at, number, *_ in reads(seen)[:4]] == [(10, 1), (20, 2), (30, 3), (62, 6)]


@pytest.mark.parametrize("has_pmu", [True, False])
def test_refused_events_are_noted_as_such(has_pmu):
    names = registers(0, 0, 0) if has_pmu else {"ID_AA64DFR0_EL1": 0}
    seen = play(actions=300, guest=guest(), registers=names)
    assert reads(seen)[:2] == [(10, 1, -1, 0, 0), (20, 2, -1, 0, 0)]


def test_a_cpu_that_starts_late_reads_at_the_times_of_the_first():
    program = guest()
    FakeVcpu(registers=registers()).play(program.vcpu(guest_cpu(0, 2)), 60)
    late = FakeVcpu(registers=registers(), now_ns=26 * MS).play(program.vcpu(guest_cpu(1, 2)), 200)
    assert [(at, number, enabled // MS) for at, number, _, enabled, _ in reads(late)[:2]] == [(30, 3, 5), (40, 4, 15)]


def test_without_an_interval_nothing_is_noted():
    assert play(actions=400, registers=registers()).of(PerfRead) == []


def test_each_read_takes_one_access_for_each_event_on_a_counter():
    def accesses(interval_ns):
        program = guest(perf_interval_ns=interval_ns)
        fake = FakeVcpu(registers=registers())
        steps, answer = program.vcpu(guest_cpu()), None
        while fake.now_ns < 99 * MS:
            action = steps.send(answer)
            fake.log.append(action)
            answer = fake.answer(action)
        return len([read for read in fake.of(ReadReg) if "CNTR" in read.name])

    assert accesses(10 * MS) - accesses(0) == 9 * 5


def test_reads_that_cost_nothing_change_nothing_else_and_others_take_time():
    spec = dataclasses.replace(EACH_10_MS, workload="dhrystone", quantum_instructions=100_000)

    def tables(interval_ns, costs):
        changed = dataclasses.replace(spec, perf_interval_ns=interval_ns)
        return run(guest_scene(changed, costs=costs, seconds_ns=25 * MS)).tables

    free, without = tables(10 * MS, FREE), tables(0, FREE)
    assert len(free["perf_reads"]) == 2 * 5
    for name in ("events", "ledger", "vpmus", "cpus", "reports"):
        assert free[name].tolist() == without[name].tolist(), name
    dear = dataclasses.replace(FREE, trap=100_000)
    assert tables(10 * MS, dear)["events"]["total"].sum() < tables(0, dear)["events"]["total"].sum()
