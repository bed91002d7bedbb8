"""What a guest sees after a migration is what it saw before, or a register's row says why not."""

import copy
import json
from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pmu.one_reg import PMUVER, one_reg_names, ordered
from pmu.registers import REGISTERS
from simcore.app.cli import exit_code
from simcore.app.migrate_hazards import HAZARDS
from simcore.app.migrate_reasons import REASONS, Case
from simcore.app.migrate_text import COLUMNS, report
from simcore.app.migrate_vm import EL1, Machine
from simcore.app.migrating import Wish, case_of, migrate, pair_of, register_rows, restore, save, sides, verdict
from simcore.errors import InputError
from simcore.loader import load_platform

SAME_POLICIES = (
    "default",
    "default@v6",
    "default-pinned:armv8_cortex_a55",
    "set-pmu:armv8_cortex_a76",
    "set-pmu-unpinned:armv8_cortex_a76",
    "fixed-counters-only@v4",
    "fixed-counters-only@v6",
    "fixed-counters-only@v8",
    "fixed-counters-only@review",
)
ASCENDING = [
    PMUVER, "PMINTENSET_EL1", "PMINTENCLR_EL1", "PMCR_EL0", "PMCNTENSET_EL0", "PMCNTENCLR_EL0", "PMOVSCLR_EL0",
    "PMSWINC_EL0", "PMSELR_EL0", "PMCCNTR_EL0", "PMUSERENR_EL0", "PMOVSSET_EL0",
    *(f"PMEVCNTR{n}_EL0" for n in range(31)), *(f"PMEVTYPER{n}_EL0" for n in range(31)), "PMCCFILTR_EL0",
]  # fmt: skip


def wish(text):
    """Return a side from PLATFORM POLICY [cpu=C] [n=N]."""
    platform, policy, *rest = text.split()
    numbers = dict(word.split("=") for word in rest)
    cpu, count = (int(numbers[key]) if key in numbers else None for key in ("cpu", "n"))
    return Wish(load_platform(platform), policy, cpu=cpu, counters=count)


@cache
def migrated(source, destination, order="ascending", seed=1):
    return migrate(*sides(wish(source), wish(destination), repeated=False), order, seed)


@cache
def answer(source, destination, order="ascending"):
    return migrated(source, destination, order).as_json()


def rows(source, destination, order="ascending"):
    return {row["register"]: row for row in answer(source, destination, order)["registers"]}


def carried(found):
    return [row for row in found["registers"] if row["verdict"] != "not carried"]


# The same host and policy: everything arrives


@pytest.mark.parametrize("order", ("ascending", "descending", "random"))
@pytest.mark.parametrize("policy", SAME_POLICIES)
def test_everything_arrives_on_an_equal_host(policy, order):
    found = answer(f"rk3588 {policy}", f"rk3588 {policy}", order)
    assert {row["verdict"] for row in carried(found)} == {"arrived"}
    assert all(row["guest_before"] == row["guest_after"] for row in found["registers"])
    assert found["order_matters_for"] == []
    assert found["interrupt_line"][0] == found["interrupt_line"][1]


def test_the_guest_leaves_no_register_that_it_can_write_as_a_reset_does():
    pair = migrated("rk3588 default", "rk3588 default")
    fresh = Machine(pair.destination).save()
    unused = {f"PMEV{kind}{n}_EL0" for kind in ("CNTR", "TYPER") for n in range(6, 31)}
    same = {name for name, value in pair.saved.registers.items() if value == fresh[name]}
    assert same == unused | {"PMSWINC_EL0", PMUVER}
    assert pair.saved.seen.irq_level
    assert [stretch.crossing for stretch in pair.saved.stretches] == [False, True, True]


def test_counters_go_on_where_they_were():
    pair = migrated("rk3588 default", "rk3588 default")
    assert pair.saved.seen.gains == pair.restored.seen.gains
    assert sum(gain > 0 for gain in pair.saved.seen.gains.values()) == 5


def test_ascending_is_the_order_of_kvm_get_reg_list():
    names = one_reg_names(migrated("rk3588 default", "rk3588 default").restored.seen.vm)
    assert names == ASCENDING
    assert ordered(names, "descending") == names[::-1]
    shuffled = ordered(names, "random", 3)
    assert sorted(shuffled) == sorted(names)
    assert shuffled == ordered(names, "random", 3) != ordered(names, "random", 4)


