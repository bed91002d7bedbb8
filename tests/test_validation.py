"""`hetpmu validate-model`, and the figures of docs/validation.md and docs/workloads.md computed again."""

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from simcore.app import cli_model
from simcore.app.cli import exit_code
from simcore.app.validating import TARGETS, figures, validation
from simcore.app.validation_text import validation_text
from tests.model_evidence import CLASSES, EVENTS, RULES, cpi_table, event_table
from workloads import holdout
from workloads.catalog import presets
from workloads.fitting import BEND, fit_profiles
from workloads.holdout import BETWEEN, IPC, KINDS, Comparison
from workloads.profiles import event_codes, profiles_of, silicon_table

DOCS = Path(__file__).resolve().parents[1] / "docs"
BLOCK = re.compile(r"^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r">?\d+(?:\.\d+)?")


@pytest.fixture(scope="module")
def comparisons():
    return tuple(holdout.hold_out())


@pytest.fixture(scope="module")
def answer(comparisons):
    return validation(comparisons)


@pytest.fixture
def ready(monkeypatch, comparisons):
    """Let the command take comparisons that are there already, of the quantities with a target alone."""
    wanted = {IPC, "seconds", *(event_codes().get(name) for name, _, _ in TARGETS)}
    few = [one for one in comparisons if one.quantity in wanted]
    monkeypatch.setattr(holdout, "hold_out", lambda: iter(few))


def alike(shown, computed):
    """Tell whether two texts have the same words, and numbers that differ by one in the last digit at most."""
    words, numbers = NUMBER.sub("#", shown).split(), NUMBER.findall(shown)
    if words != NUMBER.sub("#", computed).split():
        return False
    return all(near(a, b) for a, b in zip(numbers, NUMBER.findall(computed), strict=True))


def near(a, b):
    if ">" in a + b:
        return a == b
    digits = min(len(text.partition(".")[2]) for text in (a, b))
    return abs(float(a) - float(b)) <= 1.01 * 10**-digits


def test_the_page_shows_what_the_command_prints(answer):
    computed = validation_text(answer, BETWEEN).split("\n\n")
    shown = BLOCK.findall((DOCS / "validation.md").read_text())
    assert len(shown) == len(computed)
    heads = {text.splitlines()[0]: text for text in computed}
    for block in shown:
        assert alike(block, heads[block.splitlines()[0]]), block


def test_a_figure_that_is_off_by_more_than_rounding_is_seen():
    assert alike("IPC  0.45/4.4/8.0  x", "IPC 0.46/4.4/8.0   x")
    assert not alike("IPC 0.45/4.4/8.0", "IPC 0.47/4.4/8.0")
    assert not alike("IPC 0.45", "CPI 0.45")
    assert not alike("IPC >1000", "IPC 999")


def test_evidence_for_the_rules_of_events():
    table, page = event_table(), (DOCS / "validation.md").read_text()
    for event in EVENTS:
        cells = " | ".join("{:.2f} / {:.1f}".format(*table[event, name, rule]) for name in CLASSES for rule in RULES)
        line = next(line for line in page.splitlines() if line.startswith(f"| `{event}` |"))
        assert alike(line, f"| `{event}` | {cells} |")


def test_the_chosen_rule_is_the_best_of_the_compared_where_they_differ():
    """By the median, unless it is below the run-to-run spread anyway; BUS_CYCLES and the stalls by frequency."""
    table = event_table()
    by_frequency = {("BUS_CYCLES", "in order"), ("STALL_BACKEND", "in order")}
    by_frequency |= {(event, "out of order") for event in ("BUS_CYCLES", "STALL_BACKEND", "STALL_FRONTEND")}
    for event in EVENTS:
        for name in CLASSES:
            chosen = "frequency" if (event, name) in by_frequency else "time"
            best = min(table[event, name, rule][0] for rule in RULES)
            assert table[event, name, chosen][0] <= best + 0.3, (event, name)


def test_evidence_for_the_bend():
    table = cpi_table()
    page = " ".join((DOCS / "validation.md").read_text().split())
    straight = (*table["in order", "straight"], *table["out of order", "straight"])
    found = re.findall(r"gives ([\d.]+) / ([\d.]+) on LITTLE and ([\d.]+) / ([\d.]+) on big", page)
    bent = re.findall(r"all programs, ([\d.]+) cycles / GHz\^2 .*? gives ([\d.]+) / ([\d.]+)\. On LITTLE", page)
    assert [float(text) for text in found[0]] == pytest.approx(straight, abs=0.06)
    assert [float(text) for text in bent[0]] == pytest.approx((BEND, *table["out of order", "bent"]), abs=0.06)


def test_the_table_of_workloads_has_the_fitted_lines():
    page = (DOCS / "workloads.md").read_text()
    for name, preset in presets().items():
        cells = []
        for silicon in silicon_table():
            program = preset.measured_on(silicon)
            rates = fit_profiles(profiles_of(silicon.name)[program]) if program else None
            cells.append(f"{rates.core_cpi:.3f} + {rates.stall_ns_per_inst:.3f}" if rates else "-")
        line = next(line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
        assert line.endswith(" | ".join(["", *cells, ""]).rstrip()), name


def test_every_target_is_met_and_every_profile_is_predicted(answer, comparisons):
    assert answer["passed"]
    assert {row["quantity"] for row in answer["targets"]} == {name for name, _, _ in TARGETS}
    by_frequency = {one for one in comparisons if one.kind in ("between", "beyond", "from-one") and one.quantity == IPC}
    assert len({(one.silicon, one.suite, one.workload, one.khz) for one in by_frequency}) == 450
    assert {one.kind for one in comparisons} == set(KINDS)
    assert len({one.silicon for one in comparisons if one.kind == "posted"}) == 12
    assert tuple(KINDS) == cli_model.KINDS


def test_a_middle_row_does_not_predict_itself(comparisons):
    mcf = next(
        one
        for one in comparisons
        if (one.kind, one.silicon, one.workload, one.quantity) == (BETWEEN, "Kryo 485 Silver", "429.mcf", IPC)
    )
    low, middle, high = (row.cpi for row in profiles_of("Kryo 485 Silver")["SPECcpu2006", "429.mcf"])
    line = low + (high - low) * (1036800 - 300000) / (1785600 - 300000)
    assert mcf.predicted == pytest.approx(1 / line, rel=1e-4)
    assert mcf.measured == pytest.approx(1 / middle)


def test_hand_computed_figures():
    assert figures([0.01, 0.02, 0.03, 0.04, 0.06]) == {
        "n": 5, "median": 0.03, "p90": pytest.approx(0.052), "worst": 0.06,
    }  # fmt: skip
    one = Comparison(BETWEEN, "s", "s", "w", 1, IPC, 1.1, 1.0)
    assert one.error == pytest.approx(0.1)


def test_the_command_prints_all_tables_and_ends_well(ready, capsys, tmp_path):
    out = tmp_path / "out"
    assert exit_code(["validate-model", "--kind", "crossing", "--json", "-", "--out", str(out)]) == 0
    output = capsys.readouterr()
    answer = json.loads(output.out)
    assert answer["schema"] == "hetpmu-validate-model/1"
    assert answer["passed"] is True
    assert "relative error by event, crossing" in output.err
    assert max(map(len, output.err.splitlines())) <= 120
    assert json.loads((out / "validation.json").read_text()) == answer
    assert (out / "predicted.png").stat().st_size > 50_000
    with (out / "comparisons.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert {row["kind"] for row in rows} == set(KINDS)
    assert exit_code(["validate-model", "--out", str(out)]) == 2


@pytest.mark.parametrize("factor, every", [(1.02, 1), (1.2, 6)], ids=["median", "90th percentile"])
def test_a_missed_target_ends_with_one(factor, every, monkeypatch, comparisons, capsys):
    named = [one for one in comparisons if one.kind == BETWEEN]
    middle = [one for one in named if one.quantity == IPC]
    worse = {id(one) for one in middle[::every]}
    changed = [replace(one, predicted=one.predicted * factor) if id(one) in worse else one for one in named]
    monkeypatch.setattr(holdout, "hold_out", lambda: iter(changed))
    assert exit_code(["validate-model"]) == 1
    assert capsys.readouterr().out.count("MISSED") == 1
