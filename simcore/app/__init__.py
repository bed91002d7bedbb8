"""The composition root and what users call: runs, comparisons, files, tables, pictures, the command line.

The public names are looked up on first use, so that `hetpmu --help` does not import what it does not need.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simcore.app.comparing import compare as compare
    from simcore.app.running import run as run
    from simcore.result import Result as Result

_HOMES = {"Result": "simcore.result", "compare": "simcore.app.comparing", "run": "simcore.app.running"}
__all__ = ["Result", "compare", "run"]


def __getattr__(name: str) -> object:
    """Return a public name, importing its home on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
