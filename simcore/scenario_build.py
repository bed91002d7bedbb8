"""Builds a `Scenario` from checked tables, and applies `key=value` changes to the tables before they are checked."""

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

from simcore.costs import Costs
from simcore.errors import InputError
from simcore.limits import MAX_DEPTH, too_deep
from simcore.scenario import (
    AffinityChange,
    BackgroundTask,
    CgroupSpec,
    CpusetChange,
    GuestSpec,
    IdleSpec,
    LiveMigration,
    OppChange,
    PinSpec,
    RtappSpec,
    Scenario,
    ThreadSpec,
    VmmThreadsSpec,
    VmSpec,
)
from simcore.schema_scenario import GuestTable, ScenarioFile, VmTable
from simcore.tomlfile import parse_toml

Built = TypeVar("Built")


def build_scenario(table: ScenarioFile, folder: Path) -> Scenario:
    """Return the scenario of checked tables; a platform's file is looked for from `folder`."""
    return _built(
        Scenario,
        table,
        platform=None if table.platform is None else file_of(table.platform, folder),
        vms=_each(lambda row: _vm(row, folder), table.vms),
        background=_each(lambda row: _built(BackgroundTask, row), table.background),
        rtapp=None if table.rtapp is None else _built(RtappSpec, table.rtapp, file=_beside(table.rtapp.file, folder)),
        opp_changes=_each(lambda row: _built(OppChange, row), table.opp_changes),
        affinity_changes=_each(lambda row: _built(AffinityChange, row), table.affinity_changes),
        cpuset_changes=_each(lambda row: _built(CpusetChange, row), table.cpuset_changes),
        live_migrations=_each(lambda row: _built(LiveMigration, row), table.live_migrations),
        causes=None if table.causes is None else frozenset(table.causes),
        idle=None if table.idle is None else _built(IdleSpec, table.idle),
        costs=None if table.costs is None else _built(Costs, table.costs),
        busy_counters=None if table.busy_counters is None else tuple(sorted(table.busy_counters.items())),
    )


def is_file(name: str) -> bool:
    """Tell whether a name of a platform or a workload is that of a file."""
    return "/" in name or name.endswith(".toml")


def file_of(name: str, folder: Path) -> str:
    """Return a name as it is, or the path of the file of that name as seen from a folder."""
    return str(folder / name) if is_file(name) else name


def _beside(name: str | None, folder: Path) -> str | None:
    return None if name is None else str(folder / name)


def _guest(table: GuestTable, folder: Path) -> GuestSpec:
    """Return a guest; the files that its name and workload refer to are looked for from the folder."""
    program, colon, file = (table.name or "").partition(":")
    name = f"{program}:{folder / file}" if colon else table.name
    workload = None if table.workload is None else file_of(table.workload, folder)
    return _built(GuestSpec, table, name=name, workload=workload)


def _vm(table: VmTable, folder: Path) -> VmSpec:
    spec = _built(
        VmSpec,
        table,
        guest=_guest(table.guest, folder),
        sched=_built(ThreadSpec, table.sched),
        cgroup=_built(CgroupSpec, table.cgroup),
        vmm_threads=_built(VmmThreadsSpec, table.vmm_threads),
        pin=_built(PinSpec, table.pin),
    )
    return replace(spec, policy=None) if spec.policy == "none" else spec


def _each(build: Any, rows: list[Any] | None) -> tuple[Any, ...] | None:
    return None if rows is None else tuple(build(row) for row in rows)


def _built(target: type[Built], table: object, **ready: Any) -> Built:
    """Return the dataclass filled from the keys that the table has; a field `x_ns` is the key `x`, lists are tuples."""
    given: dict[str, Any] = {}
    for field in fields(target):  # type: ignore[arg-type]
        name = field.name.removesuffix("_ns")
        value = ready[name] if name in ready else getattr(table, name)
        if value is not None:
            given[field.name] = _frozen(value)
    return target(**given)


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def changed(tables: dict[str, Any], changes: Mapping[str, str]) -> dict[str, Any]:
    """Return the tables of a file with the values of some keys replaced (`vms.0.vcpus`, `seed`)."""
    for key, text in changes.items():
        put(tables, key, _value(text), f"--set {key}")
    return tables


def put(tables: dict[str, Any], key: str, value: Any, where: str) -> None:
    """Replace the value of one key (`vms.0.vcpus`, `seed`) in the tables; `where` is what messages call it."""
    *path, last = key.split(".")
    if len(path) >= MAX_DEPTH:
        too_deep(where)
    here: Any = tables
    for part in path:
        here = _step(here, part, where)
    if isinstance(here, dict):
        here[last] = value
        return
    index = _index(here, last, where)
    here[index : index + 1] = [value]


def _value(text: str) -> Any:
    """Return a TOML value, or the text itself where it is none (`10ms`, `rk3588`)."""
    try:
        return parse_toml(f"value = {text}", "")["value"]
    except InputError:
        return text


def _step(here: Any, part: str, where: str) -> Any:
    if isinstance(here, dict):
        return here.setdefault(part, [] if part in ("vms", "background") else {})
    index = _index(here, part, where)
    if index == len(here):
        here.append({})
    return here[index]


def _index(here: Any, part: str, where: str) -> int:
    if not isinstance(here, list):
        raise InputError(f"there is nothing below {part!r}", where=where)
    if not (part.isdecimal() and len(part) < 6 and int(part) <= len(here)):
        raise InputError(f"{part!r} is no index here", where=where, valid=f"0 to {len(here)}")
    return int(part)
