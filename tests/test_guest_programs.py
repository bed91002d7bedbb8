"""PMU instructions executed as a guest do what the same calls do through the object of `uapi`."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pmu.registers import REGISTERS
from tests.guest_programs import Op, as_calls, as_guest, as_user, as_user_calls
from tests.tools import need_unicorn

need_unicorn()

EVENTS = (0x00, 0x08, 0x11, 0x1E, 0x13, 0x1B, 0x07, 0x0A, 0x09, 0x3C)
FILTERS = (0, 1 << 31, 1 << 30, 3 << 30)
NEAR_WRAPS = st.integers(0, 64).map(lambda less: (1 << 32) - less) | st.integers(0, 64).map(
    lambda less: 2**64 - less - 1
)
VALUES = st.integers(0, 2**64 - 1) | NEAR_WRAPS | st.sampled_from((0, 1, 7, 1 << 31, 0x8000003F))
NAMES = sorted(REGISTERS)


def _value(name: str) -> st.SearchStrategy[int]:
    if "TYPER" in name:
        return st.builds(lambda event, kept: event | kept, st.sampled_from(EVENTS), st.sampled_from(FILTERS))
    if name == "PMCR_EL0":
        return st.sampled_from((0, 1, 0x41, 0x43, 0x45, 0x81, 0xFF))
    return st.integers(0, 7) | st.just(31) if name == "PMSELR_EL0" else VALUES


@st.composite
def operations(draw) -> list[Op]:
    ops = [Op("PMCR_EL0", 0x41), Op("PMCNTENSET_EL0", 0x8000003F)]
    for _ in range(draw(st.integers(1, 25))):
        name = draw(
            st.sampled_from(NAMES) | st.sampled_from(("PMCR_EL0", "PMCCNTR_EL0", "PMEVCNTR0_EL0", "PMOVSSET_EL0"))
        )
        value = draw(st.none() | _value(name))
        ops.append(Op(name, value, draw(st.none() | st.none() | st.integers(0, 7))))
    reads = (name for name in NAMES if REGISTERS[name].read is not None)
    return ops + [Op(name) for name in reads if "PMEV" not in name or (name[8] in "0123456" and name[-4] == "_")]


@given(
    operations(),
    st.sampled_from((("default", ""), ("fixed-counters-only", "v8"), ("default", "v6"))),
    st.integers(1, 40),
)
@settings(max_examples=25, deadline=None)
def test_a_program_equals_its_calls(ops: list[Op], policy: tuple[str, str], slices: int):
    expected, moves = as_calls(ops, *policy)
    assert as_guest(ops, *policy, moves, slice_instructions=slices) == expected


def _matrix(n: int) -> list[Op]:
    """Every pair of accessors of one counter, as KVM's selftest has it."""
    direct, kind = f"PMEVCNTR{n}_EL0", f"PMEVTYPER{n}_EL0"
    ops = [Op(f"{name}CLR_EL{level}", 2**64 - 1) for name, level in (("PMCNTEN", 0), ("PMINTEN", 1), ("PMOVS", 0))][:2]
    ops += [Op("PMOVSCLR_EL0", 2**64 - 1), Op("PMSELR_EL0", n)]
    for written, read in ((direct, "PMXEVCNTR_EL0"), ("PMXEVCNTR_EL0", direct), (direct, direct)):
        ops += [Op(written, 0x123), Op(read)]
    for written, read in ((kind, "PMXEVTYPER_EL0"), ("PMXEVTYPER_EL0", kind)):
        ops += [Op(written, 0x8), Op(read)]
    for name in ("PMCNTEN{}_EL0", "PMINTEN{}_EL1", "PMOVS{}_EL0"):
        both = [Op(name.format("SET")), Op(name.format("CLR"))]
        ops += [Op(name.format("SET"), 1 << n), *both, Op(name.format("CLR"), 1 << n), *both]
    return [*ops, Op(direct, 7), Op("PMCR_EL0", 2), Op(direct)]


@pytest.mark.parametrize("policy", ("default", "fixed-counters-only"))
def test_the_register_matrix_runs_as_code(policy: str):
    for n in range(31):
        ops = _matrix(n)
        expected, _ = as_calls(ops, policy, "")
        assert as_guest(ops, policy, "", []) == expected
        shown = n < 6 and policy == "default"
        assert expected[-1] == ("0x0" if shown else "UNDEF")
        assert expected[5] == ("0x123" if shown else "UNDEF")


EN, SW, CR, ER = 1, 2, 4, 8


@pytest.mark.parametrize("policy", ("default", "fixed-counters-only"))
@pytest.mark.parametrize("enabled", (0, EN, SW, CR, ER, SW | CR | ER, 15))
def test_every_register_at_el0_is_what_pmuserenr_allows(policy: str, enabled: int):
    """Reads, then writes of every register at EL0, in programs that fit the page before the vectors."""
    reads = [Op(name) for name in NAMES]
    writes = [Op(name, 1) for name in NAMES if not name.startswith("PMCR")]
    for start in range(0, len(NAMES), 60):
        for ops in (reads[start : start + 60], writes[start : start + 60]):
            found = as_user(ops, enabled, policy)
            assert found == as_user_calls(ops, enabled, policy)
    ops = [Op("PMCCNTR_EL0"), Op("PMSWINC_EL0", 0), Op("PMINTENSET_EL1")]
    allowed = [enabled & (EN | CR) != 0, enabled & (EN | SW) != 0, False]
    assert [answer != "UNDEF" for answer in as_user(ops, enabled, policy)] == allowed
