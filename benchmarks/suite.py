"""The table of benchmark cases, and ``run_bench``, which measures them. How to time lives in measure.py."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import baseline, crossing, machine, ticks, whole
from benchmarks.case import BANDS, Case, Maker
from benchmarks.measure import QUICK, THOROUGH, Contender, Effort, Measurement, Unavailable, interleaved
from simcore.errors import InputError


def tick(contender: Callable[[ticks.Arrays], Contender], steps: int = 256) -> Maker:
    """Return a maker of one contender of the tick loop: 16 vCPUs, ``steps`` ticks."""
    return lambda: contender(ticks.arrays(16, steps))


CASES = (
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
    cases = [measured(case, effort) for case in CASES if case.band in bands]
    result = {"schema": baseline.SCHEMA, "machine": machine.describe(), "cases": cases}
    if save:
        baseline.save(result, save)
    if saved is not None:
        result["against"] = baseline.compare(cases, saved)
    return result


def measured(case: Case, effort: Effort) -> dict[str, Any]:
    """Measure one case and its peers; a peer that cannot run is skipped with its reason."""
    contenders, skipped = {"": case.ours()}, {}
    for peer, maker in case.peers.items():
        try:
            contenders[peer] = maker()
        except Unavailable as error:
            skipped[peer] = str(error)
    found = interleaved(contenders, effort)
    more = {"runs": effort.rounds, "skipped": skipped, "targets": dict(case.targets)}
    also = {unit: in_unit(unit, contenders, found) for unit in contenders[""].also}
    ours = found.pop("")
    ratios = {peer: ours.over(measurement) for peer, measurement in found.items()}
    return row(case, ours) | {"ratios": ratios, "also": also} | more


def in_unit(unit: str, contenders: Mapping[str, Contender], found: Mapping[str, Measurement]) -> dict[str, Any]:
    """Return the same runs in another unit: our figures, and the ratios to the peers that know the unit."""
    known = {name: contender for name, contender in contenders.items() if unit in contender.also}
    values = {name: found[name].times(known[name].also[unit] / known[name].work) for name in known}
    ours = values.pop("")
    return figures(unit, ours) | {"ratios": {peer: ours.over(value) for peer, value in values.items()}}


def row(case: Case, ours: Measurement) -> dict[str, Any]:
    """Return the figures of one case in its unit."""
    return {"name": case.name, "band": case.band, "unit": case.unit, **figures(case.unit, ours)}


def figures(unit: str, ours: Measurement) -> dict[str, float]:
    """Return median and interval of throughputs, or of times, by the unit."""
    low, high = ours.interval
    if unit.endswith("/s"):
        return {"median": ours.median, "low": low, "high": high}
    return {"median": 1 / ours.median, "low": 1 / high, "high": 1 / low}
