"""From options and files to a scenario that nobody has checked yet. Imports no numba (see ``simcore.app.tier``)."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from simcore.errors import InputError
from simcore.loader import load_scenario
from simcore.scenario import Scenario

GUEST_FIELDS = {"guest": "name", "workload": "workload", "window": "window_ns", "ignore": "rtapp_ignore"}
VM_FIELDS = {"vmm": "vmm", "vcpus": "vcpus"}
SCENARIO_FIELDS = {"platform": "platform", "host_scheduler": "scheduler", "seconds": "seconds_ns"}


def described(file: Path | None, **options: Any) -> Scenario:
    """Give the scenario of a file, or the default one, with every option that is not None in its place."""
    base = load_scenario(str(file)) if file is not None else Scenario()
    first, *others = base.vms
    guest = dataclasses.replace(first.guest, **_given(GUEST_FIELDS, options))
    first = dataclasses.replace(first, guest=guest, **_given(VM_FIELDS, options))
    return dataclasses.replace(base, vms=(first, *others), **_given(SCENARIO_FIELDS, options))


def from_file(file: Path, changes: Sequence[str], **options: int | None) -> Scenario:
    """Give the scenario of a file with `key=value` changes, and with the options that are not None."""
    base = load_scenario(str(file), dict(_split(change) for change in changes))
    given: dict[str, Any] = {key: value for key, value in options.items() if value is not None}
    return dataclasses.replace(base, **given)


def _given(fields: Mapping[str, str], options: Mapping[str, Any]) -> dict[str, Any]:
    return {field: options[name] for name, field in fields.items() if options.get(name) is not None}


def _split(change: str) -> tuple[str, str]:
    key, equals, value = change.partition("=")
    if not equals or not key.strip():
        raise InputError(f"{change!r} sets nothing", where="--set", valid="KEY=VALUE, such as seed=7 or vms.0.vcpus=2")
    return key.strip(), value.strip()
