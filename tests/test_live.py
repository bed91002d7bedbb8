"""Live migration in mid-run: hand-computed counters on one LITTLE (1 GHz) and one big (2 GHz) core, costs zero."""

import dataclasses
import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from pmu import one_reg
from pmu.bank import CounterBank
from pmu.kvm import Vm
from pmu.policies import parse
from scheduler import live as live_module
from scheduler import stopping
from scheduler.kernel_state import SPIN
from scheduler.vmm import create
from simcore.app.cli import exit_code
from simcore.errors import InputError
from simcore.scenario import AffinityChange, LiveMigration, PinSpec, VmmThreadsSpec
from tests.scenes import CYCLES_ON, MS, ReadReg, Report, Run, Sleep, SpinUntil, Stage, WriteReg, read_every, scene
from tests.uapi_platforms import host
from workloads.actions import UNDEF, Halt, ReadTimer, Script, Wake

ON_LITTLE = {"init_placement": "small", "pin_delay_ns": 0}
MOVES = (AffinityChange(18 * MS, 0, 0, (1,)),)
"""The vCPU is on the LITTLE core until 18 ms, then on the big one."""


@pytest.fixture
def stage(monkeypatch):
    return Stage(monkeypatch)


def live(policy: str, time_ns: int = 10 * MS, downtime_ns: int = 5 * MS, **changes) -> LiveMigration:
    return LiveMigration(time_ns, policy, downtime_ns=downtime_ns, **changes)


def hand(policy: str, *lives: LiveMigration, kernel: str = "mainline", **changes):
    vm = ON_LITTLE | changes.pop("vm", {})
    return scene(policy, kernel, vm=vm, live_migrations=lives, **({"affinity_changes": MOVES} | changes))


def cycles(result, vcpu: int = 0) -> dict[str, int]:
    rows = result.tables["ledger"]
    row = rows[(rows["slot"] == 31) & (rows["vcpu"] == vcpu) & (rows["policy"] == 0)][0]
    return {name: int(row[name]) for name in row.dtype.names[3:] if row[name]}


# 10 ms at 1 GHz, 5 ms of downtime, 3 ms at 1 GHz, 2 ms at 2 GHz: 10e6 + 3e6 + 4e6 cycles
EXPECTED = [
    ("default", live("default"), {"counted": 13_000_000, "off_pmu": 4_000_000}),
    ("default", live("default", init_placement="large"), {"counted": 14_000_000, "off_pmu": 3_000_000}),
    ("default", live("fixed-counters-only"), {"counted": 17_000_000}),
    ("default", live("fixed-counters-only@v6"), {"counted": 17_000_000}),
    ("default", live("set-pmu-unpinned:pmu_little"), {"counted": 13_000_000}),  # no entry on the big core
    ("fixed-counters-only", live("default@mainline"), {"counted": 13_000_000, "off_pmu": 4_000_000}),
    ("fixed-counters-only", live("fixed-counters-only"), {"counted": 17_000_000}),
]


@pytest.mark.parametrize("policy, move, expected", EXPECTED)
def test_nothing_is_lost_on_the_way(stage, policy, move, expected):
    """Every cycle that the guest executes is booked; while it is stopped there are none; the value arrives."""
    kernel = "v8" if policy == "fixed-counters-only" else "mainline"
    result = stage.run(hand(policy, move, kernel=kernel), read_every(MS))
    booked = cycles(result)
    assert booked == expected | {"events": sum(expected.values())}
    assert int(result.tables["vcpus"]["guest_cycles"][0]) == booked["events"]
    assert int(result.tables["samples"]["pmccntr"][-1]) == expected["counted"]
    stopped = result.tables["samples"][10:15]
    assert stopped["pmccntr"].tolist() == [10_000_000] * 5
    assert stopped["cpu"].tolist() == [0, -1, -1, -1, -1]


