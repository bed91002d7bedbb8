"""Finds and loads platforms, by the id of a product file or from a stranger's file, and gives the formats' schemas."""

from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from simcore.errors import unknown_name
from simcore.platform import Platform
from simcore.platform_build import build_platform
from simcore.platform_checks import check_core, check_soc
from simcore.schema_errors import checked
from simcore.schema_platform import CoreFile, CoreTable, SocFile, Table
from simcore.tomlfile import read_toml

_DATA = Path(str(files("simcore"))) / "data"
SCHEMAS: dict[str, type[Table]] = {"soc": SocFile, "core": CoreFile}


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


def load_core_table(core: str) -> CoreTable:
    """Return the table of a product core type."""
    if core not in list_cores():
        raise unknown_name("core type", core, list_cores())
    return _product_core(core)


def validate_core_file(path: str) -> CoreTable:
    """Check a file with one core type and return its table."""
    return _core_from_file(Path(path))


def schema(kind: str) -> dict[str, Any]:
    """Return the JSON Schema of a kind of file (`soc`, `core`)."""
    if kind not in SCHEMAS:
        raise unknown_name("kind of file", kind, SCHEMAS)
    return SCHEMAS[kind].model_json_schema()


def _ids(folder: str) -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in (_DATA / folder).glob("*.toml")))


def _looks_like_path(text: str) -> bool:
    return "/" in text or text.endswith(".toml") or (text != "" and Path(text).exists())


def _from_file(path: Path) -> Platform:
    soc = checked(SocFile, read_toml(path), str(path))
    check_soc(soc, str(path), list_cores())
    own: dict[str, CoreTable] = {row.id: row for row in soc.core}
    return build_platform(soc, lambda core: own.get(core) or load_core_table(core))


@lru_cache(maxsize=256)
def _product_core(core: str) -> CoreTable:
    return _core_from_file(_DATA / "cores" / f"{core}.toml")


def _core_from_file(path: Path) -> CoreTable:
    table = checked(CoreFile, read_toml(path), str(path))
    check_core(table, f"{path}: ", list_cores())
    return table
