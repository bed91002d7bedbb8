"""The workloads that come with the product, and the rule for core types that were not measured.

Reads data/*.toml (one workload a file, and core_scaling.toml). Builds frozen phases; runs nothing.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any, Protocol

from simcore.errors import unknown_name
from workloads.phase import CYCLE_EVENTS, Phase, PhaseRates

SCALING = "core_scaling"
KERNEL_LIKE = "dhrystone"
"""Whose rates stand for kernel code and spin loops (assumed: no profile of kernel code alone is known)."""

WORKLOADS = (
    "400.perlbench", "403.gcc", "429.mcf", "433.milc", "444.namd", "456.hmmer", "458.sjeng", "462.libquantum",
    "464.h264ref", "470.lbm", "471.omnetpp", "482.sphinx3", "620.omnetpp_s", "bitcnts", "dhrystone",
    "lmbench-rd",
)  # fmt: skip


class RatedCore(Protocol):
    """What the catalog must know of a core type (a `simcore.platform.CoreType` is one)."""

    @property
    def id(self) -> str:
        """Name the core type."""

    @property
    def rates_like(self) -> str:
        """Name the core type whose rates stand for it."""

    @property
    def relative_ipc(self) -> float:
        """Tell its IPC over that core type's (1.0: no statement)."""


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


def load_workload(name: str, core_types: Iterable[RatedCore]) -> Workload:
    """Load a workload by name, with rates for each of the core types."""
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


@cache
def read_data(name: str) -> Mapping[str, Any]:
    """Read a data file of this package as it stands."""
    return tomllib.loads((files("workloads") / "data" / f"{name}.toml").read_text(encoding="utf-8"))


def _phase(name: str, level: int, data: Mapping[str, Any], cores: tuple[RatedCore, ...]) -> Phase:
    measured = {row["core"]: _measured(row) for row in data["rates"]}
    return Phase(name, level, tuple(_rates(core, measured) for core in cores))


def _measured(row: Mapping[str, Any]) -> PhaseRates:
    return PhaseRates(
        core=row["core"],
        core_cpi=row["core_cpi"],
        stall_ns_per_inst=row["stall_ns_per_inst"],
        per_kinst=_table(row["events"]),
        per_kinst_per_ghz=_table(row["events_per_ghz"]),
    )


def _table(events: Mapping[str, float]) -> tuple[tuple[int, float], ...]:
    return tuple(sorted((int(code, 16), count) for code, count in events.items()))


def _rates(core: RatedCore, measured: Mapping[str, PhaseRates]) -> PhaseRates:
    """Take the core's own rates, or those of the core that stands for it with the core part scaled."""
    if core.id in measured:
        return measured[core.id]
    like, ratio, grade = _stand_in(core)
    if like not in measured:
        where = f"core type {core.id!r}, rates_like"
        raise unknown_name("core type", like, (*measured, *read_data(SCALING)["core"]), where=where)
    note = "" if grade == "measured" else f"{grade}: {like} with its core part / {ratio:.3f}"
    return _scaled(measured[like], core.id, ratio, note)


def _stand_in(core: RatedCore) -> tuple[str, float, str]:
    """Find (measured core, relative IPC, grade): what the core type says of itself, else the table's row."""
    scaling = read_data(SCALING)["core"]
    own = scaling.get(core.id)
    if own and (own["grade"] == "measured" or core.relative_ipc == 1.0):
        return own["like"], own["relative_ipc"], own["grade"]
    other = scaling.get(core.rates_like, {"like": core.rates_like, "relative_ipc": 1.0})
    return other["like"], other["relative_ipc"] * core.relative_ipc, "estimate"


def _scaled(rates: PhaseRates, core: str, ratio: float, note: str) -> PhaseRates:
    """Divide the core part of the CPI, and of the events that are parts of it, by the relative IPC."""
    return replace(
        rates,
        core=core,
        core_cpi=rates.core_cpi / ratio,
        per_kinst=tuple((e, n / ratio if e in CYCLE_EVENTS else n) for e, n in rates.per_kinst),
        estimate=note,
    )
