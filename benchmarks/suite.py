"""The table of benchmark cases, and ``run_bench``, which measures them. How to time lives in measure.py."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import baseline, crossing, machine, ticks, whole
from benchmarks.case import BANDS, Case, Maker, Worst
from benchmarks.measure import QUICK, THOROUGH, Contender, Effort, Unavailable, interleaved
from benchmarks.rows import Row, case_row, worst_row
from simcore.errors import InputError


def tick(contender: Callable[[ticks.Arrays], Contender], steps: int = 256) -> Maker:
    """Return a maker of one contender of the tick loop: 16 vCPUs, ``steps`` ticks."""
    return lambda: contender(ticks.arrays(16, steps))


CASES: tuple[Case | Worst, ...] = (
    Case(
        "tick",
        "hot",
        "counter updates/s",
        tick(ticks.ours),
        {
            "gcc": tick(ticks.in_c),
            "clang": tick(partial(ticks.in_c, compiler="clang")),
            "numpy": tick(ticks.in_numpy),
            "python": tick(ticks.in_python, steps=8),
        },
    ),
    Case("settle", "hot", "s", tick(ticks.settle, steps=1), {}),
    Case("register", "mechanism", "reads/s", crossing.register_read, {}),
    Case("crossing", "mechanism", "crossings/s", crossing.crossing, {}),
    *whole.CASES,
)


def run_bench(
    bands: tuple[str, ...] = BANDS, quick: bool = False, save: Path | None = None, against: Path | None = None
) -> dict[str, Any]:
    """Measure all cases of the bands; return the object of ``bench --json`` (spec: hetpmu-bench/1).

    With ``against`` the object also has "against": one row for each case that the saved file has too, with
    its "name", "speed" (over the saved one) and "slower" (beyond noise).
    """
    unknown = [band for band in bands if band not in BANDS]
    if unknown:
        raise InputError(f"unknown band {unknown[0]!r}", "--band", valid=", ".join(BANDS))
    saved = baseline.load(against) if against else None
    effort = QUICK if quick else THOROUGH
    cases: list[Row] = []
    for case in CASES:
        if case.band in bands:
            cases.append(measured(case, effort) if isinstance(case, Case) else worst_row(case, cases))
    result = {"schema": baseline.SCHEMA, "machine": machine.describe(), "cases": cases}
    if save:
        baseline.save(result, save)
    if saved is not None:
        result["against"] = baseline.compare(cases, saved)
    return result


def measured(case: Case, effort: Effort) -> Row:
    """Measure one case and its peers; a peer that cannot run is skipped with its reason."""
    contenders, skipped = {"": case.ours()}, {}
    for peer, maker in case.peers.items():
        try:
            contenders[peer] = maker()
        except Unavailable as error:
            skipped[peer] = str(error)
    row = case_row(case, contenders, interleaved(contenders, effort), skipped)
    return row | {"facts": dict(case.facts())} if case.facts else row
