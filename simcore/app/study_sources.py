"""What a result directory holds, as points, rows and moves for the pictures of studies; reads files, draws nothing.

A directory is that of a sweep, of a comparison (or replay), or of a run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simcore.app.aggregating import compare_row, run_answer
from simcore.app.lanes import policy_names
from simcore.app.live_plans import then
from simcore.app.run_rows import row_metrics, run_row, table_of_rows
from simcore.app.storing import load_runs
from simcore.app.study_data import StudyData, load_study
from simcore.app.study_points import NO_PMU, POLICY_KEYS, Point, Table, point_of, setting, short_policy, varied
from simcore.app.sweep_directory import is_sweep, read_study
from simcore.errors import InputError, first_line
from simcore.limits import MAX_VECTOR_BYTES, read_json
from simcore.loader import load_platform
from simcore.platform import Platform
from simcore.result import Result
from simcore.run_columns import RUN_COLUMNS
from simcore.study import SCENARIOS
from simcore.study_build import scenario_of

Row = dict[str, Any]
ANSWERS = ("compare.json", "replay.json")


def points_of(directory: Path) -> list[Point]:
    """Return the points of a sweep that have runs; else one for each run kept (of one seed, so without intervals)."""
    if is_sweep(directory):
        return study_points(load_study(directory))
    return [_single(result) for result in load_runs(directory)]


def study_points(data: StudyData) -> list[Point]:
    """Return the points of a study that have runs, with the throughput where a point without a PMU is like them."""
    named = [(*_named(data, point.number), point.values, data.at(point.number)) for point in data.points]
    named = [row for row in named if len(row[-1])]
    points = [point_of(*row) for row in named]
    others = [key for key in varied([point for point in points if point.has_pmu]) if key not in POLICY_KEYS]
    baselines = {
        setting(point.keys, others): row[-1] for point, row in zip(points, named, strict=True) if not point.has_pmu
    }
    return [
        point_of(*row, baselines.get(setting(point.keys, others))) for point, row in zip(points, named, strict=True)
    ]


def _named(data: StudyData, point: int) -> tuple[str, str, int]:
    """Return policy, kernel and number of vCPUs of the first VM at a point."""
    scenario = scenario_of(data.study, point)
    vm = scenario.vms[0]
    policy, _, kernel = (vm.policy or NO_PMU).partition("@")
    policy, _, kernel = then(scenario, f"{policy}@{kernel or vm.kernel}").rpartition("@")
    return policy, kernel, vm.vcpus


def _single(result: Result) -> Point:
    policy, _, kernel = policy_names(result)[0].rpartition("@")
    return point_of(policy, kernel, result.scenario.vms[0].vcpus, {}, table_of_rows(RUN_COLUMNS, [run_row(result)]))


def rows_of(directory: Path) -> list[Row]:
    """Return rows as those of `compare --json`, each with its short `label`, of the points or policies there."""
    if is_sweep(directory):
        return study_rows(load_study(directory))
    for name in ANSWERS:
        if (directory / name).exists():
            return [_labelled(row) for row in _answered(directory / name)]
    return [_labelled(row) for result in load_runs(directory) for row in run_answer(result)["policies"]]


def study_rows(data: StudyData) -> list[Row]:
    """Return a row of figures for each point of a study that has runs."""
    points = study_points(data)
    others = [key for key in varied(points) if key not in POLICY_KEYS]
    tables: list[Table] = [data.at(point.number) for point in data.points if len(data.at(point.number))]
    return [
        compare_row(point.policy, point.kernel, [row_metrics(row) for row in table], None)
        | {"label": " ".join(filter(None, (point.label, setting(point.keys, others))))}
        for point, table in zip(points, tables, strict=True)
    ]


def _answered(path: Path) -> list[Row]:
    answer = read_json(path, "damaged result directory", MAX_VECTOR_BYTES)
    try:
        return [row | {"policy": row["policy"], "kernel": row["kernel"]} for row in answer["policies"]]
    except (LookupError, TypeError) as error:
        raise InputError("damaged result directory", where=str(path), why=first_line(error)) from None


def _labelled(row: Row) -> Row:
    return row | {"label": short_policy(f"{row['policy']}@{row['kernel']}")}


@dataclass(frozen=True, slots=True)
class Moves:
    """Moves of vCPU threads between core types: ``matrices`` [label] is [core type left, core type reached]."""

    cores: tuple[str, ...]
    matrices: dict[str, NDArray[np.int64]]


def moves_of(directory: Path) -> Moves:
    """Return the moves of the first VM in the runs that a comparison or a run keeps."""
    results = load_runs(directory)
    platform = load_platform(results[0].scenario.platform)
    found = {short_policy(policy_names(result)[0]): moves_between(result, platform) for result in results}
    return Moves(tuple(core.id for core in platform.core_types), found)


def moves_between(result: Result, platform: Platform) -> NDArray[np.int64]:
    """Count the first VM's moves by core type: [left, reached], in the order of the platform's core types."""
    vcpus, table = result.tables["vcpus"], result.tables["migrations"]
    table = table[np.isin(table["vcpu"], vcpus["vcpu"][vcpus["vm"] == 0])]
    names = [core.id for core in platform.core_types]
    types = np.array([names.index(cpu.core) for cpu in platform.cpus])
    found = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(found, (types[table["from_cpu"]], types[table["to_cpu"]]), 1)
    return found


def platforms_of(directory: Path) -> Sequence[str]:
    """Name the platforms of the runs in a directory."""
    if is_sweep(directory):
        study = read_study(directory)
        if study.kind != SCENARIOS:
            return [study.base["platform"]]
        return list(dict.fromkeys(scenario_of(study, point).platform for point in range(study.points)))
    return list(dict.fromkeys(result.scenario.platform for result in load_runs(directory)))


def told(directory: Path) -> str:
    """Say in a line what a directory holds."""
    if is_sweep(directory):
        study = read_study(directory)
        return f"study {study.name}: {study.points} points, up to {study.seed_count} seeds each"
    result = load_runs(directory)[0]
    vm = result.scenario.vms[0]
    return f"{result.scenario.platform}, {vm.guest.name} guest, {vm.vcpus} vCPUs, scheduler {result.scenario.scheduler}"