WRITABLE = sorted(name for name, row in REGISTERS.items() if row.write is not None and not name.startswith("PMIC"))
STEPS = st.one_of(
    st.tuples(st.just("wr"), st.sampled_from(WRITABLE), st.integers(0, (1 << 64) - 1).map(hex), st.just(EL1)),
    st.tuples(
        st.just("adv"),
        st.integers(0, 1 << 33),
        st.dictionaries(st.sampled_from(["0x8", "0x3", "0x21"]), st.integers(0, 1 << 33)),
        st.integers(0, 1),
    ),
    st.tuples(st.just("migrate"), st.integers(0, 7)),
)


@settings(max_examples=40, deadline=None)
@given(
    policy=st.sampled_from(("default", "default@v6", "fixed-counters-only@v6", "fixed-counters-only@v8")),
    count=st.none() | st.integers(0, 6),
    steps=st.lists(STEPS, max_size=25),
    order=st.permutations(ASCENDING),
)
def test_any_state_arrives_in_any_order_of_registers(policy, count, steps, order):
    asked = wish(f"rk3588 {policy}")
    side, _ = sides(asked, asked, repeated=False)
    machine = Machine(side)
    if count is not None:
        machine.set("PMCR_EL0", count << 11)
    machine.enter()
    for step in steps:
        machine.step(*step)
    look = machine.look()
    level = machine.vm.vcpus[0].irq_level
    machine.step("exit")
    saved = machine.save()
    other = Machine(side)
    assert other.restore(saved, order) == {}
    assert other.save() == saved
    other.enter()
    assert other.look() == look
    assert other.save() == saved
    assert other.vm.vcpus[0].irq_level == level


def test_an_equal_host_has_one_hazard_left():
    (only,) = answer("rk3588 default", "rk3588 default")["hazards"]
    assert only.endswith("KVM_ARM_VCPU_INIT: armv8_cortex_a55 (CPU 0-3), armv8_cortex_a76 (CPU 4-7)")
    for policy in ("set-pmu:armv8_cortex_a76", "fixed-counters-only@v8"):
        assert answer(f"rk3588 {policy}", f"rk3588 {policy}")["hazards"] == []


# Unlike hosts


def test_a_big_little_guest_on_an_apple_host():
    found = rows("rk3588 default", "apple-m1 default")
    version = found[PMUVER]
    assert (version["verdict"], version["error"], version["restored"]) == ("refused", "-E2BIG", "0x1")
    assert (found["PMCR_EL0"]["saved"], found["PMCR_EL0"]["restored"]) == ("0x3039", "0x879")
    assert [text.partition(" ")[0] for text in found["PMCR_EL0"]["reasons"]] == ["N", "LC"]
    assert (found["PMCNTENSET_EL0"]["saved"], found["PMCNTENSET_EL0"]["restored"]) == ("0x8000001f", "0x80000001")
    assert found["PMCNTENSET_EL0"]["reasons"] == ["bits 0x1e masked off: N = 1"]
    for n in range(1, 6):
        row = found[f"PMEVCNTR{n}_EL0"]
        assert row["restored"] == row["saved"] == row["guest_before"]
        assert (row["guest_after"], row["verdict"]) == ("UNDEF", "changed")
    assert found["PMEVCNTR0_EL0"]["verdict"] == "arrived"
    assert found["PMEVCNTR0_EL0"]["reasons"] == [
        "counts no further: apple_icestorm_pmu has no event for L1I_CACHE_REFILL"
    ]
    assert {found[f"PMEVCNTR{n}_EL0"]["verdict"] for n in range(6, 31)} == {"arrived"}
    assert found["PMXEVCNTR_EL0"]["guest_after"] == "UNDEF"
    view = answer("rk3588 default", "apple-m1 default")
    shown = [[view[side][key] for key in ("pmcr_n", "common_events", "pmuver")] for side in ("source", "destination")]
    assert shown == [[6, 48, 4], [1, 6, 1]]


def test_the_way_back_arrives_and_keeps_what_the_guest_knows():
    view = answer("apple-m1 default", "rk3588 default")
    assert {row["verdict"] for row in carried(view)} == {"arrived"}
    assert (view["destination"]["pmcr_n"], view["destination"]["pmcr_n_max"]) == (1, 6)
    assert (view["destination"]["pmuver"], view["destination"]["pmuver_limit"]) == (1, 4)
    assert rows("apple-m1 default", "rk3588 default")[PMUVER]["reasons"] == [
        "without this write the guest would be shown 4"
    ]


