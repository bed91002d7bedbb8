"""Files that an input file names lie beside it or below: an input from a stranger must not reach any others."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from simcore.errors import InputError
from simcore.scenario_build import is_file


def within(folder: Path, name: str, where: str) -> Path:
    """Return the path of a file as seen from a folder; raises InputError where `..`, `/` or a link leads out of it."""
    path = folder / name
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):  # a loop of links, a NUL
        inside = False
    if not inside:
        raise InputError(
            f"{name!r} leads out of the directory of this file",
            where,
            "what a file names lies beside it or below; a file elsewhere is named on the command line",
            "a name such as board.toml or boards/board.toml",
        )
    return path


def check_files(tables: Mapping[str, Any], folder: Path, where: str) -> None:
    """Raise InputError for a file that the tables of a scenario name outside of the folder."""
    for key, name in _files(tables):
        within(folder, name, f"{where}: {key}")


def _files(tables: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (key, file) of what unchecked tables name; what is of a wrong type is found when they are checked."""
    platform = tables.get("platform")
    if isinstance(platform, str) and is_file(platform):
        yield "platform", platform
    rtapp = tables.get("rtapp")
    if isinstance(rtapp, dict) and isinstance(rtapp.get("file"), str):
        yield "rtapp.file", rtapp["file"]
    vms = tables.get("vms")
    for number, vm in enumerate(vms if isinstance(vms, list) else []):
        guest = vm.get("guest") if isinstance(vm, dict) else None
        yield from _guest_files(guest if isinstance(guest, dict) else {}, f"vms.{number}.guest")


def _guest_files(guest: Mapping[str, Any], key: str) -> Iterator[tuple[str, str]]:
    name, workload = guest.get("name"), guest.get("workload")
    if isinstance(name, str) and ":" in name:
        yield f"{key}.name", name.partition(":")[2]
    if isinstance(workload, str) and is_file(workload):
        yield f"{key}.workload", workload
