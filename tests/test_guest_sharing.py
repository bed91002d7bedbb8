"""vCPUs of real code that share a pCPU, or memory: who runs when, to the ns, whatever the engine's slices are."""

import pytest

from simcore.app.code_gic import REDISTRIBUTOR_SIZE
from simcore.app.code_loader import RAM, parse_image
from simcore.app.code_machine import CodeMachine
from simcore.app.code_map import DISTRIBUTOR, REDISTRIBUTORS
from simcore.app.code_plan import Plan
from simcore.app.code_running import Question, answer
from tests.guest_programs import NOP, POWER_OFF, RESULTS, image, load, run_of, system
from tests.tools import need_unicorn

need_unicorn()

HVC, WFI = 0xD4000002, 0xD503207F
SECOND = 0x1000 // 4
"""Where the code of vCPU 1 begins, in instructions."""
CPU_ON = [*load(0, 0xC4000003), *load(1, 1), *load(2, RAM + 0x81000), *load(3, 0), HVC]
CPU_OFF = [*load(0, 0x84000002), HVC]
COUNT_DOWN = [0xF1000400, 0x54FFFFE1]  # 1: subs x0, x0, #1; b.ne 1b


def store(address: int, value: int) -> list[int]:
    """A 32-bit store to a device."""
    return [*load(1, address), *load(0, value), 0xB9000020]


def two(first: list[int], second: list[int], **more) -> CodeMachine:
    """Run the codes of two vCPUs at 1 GHz and one cycle an instruction, without costs."""
    words = first + [NOP] * (SECOND - len(first)) + second
    run = run_of("default", "", Plan(), vcpus=2, **more)
    machine = CodeMachine(run, parse_image(image(words), "two", run.ram_bytes), b"")
    machine.go()
    assert machine.outcome == "off", machine.where
    machine.close()
    return machine


def test_two_vcpus_have_a_pcpu_by_turns():
    """vCPU 1 needs three turns of 10 us; vCPU 0 waits for each of them, and for no more."""
    first = [*CPU_ON, *load(0, 30_000), *COUNT_DOWN, *POWER_OFF]
    second = [*load(0, 12_000), *COUNT_DOWN, *CPU_OFF]
    machine = two(first, second, cpus=(0,), turn_ns=10_000)
    ours, theirs = machine.cores
    assert theirs.clock.instructions == 4 + 24_000 + len(CPU_OFF)
    assert ours.traps.waited_ns == theirs.clock.instructions
    assert theirs.traps.waited_ns == 30_000 - len(CPU_ON)
    assert ours.clock.ns == ours.clock.instructions + theirs.clock.instructions
    assert ours.clock.instructions == len(CPU_ON) + 4 + 60_000 + len(POWER_OFF)


def test_a_vcpu_in_wfi_leaves_its_pcpu():
    """vCPU 0 halts for good once vCPU 1 is on: without the pCPU vCPU 1 could not end the run."""
    machine = two([*CPU_ON, WFI], POWER_OFF, cpus=(0,), turn_ns=10**9)
    assert machine.cores[1].traps.waited_ns == 1
    assert machine.cores[1].clock.ns == len(CPU_ON) + 1 + len(POWER_OFF)


def sleeper() -> list[int]:
    """Sleep 100 us by the virtual timer, then set a word in memory."""
    frame = REDISTRIBUTORS + REDISTRIBUTOR_SIZE
    words = store(frame + 0x14, 0) + store(DISTRIBUTOR, 0x12)
    words += store(frame + 0x10080, 1 << 27) + store(frame + 0x10100, 1 << 27)
    words += [*load(0, 0xF0), system((3, 0, 4, 6, 0), 0, False), *load(0, 1), system((3, 0, 12, 12, 7), 0, False)]
    words += [*load(0, 2400), system((3, 3, 14, 3, 0), 0, False), *load(0, 1), system((3, 3, 14, 3, 1), 0, False)]
    return [*words, WFI, *load(12, RESULTS), 0xF9000180, *CPU_OFF]  # str x0, [x12]


@pytest.mark.parametrize("cpus", ((0, 1), (0,)))
def test_what_a_sleeper_does_to_memory_is_seen_at_one_time(cpus):
    """vCPU 0 counts until vCPU 1 has woken: its count depends on time alone."""
    wait = [*load(12, RESULTS), *load(5, 0), 0x910004A5, 0xF9400186, 0xB4FFFFC6]  # 1: add x5; ldr x6, [x12]; cbz x6, 1b
    first = [*CPU_ON, *wait, 0xF9000585, *POWER_OFF]  # str x5, [x12, #8]
    counts = []
    for length in (97, 5000, 1_000_000):
        machine = two(first, sleeper(), cpus=cpus, turn_ns=20_000, slice_instructions=length)
        counts.append((machine.read_word64(RESULTS + 8), [core.clock.ns for core in machine.cores]))
    assert counts[0] == counts[1] == counts[2]
    assert 30_000 < counts[0][0] < 50_000  # 100 us and more of three instructions each


def test_guests_that_share_a_pcpu_pass_as_before():
    question = Question("power", vcpus=2, cpus=(4,), turn_ns=5_000, migrate="random:20000")
    answers = [answer(question)]
    assert answers[0]["verdicts"] == {"PASS": 3, "FAIL": 0, "SKIP": 0}
    assert sum(vcpu["waited_ns"] for vcpu in answers[0]["vcpus"]) > 0
    assert answers[0]["vcpus"][0]["refused_moves"] == 0