def test_a_version_below_v3p5_cuts_counters_and_keeps_lp():
    found = rows("cix-sky1 default", "rk3588 default")
    assert (found["PMEVCNTR3_EL0"]["saved"], found["PMEVCNTR3_EL0"]["restored"]) == ("0x123456a2b", "0x23456a2b")
    assert found["PMEVCNTR3_EL0"]["reasons"] == ["32 bits wide below PMUv3p5"]
    assert found["PMCR_EL0"]["guest_after"] == found["PMCR_EL0"]["saved"] == "0x30f9"
    assert found["PMCR_EL0"]["reasons"][0].startswith("LP stays set")
    assert "does not have STALL_BACKEND_MEM" in found["PMEVTYPER0_EL0"]["reasons"][0]


def test_an_event_beyond_ten_bits_becomes_another_one():
    found = rows("cix-sky1 default", "apple-m1 default")["PMEVTYPER0_EL0"]
    assert found["saved"] == found["restored"] == found["guest_after"] == "0x4005"
    assert found["reasons"][0].startswith("STALL_BACKEND_MEM has more than 10 bits (PMUVer 1): L1D_TLB_REFILL")


def test_a_counter_stands_still_where_its_pmu_does_not_reach():
    found = answer("rk3588 default", "rk3588 default-pinned:armv8_cortex_a76")
    row = {row["register"]: row for row in found["registers"]}["PMCCNTR_EL0"]
    assert row["reasons"] == ["counts no further: armv8_cortex_a55 does not cover CPU 4"]
    assert any("every counter stands still" in text for text in found["hazards"])


# Fixed-counters-only on one side


@pytest.mark.parametrize("kernel", ("v6", "v8"))
def test_from_fixed_to_default_keeps_no_counter_and_gains_events(kernel):
    view = answer(f"rk3588 fixed-counters-only@{kernel}", "rk3588 default cpu=4")
    assert {row["verdict"] for row in carried(view)} == {"arrived"}
    found = {row["register"]: row for row in view["registers"]}
    assert found["PMCR_EL0"]["reasons"] == ["N = 0 is accepted: the guest still sees no event counter"]
    assert (found["PMCEID0_EL0"]["guest_before"], found["PMCEID0_EL0"]["guest_after"]) == ("0x0", "0x7fff0f3f")
    assert found["PMCCNTR_EL0"]["reasons"] == ["counts on the CPUs of armv8_cortex_a76; stands still on CPU 0-3"]
    assert {
        "call": "KVM_ARM_VCPU_PMU_V3_FIXED_COUNTERS_ONLY",
        "source": "yes",
        "destination": "not possible: -ENXIO under default@mainline",
        "repeated": False,
    } in view["calls"]


def test_from_default_to_fixed_keeps_the_cycle_counter():
    view = answer("rk3588 default", "rk3588 fixed-counters-only@v8")
    found = {row["register"]: row for row in view["registers"]}
    assert [found[name]["restored"] for name in ("PMCR_EL0", "PMCNTENSET_EL0", "PMOVSSET_EL0")] == [
        "0x39", "0x80000000", "0x80000000",
    ]  # fmt: skip
    assert found["PMEVCNTR0_EL0"]["restored"] == found["PMEVCNTR0_EL0"]["saved"]
    assert found["PMEVCNTR0_EL0"]["guest_after"] == "UNDEF"
    assert found["PMCCNTR_EL0"]["verdict"] == "arrived"
    assert any(text.startswith("the destination is fixed-counters-only") for text in view["hazards"])


# Calls


def called(source, destination):
    return {row["call"].removeprefix("KVM_ARM_VCPU_PMU_V3_"): row for row in answer(source, destination)["calls"]}


