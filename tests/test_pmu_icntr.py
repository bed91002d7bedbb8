"""Counter 32 (FEAT_PMUv3_ICNTR) as an outlook: who is shown it, that it counts, and what 32-bit masks get wrong."""

from dataclasses import replace
from pathlib import Path

import pytest

from pmu.events import INST_RETIRED
from pmu.host import Host
from pmu.kernel import INSTRUCTION_SLOT
from pmu.registers import UNDEF, Value
from pmu.revisions import REVISIONS
from simcore.app.explaining import counter_features
from simcore.app.exporting_perfetto import trace_of
from simcore.loader import load_platform
from tests import perfetto_reader
from tests.pmu_machine import CYCLES, A, B, Machine
from tests.scenes import DUO, ReadReg, Report, Run, Stage, WriteReg, scene

BIT = 1 << 32
LOW32 = (1 << 32) - 1
FIXED = "FIXED_COUNTERS_ONLY"
BOTH = Host(8, (replace(A, icntr=True), replace(B, icntr=True)), 6)
ONE = Host(8, (replace(A, icntr=True), B), 6)
PART = Host(9, (replace(A, icntr=True), replace(B, icntr=True)), 6)
NO_MASK = LOW32 | BIT
PAGE = Path(__file__).resolve().parents[1] / "docs" / "icntr.md"


def shown(where, policy, kernel="v8", icntr=True):
    """Tell whether a guest has the counter under a policy: fixed-counters-only, or set-pmu with a type id."""
    machine = Machine(where, kernel, icntr=icntr)
    done = machine.set(FIXED) if policy == FIXED else machine.set("SET_PMU", policy)
    assert done == 0
    machine.prep().enter(4 if policy == 9 else 0)
    readable = machine.read("PMICNTR") is not UNDEF
    assert readable == (machine.write("PMICNTR", 1) is None)
    machine.vcpus[0].leave()
    assert readable == (machine.get_reg("PMICNTR") != "-ENOENT") == (machine.set_reg("PMICFILTR", 0) == 0)
    return readable


@pytest.mark.parametrize(
    "where, policy, expected",
    (
        (BOTH, FIXED, True),
        (ONE, FIXED, False),
        (PART, FIXED, False),
        (BOTH, 8, True),
        (BOTH, 9, True),
        (ONE, 8, True),
        (ONE, 9, False),
    ),
)
def test_who_is_shown_the_counter(where: Host, policy, expected: bool):
    assert shown(where, policy) is expected
    assert not shown(where, policy, icntr=False)


def counting(kernel="v8", where: Host = BOTH, start: int = 0) -> Machine:
    """Return a fixed-counters-only machine whose guest has just enabled the counter and its interrupt."""
    machine = Machine(where, kernel, icntr=True)
    assert machine.set(FIXED) == 0
    machine.prep().enter()
    for name in ("PMCNTENCLR", "PMINTENCLR", "PMOVSCLR"):
        assert machine.write(name, NO_MASK) is None
    for name, value in (("PMCR", 1), ("PMICNTR", start), ("PMICFILTR", 0), ("PMINTENSET", BIT), ("PMCNTENSET", BIT)):
        assert machine.write(name, value) is None
    return machine


def test_it_counts_instructions_and_nothing_else():
    machine = counting()
    machine.execute({INST_RETIRED: 1000, CYCLES: 3000})
    assert (machine.read("PMICNTR"), machine.read("PMICFILTR")) == (1000, INST_RETIRED)
    assert machine.write("PMCR", 7) is None
    assert machine.read("PMICNTR") == 1000  # neither PMCR.P nor PMCR.C clears it
    assert machine.write("PMICFILTR", 0xFFFFFFFF) is None
    machine.execute({INST_RETIRED: 1000})
    assert (machine.read("PMICNTR"), machine.read("PMICFILTR")) == (1000, 0xC0000008)
    assert sum(machine.ledger(INSTRUCTION_SLOT)) == 2000


@pytest.mark.parametrize("user_enable, readable", ((0, False), (1, True)))
def test_el0_needs_the_enable_bit(user_enable: int, readable: bool):
    machine = counting()
    assert machine.write("PMUSERENR", user_enable) is None
    assert (machine.read("PMICNTR", level=0) is not UNDEF) is readable
    assert (machine.write("PMICNTR", 5, level=0) is None) is readable


