"""What other policies count on the schedule that a result directory keeps: `hetpmu watch`, as rows and as tables."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pmu.kernel import CYCLE_SLOT
from pmu.policies import kind_of
from scheduler import choice
from scheduler.vmm_rows import vmm_named
from simcore.app.aggregating import LOST, Row
from simcore.app.pairing import Pair, expand
from simcore.app.parquet import write_table
from simcore.app.storing import TABLE_FOLDER, TEXT, load_result, some_run_folders, table_file, write_json
from simcore.app.trace_machine import seats
from simcore.app.watching import Watched, watch
from simcore.errors import InputError
from simcore.loader import load_platform
from simcore.result import Result
from simcore.run_columns import CATEGORIES
from simcore.scenario import Scenario
from simcore.table_columns import described

SCHEMA, ANSWER = "hetpmu-watch/1", "watch.json"
ORDER = {
    "ledger": ("slot", "policy", "vcpu"),
    "interrupts": ("slot", "policy", "vcpu", "t_ns"),
    "samples": ("policy", "vcpu", "t_ns"),
}
"""The keys by which the rows of each table are sorted, the first one last."""


@dataclass(frozen=True, slots=True)
class View:
    """A policy to look through, and the host PMU on whose pCPUs VCPU_INIT ran; None: where it ran in the run."""

    pair: Pair
    init_pmu: str | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """What each policy counted on a kept schedule. `left_out`: a line for each pair that there is not."""

    directory: Path
    scenario: Scenario
    step_ns: int
    views: tuple[View, ...]
    watched: Watched
    left_out: tuple[str, ...]

    @property
    def replayed(self) -> bool:
        """Return whether the schedule is a recorded one."""
        return _replayed(self.scenario)

    def as_json(self) -> dict[str, Any]:
        """Give the object that `watch --json` writes."""
        return {
            "schema": SCHEMA,
            "directory": str(self.directory),
            "kind": "replay" if self.replayed else "run",
            "platform": self.scenario.platform,
            "vcpus": sum(vm.vcpus for vm in self.scenario.vms),
            "seconds": self.scenario.seconds_ns / 1e9,
            "seeds": [self.scenario.seed],
            "step_ns": self.step_ns,
            "policies": [self._row(number, view.pair) for number, view in enumerate(self.views)],
        }

    def _row(self, number: int, pair: Pair) -> Row:
        table, interrupts = self.watched.ledger, self.watched.interrupts
        rows = table[(table["policy"] == number) & (table["slot"] == CYCLE_SLOT)]
        backing, kind = self.watched.backing[number], kind_of(pair.policy)
        counts = bool(backing) and kind is not None and kind.counts_cycles
        ledger = {name: int(rows[name].sum()) for name in CATEGORIES} if counts else None
        return {
            "policy": pair.policy,
            "kernel": pair.kernel,
            "init_pmu": backing,
            "cycles": sum(ledger.values()) if ledger else None,
            "lost_cycles": sum(ledger[name] for name in LOST) if ledger else None,
            "ledger": ledger,
            "interrupts": int(np.count_nonzero(interrupts["policy"] == number)),
        }


def look(directory: Path, policies: Sequence[str] = (), kernels: Sequence[str] = (), step_ns: int = 0) -> Look:
    """Take policies through the schedule that a directory of `run` or `replay` keeps; nothing is simulated.

    With no policy named, all are shown that do not only pin. ``step_ns`` is the distance of samples, 0: none. Raises
    InputError for a directory without a schedule or with several, and as `watch` does.
    """
    result = _kept(directory)
    views, left_out = _views(result.scenario, policies, kernels)
    watched = _watched(result, views, step_ns)
    return Look(directory, result.scenario, step_ns, tuple(views), watched, tuple(left_out))


def keep(found: Look, text: str, directory: Path) -> None:
    """Fill a result directory: the answer, the table, and the counters as tables."""
    write_json(directory / ANSWER, found.as_json())
    (directory / TEXT).write_text(text, encoding="utf-8")
    (directory / TABLE_FOLDER).mkdir()
    for name in ORDER:
        if name != "samples" or found.step_ns:
            write_table(getattr(found.watched, name), table_file(directory, name), *described(name))


def _replayed(scenario: Scenario) -> bool:
    return choice.name_of(scenario.scheduler) == choice.REPLAY


def _kept(directory: Path) -> Result:
    """Read the run of a directory, or the first one of a replay: its runs have one schedule."""
    folders = some_run_folders(directory)
    result = load_result(folders[0])
    if len(folders) > 1 and not _replayed(result.scenario):
        where = str(directory)
        raise InputError("several runs, each with its own schedule", where, valid=f"one of them, such as {folders[0]}")
    if not result.scenario.schedule:
        raise InputError(
            "the run kept no schedule",
            where=str(directory),
            valid="a directory that run --set schedule=true --out, or replay --schedule --out, wrote",
        )
    return result


def _views(scenario: Scenario, policies: Sequence[str], kernels: Sequence[str]) -> tuple[list[View], list[str]]:
    platform = load_platform(scenario.platform)
    if _replayed(scenario):
        chosen, left_out = seats(platform, policies, kernels)
        return [View(seat.pair, seat.init_pmu) for seat in chosen], left_out
    if not scenario.vms:
        raise InputError("a run without a VM", "vms", valid="a run with a VM")
    pairs, left_out = expand(platform, policies, kernels, vmm_named(scenario.vms[0].vmm))
    return [View(pair) for pair in pairs if policies or not pair.policy.startswith("default-pinned")], left_out


def _watched(result: Result, views: Sequence[View], step_ns: int) -> Watched:
    """Look through all views, those together whose VCPU_INIT ran in one place."""
    groups = [
        [number for number, view in enumerate(views) if view.init_pmu == init_pmu]
        for init_pmu in dict.fromkeys(view.init_pmu for view in views)
    ]
    seen = [
        watch(_placed(result, views[group[0]].init_pmu), [views[number].pair.label for number in group], step_ns)
        for group in groups
    ]
    order = np.argsort([number for group in groups for number in group])
    policies = [name for one in seen for name in one.policies]
    backing = [name for one in seen for name in one.backing]
    return Watched(
        tuple(policies[place] for place in order),
        tuple(backing[place] for place in order),
        **{name: _together(name, [getattr(one, name) for one in seen], groups) for name in ORDER},
    )


def _placed(result: Result, init_pmu: str | None) -> Result:
    if init_pmu is None:
        return result
    vms = tuple(replace(vm, init_placement=init_pmu) for vm in result.scenario.vms)
    return replace(result, scenario=replace(result.scenario, vms=vms))


def _together(name: str, tables: Sequence[NDArray[np.void]], groups: Sequence[Sequence[int]]) -> NDArray[np.void]:
    """Return the rows of all tables, each policy with the number that it has among all."""
    numbered = [table.copy() for table in tables]
    for table, group in zip(numbered, groups, strict=True):
        table["policy"] = np.array(group)[table["policy"]]
    whole = np.concatenate(numbered)
    rows: NDArray[np.void] = whole[np.lexsort([whole[key] for key in ORDER[name]])]
    return rows
