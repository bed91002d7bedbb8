"""From the tables of a study file to a `Study`, and from a point of it to the `Scenario` of one run."""

import copy
import dataclasses
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simcore.confine import check_files, within
from simcore.errors import InputError, unknown_name
from simcore.run_columns import STOP_METRICS
from simcore.scenario import Scenario
from simcore.scenario_build import build_scenario, put
from simcore.schema_errors import checked
from simcore.schema_scenario import ScenarioFile
from simcore.schema_study import StudyFile, SweepFile
from simcore.study import SCENARIOS, Axis, Stop, Study, study_of
from simcore.tomlfile import read_toml

SCENARIO_FORMAT = "hetpmu-scenario/1"
MAX_KEYS, MAX_POINTS = 64, 1_000_000
NOT_KEYS = {"seed": "[seeds] gives every point the same seeds", "format": "it is not for a study to change"}


def build_study(table: StudyFile, path: str) -> Study:
    """Return the study of a checked file; `path` is where messages say that it stands."""
    folder = Path(path).parent
    axes = _axes(table, path)
    keys = [key for axis in axes for key in axis.keys]
    times = Counter(keys)
    for key in keys:
        if key in NOT_KEYS:
            raise InputError(f"{key} cannot be a key of a study", where=path, why=NOT_KEYS[key])
        if times[key] > 1:
            raise InputError(f"{key} is given twice", where=path, valid="each key once in grid, zip and points")
    stop = table.stop
    if stop is not None and stop.metric not in STOP_METRICS:
        raise unknown_name("metric", stop.metric, STOP_METRICS, f"{path}: stop.metric")
    if stop is not None and stop.min_seeds > table.seeds.count:
        raise InputError(
            f"{stop.min_seeds} seeds at least are more than there are",
            where=f"{path}: stop.min_seeds",
            valid=f"at most {table.seeds.count}, which is seeds.count",
        )
    study = Study(
        name=table.name,
        question=table.question,
        base=_base(table, path, folder),
        axes=axes,
        seed_count=table.seeds.count,
        first_seed=table.seeds.base,
        stop=None if stop is None else Stop(stop.metric, stop.half_width, stop.min_seeds),
        folder=str(folder),
    )
    _check_size(study, path)
    return study


def kept_study(data: Mapping[str, Any], path: str) -> Study:
    """Return the study of what a sweep's study.json says; raises InputError for what no sweep wrote."""
    table = checked(SweepFile, dict(data), path)
    for number, axis in enumerate(table.study.axes):
        if any(len(row) != len(axis.keys) for row in axis.rows):
            raise InputError("a row is not as long as the keys are many", where=f"{path}: study.axes[{number}].rows")
    found = study_of(data["study"], table.folder)
    _check_size(found, path)
    if found.digest() != table.digest:
        raise InputError("damaged sweep", where=path, why="its digest is not that of the study")
    if found.stop is not None and found.stop.metric not in STOP_METRICS:
        raise unknown_name("metric", found.stop.metric, STOP_METRICS, f"{path}: study.stop.metric")
    return found


def _check_size(study: Study, path: str) -> None:
    """Refuse a study of more points than anyone could run, before anything is done for each of them."""
    if len(study.keys) > MAX_KEYS:
        raise InputError(f"{len(study.keys)} keys", where=path, valid=f"at most {MAX_KEYS}")
    if study.points > MAX_POINTS:
        raise InputError(
            f"{study.points:.3g} points" if study.points < 1e300 else "too many points",
            where=path,
            valid=f"at most {MAX_POINTS}",
        )


def scenario_of(study: Study, point: int, seed: int | None = None) -> Scenario:
    """Return the scenario of a run; raises InputError that names the point's values where they make none."""
    if study.kind != SCENARIOS:
        raise InputError(
            "the runs of this sweep are images of real code, not scenarios",
            where=f"study {study.name}",
            valid="hetpmu show, hetpmu export, or its Parquet files (docs/guest_code.md)",
        )
    values = study.values(point)
    where = f"study {study.name}, point {point} ({_shown(values)})"
    tables = copy.deepcopy(dict(study.base))
    for key, value in values.items():
        put(tables, key, copy.deepcopy(value), where)
    check_files(tables, Path(study.folder), where)
    scenario = build_scenario(checked(ScenarioFile, tables, where), Path(study.folder))
    return dataclasses.replace(scenario, seed=study.first_seed if seed is None else seed)


def _shown(values: Mapping[str, Any]) -> str:
    text = ", ".join(f"{key}={value}" for key, value in values.items())
    return text if len(text) <= 120 else text[:117] + "..."


def _base(table: StudyFile, path: str, folder: Path) -> dict[str, Any]:
    if table.scenario is not None and table.base is not None:
        raise InputError("a base scenario is given twice", where=path, valid="either scenario (a file) or [base]")
    if table.scenario is None:
        return {"format": SCENARIO_FORMAT} | (table.base or {})
    return read_toml(within(folder, table.scenario, f"{path}: scenario"))


def _axes(table: StudyFile, path: str) -> tuple[Axis, ...]:
    axes = [
        _axis((key,), [(value,) for value in _listed(values, f"{path}: grid.{key}")], f"{path}: grid.{key}")
        for key, values in _flat(table.grid or {}).items()
    ]
    together = {key: _listed(values, f"{path}: zip.{key}") for key, values in _flat(table.zip or {}).items()}
    if together:
        lengths = {len(values) for values in together.values()}
        if len(lengths) > 1:
            raise InputError("lists of different lengths", where=f"{path}: zip", valid="as many values for each key")
        axes.append(_axis(tuple(together), list(zip(*together.values(), strict=True)), f"{path}: zip"))
    if table.points:
        axes.append(_listed_points([_flat(row) for row in table.points], path))
    if not axes:
        raise InputError("the study has no points", where=path, valid="a [grid], a [zip] or [[points]]")
    return tuple(axes)


def _listed_points(rows: list[dict[str, Any]], path: str) -> Axis:
    keys = tuple(rows[0])
    for number, row in enumerate(rows):
        if not row or set(row) != set(keys):
            raise InputError(
                "points have different keys", where=f"{path}: points[{number}]", valid=", ".join(keys) or "some keys"
            )
    return _axis(keys, [tuple(row[key] for key in keys) for row in rows], f"{path}: points")


def _axis(keys: tuple[str, ...], rows: list[tuple[Any, ...]], where: str) -> Axis:
    """Return an axis; the same step twice would be the same runs under two numbers."""
    seen: set[str] = set()
    for row in rows:
        text = json.dumps(row, default=str)
        if text in seen:
            raise InputError(
                f"{_shown(dict(zip(keys, row, strict=True)))} is there twice", where=where, valid="each once"
            )
        seen.add(text)
    return Axis(keys, tuple(rows))


def _listed(values: Any, where: str) -> list[Any]:
    if not isinstance(values, list):
        raise InputError(f"{values!r:.60} is not valid here", where=where, valid="a list of values")
    if not values:
        raise InputError("this is empty", where=where, valid="a list of one value or more")
    return values


def _flat(tables: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return nested tables as dotted keys: `vms.0.policy = [..]` and `"vms.0.policy" = [..]` say the same."""
    found: dict[str, Any] = {}
    for key, value in tables.items():
        found |= _flat(value, f"{above}{key}.") if isinstance(value, dict) and value else {f"{above}{key}": value}
    return found
