"""The text of `hetpmu validate-model`: aligned, at most 120 columns."""

from collections.abc import Iterable
from textwrap import wrap
from typing import Any

from simcore.app.columns import percent, table
from simcore.app.validating import NAMED
from workloads.holdout import IPC, POSTED, SECONDS

Row = dict[str, Any]
BRANCH_MISSES = "BR_MIS_PRED_RETIRED"
SHORT = {
    "L1D_CACHE_REFILL": "L1D misses",
    BRANCH_MISSES: "branch misses",
    "L1D_TLB_REFILL": "L1D-TLB misses",
}
QUANTITIES = (*NAMED, SECONDS, "other events")


def validation_text(answer: Row, kind: str) -> str:
    """Return the answer of `validate-model`; events of one kind of prediction."""
    sections = (
        _kinds(answer),
        _by_kind(answer),
        _by_silicon(answer),
        _by_program(answer),
        _by_event(answer, kind),
        _targets(answer),
    )
    return "\n\n".join(sections)


def _kinds(answer: Row) -> str:
    lines = [f"The model against {answer['profiles']} measured profiles, each predicted from others:"]
    for name, text in answer["kinds"].items():
        lines += wrap(f"  {name:9} {text}", 118, subsequent_indent=" " * 12)
    return "\n".join(lines)


def _three(row: Row | None) -> str:
    return "-" if row is None else "/".join(_figure(row[key]) for key in ("median", "p90", "worst"))


def _two(row: Row | None) -> str:
    return "-" if row is None else f"{_figure(row['median'])}/{_figure(row['worst'])}"


def _figure(error: float) -> str:
    """Show an error in per cent with three figures; beyond tenfold it says no more than that."""
    return f"{100 * error:.{2 if error < 0.01 else 1 if error < 1 else 0}f}" if error < 10 else ">1000"


def _find(rows: Iterable[Row], **wanted: str) -> Row | None:
    return next((row for row in rows if all(row[key] == value for key, value in wanted.items())), None)


def _by_kind(answer: Row) -> str:
    head = ("quantity", *answer["kinds"])
    rows = [
        (
            SHORT.get(name, name),
            *(_three(_find(answer["by_kind"], kind=kind, quantity=name)) for kind in answer["kinds"]),
        )
        for name in QUANTITIES
    ]
    return "relative error in %, by quantity: median/90th percentile/worst\n" + table(head, rows)


def _by_silicon(answer: Row) -> str:
    kinds = [kind for kind in answer["kinds"] if kind != POSTED]
    rows = [
        (
            spread["silicon"],
            *(
                _three(_find(answer["by_silicon"], kind=kind, silicon=spread["silicon"], quantity=IPC))
                for kind in kinds
            ),
            _three(spread),
        )
        for spread in answer["spread"]
    ]
    note = "run to run: wall times of a profile"
    head = f"error of IPC in %, by core type: median/90th percentile/worst; {note}"
    return "\n".join([head, table(("core type", *kinds, "run to run"), rows), "", _by_posted_core(answer)])


def _by_posted_core(answer: Row) -> str:
    found = [row for row in answer["by_silicon"] if row["kind"] == POSTED]
    rows = [
        (row["silicon"], row["n"], _three(row), _three(_find(found, silicon=row["silicon"], quantity=BRANCH_MISSES)))
        for row in found
        if row["quantity"] == IPC
    ]
    return table(("core type, posted", "programs", "IPC", "branch misses"), rows)


def _by_program(answer: Row) -> str:
    programs = dict.fromkeys((row["suite"], row["workload"]) for row in answer["by_program"])
    head = ("program", *answer["kinds"])
    rows = [
        (
            workload,
            *(
                _two(_find(answer["by_program"], kind=kind, suite=suite, workload=workload, quantity=IPC))
                for kind in answer["kinds"]
            ),
        )
        for suite, workload in programs
    ]
    return "error of IPC in %, by program: median/worst\n" + table(head, rows)


def _by_event(answer: Row, kind: str) -> str:
    head = ("event", "profiles", "median", "90th pct", "worst", "worst case")
    rows = [
        (row["event"], row["n"], percent(row["median"]), percent(row["p90"]), percent(row["worst"]), _case(row))
        for row in answer["by_event"]
        if row["kind"] == kind
    ]
    return f"relative error by event, {kind}: count per 1000 instructions\n" + table(head, rows)


def _case(row: Row) -> str:
    case = row["worst_case"]
    return f"{case['workload']}, {case['silicon']}, {case['khz'] // 1000} MHz"


def _targets(answer: Row) -> str:
    head = ("target, between", "median", "allowed", "90th pct", "allowed", "")
    rows = [
        (
            SHORT.get(row["quantity"], row["quantity"]),
            percent(row["median"]),
            percent(row["median_allowed"]),
            percent(row["p90"]),
            percent(row["p90_allowed"]),
            "met" if row["passed"] else "MISSED",
        )
        for row in answer["targets"]
    ]
    return table(head, rows)
