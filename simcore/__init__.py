"""hetpmu: what guests see in their PMU counters on a heterogeneous arm64 host.

Here live only the package's version and its public names (docs/api.md), which are looked up in `simcore.app` on first
use: `run(scenario)`, `compare(...)`, `Result` and what goes with them. Importing `simcore` imports nothing else.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simcore.app import (
        Comparison,
        GuestSpec,
        InputError,
        Result,
        Scenario,
        StudyData,
        Sweep,
        VmSpec,
        Watched,
        compare,
        load,
        load_all,
        load_scenario,
        load_study,
        run,
        save,
        sweep,
        to_arrow,
        watch,
    )

__version__ = "0.1.0"
__all__ = [
    "Comparison", "GuestSpec", "InputError", "Result", "Scenario", "StudyData", "Sweep", "VmSpec", "Watched",
    "__version__", "compare", "load", "load_all", "load_scenario", "load_study", "run", "save", "sweep", "to_arrow",
    "watch",
]  # fmt: skip

_PUBLIC = frozenset(__all__) - {"__version__"}


def __getattr__(name: str) -> object:
    """Return a public name of `simcore.app`, importing it on first use."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("simcore.app"), name)


def __dir__() -> list[str]:
    """List the public names, those that were not looked up yet included."""
    return sorted(set(globals()) | _PUBLIC)
