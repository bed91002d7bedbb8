"""The pictures that ``bench --plot`` measures and draws, by kind."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks import decisions, machine, roofline, scaling
from simcore.app import plotting, plotting_bench

Machine = Mapping[str, Any]


def draw(kind: str, path: Path, quick: bool, here: Machine) -> dict[str, Any]:
    """Measure what a picture shows, write it as PNG or SVG, and return what it shows."""
    measure, figure_of = PICTURES[kind]
    found = measure(quick)
    plotting.save(figure_of(found, here), path)
    return {"kind": kind, "points": found}


def roofline_of(found: Any, here: Machine) -> Any:
    """Return the roofline with the machine's caches."""
    return plotting_bench.roofline(**found, caches=machine.data_cache_bytes(here["caches"]), machine=name(here))


def name(here: Machine) -> str:
    """Return what a title calls the machine."""
    return str(here["cpu"] or here["architecture"])


PICTURES: dict[str, tuple[Callable[[bool], Any], Callable[[Any, Machine], Any]]] = {
    "roofline": (roofline.measure, roofline_of),
    "scaling": (scaling.measure, lambda found, here: plotting_bench.scaling(found, name(here))),
    "decisions": (decisions.measure, lambda found, here: plotting_bench.decisions(found, name(here))),
}