def test_it_wraps_at_64_bits():
    machine = counting(start=(1 << 64) - 10)
    machine.execute({INST_RETIRED: 12})
    assert (machine.read("PMICNTR"), machine.read("PMOVSSET"), machine.vcpus[0].irq_level) == (2, BIT, True)


def test_without_the_flag_the_reset_knows_32_counters():
    assert Machine(BOTH, "v8").get_reg("PMICNTR") == "-ENOENT"
    machine = Machine(BOTH, "v8", icntr=True)
    assert machine.get_reg("PMICNTR") == 0x1DE7EC7EDBADC0DE


def test_host_events_of_instructions_prefer_the_fixed_counter():
    host_pmu = replace(A, icntr=True)
    assert host_pmu.allocate(0, INST_RETIRED, wide=True) == BIT
    assert host_pmu.allocate(BIT, INST_RETIRED, wide=False) == 1
    assert A.allocate(0, INST_RETIRED, wide=False) == 1


# The check "icntr-32-bit-masks" of docs/icntr.md: one kernel with 64-bit masks, one whose bitmaps have 32 bits, and
# one whose bitmaps are wide but whose reload loop ends at 32.

KERNELS = {
    "64 bits": REVISIONS["v8"],
    "32-bit bitmaps": replace(REVISIONS["v8"], bitmap_mask=LOW32),
    "32-bit reload": replace(REVISIONS["v8"], reload_mask=LOW32),
}


def _enable_bit(kernel) -> Value:
    return counting(kernel).read("PMCNTENSET")


def _instructions(kernel) -> Value:
    machine = counting(kernel)
    machine.execute({INST_RETIRED: 1000})
    return machine.read("PMICNTR")


def _stopped(kernel) -> Value:
    machine = counting(kernel)
    assert machine.write("PMCR", 0) is None
    machine.execute({INST_RETIRED: 1000})
    return machine.read("PMICNTR")


def _crossed(kernel) -> Value:
    machine = counting(kernel)
    machine.execute({INST_RETIRED: 1000})
    machine.vcpus[0].migrate(5)
    machine.execute({INST_RETIRED: 1000})
    return machine.read("PMICNTR")


def _overflow(kernel) -> Value:
    machine = counting(kernel, start=(1 << 64) - 10)
    machine.execute({INST_RETIRED: 12})
    assert machine.vcpus[0].irq_level == bool(machine.read("PMOVSSET"))
    return machine.read("PMOVSSET")


def _restored(kernel) -> Value:
    machine = Machine(BOTH, kernel, icntr=True)
    assert machine.set(FIXED) == 0
    for name, value in (("PMCNTENSET", BIT), ("PMOVSSET", 0), ("PMICNTR", 0), ("PMICFILTR", 0), ("PMCR", 1)):
        assert machine.set_reg(name, value) == 0
    machine.prep().enter()
    machine.execute({INST_RETIRED: 1000})
    return machine.read("PMICNTR")


CHECK = {
    "PMCNTENSET_EL0 after a write of bit 32": _enable_bit,
    "PMICNTR_EL0 after 1000 instructions": _instructions,
    "PMICNTR_EL0 after 1000 instructions with PMCR_EL0.E = 0": _stopped,
    "PMICNTR_EL0 after 1000 instructions on each of two host PMUs": _crossed,
    "PMOVSSET_EL0 after the counter has wrapped (the interrupt follows it)": _overflow,
    "PMICNTR_EL0 after a restore by ONE_REG and 1000 instructions": _restored,
}
RIGHT = (BIT, 1000, 0, 2000, BIT, 1000)


def answers(kernel) -> tuple[Value, ...]:
    return tuple(ask(kernel) for ask in CHECK.values())


def test_icntr_32_bit_masks():
    found = {name: answers(kernel) for name, kernel in KERNELS.items()}
    assert found["64 bits"] == RIGHT
    assert found["32-bit bitmaps"] == (0, 0, 0, 0, 0, 0)
    assert found["32-bit reload"] == (BIT, 1000, 1000, 1000, BIT, 0)


