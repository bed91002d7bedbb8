"""What an export of one run begins with: which run of a directory."""

from collections.abc import Mapping
from pathlib import Path

from simcore.app.showing import Contents, Run, contents
from simcore.app.sweep_directory import is_sweep
from simcore.errors import InputError, unknown_name

RECORDING = "hetpmu run SCENARIO --set trace=true --out DIR, or hetpmu replay TRACE .. --trace --out DIR"


def chosen_run(directory: Path, name: str | None) -> Run:
    """Return the run whose folder has a name, or without a name the only one; raises InputError where there is none."""
    if is_sweep(directory):
        raise InputError("the runs of a sweep are rows, not results", str(directory), valid="what run or compare wrote")
    return _only(_named(contents(directory), name), directory)


def traced_run(directory: Path, name: str | None) -> Run:
    """Return the run of a directory that kept what its host did; `name` is that of its folder, where there are several.

    The runs of a replay have one host in common. Raises InputError for a directory without such a run, and where it
    has to be chosen.
    """
    if is_sweep(directory):
        raise InputError("the runs of a sweep keep no trace", where=str(directory), valid=RECORDING)
    found = contents(directory)
    traced = {short: run for short, run in _named(found, name).items() if run.result.scenario.trace}
    if not traced:
        raise InputError("no trace in this result", str(directory), "it was run without trace = true", RECORDING)
    return next(iter(traced.values())) if found.kind == "replay" else _only(traced, directory)


def first_run(directory: Path, name: str | None) -> Run:
    """Return the run whose folder has a name, or without a name the first with a trace, or the first at all.

    Raises InputError where there is none.
    """
    if is_sweep(directory):
        raise InputError("the runs of a sweep keep no tables", where=str(directory), valid=RECORDING)
    runs = tuple(_named(contents(directory), name).values())
    return next((run for run in runs if run.result.scenario.trace), runs[0])


def _named(found: Contents, name: str | None) -> dict[str, Run]:
    """Return the runs by the names of their folders, all or the one that is asked for."""
    runs = {Path(run.name).name: run for run in found.runs}
    if not runs:
        raise InputError("no run in this directory", str(found.directory), valid="what run, compare or replay wrote")
    if name is None:
        return runs
    short = Path(name).name
    if short not in runs:
        raise unknown_name("run", name, runs, str(found.directory))
    return {short: runs[short]}


def _only(runs: Mapping[str, Run], directory: Path) -> Run:
    if len(runs) > 1:
        raise InputError("several runs in this directory", str(directory), valid=f"--run {' or '.join(runs)}")
    return next(iter(runs.values()))
