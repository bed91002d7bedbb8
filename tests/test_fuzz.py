"""A short run of the fuzzing harness on every target, and what the harness finds when a check is missing."""

import random
import warnings

import pytest

import simcore.app.code_loader
from simcore.errors import InputError
from tests.fuzz.engine import campaign, keep, minimised
from tests.fuzz.guard import DONE, FAILED, HERE, REFUSED, complaint, judge
from tests.fuzz.mutate import Known
from tests.fuzz.table import Target
from tests.fuzz.targets import CORPUS, TARGETS

MOST_CORPUS_BYTES = 200_000


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_of_a_short_run_breaks_a_loader(name):
    target = TARGETS[name]
    with warnings.catch_warnings():  # a warning is no failure of a loader
        warnings.simplefilter("ignore")
        report = campaign(target, 1, len(target.seeds()) + target.short, guided=False)
    assert [(failure.what, failure.data[:200], failure.detail) for failure in report.failures] == []
    assert report.done
    assert report.refused


def test_the_same_seed_gives_the_same_inputs():
    def inputs(seed):
        seen: list[bytes] = []
        target = TARGETS["uapi"]
        campaign(
            Target("uapi", lambda data: None, target.examples, target.words), seed, 60, guided=False, before=seen.append
        )
        return seen

    assert inputs(3) == inputs(3) != inputs(4)


def test_the_examples_are_small():
    assert sum(path.stat().st_size for path in CORPUS.rglob("*")) < MOST_CORPUS_BYTES


def test_a_missing_check_is_found_made_small_and_kept(monkeypatch, tmp_path):
    monkeypatch.setattr(simcore.app.code_loader, "_check_segment", lambda *arguments: None)
    report = campaign(TARGETS["image"], 1, 400, guided=False)
    found = {failure.what: failure for failure in report.failures}
    failure = found["ValueError in simcore/app/code_loader.py:_elf"]
    assert len(failure.data) < 300
    path = keep(failure, tmp_path)
    assert path.read_bytes() == failure.data
    assert f"python -m tests.fuzz --target image --input {path}" in path.with_suffix(".txt").read_text()


def test_an_unclean_message_is_found(monkeypatch):
    monkeypatch.setattr("simcore.errors._one_line", lambda text: text)
    found = [failure.what for failure in campaign(TARGETS["words"], 1, 200, guided=False).failures]
    assert any("steer a terminal" in what for what in found)


def spin(data):
    while data:
        pass


def recurse(data):
    return recurse(data)


def devour(data):
    return bytearray(8 << 30)


def talk(data):
    raise InputError("x", data.decode())


def shout(data):
    error = InputError("x")
    error.what = data.decode()
    raise error


@pytest.mark.parametrize(
    "read, data, kind, what",
    (
        (lambda data: 1, b"", DONE, ""),
        (talk, b"a\nb", REFUSED, "a b: x"),
        (shout, b"a\nb\nc\nd", FAILED, "more than three lines"),
        (shout, b"a" * 3000, FAILED, "fills the screen"),
        (shout, b"\x1b[0m", FAILED, "steer a terminal"),
        (recurse, b"", FAILED, "RecursionError in tests/test_fuzz.py:recurse"),
        (devour, b"", FAILED, "memory in tests/test_fuzz.py:devour"),
        (spin, b"x", FAILED, "hang in tests/test_fuzz.py:spin"),
    ),
)
def test_how_an_input_may_end(read, data, kind, what, monkeypatch):
    monkeypatch.setattr("tests.fuzz.guard.SECONDS", 0.2)
    outcome = judge(read, data)
    assert outcome.kind == kind
    assert what in outcome.what


def test_a_failing_input_is_made_small():
    def read(data):
        if b"<" in data and b">" in data:
            raise ValueError(data)

    target = Target("x", read, lambda: ())
    data = b"some < text " * 20 + b"and > more"
    assert minimised(target, data, judge(read, data)) == b"<>"


def test_changes_of_a_format_are_still_of_it():
    rng, taken = random.Random(1), 0
    target = TARGETS["workload"]
    for _ in range(60):
        data = target.shaped[0](rng, target.seeds()[0], Known(target.tokens(), target.seeds()))
        taken += "broken TOML" not in judge(target.read, data).what
    assert taken > 50


def test_messages_are_judged():
    assert complaint("a\nb\nc") == ""
    assert complaint("") == "an empty message"
    assert (HERE / "tests" / "fuzz").is_dir()