def test_calls_are_compared_by_name_and_tried_where_they_are_missing():
    same = called("rk3588 set-pmu:armv8_cortex_a76", "rk3588 set-pmu:armv8_cortex_a76")
    assert (same["SET_PMU"]["source"], same["SET_PMU"]["repeated"]) == ("armv8_cortex_a76 (type 9)", True)
    apple = called("rk3588 set-pmu:armv8_cortex_a76", "apple-m1 default")
    assert apple["SET_PMU"]["destination"] == "not possible: no host PMU of this name"
    free = called("rk3588 set-pmu:armv8_cortex_a76", "rk3588 default")
    assert free["SET_PMU"]["destination"] == "not made under default@mainline, though KVM would take it"
    fixed = called("rk3588 set-pmu:armv8_cortex_a76", "rk3588 fixed-counters-only@v8")
    assert fixed["SET_PMU"]["destination"] == "not possible: -EBUSY under fixed-counters-only@v8"
    assert (fixed["FIXED_COUNTERS_ONLY"]["source"], fixed["FIXED_COUNTERS_ONLY"]["destination"]) == ("", "yes")
    last = called("rk3588 set-pmu:armv8_cortex_a76", "rk3588 fixed-counters-only@v6")
    assert last["SET_PMU"]["destination"] == "not made under fixed-counters-only@v6; it would end that mode"
    many = called("rk3588 default n=6", "apple-m1 default")
    assert many["SET_NR_COUNTERS"]["destination"] == "not possible: -EINVAL under default@mainline"


# Order


@pytest.mark.parametrize(
    "order, lost",
    (("ascending", {"PMINTENSET_EL1": "0x14"}), ("descending", {"PMCNTENSET_EL0": "0x1c"})),
)
def test_bitmaps_before_pmcr_lose_bits(order, lost):
    """PMINTENSET sorts before PMCR, PMCNTENSET after it."""
    found = answer("rk3588 default", "rk3588 default n=2", order)
    changed = {row["register"]: row["reasons"] for row in carried(found) if row["verdict"] == "changed"}
    assert set(changed) == {name for one in lost for name in (one, one.replace("SET", "CLR"))}
    for name, bits in lost.items():
        assert changed[name] == [f"bits {bits} lost: written before PMCR_EL0, while N was 2"]
    assert rows("rk3588 default", "rk3588 default n=2", order)["PMCR_EL0"]["verdict"] == "arrived"
    differs = {row["register"]: row for row in found["order_matters_for"]}
    assert set(differs) == {"PMINTENSET_EL1", "PMINTENCLR_EL1", "PMCNTENSET_EL0", "PMCNTENCLR_EL0"}
    for row in differs.values():
        assert row["reasons"]
        assert all(text.endswith("while N was 2") for text in row["reasons"])
    other = "descending" if order == "ascending" else "ascending"
    assert differs["PMINTENSET_EL1"]["others"][other] != differs["PMINTENSET_EL1"]["value"]
    assert any("until PMCR_EL0 is restored" in text for text in found["hazards"])


def test_a_lost_enable_bit_stops_a_counter():
    row = rows("rk3588 default", "rk3588 default n=2", "descending")["PMEVCNTR3_EL0"]
    assert row["reasons"] == ["counts no further: its bit of PMCNTENSET_EL0 is lost"]


def test_n_that_pmcr_carries_needs_no_attribute():
    found = answer("rk3588 default n=2", "rk3588 default")
    assert {row["verdict"] for row in carried(found)} == {"arrived"}
    assert (found["destination"]["pmcr_n"], found["order_matters_for"]) == (2, [])


def test_a_restore_after_the_first_run_cannot_change_n_or_the_version():
    pair = migrated("apple-m1 default", "rk3588 default")
    machine = Machine(pair.destination)
    machine.enter()
    assert machine.restore(pair.saved.registers, ASCENDING) == {PMUVER: "-EBUSY"}
    assert machine.vm.nr_counters == 6


# Every sentence has its pair

PAIRS = (
    ("rk3588 default", "apple-m1 default", "ascending"),
    ("apple-m1 default", "rk3588 default", "ascending"),
    ("cix-sky1 default", "rk3588 default", "ascending"),
    ("cix-sky1 default", "apple-m1 default", "ascending"),
    ("rk3588 fixed-counters-only@v8", "rk3588 default", "ascending"),
    ("rk3588 default", "rk3588 fixed-counters-only@v8", "ascending"),
    ("rk3588 default", "rk3588 default n=2", "descending"),
    ("rk3588 default", "rk3588 default-pinned:armv8_cortex_a76", "ascending"),
    ("rk3588 set-pmu-unpinned:armv8_cortex_a76", "apple-m1-ultra set-pmu-unpinned:apple_firestorm_pmu", "ascending"),
    ("apple-m2-pro set-pmu-unpinned:apple_avalanche_pmu", "apple-m2-pro fixed-counters-only@review", "random"),
)


