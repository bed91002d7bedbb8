"""Guests of PMU instructions, assembled here: one operation after the other, each with its result in memory."""

from dataclasses import dataclass
from typing import Any

from pmu.host import PMUVER_V3, Host
from pmu.registers import REGISTERS
from simcore.app.code_clock import Q32
from simcore.app.code_loader import RAM, parse_image
from simcore.app.code_machine import CodeMachine
from simcore.app.code_plan import Move, Plan
from simcore.app.code_run import CodeRun
from simcore.app.code_running import FREE, policy_of
from simcore.app.replaying import Replay
from simcore.loader import load_platform
from workloads.catalog import load_workload

RESULTS = RAM + (1 << 20)
NOP, ERET, UNDEF = 0xD503201F, 0xD69F03E0, "UNDEF"


def load(register: int, value: int) -> list[int]:
    """MOVZ and three MOVK."""
    words = [0xD2800000 | (value & 0xFFFF) << 5 | register]
    return words + [0xF2800000 | n << 21 | (value >> 16 * n & 0xFFFF) << 5 | register for n in (1, 2, 3)]


def system(encoding: tuple[int, int, int, int, int], register: int, reads: bool) -> int:
    """MRS or MSR (register)."""
    op0, op1, crn, crm, op2 = encoding
    word = 0xD5300000 if reads else 0xD5100000
    return word | (op0 & 1) << 19 | op1 << 16 | crn << 12 | crm << 8 | op2 << 5 | register


def image(words: list[int]) -> bytes:
    return b"".join(word.to_bytes(4, "little") for word in words)


POWER_OFF = [*load(0, 0x84000008), 0xD4000002]
VBAR, ELR, SPSR, ESR = (3, 0, 12, 0, 0), (3, 0, 4, 0, 1), (3, 0, 4, 0, 0), (3, 0, 5, 2, 0)
SVC = 0xD4000001
HANDLER = [
    0xD280002B,  # mov x11, #1
    system(ELR, 13, True),
    0x910011AD,  # add x13, x13, #4
    system(ELR, 13, False),
    ERET,
]
USER_HANDLER = [
    system(ESR, 10, True),
    0xD35AFD4A,  # lsr x10, x10, #26
    0xF100555F,  # cmp x10, #0x15
    0x540000C0,  # b.eq behind HANDLER
    *HANDLER,
    *POWER_OFF,
]
PROLOGUE = [*load(12, RESULTS), *load(0, RAM + 0x81000), system(VBAR, 0, False)]
BEFORE, AFTER = 5, 2
"""Instructions before an access (its value and x11) and behind it (the two stores)."""


@dataclass(frozen=True)
class Op:
    """An access to a PMU register; ``value`` None: a read. ``cpu``: where the vCPU moves to before it, if anywhere."""

    name: str
    value: int | None = None
    cpu: int | None = None


def access(op: Op) -> list[int]:
    """Do an operation, and store what came of it: a value, and whether it was undefined."""
    before = [0xD280000B, *load(0, op.value or 0)]  # mov x11, #0
    after = [0xF8008580, 0xF800858B]  # str x0, [x12], #8; str x11, [x12], #8
    return [*before, system(REGISTERS[op.name].encoding, 0, op.value is None), *after]


def program(ops: list[Op]) -> bytes:
    words = [*PROLOGUE, *(word for op in ops for word in access(op)), *POWER_OFF]
    handler = (0x1000 + 0x200) // 4
    assert len(words) < 0x1000 // 4
    return image(words + [NOP] * (handler - len(words)) + HANDLER)


def user_program(ops: list[Op], enabled: int) -> bytes:
    """Do operations at EL0 with a value of PMUSERENR_EL0, and come back by SVC to end."""
    words = [*PROLOGUE, *load(0, enabled), system(REGISTERS["PMUSERENR_EL0"].encoding, 0, False)]
    words += [system(SPSR, 31, False), *load(0, RAM + 0x80000 + 4 * (len(words) + 7)), system(ELR, 0, False), ERET]
    words += [word for op in ops for word in access(op)] + [SVC]
    handler = (0x1000 + 0x400) // 4
    assert len(words) < 0x1000 // 4
    return image(words + [NOP] * (handler - len(words)) + USER_HANDLER)


