"""The grammar of `hetpmu uapi`: what is accepted, what it becomes, and where exactly an error is."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmu.revisions import REVISIONS
from simcore.app.uapi_parsing import KNOWN, parse, read_sequence
from simcore.errors import InputError
from tests.uapi_platforms import MOST, host, steps

HET = host("HET")


@pytest.mark.parametrize(
    "typed, text, operation",
    (
        ("set IRQ 23", "set IRQ 23", ["set_attr", 0, 0, "IRQ", 23]),
        ("v1 set irq 0x17", "set IRQ 23", ["set_attr", 1, 0, "IRQ", 23]),
        ("set IRQ -1", "set IRQ -1", ["set_attr", 0, 0, "IRQ", -1]),
        ("set IRQ null", "set IRQ null", ["set_attr", 0, 0, "IRQ", None]),
        ("set IRQ", "set IRQ null", ["set_attr", 0, 0, "IRQ", None]),
        ("SET INIT", "set INIT", ["set_attr", 0, 0, "INIT", None]),
        ("set INIT null", "set INIT null", ["set_attr", 0, 0, "INIT", None]),
        ("set fixed_counters_only", "set FIXED_COUNTERS_ONLY", ["set_attr", 0, 0, "FIXED_COUNTERS_ONLY", None]),
        ("set FILTER 17:1:DENY", "set FILTER 0x11:1:deny", ["set_attr", 0, 0, "FILTER", (17, 1, 1)]),
        ("set FILTER 0x11:1:0", "set FILTER 0x11:1:allow", ["set_attr", 0, 0, "FILTER", (17, 1, 0)]),
        ("set FILTER 0x11:0x10:9", "set FILTER 0x11:16:9", ["set_attr", 0, 0, "FILTER", (17, 16, 9)]),
        ("set FILTER null", "set FILTER null", ["set_attr", 0, 0, "FILTER", None]),
        ("set 2 1:1:allow", "set 2 0x1:1:allow", ["set_attr", 0, 0, "FILTER", (1, 1, 0)]),
        ("set SET_PMU pmu_b", "set SET_PMU pmu_b", ["set_attr", 0, 0, "SET_PMU", 9]),
        ("set SET_PMU 0x63", "set SET_PMU 99", ["set_attr", 0, 0, "SET_PMU", 99]),
        ("set 3 pmu_a", "set 3 pmu_a", ["set_attr", 0, 0, "SET_PMU", 8]),
        ("set SET_NR_COUNTERS 2", "set SET_NR_COUNTERS 2", ["set_attr", 0, 0, "SET_NR_COUNTERS", 2]),
        ("set 77", "set 77", ["set_attr", 0, 0, 77, None]),
        ("set 77 1:2:3", "set 77 0x1:2:3", ["set_attr", 0, 0, 77, (1, 2, 3)]),
        ("set 0x4d 5", "set 77 5", ["set_attr", 0, 0, 77, 5]),
        ("get IRQ", "get IRQ", ["get_attr", 0, "IRQ"]),
        ("has 5", "has 5", ["has_attr", 0, "FIXED_COUNTERS_ONLY"]),
        ("init", "init cpu=0", ["vcpu_init", 0, 0, 1]),
        ("v2 init nopmu CPU=7", "init cpu=7 nopmu", ["vcpu_init", 2, 7, 0]),
        ("gic", "gic", ["gic_init"]),
        ("run", "run cpu=0", ["run", 0, 0]),
        ("v1 run cpu=5", "run cpu=5", ["run", 1, 5]),
        ("reg get pmcr", "reg get PMCR_EL0", ["get_reg", 0, "PMCR_EL0"]),
        ("reg get PMINTENSET", "reg get PMINTENSET_EL1", ["get_reg", 0, "PMINTENSET_EL1"]),
        ("reg set PMEVCNTR30_EL0 7", "reg set PMEVCNTR30_EL0 0x7", ["set_reg", 0, "PMEVCNTR30_EL0", "0x7"]),
        ("guest read PMCEID1", "guest read PMCEID1_EL0", ["rd", 0, "PMCEID1_EL0", 1]),
        ("v1 guest write PMCR 0xFF", "guest write PMCR_EL0 0xff", ["wr", 1, "PMCR_EL0", "0xff", 1]),
    ),
)
def test_a_step(typed, text, operation):
    (step,) = steps(typed)
    assert step.text == text
    assert step.operation_for(REVISIONS["v8"]) == operation
    assert steps(step.label(2)) == (step,)


def test_a_number_is_the_attribute_of_that_number_only_where_there_is_one():
    (step,) = steps("set 5")
    assert step.operation_for(REVISIONS["mainline"]) == ["set_attr", 0, 0, 5, None]
    assert step.operation_for(REVISIONS["v6"]) == ["set_attr", 0, 0, "FIXED_COUNTERS_ONLY", None]
    assert KNOWN["FIXED_COUNTERS_ONLY"] == 5


def test_a_vcpu_is_named_where_there_are_several():
    first, second, vm = steps("get IRQ; v1 get IRQ; gic")
    assert [first.label(1), first.label(2), second.label(2), vm.label(2)] == [
        "get IRQ", "v0 get IRQ", "v1 get IRQ", "gic",
    ]  # fmt: skip


def test_steps_end_at_semicolons_and_lines_and_comments_do_not_count():
    text = "gic;# set nothing; x\n\n  set IRQ 23;get IRQ  # why\n# all\n"
    assert [step.text for step in steps(text)] == ["gic", "set IRQ 23", "get IRQ"]
    assert [step.text for step in steps("gic ; ")] == ["gic"]


@pytest.mark.parametrize(
    "text, where, what, valid",
    (
        ("", "", "no step", "set SET_PMU 8"),
        ("# nothing", "", "no step", ""),
        ("gic;; gic", "step 2, column 5", "empty step", "[vN] set|get"),
        ("; gic", "step 1, column 1", "empty step", ""),
        ("gic; st IRQ 23", "step 2, column 6", "unknown step 'st'", "[vN] set|get"),
        ("gic;   set  IRK 23", "step 2, column 13", "unknown attribute 'IRK'", "did you mean IRQ?, or a number"),
        ("set IRQ 23 24", "step 1, column 12", "unexpected '24' after 'set IRQ 23'", "semicolon"),
        ("set", "step 1, column 4", "an attribute is missing", "an attribute"),
        ("gic;set ; gic", "step 2, column 8", "an attribute is missing", ""),
        ("set IRQ x", "step 1, column 9", "'x' is no number", "decimal or 0x"),
        ("set IRQ 0x100000000", "step 1, column 9", "does not fit", "-2147483648 to 0xffffffff: a number"),
        ("set IRQ 0x", "step 1, column 9", "'0x' is no number", ""),
        ("set FILTER 5", "step 1, column 12", "'5' is no filter", "BASE:COUNT:allow|deny"),
        ("set FILTER 1:2", "step 1, column 12", "'1:2' is no filter", "BASE:COUNT:allow|deny"),
        ("set FILTER 0x10000:1:deny", "step 1, column 12", "0x10000 does not fit", "0 to 0xffff: BASE"),
        ("set FILTER 1:65536:deny", "step 1, column 12", "65536 does not fit", "0 to 0xffff: COUNT"),
        ("set FILTER 1:1:256", "step 1, column 12", "256 does not fit", "0 to 0xff: an action"),
        ("set FILTER 1:1:alow", "step 1, column 12", "'alow' is no number", "action"),
        ("set SET_PMU pmu_c", "step 1, column 13", "unknown host PMU 'pmu_c'", "did you mean pmu_"),
        ("has", "step 1, column 4", "an attribute is missing", ""),
        ("has 0x10000000000000000", "step 1, column 5", "does not fit", ""),
        ("v0 gic", "step 1, column 1", "'gic' is a call of the VM", "gic"),
        ("v1", "step 1, column 3", "a step is missing", ""),
        ("gic; v8 init", "step 2, column 6", "no vCPU 8", "v0 to v7"),
        ("v99999999999 init", "step 1, column 1", "unknown step", ""),
        ("init cpu=8", "step 1, column 6", "no CPU 8", "cpu=0 to cpu=7"),
        ("init 3", "step 1, column 6", "unexpected '3' after 'init'", "init [cpu=C] [nopmu|strict]"),
        ("init cpu=1 cpu=2", "step 1, column 12", "unexpected 'cpu=2'", "each once"),
        ("init nopmu nopmu", "step 1, column 12", "unexpected 'nopmu'", "each once"),
        ("init cpu=", "step 1, column 6", "unexpected 'cpu='", "cpu=C"),
        ("run 5", "step 1, column 5", "unexpected '5'", "cpu=C"),
        ("run cpu=9999999", "step 1, column 5", "no CPU 9999999", ""),
        ("reg", "step 1, column 4", "get or set is missing", "get or set"),
        ("reg put PMCR", "step 1, column 5", "unexpected 'put'", "get or set"),
        ("reg get PMCCNT", "step 1, column 9", "unknown register 'PMCCNT'", "PMCCNTR"),
        ("reg set PMCR", "step 1, column 13", "a value is missing", ""),
        ("reg set PMCR 0x10000000000000000", "step 1, column 14", "does not fit", ""),
        ("reg set PMCR -1", "step 1, column 14", "does not fit", ""),
        ("guest write PMCR", "step 1, column 17", "a value is missing", ""),
        ("guest peek PMCR", "step 1, column 7", "unexpected 'peek'", "read or write"),
        ("gic\n\n set IRQ one", "line 3, step 2, column 10", "'one' is no number", ""),
        ("set IRQ " + "9" * 5000, "step 1, column 9", "is no number", ""),
    ),
)
def test_an_error_has_its_position_and_what_would_be_valid(text, where, what, valid):
    with pytest.raises(InputError) as caught:
        steps(text)
    assert caught.value.where == where
    assert what in caught.value.what
    assert valid in caught.value.valid
    assert caught.value.valid
    assert len(str(caught.value).splitlines()) <= 3


def test_a_platform_without_host_pmus_has_none_to_select():
    with pytest.raises(InputError, match="no host PMU"):
        steps("set SET_PMU pmu_a", where=type(HET)(ncpus=1, pmus=(), pmuver=4))


def test_an_argument_is_a_file_a_sequence_or_neither(tmp_path, monkeypatch):
    (tmp_path / "t38.txt").write_text("set SET_PMU 8\nset FIXED_COUNTERS_ONLYX\n")
    (tmp_path / "gic").write_text("run\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        read_sequence("t38.txt", HET, MOST)
    assert caught.value.where == "t38.txt, line 2, step 2, column 5"
    assert [step.text for step in read_sequence("gic", HET, MOST)] == ["run cpu=0"]
    assert [step.text for step in read_sequence("run", HET, MOST)] == ["run cpu=0"]
    for argument in ("t39.txt", "dir/t38.txt", "stets; gic"):
        with pytest.raises(InputError, match="neither a file nor a step"):
            read_sequence(argument, HET, MOST)
    with pytest.raises(InputError, match="no text file"):
        read_sequence("binary", HET, MOST)


@given(st.text(alphabet="setgINIRQPMUhascpu=0x19:; v\n#-,null\x00é", max_size=60))
def test_whatever_is_typed_gives_steps_or_an_input_error(text):
    with contextlib.suppress(InputError):
        typed = parse(text, HET, MOST)
        assert parse("; ".join(step.label(2) for step in typed), HET, MOST) == typed
