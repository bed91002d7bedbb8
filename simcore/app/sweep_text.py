"""What a sweep has found, point by point: the object of `sweep --json`, and the table that `sweep` and `show` print."""

import math
from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

from simcore.app.aggregating import Row, compare_row
from simcore.app.columns import WIDTH, Column, count, duration, parts, percent, render
from simcore.app.run_rows import row_metrics
from simcore.app.study_data import StudyData, load_study
from simcore.app.study_sources import study_points
from simcore.app.study_table import table_text
from simcore.app.sweep_failures import failed_runs
from simcore.app.sweep_stopping import PointProgress, figure_of
from simcore.app.tables import interval
from simcore.run_columns import COLUMN_NAMES
from simcore.scenario import Scenario
from simcore.study_build import scenario_of
from workloads.findings import Finding
from workloads.guests import findings_of

SCHEMA = "hetpmu-sweep/1"
SHOWN_POINTS = 200
KEYS_WIDTH = 58
"""Characters of a line that the values of the keys share."""


def sweep_answer(directory: Path) -> Row:
    """Return what a sweep has found so far; a point's row is one of `compare --json` and a little more."""
    return answer_of(load_study(directory), directory)


def answer_of(data: StudyData, directory: Path) -> Row:
    """Return the same of a sweep that has been read from its directory."""
    failed: dict[int, set[int]] = defaultdict(set)
    for point, seed in failed_runs(directory / "failures"):
        failed[point].add(seed)
    points = [_point_row(data, point.number, point.values, failed[point.number]) for point in data.points]
    return {
        "schema": SCHEMA,
        "study": data.study.name,
        "question": data.study.question,
        "directory": str(directory),
        "keys": [column.key for column in data.study.columns],
        "seeds": {"count": data.study.seed_count, "base": data.study.first_seed},
        "runs": {
            "planned": data.study.runs,
            "finished": sum(row["runs"] for row in points),
            "failed": sum(row["failed"] for row in points),
            "spared": sum(row["spared"] for row in points),
        },
        "points": points,
    }


def costs_text(data: StudyData) -> str:
    """Return the table of what points cost, with intervals."""
    numbers = [point.number for point in data.points if len(data.at(point.number))][:SHOWN_POINTS]
    return table_text(study_points(data)[:SHOWN_POINTS], numbers)


def answer_text(answer: Row, colour: bool = False) -> str:
    """Return the table of what a sweep has found."""
    rows = answer["points"]
    table = render(_columns(answer["keys"]), rows[:SHOWN_POINTS], colour)
    left_out = len(rows) - SHOWN_POINTS
    tail = [f"... and {left_out} more points: --json has them all"] if left_out > 0 else []
    return "\n".join([*answer_head(answer), "", *table, *tail])


def answer_head(answer: Row) -> list[str]:
    """Say what the study asks, and how many of its runs there are."""
    runs = answer["runs"]
    seeds = f"{answer['seeds']['count']} seeds from {answer['seeds']['base']} on"
    missing = runs["planned"] - runs["spared"] - runs["finished"] - runs["failed"]
    states = [
        f"{runs['finished']} runs",
        *([f"{runs['failed']} failed"] if runs["failed"] else []),
        *([f"{missing} still missing"] if missing > 0 else []),
        *([f"{runs['spared']} not needed"] if runs["spared"] else []),
    ]
    title = wrap(f"{answer['study']}: {answer['question']}", WIDTH)
    return [*title, f"{len(answer['points'])} points, {seeds}: {', '.join(states)}"]


def _point_row(data: StudyData, number: int, values: dict[str, Any], failed: Collection[int]) -> Row:
    scenario = scenario_of(data.study, number)
    policy, kernel, findings = _names(scenario)
    runs = [row_metrics(row) for row in data.at(number)]
    lived_ns = sum(run.lived_ns for run in runs)
    row = compare_row(policy, kernel, runs, None, findings)
    if row["pmccntr_rate_mhz"]:
        row["pmccntr_rate_mhz"]["median"] = None
    spared = _spared(data, number, failed)
    wanted = data.study.seeds[: data.study.seed_count - spared]
    head = {"point": number, "values": values, "failed": len(set(failed) & set(wanted)), "spared": spared}
    return head | {"lived_ns": lived_ns} | row


def _spared(data: StudyData, number: int, failed: Collection[int]) -> int:
    """Return how many seeds a point does without, because it has had enough."""
    study = data.study
    if study.stop is None:
        return 0
    figure = figure_of(study.stop.metric)
    progress = PointProgress(study.seed_count, study.stop)
    for row in data.at(number):
        progress.add(int(row["seed"]) - study.first_seed, figure(tuple(row[name] for name in COLUMN_NAMES)))
    for seed in failed:
        progress.add(seed - study.first_seed, math.nan)
    return 0 if progress.ended is None else study.seed_count - progress.ended


def _names(scenario: Scenario) -> tuple[str, str, Sequence[Finding]]:
    vm = scenario.vms[0]
    policy, _, kernel = (vm.policy or "none").partition("@")
    return policy, kernel or vm.kernel, findings_of(vm.guest)


def _columns(keys: Sequence[str]) -> list[Column]:
    width = max(6, KEYS_WIDTH // max(1, len(keys)))
    return [Column(("", ""), lambda row: str(row["point"])), *(_key_column(key, width) for key in keys), *FIGURES]


def _key_column(key: str, width: int) -> Column:
    head = _cut(key.rpartition(".")[2], width)
    return Column((head, ""), lambda row: _cut(str(row["values"][key]), width), left=True)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 2] + ".."


def _rate(row: Row, name: str) -> float | None:
    return row[name] / row["lived_ns"] * 1e9 if row["lived_ns"] else None


def _per_second(row: Row, name: str) -> str:
    return count(_rate(row, name))


FIGURES = (
    Column(("runs", ""), lambda row: str(row["runs"])),
    Column(("guest", "died"), lambda row: percent(row["crash_probability"]["estimate"])),
    Column(("95 %", "interval"), interval),
    Column(("stalled", ""), lambda row: percent(row["stalled_fraction"])),
    Column(("clock", "error"), lambda row: parts((row["clock_error_ppm"] or {}).get("median"))),
    Column(("cross-", "ings/s"), lambda row: _per_second(row, "crossings")),
    Column(("PMU", "cost/s"), lambda row: duration(_rate(row, "overhead_ns"))),
    Column(("instr.", "/s"), lambda row: _per_second(row, "instructions")),
)