def platform_and_host():
    platform = load_platform("rk3588")
    return platform, Host.from_platform(platform, unknown_pmuver=PMUVER_V3)


def run_of(policy: str, kernel: str, plan: Plan, **more) -> CodeRun:
    platform, host = platform_and_host()
    chosen = policy_of(policy, kernel, host)
    phase = load_workload("dhrystone", platform.core_types).phases[0]
    khz = (1_000_000,) * host.ncpus
    defaults: dict[str, Any] = {"init_cpu": 0, "cpi_q32": Q32, "costs": FREE, "ram_bytes": 4 << 20}
    return CodeRun(platform, host, chosen, phase, khz, plan, **(defaults | more))


def as_guest(ops: list[Op], policy: str, kernel: str, moves: list[Move], **more) -> list:
    """Return what each operation gave to the guest: a value, "ok" or UNDEF."""
    return _executed(program(ops), ops, run_of(policy, kernel, Plan("at", tuple(moves)), **more))


def as_user(ops: list[Op], enabled: int, policy: str) -> list:
    """Return what each operation gave at EL0 with a value of PMUSERENR_EL0."""
    return _executed(user_program(ops, enabled), ops, run_of(policy, "", Plan("at", ())))


def as_user_calls(ops: list[Op], enabled: int, policy: str) -> list:
    """Do the same at EL0 through the object of `uapi`; no counter counts meanwhile."""
    replay = _replay(policy, "")
    replay.step(["wr", 0, "PMUSERENR_EL0", hex(enabled), 1])
    steps = (["rd", 0, op.name, 0] if op.value is None else ["wr", 0, op.name, hex(op.value), 0] for op in ops)
    return [replay.step(step) for step in steps]


def _executed(words: bytes, ops: list[Op], code: CodeRun) -> list:
    machine = CodeMachine(code, parse_image(words, "ops", code.ram_bytes), b"")
    machine.go()
    assert machine.outcome == "off", machine.where
    found = []
    for number, op in enumerate(ops):
        value, undefined = (machine.read_word64(RESULTS + 16 * number + 8 * n) for n in (0, 1))
        found.append(UNDEF if undefined else hex(value) if op.value is None else "ok")
    return found


def _replay(policy: str, kernel: str) -> Replay:
    """Return a VM of one vCPU that has entered its guest on CPU 0."""
    _, host = platform_and_host()
    chosen = policy_of(policy, kernel, host)
    replay = Replay(host, chosen.revision, 1)
    assert [replay.step(step) for step in (["create_vcpu"], ["gic_init"], ["vcpu_init", 0, 0, 1])] == [0, 0, 0]
    for name, value in (("IRQ", 23), *chosen.attributes, ("INIT", None)):
        assert replay.step(["set_attr", 0, 0, name, value]) == 0
    assert replay.step(["run", 0, 0]) == "guest"
    return replay


def as_calls(ops: list[Op], policy: str, kernel: str) -> tuple[list, list[Move]]:
    """Do the same through the object of `uapi`; return the results, and the moves by instruction."""
    replay = _replay(policy, kernel)
    moves, retired, results = [], 0, []

    def pass_by(instructions: int, cycles: int, **events: int) -> None:
        nonlocal retired
        retired += instructions
        counts = {"0x8": instructions, "0x1b": instructions}
        counts |= {hex(int(name[1:], 16)): count for name, count in events.items()}
        replay.step(["adv", 0, cycles, counts, 1])

    pass_by(len(PROLOGUE), len(PROLOGUE))
    for op in ops:
        if op.cpu is not None:
            moves.append(Move(op.cpu, instructions=retired))
            replay.step(["migrate", 0, op.cpu])
        pass_by(BEFORE, BEFORE)
        operation = ["rd", 0, op.name, 1] if op.value is None else ["wr", 0, op.name, hex(op.value), 1]
        results.append(replay.step(operation))
        if results[-1] == UNDEF:
            pass_by(0, 0, e9=1)
            pass_by(len(HANDLER), len(HANDLER), ea=1)
        else:
            pass_by(0, 1)
            pass_by(1, 1)
        pass_by(AFTER, AFTER, e7=2, e67=2, e13=2, e4=2)
    return results, moves
