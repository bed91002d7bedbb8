"""`hetpmu export perf-stat`: what perf stat would have printed in a guest, of one run of a result directory."""

from pathlib import Path

from simcore.app.perf_counts import GUEST, VALID, Asked, snapshots
from simcore.app.perf_forms import Form, printed
from simcore.app.showing import Run, contents
from simcore.errors import InputError, unknown_name


def perf_stat_text(
    directory: Path, form: Form, asked: Asked, *, per_cpu: bool = False, vm: int | None = None, run: str | None = None
) -> str:
    """Return the text for a VM (None: the first that runs perf stat) of a run (None: the only one), by its folder.

    Raises InputError for a directory that is none or damaged, and where that guest has no perf stat.
    """
    chosen = _run(directory, run)
    number = _vm(chosen, vm)
    return printed(snapshots(chosen.result, number, asked), form, per_cpu, intervals=bool(asked.interval_ns))


def _run(directory: Path, name: str | None) -> Run:
    """Return the run of a name, which is that of its folder; without a name the only one."""
    runs = {Path(run.name).name: run for run in contents(directory).runs}
    if not runs:
        raise InputError("no run in this directory", str(directory), valid="what run, compare or replay wrote")
    if name is not None:
        wanted = Path(name).name
        if wanted not in runs:
            raise unknown_name("run", name, runs, str(directory))
        return runs[wanted]
    if len(runs) > 1:
        raise InputError("several runs are there", str(directory), valid=f"--run {' or '.join(runs)}")
    return next(iter(runs.values()))


def _vm(run: Run, number: int | None) -> int:
    names = [vm.guest.name for vm in run.result.scenario.vms]
    if number is None:
        if GUEST not in names:
            raise InputError(f"no perf stat ran in this guest ({', '.join(names)})", run.name, valid=VALID)
        return names.index(GUEST)
    if number >= len(names):
        raise InputError(f"there is no VM {number}", run.name, valid=f"--vm 0 to {len(names) - 1}")
    return number