def test_every_reason_and_every_hazard_applies_somewhere():
    said: set[Callable[..., str]] = set()
    for move in (migrated(*pair) for pair in PAIRS):
        pair = pair_of(move.saved, move.restored)
        said |= {function for function in HAZARDS if function(pair)}
        for name in rows_of(move):
            functions = next((row for start, row in REASONS.items() if name.startswith(start)), ())
            said |= {function for function in functions if function(case_of(name, move.saved, move.restored), pair)}
    assert said == {*HAZARDS, *(function for row in REASONS.values() for function in row)}


def test_no_register_changes_without_a_reason():
    for move in (migrated(*pair) for pair in PAIRS):
        assert [row for row in rows_of(move).values() if row["verdict"] != "arrived" and not row["reasons"]] == []


def rows_of(move):
    return register_rows(move.saved, move.restored)


@pytest.mark.parametrize(
    "case, word",
    (
        (Case("PMCR_EL0", 1, 1, "", "0x1", "0x1"), "arrived"),
        (Case("PMCR_EL0", 1, 2, "", "0x1", "0x1"), "changed"),
        (Case("PMEVCNTR1_EL0", 1, 1, "", "0x1", "UNDEF"), "changed"),
        (Case(PMUVER, 6, 4, "-E2BIG", None, None), "refused"),
        (Case("PMCEID0_EL0", None, None, "", "0x1", "0x1"), "not carried"),
    ),
)
def test_the_verdict_is_about_one_reg_and_the_guest(case, word):
    assert verdict(case) == word


# The text


@pytest.mark.parametrize("pair", PAIRS, ids=" ".join)
def test_the_text_fits_and_says_what_the_answer_says(pair):
    found = answer(*pair)
    for every in (False, True):
        text = report(found, every)
        assert max(map(len, text.splitlines())) <= COLUMNS
        assert all(hazard.split(":")[0][:60] in " ".join(text.split()) for hazard in found["hazards"])
        assert (text.count("PMEVCNTR17_EL0") == 1) == every
    assert ("order of registers matters" in report(found)) == bool(found["order_matters_for"])


def test_equal_counters_share_a_line():
    lines = report(answer("rk3588 default", "apple-m1 default")).splitlines()
    shown = [line.split() for line in lines if line.startswith("PMEVCNTR")]
    assert [words[0] for words in shown] == ["PMEVCNTR0_EL0", "PMEVCNTR1..5_EL0", "PMEVCNTR6..30_EL0"]
    assert shown[1][1:] == ["5", "values", "the", "same", "UNDEF", "changed"]
    assert shown[2][-2:] == ["arrived,", "unused"]


def test_counters_whose_values_changed_do_not_share_a_line():
    found = copy.deepcopy(answer("cix-sky1 default", "rk3588 default"))
    named = {row["register"]: row for row in found["registers"]}
    named["PMEVCNTR4_EL0"].update({key: named["PMEVCNTR3_EL0"][key] for key in ("restored", "verdict", "reasons")})
    lines = report(found).splitlines()
    assert [line.split()[0] for line in lines if line.startswith("PMEVCNTR")] == [
        "PMEVCNTR0_EL0", "PMEVCNTR1..2_EL0", "PMEVCNTR3_EL0", "PMEVCNTR4_EL0", "PMEVCNTR5_EL0", "PMEVCNTR6..30_EL0",
    ]  # fmt: skip


# The command


def test_the_command_prints_the_table_and_ends_well(capsys):
    assert exit_code(["migrate", "--from", "rk3588", "--to", "apple-m1", "--policy", "default"]) == 0
    shown = capsys.readouterr()
    assert "PMUVer 4 -> 1 (refused: -E2BIG)" in shown.out
    assert "\x1b" not in shown.out
    assert shown.err == ""


