"""The composition root and what users call: runs, comparisons, files, tables, pictures, the command line.

The public names are looked up on first use, so that `hetpmu --help` does not import what it does not need.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simcore.app.comparing import Comparison, compare
    from simcore.app.files import load, load_all, save, to_arrow
    from simcore.app.running import run
    from simcore.app.study_data import StudyData, load_study
    from simcore.app.sweeping import Sweep, sweep
    from simcore.app.watching import Watched, watch
    from simcore.errors import InputError
    from simcore.loader import load_scenario
    from simcore.result import Result
    from simcore.scenario import GuestSpec, Scenario, VmSpec

_HOMES = {
    "Comparison": "simcore.app.comparing",
    "GuestSpec": "simcore.scenario",
    "InputError": "simcore.errors",
    "Result": "simcore.result",
    "Scenario": "simcore.scenario",
    "StudyData": "simcore.app.study_data",
    "Sweep": "simcore.app.sweeping",
    "VmSpec": "simcore.scenario",
    "Watched": "simcore.app.watching",
    "compare": "simcore.app.comparing",
    "load": "simcore.app.files",
    "load_all": "simcore.app.files",
    "load_scenario": "simcore.loader",
    "load_study": "simcore.app.study_data",
    "run": "simcore.app.running",
    "save": "simcore.app.files",
    "sweep": "simcore.app.sweeping",
    "to_arrow": "simcore.app.files",
    "watch": "simcore.app.watching",
}
__all__ = [
    "Comparison", "GuestSpec", "InputError", "Result", "Scenario", "StudyData", "Sweep", "VmSpec", "Watched", "compare",
    "load", "load_all", "load_scenario", "load_study", "run", "save", "sweep", "to_arrow", "watch",
]  # fmt: skip


def __getattr__(name: str) -> object:
    """Return a public name, importing its home on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
