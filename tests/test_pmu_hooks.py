"""Each hook of the register table is needed: without it a replay fails, and so does a guest in the engine."""

import errno
import re
import traceback
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

import pmu.checks
import pmu.vcpu
from pmu.registers import REGISTERS, UNDEF
from scheduler import acting, vmm
from simcore.app import conforming
from tests.scenes import DUO, SpinUntil, Stage, scene
from workloads import actions
from workloads.actions import ReadReg, ReadTimer, Report, WriteReg

DATA = Path(__file__).parent / "data"
FIELDS = ("on_read", "on_write", "on_get", "on_set", "on_reset")
PATTERN = 0x1DE7EC7EDBADC0DE
ALL = 0x1FFFFFFFF
FEW = 0x180000003
"""The counters of a guest with N = 2 and the instruction counter."""


def family(name: str) -> str:
    """Return the name of a register without the number of an event counter."""
    return re.sub(r"^(PMEV[A-Z]+?)\d+_", r"\1<n>_", name)


def hooks() -> list[tuple[str, str]]:
    rows = REGISTERS.items()
    return sorted({(family(name), field) for name, row in rows for field in FIELDS if getattr(row, field)})


def remove(monkeypatch, which: str, field: str) -> None:
    """Take a hook out of the rows of a family of registers."""
    without: dict[str, Any] = {field: None}
    rows = {name: replace(row, **without) if family(name) == which else row for name, row in REGISTERS.items()}
    for module in (pmu.vcpu, pmu.checks):
        monkeypatch.setattr(module, "REGISTERS", MappingProxyType(rows))


# In the engine


@dataclass(frozen=True, slots=True)
class GetOneReg:
    """The VMM stops the vCPU, reads a register by ONE_REG, and runs it again."""

    name: str


@dataclass(frozen=True, slots=True)
class SetOneReg:
    """The VMM stops the vCPU, writes a register by ONE_REG, and runs it again."""

    name: str
    value: int


def stopped(call):
    """Return the handler of an action that the VMM does to a stopped vCPU."""

    def handle(host, vcpu, action) -> bool:
        vpmu, kvm = vcpu.vpmus[0], vcpu.vm.kvms[0]
        cpu = vpmu.cpu
        vpmu.leave()
        vcpu.frames[-1].answer = call(kvm, vpmu, action)
        kvm.run(vpmu, cpu)
        host.watch_interrupt_line(vcpu)
        return True

    return handle


VMM_HANDLERS = {
    GetOneReg: stopped(lambda kvm, vpmu, action: kvm.get_reg(vpmu, action.name)),
    SetOneReg: stopped(lambda kvm, vpmu, action: kvm.set_reg(vpmu, action.name, action.value)),
}

PAIRS = (
    ("PMINTENSET_EL1", "PMINTENCLR_EL1"),
    ("PMCNTENSET_EL0", "PMCNTENCLR_EL0"),
    ("PMOVSSET_EL0", "PMOVSCLR_EL0"),
)
BEFORE_RUN = (
    ("get", "PMCR_EL0", 0x3040),
    ("set", "PMCR_EL0", 2 << 11, 0),
    ("get", "PMCR_EL0", 0x1040),
    *(("get", name, 0x80000002) for pair in PAIRS for name in pair),
    ("get", "PMCCNTR_EL0", PATTERN),
    ("get", "PMICNTR_EL0", PATTERN),
    ("get", "PMEVCNTR5_EL0", PATTERN & 0xFFFFFFFF),
    ("get", "PMSWINC_EL0", 0),
    ("get", "PMCEID0_EL0", -errno.ENOENT),
)
"""What the VMM does before the first KVM_RUN: name, result, or name, value, result."""

