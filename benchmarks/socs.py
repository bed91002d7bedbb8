"""Platforms made for a measurement: RK3588 many times over, and equal CPUs at one frequency.

They are files in a folder that is removed when the process ends.
"""

import atexit
import json
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

SOURCE = "rk3588"
CORE = "cortex-a76"
KHZ = 2_400_000
"""What the equal CPUs are: RK3588's big core at its highest OPP, and no other."""


@cache
def folder() -> Path:
    """Return the folder of the files."""
    made = tempfile.TemporaryDirectory(prefix="hetpmu-bench-")
    atexit.register(made.cleanup)
    return Path(made.name)


@cache
def repeated(times: int) -> str:
    """Return the file of a platform with the clusters of RK3588 so many times, each with a clock of its own."""
    source = tomllib.loads((files("simcore") / "data" / "socs" / f"{SOURCE}.toml").read_text())
    cpus = sum(len(cluster["cpus"]) for cluster in source["cluster"])
    copies = [(f"x{copy}", copy * cpus) for copy in range(times)]
    tables: dict[str, list[dict[str, Any]]] = {
        "cluster": [
            {
                **row,
                "name": row["name"] + tag,
                "perf_domain": row["perf_domain"] + tag,
                "cpus": moved(row["cpus"], first),
            }
            for tag, first in copies
            for row in source["cluster"]
        ],
        "perf_domain": [{**row, "name": row["name"] + tag} for tag, _ in copies for row in source["perf_domain"]],
        "pmu": [
            {**row, "cpus": [cpu for _, first in copies for cpu in moved(row["cpus"], first)]} for row in source["pmu"]
        ],
        "idle_state": source["idle_state"],
        "cache": [{**row, "cpus": moved(row["cpus"], first)} for _, first in copies for row in source["cache"]],
    }
    return written(f"{SOURCE}-{times}", source["cntfrq_hz"], tables)


@cache
def equal(cpus: int) -> str:
    """Return the file of a platform with so many equal CPUs that know one frequency."""
    numbers = list(range(cpus))
    tables: dict[str, list[dict[str, Any]]] = {
        "cluster": [{"name": "all", "cpus": numbers, "core": CORE, "perf_domain": "clock", "capacity_dmips_mhz": 1024}],
        "perf_domain": [{"name": "clock", "khz": [KHZ]}],
        "pmu": [{"name": "pmu", "cpus": numbers}],
    }
    return written(f"equal-{cpus}", 24_000_000, tables)


def moved(cpus: Sequence[int], first: int) -> list[int]:
    """Return CPU numbers that begin at ``first``."""
    return [first + cpu for cpu in cpus]


def written(name: str, cntfrq_hz: int, tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Write a SoC file and return its path."""
    lines = ['format = "hetpmu-soc/1"', f'id = "{name}"', f'name = "{name}"', f"cntfrq_hz = {cntfrq_hz}"]
    for table, rows in tables.items():
        for row in rows:
            lines += ["", f"[[{table}]]", *(f"{key} = {json.dumps(value)}" for key, value in row.items())]
    path = folder() / f"{name}.toml"
    path.write_text("\n".join(lines) + "\n")
    return str(path)
