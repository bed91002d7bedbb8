"""`hetpmu export perf-stat`: what perf stat would have printed in a guest, of one run of a result directory."""

from pathlib import Path

from simcore.app.export_runs import chosen_run
from simcore.app.perf_counts import GUEST, VALID, Asked, snapshots
from simcore.app.perf_forms import Form, printed
from simcore.app.showing import Run
from simcore.errors import InputError


def perf_stat_text(
    directory: Path, form: Form, asked: Asked, *, per_cpu: bool = False, vm: int | None = None, run: str | None = None
) -> str:
    """Return the text for a VM (None: the first that runs perf stat) of a run (None: the only one), by its folder.

    Raises InputError for a directory that is none or damaged, and where that guest has no perf stat.
    """
    chosen = chosen_run(directory, run)
    number = _vm(chosen, vm)
    return printed(snapshots(chosen.result, number, asked), form, per_cpu, intervals=bool(asked.interval_ns))


def _vm(run: Run, number: int | None) -> int:
    names = [vm.guest.name for vm in run.result.scenario.vms]
    if number is None:
        if GUEST not in names:
            raise InputError(f"no perf stat ran in this guest ({', '.join(names)})", run.name, valid=VALID)
        return names.index(GUEST)
    if number >= len(names):
        raise InputError(f"there is no VM {number}", run.name, valid=f"--vm 0 to {len(names) - 1}")
    return number
