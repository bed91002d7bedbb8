"""The files that a scenario names beside its platform: workloads, and rt-app files of guests and of the host.

A result directory keeps copies of them, so that exports, reports and another run read what this run did.
"""

import contextlib
import dataclasses
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from simcore.confine import within
from simcore.errors import InputError
from simcore.limits import digest_of_file, read_bytes
from simcore.scenario import GuestSpec, Scenario
from simcore.scenario_build import is_file

FOLDER = "files"


def with_files(scenario: Scenario, change: Callable[[str], str]) -> Scenario:
    """Return a scenario with other names for its files."""

    def guest(spec: GuestSpec) -> GuestSpec:
        kind, colon, file = spec.name.partition(":")
        workload = change(spec.workload) if is_file(spec.workload) else spec.workload
        return dataclasses.replace(spec, name=f"{kind}:{change(file)}" if colon else kind, workload=workload)

    vms = tuple(dataclasses.replace(vm, guest=guest(vm.guest)) for vm in scenario.vms)
    file = change(scenario.rtapp.file) if scenario.rtapp.file else None
    return dataclasses.replace(scenario, vms=vms, rtapp=dataclasses.replace(scenario.rtapp, file=file))


def keep_files(scenario: Scenario, directory: Path) -> dict[str, dict[str, str]]:
    """Copy the files into a directory; return for each name its copy and the digest of that.

    One that is gone by now, or no regular file, is left out: the result stays.
    """
    kept: dict[str, dict[str, str]] = {}
    for name in _files_of(scenario):
        with contextlib.suppress(InputError):
            if os.path.isfile(name):
                data = read_bytes(name)
                copy = _free(directory / FOLDER, Path(name).name)
                copy.parent.mkdir(exist_ok=True)
                copy.write_bytes(data)
                kept[name] = {"copy": f"{FOLDER}/{copy.name}", "sha256": digest_of_file(copy)}
    return kept


def with_copies(scenario: Scenario, directory: Path, kept: Mapping[str, Mapping[str, str]]) -> Scenario:
    """Return a scenario that names the copies; raises InputError for one that is gone or is not what was written."""
    copies: dict[str, str] = {}
    for name, row in kept.items():
        path = within(directory, row["copy"], str(directory))
        if not path.is_file():
            raise InputError(f"{row['copy']} is gone")
        if digest_of_file(path) != row["sha256"]:
            raise InputError(f"{row['copy']} is not what was written")
        copies[name] = str(path)
    return with_files(scenario, lambda name: copies.get(name, name))


def _files_of(scenario: Scenario) -> list[str]:
    names: dict[str, None] = {}
    with_files(scenario, lambda name: names.setdefault(name) or name)
    return list(names)


def _free(folder: Path, name: str) -> Path:
    """Return the path of a name in a folder, with a number before it where another file has that name."""
    number, path = 1, folder / name
    while path.exists():
        number += 1
        path = folder / f"{number}-{name}"
    return path
