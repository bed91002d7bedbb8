"""One scenario of a soak: drawn, run, every law checked; what came of it as plain data."""

import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from simcore.errors import InputError
from tests.soak.dice import Dice
from tests.soak.drawing import Draft, draw_draft
from tests.soak.laws import LAWS
from tests.soak.trial import Trial

OBSERVED = "9 work"


@dataclass(slots=True)
class Verdict:
    """What came of one scenario: the law that it broke and how, or why it is not valid, or neither.

    ``seconds`` are those of a CPU.
    """

    index: int
    seconds: float = 0.0
    law: str = ""
    how: str = ""
    invalid: str = ""
    seen: Counter[str] = field(default_factory=Counter)
    laws: Counter[str] = field(default_factory=Counter)


def examine(seed: int, index: int) -> Verdict:
    """Draw scenario ``index`` and check every law on it."""
    return examine_draft(draw_draft(seed, index), seed, index)


def examine_draft(draft: Draft, seed: int, index: int, only: str = "") -> Verdict:
    """Check every law on a scenario, or one of them; what the laws draw depends on seed and index."""
    began = time.process_time()
    verdict = Verdict(index)
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(draft, Path(folder), Dice(seed, index, 1 << 20), verdict.seen)
        _examine(trial, verdict, only)
    verdict.seconds = time.process_time() - began
    return verdict


def _examine(trial: Trial, verdict: Verdict, only: str) -> None:
    try:
        trial.base  # noqa: B018
    except InputError as error:
        verdict.invalid = str(error)
        return
    except BaseException as error:
        _blame(verdict, OBSERVED if isinstance(error, AssertionError) else "no exception", error)
        return
    verdict.laws[OBSERVED] += 1
    for name, law in LAWS.items():
        if only in ("", name) and not _holds(trial, name, law, verdict):
            return


def _holds(trial: Trial, name: str, law: object, verdict: Verdict) -> bool:
    try:
        law(trial)  # type: ignore[operator]
    except Exception as error:
        _blame(verdict, name, error)
        return False
    verdict.laws[name] += 1
    return True


def _blame(verdict: Verdict, law: str, error: BaseException) -> None:
    if isinstance(error, KeyboardInterrupt):
        raise error
    verdict.law = law
    verdict.how = (
        "".join(traceback.format_exception(error)[-3:]) if not isinstance(error, AssertionError) else str(error)
    )
    if not verdict.how:
        verdict.how = "".join(traceback.format_tb(error.__traceback__)[-1:])