AFTER_RESET = (
    ("read", "PMCR_EL0", 0x1040),
    *(("read", name, 0x80000002) for pair in PAIRS for name in pair),
    ("read", "PMCCNTR_EL0", PATTERN),
    ("read", "PMICNTR_EL0", PATTERN),
    ("read", "PMICFILTR_EL0", 8),
    ("read", "PMEVCNTR1_EL0", PATTERN & 0xFFFFFFFF),
    ("read", "PMEVCNTR2_EL0", UNDEF),
    ("read", "PMEVTYPER1_EL0", 0xC000C0DE),
    ("read", "PMEVTYPER2_EL0", UNDEF),
    ("read", "PMSELR_EL0", 0x1E),
    ("read", "PMXEVCNTR_EL0", UNDEF),
    ("read", "PMXEVTYPER_EL0", UNDEF),
    ("read", "PMCCFILTR_EL0", 0),
    ("read", "PMUSERENR_EL0", 0),
    ("read", "PMMIR_EL1", 0),
    ("read", "PMCEID0_EL0", 0x40030101),
    ("read", "PMCEID1_EL0", 0x10),
)
BITMAP_WRITES = tuple(
    step
    for set_name, clear_name in PAIRS
    for step in (
        ("write", clear_name, ALL, None),
        ("read", set_name, 0),
        ("write", set_name, ALL, None),
        ("write", set_name, 0, None),
        ("read", set_name, FEW),
        ("write", clear_name, 1, None),
        ("read", clear_name, FEW - 1),
        ("write", clear_name, ALL, None),
    )
)
COUNTER_WRITES = (
    ("write", "PMMIR_EL1", 1, None),
    ("write", "PMSELR_EL0", 0xFFFFFFE1, None),
    ("read", "PMSELR_EL0", 1),
    ("write", "PMXEVTYPER_EL0", 0x1E, None),
    ("read", "PMEVTYPER1_EL0", 0x1E),
    ("read", "PMXEVTYPER_EL0", 0x1E),
    ("write", "PMXEVCNTR_EL0", 5, None),
    ("read", "PMEVCNTR1_EL0", 5),
    ("read", "PMXEVCNTR_EL0", 5),
    ("write", "PMEVTYPER0_EL0", 0xFFFFFFFF, None),
    ("read", "PMEVTYPER0_EL0", 0xC000FFFF),
    ("write", "PMEVCNTR0_EL0", 0x100000007, None),
    ("read", "PMEVCNTR0_EL0", 7),
    ("write", "PMCCFILTR_EL0", 0x3FFFFFFF, None),
    ("read", "PMCCFILTR_EL0", 0xFFFF),
    ("write", "PMCCFILTR_EL0", 0, None),
    ("write", "PMICFILTR_EL0", 0xFFFFFFFF, None),
    ("read", "PMICFILTR_EL0", 0xC0000008),
    ("write", "PMICNTR_EL0", 9, None),
    ("read", "PMICNTR_EL0", 9),
    ("write", "PMCR_EL0", 0xFE, None),
    ("read", "PMCR_EL0", 0x1078),
    ("read", "PMCCNTR_EL0", 0),
    ("write", "PMCCNTR_EL0", 55, None),
    ("read", "PMCCNTR_EL0", 55),
    ("write", "PMCR_EL0", 4, None),
    ("read", "PMEVCNTR1_EL0", 0),
    ("read", "PMICNTR_EL0", 9),
)
COUNTING = (
    ("write", "PMEVTYPER0_EL0", 0, None),
    ("write", "PMEVCNTR0_EL0", 7, None),
    ("write", "PMCR_EL0", 1, None),
    ("write", "PMCNTENSET_EL0", 1, None),
    ("write", "PMSWINC_EL0", 3, None),
    ("read", "PMEVCNTR0_EL0", 8),
    ("write", "PMCNTENSET_EL0", 1 << 31, None),
    ("spin", 1000),
    ("write", "PMCNTENCLR_EL0", 1 << 31, None),
    ("spin", 1000),
    ("read", "PMCCNTR_EL0", 1000),
)
ONE_REG = (
    ("set", "PMCCNTR_EL0", 123, 0),
    ("read", "PMCCNTR_EL0", 123),
    ("get", "PMCCNTR_EL0", 123),
    ("set", "PMICNTR_EL0", 77, 0),
    ("read", "PMICNTR_EL0", 77),
    ("set", "PMEVCNTR1_EL0", 44, 0),
    ("read", "PMEVCNTR1_EL0", 44),
    ("set", "PMSWINC_EL0", 1, 0),
    *(
        step
        for pair in PAIRS
        for name in pair
        for step in (("set", name, ALL, 0), ("read", pair[0], FEW), ("set", name, 0, 0), ("get", name, 0))
    ),
    ("set", "PMCR_EL0", 0x1FF00, 0),
    ("get", "PMCR_EL0", 0x1040),
)
IN_THE_GUEST = (*AFTER_RESET, *BITMAP_WRITES, *COUNTER_WRITES, *COUNTING, *ONE_REG)
ACTIONS = {"read": ReadReg, "write": WriteReg, "get": GetOneReg, "set": SetOneReg}