def test_the_page_shows_what_the_check_finds():
    text = PAGE.read_text()
    columns = [answers(kernel) for kernel in KERNELS.values()]
    for question, *cells in zip(CHECK, *columns, strict=True):
        shown_cells = " | ".join(hex(cell) if cell == BIT else str(cell) for cell in cells)
        assert f"| {question} | {shown_cells} |" in text


# In the engine, and what `explain` says


@pytest.fixture
def both(tmp_path):
    """Return the duo with the instruction counter on both cores."""
    path = tmp_path / "both.toml"
    text = Path(DUO).read_text().replace('"duo"', '"both"')
    path.write_text(text.replace("[core.pmu]\n", "[core.pmu]\nicntr = true\n"))
    return str(path)


def instructions_over_a_crossing(cpu):
    for name, value in (("PMCR_EL0", 1), ("PMICFILTR_EL0", 0), ("PMICNTR_EL0", 0), ("PMCNTENSET_EL0", BIT)):
        yield WriteReg(name, value)
    for _ in range(200):
        yield Run(0, 100_000)
    value = yield ReadReg("PMICNTR_EL0")
    yield Report("instructions", value if isinstance(value, int) else -1)


@pytest.mark.parametrize("icntr, where", ((True, "both"), (False, "both"), (True, "duo")))
def test_in_the_engine(monkeypatch, both, icntr: bool, where: str):
    place = both if where == "both" else DUO
    scenario = scene("fixed-counters-only", "v8", platform=place, icntr=icntr, scheduler="random:1000")
    result = Stage(monkeypatch).run(scenario, instructions_over_a_crossing)
    value = int(result.tables["reports"]["value"][0])
    if not (icntr and where == "both"):
        assert value == -1
        return
    assert len(result.tables["migrations"]) > 3
    ledger = result.tables["ledger"]
    row = ledger[ledger["slot"] == INSTRUCTION_SLOT][0]
    assert value == row["counted"] >= 20_000_000
    assert row["events"] == row["counted"] + row["disabled"]


def test_its_overflow_interrupts_in_the_engine(monkeypatch, both):
    def script(cpu):
        quiet = [(name, NO_MASK) for name in ("PMINTENCLR_EL1", "PMOVSCLR_EL0", "PMCNTENCLR_EL0")]
        start = [("PMICFILTR_EL0", 0), ("PMICNTR_EL0", (1 << 64) - 5_000_000), ("PMINTENSET_EL1", BIT)]
        for name, value in (*quiet, *start, ("PMCNTENSET_EL0", BIT), ("PMCR_EL0", 1)):
            yield WriteReg(name, value)
        yield Run(0, 4_999_000)
        yield Report("before", 0)
        yield Run(0, 1 << 40)

    def handler(cpu):
        overflow = yield ReadReg("PMOVSSET_EL0")
        yield WriteReg("PMOVSCLR_EL0", BIT)
        yield Report("overflow", overflow if isinstance(overflow, int) else -1)

    scenario = scene("fixed-counters-only", "v8", platform=both, icntr=True)
    result = Stage(monkeypatch).run(scenario, script, handler)
    assert [int(row["slot"]) for row in result.tables["interrupts"]] == [INSTRUCTION_SLOT]
    assert [(str(row["key"]), int(row["value"])) for row in result.tables["reports"]] == [
        ("before", 0),
        ("overflow", BIT),
    ]
    trace = perfetto_reader.read(b"".join(trace_of(result, result.digest())))
    assert [row.name for row in trace.instants if row.track.endswith("Overflows")] == ["PMICNTR_EL0"]


@pytest.mark.parametrize("cores, said", ((2, "also under"), (1, "not under"), (0, None)))
def test_explain_says_where_it_would_be_shown(tmp_path, cores: int, said: str | None):
    path = tmp_path / "some.toml"
    path.write_text(Path(DUO).read_text().replace("[core.pmu]\n", "[core.pmu]\nicntr = true\n", cores))
    row = counter_features(load_platform(str(path)))[-1]
    assert row["counter"] == "PMICNTR_EL0"
    backed = [line for line in row["depends_on"] if "icntr = true" in line]
    assert len(backed) == cores
    assert (said is None) == (not backed)
    if said:
        assert said in row["depends_on"][-1]
