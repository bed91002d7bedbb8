"""`hetpmu uapi --explore`: it finds what is known, nothing where there is nothing, and only what is minimal."""

import json
import shlex
from dataclasses import replace
from itertools import product

import pytest

from pmu.revisions import V6, V8
from simcore.app.cli import exit_code
from simcore.app.uapi_alphabet import alphabet, typical_cpus
from simcore.app.uapi_exploring import explore
from simcore.app.uapi_machine import Machine, implied_steps
from simcore.app.uapi_running import Column, columns_of, run_steps
from simcore.app.uapi_searching import difference
from tests.uapi_platforms import PLATFORMS, host, path, steps

HET, GAP = host("HET"), host("GAP")
SERIES = columns_of(("v6", "v8", "review"))
FIXED = "set FIXED_COUNTERS_ONLY"
RUN = "gic; v0 set IRQ 23; v0 set INIT; v0 run cpu=0"


@pytest.fixture(scope="module")
def found():
    """Return what two attribute calls show about the series on HET."""
    return explore(HET, SERIES, 2)


def sides(exploration, text):
    """Return the results of the columns that disagree about a sequence, which must be listed."""
    one = next(one for one in exploration.found if one.steps == steps(text))
    return {name: outcome.result for name, outcome in one.outcomes.items()}


@pytest.mark.parametrize(
    "text, results",
    (
        (f"set SET_PMU 8; {FIXED}", {"v6": 0, "v8": "-EBUSY", "review": "-EBUSY"}),
        (f"set SET_PMU 9; {FIXED}", {"v6": 0, "v8": "-EBUSY", "review": "-EBUSY"}),
        (f"{FIXED}; set SET_PMU 8", {"v6": 0, "v8": "-EBUSY", "review": "-EBUSY"}),
        (f"{FIXED}; set FILTER 0x11:1:deny", {"v6": 0, "v8": "-EBUSY", "review": "-EBUSY"}),
        (f"set SET_NR_COUNTERS 1; {FIXED}", {"v6": 0, "v8": 0, "review": "-EBUSY"}),
        (f"{FIXED}; set SET_NR_COUNTERS 0", {"v6": 0, "v8": 0, "review": "-EBUSY", "review+doc": "-EINVAL"}),
        (
            "set SET_NR_COUNTERS 1",
            {"v6": 0, "v8": 0, "review": 0, "v6+doc": "-EINVAL", "v8+doc": "-EINVAL", "review+doc": "-EINVAL"},
        ),
        (
            "set FILTER 0x11:1:deny; set SET_NR_COUNTERS 1",
            {"v6": 0, "v8": 0, "review": 0, "v6+doc": "-EBUSY", "v8+doc": "-EBUSY", "review+doc": "-EBUSY"},
        ),
        (
            f"{RUN}; v1 set SET_NR_COUNTERS 1",
            {"v6": 0, "v8": 0, "review": 0, "v6+doc": "-EBUSY", "v8+doc": "-EBUSY", "review+doc": "-EBUSY"},
        ),
    ),
)
def test_the_known_disagreements_are_found(found, text, results):
    assert sides(found, text) == results


def test_what_a_listed_sequence_ends_in_is_what_a_run_shows(found):
    columns = {column.name: column for column in (*SERIES, *columns_of(("v6+doc", "v8+doc", "review+doc")))}
    for one in found.found:
        chosen = [columns[name] for name in one.outcomes]
        rows = run_steps(HET, chosen, one.steps, vcpus=2).rows
        assert rows[-1].outcomes == one.outcomes
        assert rows[-1].differs
        assert not any(row.differs for row in rows[:-1])


def test_no_step_of_a_listed_sequence_can_be_left_out(found):
    for one in found.found:
        names = [name for name in one.outcomes if "+" not in name]
        for at in range(len(one.steps) - 1):
            shorter = (*one.steps[:at], *one.steps[at + 1 :])
            rows = run_steps(HET, columns_of(one.outcomes), shorter, vcpus=2).rows
            same = {name: rows[-1].outcomes[name].rule.function for name in one.outcomes} == {
                name: outcome.rule.function for name, outcome in one.outcomes.items()
            }
            assert not same, (names, [step.text for step in shorter])


