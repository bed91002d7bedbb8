"""The rows of ``bench --json`` (spec: hetpmu-bench/1): measurements in, figures, ratios and verdicts on targets out."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.case import Case, Worst
from benchmarks.measure import Contender, Measurement

Row = dict[str, Any]
Found = Mapping[str, Measurement]


def case_row(case: Case, contenders: Mapping[str, Contender], found: Found, skipped: Mapping[str, str]) -> Row:
    """Return the row of a case; ``contenders`` and ``found`` have our own under the empty name."""
    ours = found[""]
    ratios = {peer: ratio(case, ours, measurement) for peer, measurement in found.items() if peer}
    row = head(case) | figures(case.unit, ours)
    row |= {"runs": len(ours.throughputs), "ratios": {peer: value.median for peer, value in ratios.items()}}
    row |= {"ratio_intervals": {peer: list(value.interval) for peer, value in ratios.items()}, "skipped": dict(skipped)}
    row |= {"also": {unit: in_unit(unit, contenders, found) for unit in contenders[""].also}}
    return judged(row, case.targets, case.limits)


def skipped_row(case: Case, skipped: Mapping[str, str]) -> Row:
    """Return the row of a case that cannot run here; the reason is under the empty name."""
    row = head(case) | {"median": None, "low": None, "high": None, "runs": 0, "ratios": {}, "ratio_intervals": {}}
    return judged(row | {"skipped": dict(skipped), "also": {}}, case.targets, case.limits)


def head(case: Case) -> Row:
    """Return what a row says of a case before anything is measured."""
    row = {"name": case.name, "band": case.band, "unit": case.unit}
    return row | {"bounds": list(case.bounds), "ratios_of": "time" if case.time_ratios else "throughput"}


def ratio(case: Case, ours: Measurement, peer: Measurement) -> Measurement:
    """Return our throughput over the peer's, or our time over the peer's."""
    return peer.over(ours) if case.time_ratios else ours.over(peer)


def in_unit(unit: str, contenders: Mapping[str, Contender], found: Found) -> Row:
    """Return the same runs in another unit: our figures, and the ratios to the peers that know the unit."""
    known = {name: contender for name, contender in contenders.items() if unit in contender.also}
    values = {name: found[name].times(known[name].also[unit] / known[name].work) for name in known}
    ours = values.pop("")
    return figures(unit, ours) | {"ratios": {peer: ours.over(value).median for peer, value in values.items()}}


def figures(unit: str, ours: Measurement) -> dict[str, float]:
    """Return median and interval of throughputs, or of times, by the unit."""
    low, high = ours.interval
    if more_is_faster(unit):
        return {"median": ours.median, "low": low, "high": high}
    return {"median": 1 / ours.median, "low": 1 / high, "high": 1 / low}


def more_is_faster(unit: str) -> bool:
    """Tell throughputs from times by their unit."""
    return unit.endswith("/s")


def worst_row(case: Worst, rows: Sequence[Row]) -> Row:
    """Return the row of the slowest of the cases that ran, with the worst ratio to each peer that all of them have.

    ``worst_of`` tells which case each ratio is from. If none ran, it is the row of the first with its reason.
    """
    named = [row for row in rows if row["name"] in case.of]
    parts = [row for row in named if row["median"] is not None] or named[:1]
    slowest = min(parts, key=slowness)
    peers = [peer for peer in slowest["ratios"] if all(peer in part["ratios"] for part in parts)]
    worst = {peer: min(parts, key=lambda part: part["ratios"][peer]) for peer in peers}
    row = {key: value for key, value in slowest.items() if key != "rounds"}
    row |= {"name": case.name, "band": case.band, "also": {}}
    row |= {key: {peer: part[key][peer] for peer, part in worst.items()} for key in ("ratios", "ratio_intervals")}
    row["worst_of"] = {peer: part["name"] for peer, part in worst.items()}
    return judged(row, case.targets, {})


def slowness(row: Row) -> float:
    """Return what is the less, the slower a case is."""
    found = float(row["median"] or 0)
    return found if more_is_faster(row["unit"]) else -found


def judged(row: Row, targets: Mapping[str, float], limits: Mapping[str, float]) -> Row:
    """Add what is wanted at least and at most, and for each that was measured whether it is met."""
    values = (
        row["ratios"] | {unit: found["median"] for unit, found in row["also"].items()} | {row["unit"]: row["median"]}
    )
    met = {name: values[name] >= least for name, least in targets.items() if name in values}
    met |= {name: values[name] <= most for name, most in limits.items() if name in values}
    return row | {"targets": dict(targets), "limits": dict(limits), "met": met}