def test_the_guests_timer_does_not_count_the_downtime(stage):
    """QEMU restores CNTVCT_EL0 (kvm-no-adjvtime off): a guest that reads each millisecond of it reads on and on."""
    result = stage.run(hand("default", live("fixed-counters-only")), read_every(MS))
    reads = result.tables["reads"]
    assert (reads["t_ns"] // MS).tolist() == [*range(1, 11), *range(16, 21)]
    assert (reads["value"] // 1_000_000).tolist() == [*range(1, 14), 15, 17]


def test_what_is_recorded_of_it(stage):
    result = stage.run(hand("default", live("fixed-counters-only", init_placement="large")), read_every(MS))
    rows = [tuple(row) for row in result.tables["live_migrations"]]
    assert rows == [(10 * MS, 15 * MS, 0, "fixed-counters-only@v8", "pmu_big", 0, 1)]  # PMCR_EL0 has another N
    assert result.summary["policies"] == [["default@mainline>fixed-counters-only@v8"]]
    guest = result.tables["guests"][0]
    assert (int(guest["pmcr_n"]), int(guest["pmceid0"]), int(guest["pmceid1"])) == (0, 0, 0)
    assert result.tables["migrations"]["t_ns"].tolist() == [18 * MS]


def test_the_stalls_of_both_hosts(stage):
    """Backed by the LITTLE core's PMU until 10 ms, by the big one's afterwards: stalled until it goes there."""
    result = stage.run(hand("default", live("default", init_placement="large")), read_every(MS))
    assert [tuple(row) for row in result.tables["stalls"]] == [(15 * MS, 18 * MS, 0, 0, 3 * MS)]


def test_and_back_again(stage):
    lives = (live("fixed-counters-only", 4 * MS, 2 * MS), live("default@mainline", 10 * MS, 2 * MS))
    result = stage.run(hand("default", *lives), read_every(MS))
    assert cycles(result) == {"counted": 14_000_000, "off_pmu": 4_000_000, "events": 18_000_000}
    rows = result.tables["live_migrations"]
    assert rows["pmcr_n"].tolist() == [0, 0]  # N is carried by PMCR_EL0, and 0 is accepted
    assert rows["policy"].tolist() == ["fixed-counters-only@v8", "default@mainline"]


# Registers, overflow, what the guest has no more

COUNTING = (
    WriteReg("PMEVTYPER0_EL0", 0x08), WriteReg("PMEVTYPER5_EL0", 0x10), WriteReg("PMCNTENSET_EL0", 0x21),
    WriteReg("PMSELR_EL0", 5), WriteReg("PMUSERENR_EL0", 0xF),
)  # fmt: skip


def counting(then):
    """Count cycles, instructions in counter 0 and mispredictions in counter 5, and at 17 ms do what ``then`` yields."""

    def script(cpu):
        for action in (*CYCLES_ON, *COUNTING):
            _ = yield action
        yield SpinUntil(0, 12 * MS)  # of virtual time: 5 ms of downtime before
        yield from then()
        while True:
            yield SpinUntil(0, 1 << 40)

    return script


def looks(*names: str):
    def then():
        for number, name in enumerate(names):
            value = yield ReadReg(name)
            yield Report(f"r{number}", -1 if value is UNDEF else value)

    return counting(then)


def reported(result) -> list[int]:
    return [int(value) for value in result.tables["reports"]["value"]]


NAMES = ("PMEVCNTR0_EL0", "PMEVTYPER5_EL0", "PMSELR_EL0", "PMCNTENSET_EL0", "PMUSERENR_EL0", "PMCCNTR_EL0", "PMCR_EL0")


def test_the_same_policy_carries_every_register(stage):
    stays = stage.run(hand("default", affinity_changes=()), looks(*NAMES))
    goes = stage.run(hand("default", live("default"), affinity_changes=()), looks(*NAMES))
    assert reported(goes) == reported(stays)
    assert goes.tables["live_migrations"]["changed"].tolist() == [0]


@pytest.mark.parametrize("order", one_reg.ORDERS)
def test_the_order_of_restoring(stage, order):
    """Into a VM that starts with six counters no bitmap loses bits, whatever the order."""
    result = stage.run(hand("default", live("default", order=order), affinity_changes=()), looks("PMCNTENSET_EL0"))
    assert reported(result) == [0x8000_0021]


def test_an_event_counter_that_is_gone_kills_its_guest(stage):
    result = stage.run(
        hand("default", live("fixed-counters-only")), looks("PMCCNTR_EL0", "PMCEID0_EL0", "PMEVCNTR0_EL0")
    )
    assert reported(result) == [12_000_000, 0]
    guest = result.tables["guests"][0]
    assert (str(guest["outcome"]), int(guest["died_ns"])) == ("undefined instruction: PMEVCNTR0_EL0", 17 * MS)


def test_what_was_undefined_before_kills_nobody(stage):
    lives = live("fixed-counters-only", order="ascending")
    result = stage.run(hand("fixed-counters-only", lives, kernel="v8"), looks("PMEVCNTR0_EL0"))
    assert reported(result) == [-1]
    assert str(result.tables["guests"]["outcome"][0]) == "alive"


def test_a_pending_overflow_interrupts_on_the_destination(stage):
    """PMCCNTR_EL0 wraps at 32 bits (LC clear) 1 ms before the VM stops; the interrupt would take 2 ms."""
    costs = dataclasses.replace(scene().costs, interrupt_latency=2 * MS)

    def script(cpu):
        yield from (*CYCLES_ON, WriteReg("PMCR_EL0", 1), WriteReg("PMINTENSET_EL1", 1 << 31))
        yield WriteReg("PMCCNTR_EL0", (1 << 32) - 9 * MS)
        while True:
            yield SpinUntil(0, 1 << 40)

    def handler(cpu):
        yield WriteReg("PMOVSCLR_EL0", 1 << 31)
        now = yield ReadTimer()
        yield Report("handled", now)

    for policy in ("default", "fixed-counters-only"):
        result = stage.run(hand("default", live(policy), costs=costs, affinity_changes=()), script, handler)
        assert [(int(row["t_ns"]), int(row["slot"])) for row in result.tables["interrupts"]] == [(9 * MS, 31)]
        assert reported(result) == [12 * MS]  # 10 ms at the stop, and the line rises anew at the first entry
        assert result.tables["reports"]["t_ns"].tolist() == [17 * MS]


# Nothing but the downtime


def busy_and_idle(cpu):
    """Work, sleep for a timer and for I/O, and read the cycle counter."""
    yield from CYCLES_ON
    for number in itertools.count():
        yield Run(0, 700_000 + 1000 * (number % 7))
        yield ReadReg("PMCCNTR_EL0")
        yield Sleep(300_000 + 10_000 * (number % 5), io=number % 2 == 1)


def waker_and_sleeper(cpu):
    """vCPU 1 wakes vCPU 0, which runs at that moment and keeps the wakeup for its next halt."""
    yield from CYCLES_ON
    for number in itertools.count():
        yield Run(0, 900_000)
        yield ReadReg("PMCCNTR_EL0")
        yield Wake(0) if cpu.vcpu else Halt()
        yield Sleep(50_000 + 1000 * (number % 3))


def interrupted(cpu):
    """Spin in scripts of two waits, interrupted by an overflow every 0.4 ms."""
    yield from (*CYCLES_ON, WriteReg("PMCR_EL0", 1), WriteReg("PMINTENSET_EL1", 1 << 31))
    yield WriteReg("PMCCNTR_EL0", (1 << 32) - 400_000)
    for first in itertools.count(1, 2):
        at = np.arange(first, first + 2) * 990_001
        yield Script(np.stack([np.full(2, SPIN), np.zeros(2, np.int64), at], axis=1))
        yield ReadReg("PMCCNTR_EL0")


def handler_of(cpu):
    """Clear the overflow, set the next one, and take a while."""
    yield WriteReg("PMOVSCLR_EL0", 1 << 31)
    yield WriteReg("PMCCNTR_EL0", (1 << 32) - 400_000)
    yield ReadReg("PMCCNTR_EL0")
    yield Run(0, 200_000)


WHENS = [*range(13 * MS, 14 * MS, 217_457), 15 * MS]
GUESTS = {
    "timer": (busy_and_idle, {}, {}),
    "timer, polling": (busy_and_idle, {}, {"halt_poll_ns": 500_000}),
    "I/O thread": (busy_and_idle, {"vmm_threads": VmmThreadsSpec(io=1, io_burst_ns=90_000)}, {}),
    "wakeups": (waker_and_sleeper, {"vcpus": 2, "pin": PinSpec(vcpu=((0,), (1,)))}, {}),
    "interrupts": (interrupted, {}, {}),
}


@pytest.mark.parametrize("when", WHENS)
@pytest.mark.parametrize("name", GUESTS)
def test_the_same_policy_changes_nothing_but_the_downtime(stage, when, name):
    """Whatever a vCPU does at that moment: it runs, sleeps, polls, handles an interrupt, waits for an I/O thread."""
    guest, vm, changes = GUESTS[name]
    alone = changes | {"affinity_changes": ()}
    stays = stage.run(hand("fixed-counters-only", kernel="v8", vm=vm, **alone), guest, handler_of)
    moved = hand("fixed-counters-only", live("fixed-counters-only", when, 4 * MS), kernel="v8", vm=vm, **alone)
    goes = stage.run(dataclasses.replace(moved, seconds_ns=24 * MS), guest, handler_of)
    for table in ("reads", "interrupts"):
        expected = stays.tables[table].copy()
        expected["t_ns"][expected["t_ns"] > when] += 4 * MS
        assert goes.tables[table].tolist() == expected.tolist()
    for table in ("ledger", "events"):
        assert goes.tables[table].tolist() == stays.tables[table].tolist()
    assert len(goes.tables["reads"]) > 10


def test_devices_answer_as_much_later(stage, monkeypatch):
    seen = []
    go_on = stopping.go_on

    def noted(host, vm, paused, ns):
        before = [request.when_ns for request in vm.io_threads[0].requests]
        go_on(host, vm, paused, ns)
        seen.append((before, [request.when_ns - ns for request in vm.io_threads[0].requests]))

    monkeypatch.setattr(live_module, "go_on", noted)
    vm = {"vmm_threads": VmmThreadsSpec(io=1), "vcpus": 2}
    stage.run(hand("default", live("default", 3_300_000, MS), vm=vm), busy_and_idle)
    ((before, after),) = seen
    assert before == after != []


def test_a_thread_goes_where_the_new_policy_pins_it(stage):
    move = live("set-pmu:pmu_big", init_placement="uniform")
    result = stage.run(hand("default", move, affinity_changes=()), read_every(MS))
    assert [int(row["to_cpu"]) for row in result.tables["migrations"]] == [1]
    assert cycles(result) == {"counted": 20_000_000, "events": 20_000_000}  # 10 ms at 1 GHz, 5 ms at 2 GHz


def test_attempts_to_enter_end_where_the_vm_stops(stage):
    """Off its PMU from 4 ms to 10 ms QEMU calls KVM_RUN every 5 us; on the destination it need not."""
    costs = dataclasses.replace(scene().costs, fail_entry=5_000)
    moves = (AffinityChange(4 * MS, 0, 0, (1,)),)
    scenario = hand("set-pmu-unpinned:pmu_little", live("fixed-counters-only"), costs=costs, affinity_changes=moves)
    result = stage.run(scenario, read_every(MS))
    assert int(result.tables["vcpus"]["fail_entries"][0]) == 6 * MS // 5_000
    assert cycles(result) == {"counted": 14_000_000, "events": 14_000_000}


def test_the_guest_pays_for_the_events_of_the_destination_alone(stage):
    """One event is released on the source, while the guest is stopped, and one made on the destination."""
    costs = dataclasses.replace(scene().costs, event_create=7_000, event_release=4_000)
    stays = stage.run(hand("default", affinity_changes=(), costs=costs), read_every(MS))
    goes = stage.run(hand("default", live("default"), affinity_changes=(), costs=costs), read_every(MS))
    lost_ns = int(stays.tables["vcpus"]["guest_ns"][0]) - int(goes.tables["vcpus"]["guest_ns"][0])
    assert lost_ns == 5 * MS + 7_000
    counts = [
        [int(run.tables["vpmus"][name][0]) for run in (stays, goes)] for name in ("event_creations", "event_releases")
    ]
    assert [after - before for before, after in counts] == [1, 1]


def test_registers_are_saved_out_of_kvm_run(stage, monkeypatch):
    inside = []
    save = one_reg.save

    def saved(vm, vcpu):
        inside.append(vcpu.in_guest)
        return save(vm, vcpu)

    monkeypatch.setattr(one_reg, "save", saved)
    stage.run(hand("default", live("default")), read_every(MS))
    assert inside == [False]


def test_a_freed_vcpu_leaves_its_row_as_new():
    machine = host("HET")
    policy = parse("default", machine)
    bank, unused = CounterBank(1), CounterBank(1)
    kvm = Vm(machine, policy.revision, bank, {0x11: 0})
    create(kvm, policy, [0], [0])
    for action in CYCLES_ON:
        kvm.vcpus[0].write(action.name, action.value)
    bank.add(0, 31, 1000)
    kvm.vcpus[0].free()
    for name in ("saved", "count", "left", "stream", "category"):
        assert getattr(bank, name).tolist() == getattr(unused, name).tolist()
    assert int(bank.ledger[0, 31].sum()) == 1000
    assert kvm.vcpus[0].work.releases == kvm.vcpus[0].work.creations


# Bad input

BAD = [
    (live("default", 0), "cannot stop at 0ns for 5ms"),
    (live("default", 19 * MS), "with the downtime too"),
    (live("default", 30 * MS), "the run ends at 20ms"),
    (live("default", vm=1), "no VM 1"),
    (live("defualt"), "did you mean default"),
    (live("fixed-counters-only@mainline"), "does not exist on kernel 'mainline'"),
    (live("default", kernel="v7"), "unknown kernel"),
    (live("none"), "the VM of the destination has no PMU"),
    (live("default", init_placement="middle"), "unknown init placement"),
    (live("default", order="sorted"), "unknown order"),
]


@pytest.mark.parametrize("move, message", BAD)
def test_bad_input_is_one_message(stage, move, message):
    with pytest.raises(InputError, match=message) as caught:
        stage.machine(hand("default", move), read_every(MS))
    assert len(str(caught.value).splitlines()) <= 3


def test_a_vm_that_is_stopped_cannot_go_anywhere(stage):
    with pytest.raises(InputError, match="it is still stopped"):
        stage.machine(hand("default", live("default", 8 * MS), live("default")), read_every(MS))


def test_what_the_vmm_cannot_ask_for_on_the_destination(stage):
    with pytest.raises(InputError, match="crosvm cannot be asked for SET_PMU"):
        stage.machine(hand("default", live("set-pmu:pmu_big"), vm={"vmm": "crosvm"}), read_every(MS))
    off = hand("set-pmu-unpinned:pmu_little", live("default"), vm={"vmm": "qemu-rfc"})  # mainline lacks the attribute
    with pytest.raises(InputError, match="the VM of the destination has no PMU"):
        stage.machine(off, read_every(MS))


# As a user types it

EXAMPLE = str(Path(__file__).resolve().parents[1] / "docs" / "examples" / "live.toml")


def test_run_says_where_the_guest_went(capsys):
    changes = ("seconds=12ms", "live_migrations.0.time=6ms", "live_migrations.0.downtime=2ms", "vms.0.vcpus=1")
    assert exit_code(["run", EXAMPLE, *(f"--set={change}" for change in changes), "--json", "-"]) == 0
    captured = capsys.readouterr()
    answer = json.loads(captured.out)
    (live_row,) = answer["live_migrations"]
    assert (live_row["t_ns"], live_row["resumed_ns"], live_row["pmcr_n"]) == (6 * MS, 8 * MS, 0)
    assert [answer["policies"][0][key] for key in ("policy", "kernel")] == [
        "default@mainline>fixed-counters-only",
        "v8",
    ]
    went = "VM 0: stopped at 6.0ms for 2.0ms, then fixed-counters-only@v8: armv8_cortex_a76, N 0"
    assert went in captured.err.splitlines()


def test_compare_varies_the_policy_before_it(capsys, tmp_path):
    file = tmp_path / "short.toml"
    text = (
        Path(EXAMPLE)
        .read_text()
        .replace('"300ms"', '"3ms"')
        .replace('"100ms"', '"1ms"')
        .replace("vcpus = 4", "vcpus = 1")
    )
    file.write_text(text)
    arguments = ["--policies", "default,fixed-counters-only@v6", "--seeds", "1", "--seconds", "6ms", "--workers", "1"]
    assert exit_code(["compare", str(file), *arguments, "--json", "-"]) == 0
    rows = json.loads(capsys.readouterr().out)["policies"]
    assert [f"{row['policy']}@{row['kernel']}" for row in rows] == [
        "default@mainline>fixed-counters-only@v8", "fixed-counters-only@v6>fixed-counters-only@v8",
    ]  # fmt: skip
    assert rows[0]["throughput"] == 1  # so does the baseline, without a PMU


def test_a_time_beyond_the_end_is_bad_input(capsys):
    assert exit_code(["run", EXAMPLE, "--set", "seconds=0.3s"]) == 2
    error = capsys.readouterr().err
    assert "live_migrations.0.time" in error
    assert len(error.splitlines()) == 3
