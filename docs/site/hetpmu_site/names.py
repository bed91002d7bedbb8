"""The page of the public Python names, made of their docstrings by autodoc."""

import inspect
from dataclasses import is_dataclass

import simcore


def page() -> str:
    """Return Markdown: a section for each public name, functions first."""
    names = sorted(set(simcore.__all__) - {"__version__"})
    functions = [name for name in names if inspect.isfunction(getattr(simcore, name))]
    classes = [name for name in names if name not in functions]
    return "\n\n".join(["## Functions", *map(_function, functions), "## Classes", *map(_class, classes)]) + "\n"


def _function(name: str) -> str:
    return _directive(name, f".. autofunction:: simcore.{name}")


def _class(name: str) -> str:
    kind = getattr(simcore, name)
    members = "" if issubclass(kind, Exception) else "\n   :members:\n   :undoc-members:"
    return _directive(name, f".. autoclass:: simcore.{name}{members}" if is_dataclass(kind) else _exception(name))


def _exception(name: str) -> str:
    return f".. autoexception:: simcore.{name}"


def _directive(name: str, text: str) -> str:
    return f"### {name}\n\n```{{eval-rst}}\n{text}\n```"
