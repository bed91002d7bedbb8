"""hetpmu: what guests see in their PMU counters on a heterogeneous arm64 host.

Here live only the package's version and its three public names, which are looked up in `simcore.app` on first use:
`run(scenario)`, `compare(...)` and `Result`. Importing `simcore` imports nothing else.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simcore.app import Result as Result
    from simcore.app import compare as compare
    from simcore.app import run as run

__version__ = "0.1.0"
__all__ = ["Result", "__version__", "compare", "run"]

_PUBLIC = frozenset({"Result", "compare", "run"})


def __getattr__(name: str) -> object:
    """Return a public name of `simcore.app`, importing it on first use."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("simcore.app"), name)


def __dir__() -> list[str]:
    """List the public names, those that were not looked up yet included."""
    return sorted(set(globals()) | _PUBLIC)