def test_the_command_writes_the_answer(capsys, tmp_path):
    line = "migrate --from rk3588 --to rk3588 --to-counters 2 --order random --seed 2 --json"
    assert exit_code([*line.split(), "-"]) == 0
    shown = capsys.readouterr()
    found = json.loads(shown.out)
    assert (found["schema"], found["order"], found["seed"]) == ("hetpmu-migrate/1", "random", 2)
    assert found["orders"][2:] == [f"random {seed}" for seed in range(2, 8)]
    assert "random order" in shown.err
    assert exit_code([*line.split(), str(tmp_path / "m.json")]) == 0
    assert json.loads((tmp_path / "m.json").read_text()) == found


def test_kernels_and_cpus_are_those_that_were_named(capsys):
    line = "migrate --from rk3588 --to rk3588 --policy fixed-counters-only --kernel v6 --to-policy default --json -"
    assert exit_code([*line.split(), "--to-kernel", "mainline", "--from-cpu", "1", "--to-cpu", "5"]) == 0
    found = json.loads(capsys.readouterr().out)
    names = [[found[side][key] for key in ("policy", "kernel", "init_cpu")] for side in ("source", "destination")]
    assert names == [["fixed-counters-only", "v6", 1], ["default", "mainline", 5]]
    assert exit_code(line.split()) == 0
    assert json.loads(capsys.readouterr().out)["destination"]["kernel"] == "v6"
    line = "migrate --from rk3588 --to rk3588 --policy fixed-counters-only --json -"
    assert exit_code(line.split()) == 0
    assert json.loads(capsys.readouterr().out)["destination"]["kernel"] == "v8"


BAD = (
    ("--from rk3588", "--to"),
    ("--from rk3588 --to rk3589", "rk3588"),
    ("--from rk3588 --to apple-m1 --policy set-pmu:armv8_cortex_a76", "--to-policy set-pmu:apple_firestorm_pmu"),
    ("--from rk3588 --to rk3588 --policy set-pmu:armv8_cortex_a67", "armv8_cortex_a76"),
    ("--from rk3588 --to rk3588 --policy set-pmu", "needs a host PMU"),
    ("--from rk3588 --to rk3588 --policy fixed-counters-only --kernel mainline", "fixed-counters-only@v6"),
    ("--from rk3588 --to rk3588 --policy fixed-counters-only@mainline", "fixed-counters-only@v6"),
    ("--from rk3588 --to rk3588 --to-policy fixed-counters-only --kernel mainline", "fixed-counters-only@v6"),
    ("--from rk3588 --to rk3588 --policy none", "no PMU to migrate"),
    ("--from rk3588 --to rk3588 --kernel v5", "v6"),
    ("--from bcm2712 --to rk3588", "no virtual PMU on bcm2712"),
    ("--from rk3588 --to bcm2712", "no virtual PMU on bcm2712"),
    ("--from rk3588 --to rk3588 --from-cpu 8", "0-7"),
    ("--from rk3588 --to rk3588 --policy set-pmu:armv8_cortex_a76 --to-cpu 0", "4-7"),
    ("--from rk3588 --to rk3588 --from-counters 7", "-EINVAL"),
    ("--from rk3588 --to rk3588 --policy fixed-counters-only --to-counters 1", "-EINVAL"),
    ("--from rk3588 --to rk3588 --order sorted", "descending"),
    ("--from rk3588 --to rk3588 --seed=-1", "seed"),
    ("--from rk3588 --to rk3588 --json {tmp}", "directory"),
)


@pytest.mark.parametrize("line, part", BAD, ids=[line for line, _ in BAD])
def test_bad_input_is_three_lines_and_exit_two(line, part, tmp_path, capsys):
    assert exit_code(["migrate", *line.format(tmp=tmp_path).split()]) == 2
    shown = capsys.readouterr()
    assert part in shown.err
    assert 1 <= len(shown.err.splitlines()) <= 3
    assert shown.out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_policy_that_another_host_lacks_is_named_before_anything_runs():
    source = wish("rk3588 set-pmu:armv8_cortex_a76")
    with pytest.raises(InputError, match="cannot be repeated"):
        sides(source, wish("apple-m1 set-pmu:armv8_cortex_a76"), repeated=True)
    with pytest.raises(InputError, match="unknown host PMU"):
        sides(source, wish("apple-m1 set-pmu:armv8_cortex_a76"), repeated=False)


def test_a_save_changes_nothing_for_the_source():
    side, _ = sides(wish("rk3588 default"), wish("rk3588 default"), repeated=False)
    first = save(side)
    assert save(side).registers == first.registers
    assert restore(side, first, "descending", 1).registers == first.registers
