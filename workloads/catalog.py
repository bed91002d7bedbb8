"""The workloads that come with the product, and the rule for core types that were not measured.

Reads data/workloads.toml, which names measured rows; builds frozen phases of what `workloads.fitting` makes of them.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from simcore.errors import unknown_name
from simcore.loader import load_workload_table
from simcore.platform import CoreType
from simcore.scenario_build import is_file
from workloads.fitting import fit_profiles
from workloads.phase import CYCLE_EVENTS, Phase, PhaseRates
from workloads.profiles import Silicon, find_silicon, profiles_of, silicon_table
from workloads.workload_file import phase_of

KERNEL_LIKE = "dhrystone"
"""Whose rates stand for kernel code and spin loops (assumed: no profile of kernel code alone is known)."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A workload by name: the (suite, workload) of its measured rows; the first that a silicon has counts there."""

    name: str
    title: str
    rows: tuple[tuple[str, str], ...]

    def measured_on(self, silicon: Silicon) -> tuple[str, str] | None:
        """Return the program whose rows are this workload's on a silicon; None where there are none."""
        return next((program for program in self.rows if program in profiles_of(silicon.name)), None)


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
    preset, cores = find_preset(name), tuple(core_types)
    table = _table()
    return Workload(
        name=preset.name,
        title=preset.title,
        phases=(_phase(preset.name, table["level"], preset, cores),),
        kernel=_phase("kernel", 1, presets()[KERNEL_LIKE], cores),
        burst_permille=round(table["burst_cv"] * 1000),
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
def _table() -> Mapping[str, Any]:
    return tomllib.loads((files("workloads") / "data" / "workloads.toml").read_text(encoding="utf-8"))


@cache
def presets() -> Mapping[str, Preset]:
    """Return the workloads by name."""
    rows = (Preset(row["name"], row["title"], tuple(map(tuple, row["rows"]))) for row in _table()["workload"])
    return {preset.name: preset for preset in rows}


def find_preset(name: str) -> Preset:
    """Return the workload of a name, or the first that has rows of that name."""
    known = presets()
    if name in known:
        return known[name]
    for preset in known.values():
        if any(workload == name for _, workload in preset.rows):
            return preset
    raise unknown_name("workload", name, known)


def _phase(name: str, level: int, preset: Preset, cores: tuple[CoreType, ...]) -> Phase:
    return Phase(name, level, tuple(rates_on(preset, core) for core in cores))


def rates_on(preset: Preset, core: CoreType) -> PhaseRates:
    """Return the rates of a workload on a core type: its own silicon's, or those that stand for it.

    A core type that names its silicon takes that silicon's rows as they were measured, course and all. Every other, and
    every program that its silicon did not run, takes the line and the events of the first silicon of the design that
    stands for it (`rates_like`): the core part of the CPI, and of the events that are parts of it, is divided by the
    relative IPC; stall time and other events are taken over.
    """
    own = find_silicon(core.silicon, f"core type {core.id!r}, silicon") if core.silicon else None
    if own is not None and (program := preset.measured_on(own)):
        return replace(_fitted(own.name, program), core=core.id)
    silicon, program = _stand_in(preset, core)
    rates, ratio = _fitted(silicon.name, program), core.relative_ipc
    return PhaseRates(
        core=core.id,
        core_cpi=rates.core_cpi / ratio,
        stall_ns_per_inst=rates.stall_ns_per_inst,
        per_kinst=tuple((e, n / ratio if e in CYCLE_EVENTS else n) for e, n in rates.per_kinst),
        per_kinst_per_ghz=rates.per_kinst_per_ghz,
        estimate=_rule(core, silicon),
    )


def _stand_in(preset: Preset, core: CoreType) -> tuple[Silicon, tuple[str, str]]:
    """Return the first silicon of the design that stands for a core type which ran the workload, and the program."""
    designs = {silicon.design for silicon in silicon_table()}
    if core.rates_like not in designs:
        raise unknown_name("measured core type", core.rates_like, designs, where=f"core type {core.id!r}, rates_like")
    for silicon in silicon_table():
        if silicon.design == core.rates_like and (program := preset.measured_on(silicon)):
            return silicon, program
    raise LookupError(f"{preset.name} was not measured on any {core.rates_like}")


def _rule(core: CoreType, silicon: Silicon) -> str:
    """Say whose rates stand for a core type, and how they were scaled."""
    scaled = "" if core.relative_ipc == 1 else f", core part / {core.relative_ipc:g}"
    return f"as {silicon.name}, derived from {silicon.design}{scaled}"


@cache
def _fitted(silicon: str, program: tuple[str, str]) -> PhaseRates:
    return fit_profiles(profiles_of(silicon)[program])
