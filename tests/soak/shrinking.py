"""Makes a scenario that breaks a law small: keys and rows are left out as long as the law stays broken."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.soak.drawing import SCENARIO, Draft, draw_draft
from tests.soak.examining import Verdict, examine_draft
from tests.soak.toml import Tables

MOST_TRIALS = 250
NEEDED = ("format", "name", "platform", "seed", "seconds", "vms", "time", "domain", "khz", "vm", "vcpu", "policy")
Path_ = tuple[Any, ...]


def keep_failure(folder: Path, seed: int, verdict: Verdict) -> Path:
    """Minimise a scenario that broke a law and write it, with the law and how to repeat; return its file."""
    draft = shrink(draw_draft(seed, verdict.index), seed, verdict)
    place = folder / f"seed{seed}-{verdict.index}"
    place.mkdir(exist_ok=True)
    head = [
        f"breaks {verdict.law}:",
        *verdict.how.strip().splitlines()[:12],
        f"minimised; as drawn: python -m tests.soak --seed {seed} --first {verdict.index} --count 1",
    ]
    for name, text in draft.files.items():
        (place / name).write_text(text, encoding="utf-8")
    path = place / SCENARIO
    path.write_text("".join(f"# {line}\n" for line in head) + draft.text, encoding="utf-8")
    return path


def shrink(draft: Draft, seed: int, verdict: Verdict) -> Draft:
    """Return the smallest scenario found that breaks the same law."""
    trials, went_on = 0, True
    while went_on:
        went_on = False
        for smaller in _smaller(draft.tables):
            trials += 1
            if trials > MOST_TRIALS:
                return draft
            candidate = Draft(smaller, draft.files)
            if examine_draft(candidate, seed, verdict.index, verdict.law).law == verdict.law:
                draft, went_on = candidate, True
                break
    return draft


def _smaller(tables: Tables) -> Iterator[Tables]:
    """Yield the tables less one key or row each, the largest parts first."""
    for path in sorted(_paths(tables), key=len):
        smaller = copy.deepcopy(tables)
        here: Any = smaller
        for step in path[:-1]:
            here = here[step]
        del here[path[-1]]
        if smaller.get("vms"):
            yield smaller


def _paths(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in NEEDED:
                yield (*path, key)
            yield from _paths(inner, (*path, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            if isinstance(inner, dict) or len(value) > 1:
                yield (*path, place)
            yield from _paths(inner, (*path, place))
