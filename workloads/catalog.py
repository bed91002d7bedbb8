"""The workloads that come with the product, and the rule for core types that were not measured.

Reads data/*.toml, one workload a file. Builds frozen phases; runs nothing.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from simcore.errors import unknown_name
from simcore.loader import load_workload_table
from simcore.platform import CoreType
from simcore.scenario_build import is_file
from workloads.phase import CYCLE_EVENTS, Phase, PhaseRates
from workloads.workload_file import phase_of

KERNEL_LIKE = "dhrystone"
"""Whose rates stand for kernel code and spin loops (assumed: no profile of kernel code alone is known)."""

WORKLOADS = (
    "400.perlbench", "403.gcc", "429.mcf", "433.milc", "444.namd", "456.hmmer", "458.sjeng", "462.libquantum",
    "464.h264ref", "470.lbm", "471.omnetpp", "482.sphinx3", "620.omnetpp_s", "bitcnts", "dhrystone",
    "lmbench-rd",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Workload:
    """Phases that a guest executes in turn, and one of kernel code for its boot, idle and driver work.

    burst_permille: coefficient of variation of a phase instance's length, in thousandths (0: none).
    """

    name: str
    title: str
    phases: tuple[Phase, ...]
    kernel: Phase
    burst_permille: int = 0


def load_workload(name: str, core_types: Iterable[CoreType]) -> Workload:
    """Load a workload by name, or from a file of the user's, with rates for each of the core types."""
    if is_file(name):
        return _from_file(name, tuple(core_types))
    if name not in WORKLOADS:
        raise unknown_name("workload", name, WORKLOADS)
    cores, data, kernel = tuple(core_types), read_data(name), read_data(KERNEL_LIKE)
    return Workload(
        name=name,
        title=data["title"],
        phases=(_phase(name, data["level"], data, cores),),
        kernel=_phase("kernel", 1, kernel, cores),
        burst_permille=round(data["burst_cv"] * 1000),
    )


def _from_file(path: str, cores: tuple[CoreType, ...]) -> Workload:
    table = load_workload_table(path)
    return Workload(
        name=table.name,
        title=table.title,
        phases=(phase_of(table, cores, path),),
        kernel=load_workload(KERNEL_LIKE, cores).kernel,
        burst_permille=round(table.burst_cv * 1000),
    )


@cache
def read_data(name: str) -> Mapping[str, Any]:
    """Read a data file of this package as it stands."""
    return tomllib.loads((files("workloads") / "data" / f"{name}.toml").read_text(encoding="utf-8"))


def _phase(name: str, level: int, data: Mapping[str, Any], cores: tuple[CoreType, ...]) -> Phase:
    rows = {row["core"]: row for row in data["rates"]}
    return Phase(name, level, tuple(_rates(core, rows) for core in cores))


def _rates(core: CoreType, rows: Mapping[str, Mapping[str, Any]]) -> PhaseRates:
    """Take the rates of the measured core that stands for this one, with the core part scaled.

    The core part of the CPI, and of the events that are parts of it, is divided by the relative IPC.
    """
    like, ratio = core.rates_like, core.relative_ipc
    if like not in rows:
        raise unknown_name("measured core type", like, rows, where=f"core type {core.id!r}, rates_like")
    row = rows[like]
    measured = core.id in (row["core"], row["measured_core"])
    return PhaseRates(
        core=core.id,
        core_cpi=row["core_cpi"] / ratio,
        stall_ns_per_inst=row["stall_ns_per_inst"],
        per_kinst=tuple((e, n / ratio if e in CYCLE_EVENTS else n) for e, n in _table(row["events"])),
        per_kinst_per_ghz=_table(row["events_per_ghz"]),
        estimate="" if measured else f"{like} with its core part / {ratio:g}",
    )


def _table(events: Mapping[str, float]) -> tuple[tuple[int, float], ...]:
    return tuple(sorted((int(code, 16), count) for code, count in events.items()))
