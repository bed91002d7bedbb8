"""Loads platforms (a product's id or a file), scenarios and studies, and gives the schemas of their formats."""

import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from simcore.confine import check_files
from simcore.errors import InputError, unknown_name
from simcore.platform import CoreType, Platform
from simcore.platform_build import build_platform, core_type
from simcore.platform_checks import check_core, check_soc
from simcore.scenario import Scenario
from simcore.scenario_build import build_scenario, changed
from simcore.schema_errors import checked
from simcore.schema_platform import CoreFile, CoreTable, SocFile, Table
from simcore.schema_scenario import ScenarioFile
from simcore.schema_study import StudyFile
from simcore.schema_workload import WorkloadFile
from simcore.study import Study
from simcore.study_build import build_study, scenario_of
from simcore.tomlfile import read_toml

CHECKED_POINTS = 10_000
"""Points of a study that `validate` checks each for itself; of more, it checks each step of each axis once."""
_DATA = Path(str(files("simcore"))) / "data"
SCHEMAS: dict[str, type[Table]] = {
    "scenario": ScenarioFile,
    "soc": SocFile,
    "core": CoreFile,
    "workload": WorkloadFile,
    "study": StudyFile,
}
FORMATS = {f"hetpmu-{kind}/1": kind for kind in SCHEMAS}


def list_platforms() -> tuple[str, ...]:
    """Return the ids of all product SoCs."""
    return _ids("socs")


def list_cores() -> tuple[str, ...]:
    """Return the ids of all product core types."""
    return _ids("cores")


def load_platform(id_or_file: str) -> Platform:
    """Return the platform with a product id, or that of a SoC file."""
    if id_or_file in list_platforms():
        return _from_file(_DATA / "socs" / f"{id_or_file}.toml")
    if _looks_like_path(id_or_file):
        return _from_file(Path(id_or_file))
    raise unknown_name("platform", id_or_file, list_platforms())


def platform_of_tables(tables: Mapping[str, Any], where: str) -> Platform:
    """Return the platform of the tables of a SoC file; `where` is what messages call it."""
    soc = checked(SocFile, dict(tables), where)
    check_soc(soc, where, list_cores())
    own: dict[str, CoreTable] = {row.id: row for row in soc.core}
    return build_platform(soc, lambda core: own.get(core) or load_core_table(core))


def load_core_table(core: str) -> CoreTable:
    """Return the table of a product core type."""
    if core not in list_cores():
        raise unknown_name("core type", core, list_cores())
    return _product_core(core)


def load_core_type(core: str) -> CoreType:
    """Return a product core type by itself, on no platform."""
    return core_type(load_core_table(core), load_core_table)


def validate_core_file(path: str) -> CoreTable:
    """Check a file with one core type and return its table."""
    return _core_from_file(Path(path))


def load_scenario(path: str, changes: Mapping[str, str] | None = None) -> Scenario:
    """Return the scenario of a file, with the values in `changes` for keys such as `seed` or `vms.0.vcpus`.

    Files that it names lie beside it or below; those in `changes`, which the user gives himself, anywhere.
    """
    tables = read_toml(path)
    check_files(tables, Path(path).parent, path)
    tables = changed(tables, changes or {})
    return build_scenario(checked(ScenarioFile, tables, path), Path(path).parent)


def list_studies() -> tuple[str, ...]:
    """Return the names of all product studies."""
    return _ids("studies")


def load_study_file(name_or_file: str) -> Study:
    """Return the product study of that name, or that of a file; the scenarios of its points are not looked at."""
    path = name_or_file
    if name_or_file in list_studies():
        path = str(_DATA / "studies" / f"{name_or_file}.toml")
    elif not _looks_like_path(name_or_file):
        raise unknown_name("study", name_or_file, list_studies())
    return build_study(checked(StudyFile, read_toml(path), path), path)


def load_workload_table(path: str) -> WorkloadFile:
    """Return the table of a file with a workload; each core type has rates once."""
    table = checked(WorkloadFile, read_toml(path), path)
    cores = [row.core for row in table.rates]
    if len(set(cores)) < len(cores):
        raise InputError("a core type has rates twice", f"{path}: rates", valid="each core type once")
    return table


def validate_file(path: str) -> str:
    """Check an input file by itself and return its kind (a key of `SCHEMAS`), which its `format` names."""
    kind = FORMATS.get(str(read_toml(path).get("format")))
    if kind is None:
        raise InputError("the format is missing or unknown", where=f"{path}: format", valid=", ".join(FORMATS))
    loaders: dict[str, Callable[[str], object]] = {
        "scenario": load_scenario,
        "soc": lambda name: _from_file(Path(name)),
        "core": validate_core_file,
        "workload": load_workload_table,
        "study": _check_study,
    }
    loaders[kind](path)
    return kind


def schema(kind: str) -> dict[str, Any]:
    """Return the JSON Schema of a kind of file (a key of `SCHEMAS`)."""
    if kind not in SCHEMAS:
        raise unknown_name("kind of file", kind, SCHEMAS)
    return SCHEMAS[kind].model_json_schema()


@lru_cache(maxsize=8)
def _ids(folder: str) -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in (_DATA / folder).glob("*.toml")))


def _looks_like_path(text: str) -> bool:
    return "/" in text or text.endswith(".toml") or (text != "" and os.path.exists(text))


def _from_file(path: Path) -> Platform:
    """Return the platform of a file, which is read again only where it has changed."""
    try:
        now = path.stat()
    except (OSError, ValueError):
        return _read_platform(path, ())
    return _read_platform(path, (now.st_mtime_ns, now.st_size, now.st_ino))


@lru_cache(maxsize=64)
def _read_platform(path: Path, version: tuple[int, ...]) -> Platform:
    return platform_of_tables(read_toml(path), str(path))


def _check_study(path: str) -> None:
    study = load_study_file(path)
    for point in range(study.points) if study.points <= CHECKED_POINTS else study.first_points():
        scenario_of(study, point)


@lru_cache(maxsize=256)
def _product_core(core: str) -> CoreTable:
    return _core_from_file(_DATA / "cores" / f"{core}.toml")


def _core_from_file(path: Path) -> CoreTable:
    table = checked(CoreFile, read_toml(path), str(path))
    check_core(table, f"{path}: ", list_cores())
    return table
