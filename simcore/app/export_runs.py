"""What an export of one run begins with: which run of a directory, and a new file to write."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from simcore.app.showing import Contents, Run, contents
from simcore.app.storing import replaced_file
from simcore.app.sweep_directory import is_sweep
from simcore.errors import InputError, unknown_name

RECORDING = "hetpmu run SCENARIO --set trace=true --out DIR, or hetpmu replay TRACE .. --trace --out DIR"


def traced_run(directory: Path, name: str | None) -> Run:
    """Return the run of a directory that kept what its host did; `name` is that of its folder, where there are several.

    The runs of a replay have one host in common. Raises InputError for a directory without such a run, and where it
    has to be chosen.
    """
    if is_sweep(directory):
        raise InputError("the runs of a sweep keep no trace", where=str(directory), valid=RECORDING)
    found = contents(directory)
    runs = {Path(run.name).name: run for run in _named(found, name)}
    traced = {short: run for short, run in runs.items() if run.result.scenario.trace}
    if not traced:
        raise InputError("no trace in this result", str(directory), "it was run without trace = true", RECORDING)
    if len(traced) > 1 and found.kind != "replay":
        raise InputError("several runs in this directory", str(directory), valid=f"--run {', '.join(traced)}")
    return next(iter(traced.values()))


def _named(found: Contents, name: str | None) -> tuple[Run, ...]:
    if name is None:
        return found.runs
    runs = tuple(run for run in found.runs if name in (run.name, Path(run.name).name))
    if not runs:
        raise unknown_name("run", name, [Path(run.name).name for run in found.runs], str(found.directory))
    return runs


@contextlib.contextmanager
def new_file(path: Path, *, force: bool) -> Iterator[Path]:
    """Give a temporary file that takes the name `path` when the block ends well; an existing file needs `force`."""
    if path.is_file() and not force:
        raise InputError(
            "will not overwrite a file", str(path), "it exists", valid="another name, or --force to replace it"
        )
    with replaced_file(path) as temporary:
        yield temporary
