"""The soak itself: a short one, that draws repeat, that what breaks a law is found and made small."""

import tomllib

import pytest

from tests.scenes import PLAIN
from tests.soak import examining, laws_tables
from tests.soak.drawing import SCENARIO, draw_draft
from tests.soak.examining import Verdict, examine
from tests.soak.program import DRAWN_GUESTS
from tests.soak.reporting import ENOUGH, Report
from tests.soak.shrinking import keep_failure
from workloads.guests import GUESTS

EACH = 2 if PLAIN else 8


@pytest.fixture(autouse=True)
def drawn_guests(monkeypatch):
    """Let scenarios name the guests of the soak while its own tests run."""
    for name, make in DRAWN_GUESTS.items():
        monkeypatch.setitem(GUESTS, name, make)


@pytest.mark.parametrize("chunk", range(3))
def test_a_short_soak(chunk):
    """Every law holds on the first scenarios of a seed of its own."""
    verdicts = [examine(2, index) for index in range(chunk * EACH, (chunk + 1) * EACH)]
    broken = [f"scenario {found.index} of seed 2 breaks {found.law}: {found.how}" for found in verdicts if found.law]
    assert not broken
    assert not all(found.invalid for found in verdicts)


def test_a_draw_depends_on_seed_and_number_alone():
    later = draw_draft(5, 7)
    assert [draw_draft(5, number) for number in (6, 7)][1] == later
    assert draw_draft(6, 7) != later
    assert tomllib.loads(later.text)["format"] == "hetpmu-scenario/1"


def test_what_breaks_a_law_is_found_and_made_small(monkeypatch, tmp_path):
    """A law that no VM with more than one vCPU keeps: what is left of its scenario has little else."""

    def alone(trial):
        assert len(trial.tables["vcpus"]) == 1, "more than one vCPU"

    index = next(n for n in range(99) if sum(vm["vcpus"] for vm in draw_draft(3, n).tables["vms"]) > 1)
    monkeypatch.setattr(examining, "LAWS", {"alone": alone})
    verdict = examine(3, index)
    assert verdict.law == "alone"
    assert verdict.how.startswith("more than one vCPU")
    path = keep_failure(tmp_path, 3, verdict)
    assert "--first" in path.read_text()
    assert path.name == SCENARIO
    left = tomllib.loads(path.read_text())
    assert set(left) <= {"format", "platform", "seconds", "seed", "vms"}
    assert len(left["vms"]) == 1


def test_a_table_that_does_not_add_up_breaks_a_law(monkeypatch):
    ended = laws_tables.ended
    monkeypatch.setattr(laws_tables, "ended", lambda trial: ended(trial) + 1)
    assert {examine(2, number).law for number in range(2)} & {"busy and idle", "samples"}


def test_a_report_says_what_was_never_exercised():
    report = Report(1)
    for index in range(ENOUGH):
        report.take(Verdict(index))
    assert report.status == 1
    assert "never exercised: overflows" in report.text()
    broken = Report(1)
    broken.take(Verdict(0, law="2 tick", how="differs"))
    assert broken.status == 1
    assert "broken: 2 tick by 1 scenarios" in broken.text()
    too_many = Report(1)
    for index in range(3):
        too_many.take(Verdict(index, invalid="no such thing"))
    assert too_many.status == 1
