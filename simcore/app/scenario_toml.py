"""A scenario or a study as the text of a TOML file that gives it back when it is loaded: only what is no default."""

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from simcore.app.scenario_files import with_files
from simcore.costs import Costs
from simcore.scenario import Scenario
from simcore.scenario_build import is_file
from simcore.study import Study
from simcore.study_build import SCENARIO_FORMAT
from simcore.units import format_time_ns

STUDY_FORMAT = "hetpmu-study/1"


def scenario_toml(scenario: Scenario) -> str:
    """Return the file of a scenario."""
    return toml({"format": SCENARIO_FORMAT, **_changes(scenario)})


def beside(scenario: Scenario) -> tuple[Scenario, list[str]]:
    """Return a scenario whose files lie beside it, and their names: a file of a scenario leads to no other folder."""
    names: list[str] = []

    def near(name: str) -> str:
        names.append(Path(name).name)
        return names[-1]

    moved = with_files(scenario, near)
    if is_file(scenario.platform):
        moved = dataclasses.replace(moved, platform=near(scenario.platform))
    return moved, list(dict.fromkeys(names))


def study_toml(study: Study) -> str:
    """Return the file of a study; the files that its scenarios name are looked for beside it."""
    tables: dict[str, Any] = {"format": STUDY_FORMAT, "name": study.name, "question": study.question}
    tables["base"] = {key: value for key, value in study.base.items() if key != "format"}
    grid = {axis.keys[0]: [row[0] for row in axis.rows] for axis in study.axes if len(axis.keys) == 1}
    several = [axis for axis in study.axes if len(axis.keys) > 1]
    tables["grid"] = grid
    tables["zip"] = {key: [row[n] for row in axis.rows] for axis in several[:-1] for n, key in enumerate(axis.keys)}
    tables["points"] = [dict(zip(axis.keys, row, strict=True)) for axis in several[-1:] for row in axis.rows]
    tables["seeds"] = {"count": study.seed_count, "base": study.first_seed}
    if study.stop is not None:
        tables["stop"] = dataclasses.asdict(study.stop)
    return toml({key: value for key, value in tables.items() if value or key == "question"})


def toml(tables: Mapping[str, Any], above: str = "") -> str:
    """Return tables as TOML: plain values first, then tables, then lists of tables."""
    return "\n".join(_lines(tables, above)) + "\n"


def _changes(spec: Any) -> dict[str, Any]:
    """Return what differs from the defaults, by the keys of a file; times with unit."""
    found: dict[str, Any] = {}
    for field in dataclasses.fields(spec):
        value, default = getattr(spec, field.name), _default(field)
        if value == default:
            continue
        if field.name.endswith("_ns") or isinstance(spec, Costs):
            found[field.name.removesuffix("_ns")] = format_time_ns(value)
        else:
            found[field.name] = _plain(value)
    return found


def _default(field: "dataclasses.Field[Any]") -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return _changes(value)
    if isinstance(value, frozenset):
        return sorted(value)
    if (
        isinstance(value, tuple)
        and value
        and isinstance(value[0], tuple)
        and isinstance(next(iter(value[0]), None), str)
    ):
        return dict(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return "none" if value is None else value


def _lines(tables: Mapping[str, Any], above: str) -> Iterator[str]:
    plain = {key: value for key, value in tables.items() if not _is_tables(value)}
    yield from (f"{_key(key)} = {_value(value)}" for key, value in plain.items())
    for key, value in tables.items():
        path = f"{above}{_key(key)}"
        if isinstance(value, Mapping):
            yield from ("", f"[{path}]", *_lines(value, f"{path}."))
        elif _is_tables(value):
            for row in value:
                yield from ("", f"[[{path}]]", *_lines(row, f"{path}."))


def _is_tables(value: Any) -> bool:
    if isinstance(value, Mapping):
        return True
    return isinstance(value, Sequence) and bool(value) and all(isinstance(item, Mapping) for item in value)


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else _value(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items()) + " }"
    return "[" + ", ".join(_value(item) for item in value) + "]"
