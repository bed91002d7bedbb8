"""The table of benchmark cases, and ``run_bench``, which measures them. How to time lives in measure.py."""

from collections.abc import Callable, Container, Sequence
from pathlib import Path
from typing import Any

from benchmarks import (
    baseline,
    crossing,
    exporting,
    guest_code,
    hot,
    machine,
    recorded,
    references,
    reporting,
    scheduling,
    shadowing,
    sweeping,
    versions,
    whole,
)
from benchmarks.case import BANDS, Case, Worst
from benchmarks.measure import QUICK, THOROUGH, Effort, interleaved, made
from benchmarks.references import PREFIX
from benchmarks.rows import Row, case_row, skipped_row, worst_row
from simcore.errors import InputError

Progress = Callable[[int, int], None]
Judge = Callable[[list[Row], Row], dict[str, Any]]


def silent(done: int, planned: int) -> None:
    """Show no progress."""


CASES: tuple[Case | Worst, ...] = (
    *hot.CASES,
    *crossing.CASES,
    *scheduling.CASES,
    *recorded.CASES,
    *exporting.CASES,
    *shadowing.CASES,
    *guest_code.CASES,
    *whole.CASES,
    *sweeping.CASES,
    *reporting.CASES,
)


def run_bench(
    bands: tuple[str, ...] = BANDS,
    quick: bool = False,
    save: Path | None = None,
    against: Path | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Measure all cases of the bands; return the object of ``bench --json`` (spec: hetpmu-bench/1).

    With ``against``, a saved file or the directory of another version, the object also has "against": one row for
    each case that both have, with its "name", "speed" (over the other one), "low", "high" and "slower" (beyond noise).
    """
    unknown = [band for band in bands if band not in BANDS]
    if unknown:
        raise InputError(f"unknown band {unknown[0]!r}", "--band", valid=", ".join(BANDS))
    effort = QUICK if quick else THOROUGH
    judge = judge_of(against, effort)
    with baseline.saving(save) as write:
        here = machine.describe()
        cases = measured_all([case for case in CASES if case.band in bands], effort, progress)
        result = {"schema": baseline.SCHEMA, "machine": here, "cases": cases}
        write(result)
    return result | judge(cases, here)


def judge_of(against: Path | None, effort: Effort) -> Judge:
    """Return what compares rows with a saved result or another version, at which it looks before all measuring."""
    if against is None:
        return lambda rows, here: {}
    if against.is_dir():
        folder, known = against, versions.cases(against)
        return lambda rows, here: {"against": versions.compare(names(rows, known), folder, effort)}
    saved = baseline.load(against)
    return lambda rows, here: {
        "against": baseline.compare(rows, saved.cases, lambda name: measured(named(name), effort)),
        "machine_differs": baseline.differences(here, saved.machine),
    }


def names(rows: Sequence[Row], known: Container[str]) -> list[str]:
    """Return the names of the rows that another version knows too."""
    return [row["name"] for row in rows if row["name"] in known]


def named(name: str) -> Case:
    """Return the case of a name."""
    return next(case for case in CASES if case.name == name and isinstance(case, Case))


def measured_all(cases: Sequence[Case | Worst], effort: Effort, progress: Progress = silent) -> list[Row]:
    """Measure cases in their order."""
    rows: list[Row] = []
    for done, case in enumerate(cases):
        progress(done, len(cases))
        rows.append(measured(case, effort) if isinstance(case, Case) else worst_row(case, rows))
    return rows


def measured(case: Case, effort: Effort) -> Row:
    """Measure one case, its peers and the references; what cannot run is skipped with its reason."""
    contenders, skipped = made({"": case.ours, **case.peers})
    if "" in skipped:
        return skipped_row(case, skipped)
    beside = {PREFIX + name: reference for name, reference in references.contenders().items()}
    found = interleaved(contenders | beside, effort)
    row = case_row(case, contenders, {name: found[name] for name in contenders}, skipped)
    row["rounds"] = {
        "ours": found[""].throughputs,
        "references": {name.removeprefix(PREFIX): found[name].throughputs for name in beside},
    }
    return row | {"facts": dict(case.facts())} if case.facts else row
