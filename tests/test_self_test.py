"""The guest that checks its PMU: what each check demands, and how it ends under each policy of the two-core scene."""

import pytest

from simcore.app.aggregating import run_answer
from simcore.app.running import run
from simcore.scenario import AffinityChange, GuestSpec
from tests.fake_vcpu import FakeVcpu, guest_cpu
from tests.scenes import MS, guest_scene
from workloads.guest_self_test import Score, SelfTest, check_key
from workloads.linux_pmu import GuestPmu
from workloads.self_test import CHECKS, PASS, SKIP, Lab

GUEST = GuestSpec("self-test", "dhrystone", boot_ns=MS, quantum_instructions=100_000, sleep_ns=0)
ALL_EVENTS = (1 << 32) - 1
DUO = ("event-introspection", "mem-access", "overflow-interrupt")
"""The duo's PMUs lack one of the stall events that PMUv3p1 requires, and MEM_ACCESS."""
COUNTED = ("cycle-counter", "cycles-per-instruction", "basic-event-count", "chained-counters")
"""The checks that need an event that hardware counts, of those that the duo can do."""


def in_memory(name, offered, **fake):
    """Return how a check ends where every register keeps what is written and cycles pass: nothing else counts."""
    vcpu = FakeVcpu(**fake)
    steps = CHECKS[name](Lab(guest_cpu(), 0, offered, 0))
    answer = None
    while True:
        try:
            action = steps.send(answer)
        except StopIteration as end:
            return end.value
        answer = vcpu.answer(action)


@pytest.mark.parametrize(
    "name, step",
    [
        ("cycle-counter", PASS),
        ("cycles-per-instruction", PASS),
        ("event-introspection", PASS),
        ("event-counter-config", 1),  # PMXEVTYPER_EL0 does not reach the selected counter
        ("basic-event-count", 1),  # PMCNTENCLR_EL0 does not clear
        ("mem-access", 2),  # both agree on 0
        ("sw-incr", 2),  # nothing was counted without PMCR.E, and nothing with it
        ("chained-counters", 1),
        ("chained-sw-incr", 1),
        ("overflow-interrupt", 2),  # none without PMINTENSET_EL1, and none with it
    ],
)
def test_registers_that_do_nothing_fail_where_something_is_demanded(name, step):
    assert in_memory(name, GuestPmu(6, ALL_EVENTS, ALL_EVENTS, 4)) == step


@pytest.mark.parametrize("name", COUNTED[:2])
def test_a_cycle_counter_that_stands_still_fails(name):
    assert in_memory(name, GuestPmu(0, 0, 0, 4), counts=lambda now_ns: False) == 1


@pytest.mark.parametrize("name", CHECKS)
def test_without_event_counters_only_cycles_are_checked(name):
    assert in_memory(name, GuestPmu(0, 0, 0, 4)) == (PASS if name in COUNTED[:2] else SKIP)


@pytest.mark.parametrize(
    "missing, pmuver, step",
    [(0x00, 1, 1), (0x11, 1, 2), (0x08, 1, PASS), (0x1B, 1, PASS), (0x23, 1, PASS), (0x23, 4, 4), (0x24, 4, 4)],
)
def test_required_events(missing, pmuver, step):
    """INST_RETIRED or INST_SPEC will do; the stall events only from PMUv3p1 on."""
    shown = [ALL_EVENTS, ALL_EVENTS]
    shown[missing >> 5] &= ~(1 << (missing & 0x1F))
    assert in_memory("event-introspection", GuestPmu(6, shown[0], shown[1], pmuver)) == step


def ended(policy, kernel="mainline", guest=GUEST, **changes):
    return run(guest_scene(guest, policy, kernel, **{"seconds_ns": 10 * MS} | changes))


def found(result):
    return run_answer(result)["policies"][0]["guest_findings"]


@pytest.mark.parametrize(
    "policy, kernel, place, failing",
    [
        ("default", "mainline", "small", ()),
        ("set-pmu:pmu_little", "mainline", "uniform", ()),
        ("set-pmu:pmu_big", "mainline", "uniform", ()),
        ("default-pinned:pmu_big", "mainline", "small", COUNTED),
    ],
)
def test_what_fails_is_what_the_backing_pmu_should_count(policy, kernel, place, failing):
    """Backed by the LITTLE core's PMU and pinned to the big one, what KVM counts itself still passes."""
    figures = found(ended(policy, kernel, vm={"init_placement": place}))
    assert (figures["passed"], figures["failed"], figures["skipped"]) == (7 - len(failing), 1 + len(failing), 2)
    for name in CHECKS:
        wanted = "skip" if name in DUO[1:] else int(name in failing or name == DUO[0])
        assert (name, figures[name]) == (name, wanted)


def test_a_vcpu_that_never_enters_reports_nothing():
    assert set(found(ended("set-pmu-unpinned:pmu_big")).values()) == {None}


@pytest.mark.parametrize("policy, kernel, passed", [("fixed-counters-only", "v8", 2), (None, "mainline", 0)])
def test_a_pmu_without_event_counters_skips_and_none_skips_all(policy, kernel, passed):
    figures = found(ended(policy, kernel))
    assert (figures["passed"], figures["failed"], figures["skipped"]) == (passed, 0, 10 - passed)


def test_rounds_repeat_and_a_check_that_failed_once_has_failed():
    """The first round is on the LITTLE core, the second, 100 ms later, on the big one."""
    result = ended("default", seconds_ns=110 * MS, affinity_changes=(AffinityChange(50 * MS, 0, 0, (1,)),))
    figures = found(result)
    assert (figures["passed"], figures["failed"], figures["skipped"]) == (7 + 3, 1 + 5, 4)
    assert figures["basic-event-count"] == 1
    reports = result.tables["reports"]
    steps = {key: reports["value"][reports["key"] == f"{check_key(key)}:step"].tolist() for key in CHECKS}
    # the overflow is the last of eight steps; of CHAIN, the first
    assert steps == {key: [] for key in CHECKS} | {
        "cycle-counter": [1], "cycles-per-instruction": [1], "event-introspection": [4, 4], "basic-event-count": [8],
        "chained-counters": [1],
    }  # fmt: skip


def test_the_score_remembers_a_failure():
    score = Score()
    for result in (SKIP, PASS, 3, PASS, SKIP):
        list(score.note("sw-incr", result))
    assert score.failed == {"sw-incr": 1}
    assert score.ended == {"skipped": 2, "passed": 2, "failed": 1}


@pytest.mark.parametrize("name", ["armv8_cortex_a55", "armv8_cortex_a76"])
def test_all_checks_pass_on_a_real_pmu(name):
    figures = found(ended(f"set-pmu:{name}", platform="rk3588", vm={"init_placement": "uniform"}))
    assert (figures["passed"], figures["failed"], figures["skipped"]) == (10, 0, 0)


def test_the_interrupt_is_masked_outside_its_check():
    guest = SelfTest(GUEST, None)  # type: ignore[arg-type]
    assert guest.interrupt(guest_cpu()) is None
    guest.labs[0] = lab = Lab(guest_cpu(), 0, GuestPmu(6, 0, 0), 0)
    assert guest.interrupt(guest_cpu()) is None
    lab.unmasked = True
    fake = FakeVcpu(registers={"PMOVSCLR_EL0": 0x5})
    fake.play(guest.interrupt(guest_cpu()), 5)
    assert lab.taken == {0: 1, 2: 1}
    assert fake.registers["PMOVSCLR_EL0"] == 0xFFFFFFFF