def test_groups_have_the_same_rules_and_hold_everything(found):
    groups = found.groups()
    assert sum(map(len, groups)) == len(found.found)
    assert len(groups) < len(found.found)
    for group in groups:
        assert len({one.steps[-1].operation for one in group}) == 1
        first = {name: outcome.rule.function for name, outcome in group[0].outcomes.items()}
        for one in group:
            assert {name: outcome.rule.function for name, outcome in one.outcomes.items()}.items() <= first.items()


def test_nothing_is_found_by_running_every_sequence_that_the_search_leaves_out():
    columns = columns_of(("v6", "v8"))
    calls = [
        letter.steps
        for letter in alphabet(HET, [column.revision for column in columns], "gicv3")
        if letter.attribute_call and len(letter.steps) == 1 and letter.steps[0].operation == "set_attr"
    ]
    assert len(calls) > 30
    kinds = set()
    for pair in product(calls, repeat=2):
        sequence = (*pair[0], *pair[1])
        one, other = (outcomes(column, sequence) for column in columns)
        kind = difference(sequence, one, other)
        if kind is not None:
            kinds.add(kind)
    listed = {
        difference(one.steps[-1:], [one.outcomes["v6"]], [one.outcomes["v8"]])
        for one in explore(HET, columns, 2).found
        if {"v6", "v8"} <= one.outcomes.keys()
    } - {None}
    assert len(kinds) == 3
    assert kinds <= listed


def outcomes(column, sequence):
    machine = Machine(HET, column.revision, 2, "gicv3")
    for step in implied_steps(sequence, 2):
        machine.perform(step)
    return [machine.perform(step) for step in sequence]


def test_where_two_revisions_have_the_same_rules_nothing_is_found():
    columns = (*columns_of(("v6",), as_documented=True), Column("like", replace(V6, name="like"), documented=True))
    same = explore(HET, (columns[0], Column("like", columns[0].revision, documented=True)), 1)
    assert (same.found, same.differing) == ((), 0)
    assert same.compared > 100
    assert explore(HET, columns, 1).found != ()


def test_a_new_row_of_the_table_shows_what_it_changes():
    checks = V8.attributes["IRQ"].checks[:-1]
    careless = replace(
        V8, name="v12", attributes={**V8.attributes, "IRQ": replace(V8.attributes["IRQ"], checks=checks)}
    )
    exploration = explore(HET, (*columns_of(("v8",)), Column("v12", careless)), 1, steps("set IRQ 23"))
    found = [one for one in exploration.found if one.steps[-1].attribute == "IRQ"]
    assert [one.steps[-1].text for one in found] == ["set IRQ 23", "set IRQ 40"]
    assert all(
        {n: outcome.result for n, outcome in one.outcomes.items()} == {"v8": "-EBUSY", "v12": 0} for one in found
    )


def test_v4_is_told_from_v6_by_n_after_set_pmu():
    exploration = explore(HET, columns_of(("v4", "v6")), 1, steps(FIXED))
    assert sides(exploration, f"{FIXED}; set SET_PMU 9; reg get PMCR") == {"v4": "0x0", "v6": "0x2000"}


def test_mainline_lacks_the_attribute_and_that_is_said_once():
    exploration = explore(HET, columns_of(("mainline", "v6")), 1)
    assert sides(exploration, FIXED) == {"mainline": "-ENXIO", "v6": 0}
    assert sides(exploration, "has FIXED_COUNTERS_ONLY") == {"mainline": "-ENXIO", "v6": 0}
    with_mainline = [one for one in exploration.found if {"mainline", "v6"} == one.outcomes.keys()]
    assert len(with_mainline) == 2


def test_a_cpu_without_pmu_separates_v6_and_v8():
    assert typical_cpus(GAP) == (0, 4)
    exploration = explore(GAP, columns_of(("v6", "v8")), 1)
    text = f"{FIXED}; gic; set IRQ 23; set INIT; run cpu=4"
    assert sides(exploration, text) == {"v6": "FAIL_ENTRY", "v8": "guest"}