def wrong_answers(monkeypatch, folder: Path) -> list[tuple]:
    """Run the steps, by the VMM before the first KVM_RUN and by the guest after it; return those answered wrongly."""
    wrong: list[tuple] = []
    create = vmm.create

    def create_and_look(kvm, policy, cpus, rows, *rest):
        def look_and_run(vcpu, cpu):
            look(kvm, vcpu)
            return run(vcpu, cpu)

        run, kvm.run = kvm.run, look_and_run
        create(kvm, policy, cpus, rows, *rest)
        kvm.run = run

    def look(kvm, vcpu):
        for kind, *arguments, expected in BEFORE_RUN:
            got = (kvm.get_reg if kind == "get" else kvm.set_reg)(vcpu, *arguments)
            if got != expected:
                wrong.append((kind, *arguments, expected, got))

    def script(cpu):
        for kind, *arguments, expected in IN_THE_GUEST:
            if kind == "spin":
                now = yield ReadTimer()
                yield SpinUntil(0, now + expected)
                continue
            got = yield ACTIONS[kind](*arguments)
            if got != (actions.UNDEF if expected is UNDEF else expected):
                wrong.append((kind, *arguments, expected, got))
        yield Report("done", 1)

    monkeypatch.setattr(vmm, "create", create_and_look)
    for action, handler in VMM_HANDLERS.items():
        monkeypatch.setitem(acting.HANDLERS, action, handler)
    scenario = scene(platform=platform_in(folder), icntr=True, vm={"init_placement": "small"})
    result = Stage(monkeypatch).run(scenario, script)
    assert len(result.tables["reports"]) == 1
    return wrong


def platform_in(folder: Path) -> str:
    """Write the duo, with the instruction counter and without AArch32 at EL0, into a folder."""
    text = Path(DUO).read_text().replace('"duo"', '"duo64"').replace("el0_aarch32 = true", "el0_aarch32 = false")
    path = folder / "duo64.toml"
    path.write_text(text.replace("[core.pmu]\n", "[core.pmu]\nicntr = true\n"))
    return str(path)


def test_the_engine_answers_every_register(monkeypatch, tmp_path):
    assert wrong_answers(monkeypatch, tmp_path) == []


def fails(check) -> bool:
    """Tell whether a check finds something, or the virtual PMU falls over a row with neither slot nor hook."""
    try:
        return bool(check())
    except AssertionError as error:
        last = list(traceback.walk_tb(error.__traceback__))[-1][0]
        return last.f_code.co_filename == pmu.vcpu.__file__


HOOKS = hooks()


@pytest.mark.parametrize("which, field", HOOKS, ids=[f"{which}-{field}" for which, field in HOOKS])
def test_without_a_hook_the_engine_answers_wrongly(monkeypatch, tmp_path, which: str, field: str):
    remove(monkeypatch, which, field)
    assert fails(lambda: wrong_answers(monkeypatch, tmp_path))


# In the replay of sequences

SEQUENCES = (*sorted((DATA / "vectors").glob("kvm_*.json.gz")), DATA / "derived_sequences.json")
"""Recorded ones, and one derived by hand for what no recorded one reaches."""
NOT_RECORDED = ("PMICNTR_EL0", "PMICFILTR_EL0")
"""No kernel has them: only the engine's guest and tests/test_pmu_icntr.py can miss their hooks."""
RECORDED = [hook for hook in HOOKS if hook[0] not in NOT_RECORDED]


@pytest.fixture(scope="module")
def cases():
    files = [conforming.read(str(path)) for path in SEQUENCES]
    return [case for file in files for cases in file.cases().values() for case in cases]


def test_the_sequences_replay(cases):
    assert not any(case.mismatch() for case in cases)


@pytest.mark.parametrize("which, field", RECORDED, ids=[f"{which}-{field}" for which, field in RECORDED])
def test_without_a_hook_a_replay_fails(monkeypatch, cases, which: str, field: str):
    remove(monkeypatch, which, field)
    assert fails(lambda: any(case.mismatch() for case in cases))
