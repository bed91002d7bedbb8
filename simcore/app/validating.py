"""The workload model against silicon: errors by kind, core type, program and event, and which targets they meet.

Takes the comparisons of `workloads.holdout` and makes tables of them; prints, writes and draws nothing.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from workloads.holdout import BETWEEN, IPC, KINDS, SECONDS, Comparison
from workloads.profiles import event_codes, event_names, profiles_of, silicon_table

Row = dict[str, Any]
SCHEMA = "hetpmu-validate-model/1"
TARGETS = (
    (IPC, 0.01, 0.07),
    ("L1D_CACHE_REFILL", 0.03, 0.20),
    ("BR_MIS_PRED_RETIRED", 0.03, 0.20),
    ("L1D_TLB_REFILL", 0.03, 0.20),
)
"""What is aimed at for a frequency between two measured ones: quantity, median and 90th percentile of the error."""
NAMED = tuple(name for name, _, _ in TARGETS)


def validation(comparisons: Sequence[Comparison]) -> Row:
    """Return the answer of `validate-model`: targets, run-to-run spread, and errors in four orders."""
    targets = [_target(comparisons, *target) for target in TARGETS]
    return {
        "schema": SCHEMA,
        "passed": all(target["passed"] for target in targets),
        "targets": targets,
        "kinds": dict(KINDS),
        "profiles": sum(len(rows) for silicon in silicon_table() for rows in profiles_of(silicon.name).values()),
        "spread": [_spread(silicon.name) for silicon in silicon_table()],
        "by_kind": _table(comparisons, ("kind", "quantity"), lambda one: (one.kind, _group(one))),
        "by_silicon": _table(
            comparisons, ("kind", "silicon", "quantity"), lambda one: (one.kind, one.silicon, _group(one))
        ),
        "by_program": _table(
            (one for one in comparisons if one.quantity in (IPC, SECONDS)),
            ("kind", "suite", "workload", "quantity"),
            lambda one: (one.kind, one.suite, one.workload, one.quantity),
        ),
        "by_event": _table(
            (one for one in comparisons if isinstance(one.quantity, int)),
            ("kind", "event"),
            lambda one: (one.kind, name_of(one)),
        ),
    }


def name_of(one: Comparison) -> str:
    """Name the quantity of a comparison."""
    return one.quantity if isinstance(one.quantity, str) else event_names()[one.quantity]


def _group(one: Comparison) -> str:
    name = name_of(one)
    return name if name in (*NAMED, SECONDS) else "other events"


def _target(comparisons: Iterable[Comparison], quantity: str, median: float, p90: float) -> Row:
    wanted = event_codes().get(quantity, quantity)
    errors = [abs(one.error) for one in comparisons if one.kind == BETWEEN and one.quantity == wanted]
    found = figures(errors)
    passed = found["median"] <= median and found["p90"] <= p90
    return {"quantity": quantity, **found, "median_allowed": median, "p90_allowed": p90, "passed": passed}


def _spread(silicon: str) -> Row:
    """Return how far the wall times of one program at one frequency lie apart, (most - least) / median."""
    return {
        "silicon": silicon,
        **figures([row.spread for rows in profiles_of(silicon).values() for row in rows]),
    }


def figures(errors: Sequence[float]) -> Row:
    """Return number, median, 90th percentile and the largest of some values."""
    values = np.array(errors)
    return {
        "n": len(values),
        "median": float(np.median(values)),
        "p90": float(np.quantile(values, 0.9)),
        "worst": float(values.max()),
    }


def _table(
    comparisons: Iterable[Comparison], names: tuple[str, ...], key: Callable[[Comparison], tuple[Hashable, ...]]
) -> list[Row]:
    """Return a row for each key, in the order of their first appearance, with the worst case in full."""
    groups: dict[tuple[Hashable, ...], list[Comparison]] = {}
    for one in comparisons:
        groups.setdefault(key(one), []).append(one)
    return [_row(dict(zip(names, values, strict=True)), group) for values, group in groups.items()]


def _row(head: Row, group: Sequence[Comparison]) -> Row:
    worst = max(group, key=lambda one: abs(one.error))
    return {
        **head,
        **figures([abs(one.error) for one in group]),
        "worst_case": asdict(worst) | {"quantity": name_of(worst), "error": worst.error},
    }