@pytest.mark.parametrize("irqchip, ready", (("gicv5", "gic; set INIT"), ("user", "set INIT")))
def test_no_needless_step_is_listed_whatever_the_irqchip(irqchip, ready):
    exploration = explore(GAP, columns_of(("v6", "v8")), 1, irqchip=irqchip)
    assert sides(exploration, f"{FIXED}; {ready}; run cpu=4") == {"v6": "FAIL_ENTRY", "v8": "guest"}


def test_a_common_prefix_stays_and_is_not_shortened():
    prefix = steps(f"has 6; {FIXED}")
    exploration = explore(HET, columns_of(("v6", "v8")), 1, prefix)
    assert exploration.found
    assert all(one.steps[:2] == prefix for one in exploration.found)
    assert sides(exploration, f"has 6; {FIXED}; set SET_PMU 9") == {"v6": 0, "v8": "-EBUSY"}
    assert not exploration.prefix_differs
    assert explore(HET, columns_of(("mainline", "v6")), 1, prefix).prefix_differs


def test_a_call_that_changes_nothing_but_what_was_chosen_explicitly_counts():
    exploration = explore(host("HOM"), columns_of(("v6", "v8")), 2)
    assert sides(exploration, f"set SET_PMU 8; {FIXED}") == {"v6": 0, "v8": "-EBUSY"}


def test_a_second_vcpu_is_named_only_where_it_matters():
    exploration = explore(HET, SERIES, 1, steps(f"set IRQ 23; {FIXED}"))
    named = [one for one in exploration.found if any(step.vcpu == 1 for step in one.steps)]
    assert {one.steps[-1].attribute for one in exploration.found} == {"FILTER", "SET_PMU", "SET_NR_COUNTERS"}
    assert named
    assert all(any(step.operation == "run" for step in one.steps) for one in named)


def commands(text):
    """Return the arguments of the command lines in the text, pasted as they are."""
    lines = text.splitlines()
    for at, line in enumerate(lines):
        if line.startswith("    hetpmu "):
            block = [line]
            while block[-1].endswith("\\") or "\n".join(block).count("'") % 2:
                at += 1
                block.append(lines[at])
            yield shlex.split("\n".join(block).replace("\\\n", ""))[1:]


@pytest.mark.parametrize("plain", ([], ["--plain"]))
@pytest.mark.parametrize("irqchip", ("gicv3", "user"))
def test_every_command_line_shows_its_disagreement(capsys, monkeypatch, plain, irqchip):
    monkeypatch.chdir(PLATFORMS)
    assert exit_code(["uapi", "--platform", "gap.toml", "--irqchip", irqchip, "--explore", "1", *plain]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= (76 if plain else 118)
    assert text.isascii()
    pasted = list(commands(text))
    assert len(pasted) >= 4
    for arguments in pasted:
        assert exit_code([*arguments, "--json", "-"]) == 0
        assert json.loads(capsys.readouterr().out)["steps"][-1]["differs"]


def test_the_json_of_an_exploration(capsys):
    arguments = ["uapi", "--platform", path("HET"), "--kernel", "v6,v8", "--explore", "1", "--json", "-"]
    assert exit_code(arguments) == 0
    printed = capsys.readouterr().out
    answer = json.loads(printed)
    assert (answer["schema"], answer["steps"], answer["state"], answer["vcpus"]) == ("hetpmu-uapi/1", None, None, 2)
    explored = answer["explore"]
    assert (explored["calls"], explored["prefix"], explored["prefix_differs"]) == (1, None, False)
    assert explored["minimal"] == sum(len(group["sequences"]) for group in explored["groups"])
    assert {tuple(group) for group in explored["groups"]} == {("step", "results", "rules", "shortest", "sequences")}
    assert explored["groups"][0]["shortest"] == ["set SET_NR_COUNTERS 0"]
    assert explored["groups"][0]["results"]["v8+doc"] == "-EINVAL"
    assert exit_code(arguments) == 0
    assert capsys.readouterr().out == printed


def test_where_nothing_differs_it_is_said(capsys):
    arguments = ["--kernel", "v8", "--set-nr-counters", "documented", "--explore", "1"]
    assert exit_code(["uapi", "--platform", path("HET"), *arguments]) == 0
    assert "Nothing differs." in capsys.readouterr().out
