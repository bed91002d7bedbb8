"""`hetpmu uapi --explore`: the shortest sequences on which kernel revisions, or code and documentation, disagree.

What is compared with what, and what was found in groups; the search is in `simcore.app.uapi_searching`.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, combinations
from typing import Any

from pmu.host import Host
from simcore.app.uapi_alphabet import VCPUS, alphabet, beginnings
from simcore.app.uapi_automaton import Automaton, Steps
from simcore.app.uapi_machine import Outcome
from simcore.app.uapi_running import Column, as_document, vcpus_of
from simcore.app.uapi_searching import Kind, Search, difference, side_of


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A minimal sequence, and the outcome of its last step in the columns that disagree about it."""

    steps: Steps
    outcomes: dict[str, Outcome]

    @property
    def shape(self) -> Kind:
        """Return the sequence without its values."""
        return tuple((step.operation, step.attribute) for step in self.steps)

    def is_part_of(self, other: "Disagreement") -> bool:
        """Return whether the other has the same rules decide the same call in these columns, and maybe in more."""
        if self.steps[-1].operation != other.steps[-1].operation:
            return False
        sides = {name: side_of(outcome) for name, outcome in other.outcomes.items()}
        return all(sides.get(name) == side_of(outcome) for name, outcome in self.outcomes.items())


@dataclass(frozen=True, slots=True)
class Exploration:
    """What was found. ``compared``: sequences, ``replayed``: of them run on a VM, ``differing``: before minimising."""

    calls: int
    prefix: Steps
    prefix_differs: bool
    compared: int
    replayed: int
    differing: int
    found: tuple[Disagreement, ...]

    def groups(self) -> list[list[Disagreement]]:
        """Return the disagreements by the rules that decide, the shortest first."""
        groups: list[list[Disagreement]] = []
        for one in sorted(self.found, key=lambda one: -len(one.outcomes)):
            group = next((group for group in groups if one.is_part_of(group[0])), None)
            if group is None:
                groups.append([one])
            else:
                group.append(one)
        return sorted((sorted(group, key=_length) for group in groups), key=lambda group: _length(group[0]))

    def as_json(self) -> dict[str, Any]:
        """Return the field ``explore`` of the answer."""
        return {
            "calls": self.calls,
            "prefix": _text(self.prefix) or None,
            "prefix_differs": self.prefix_differs,
            "compared": self.compared,
            "replayed": self.replayed,
            "differing": self.differing,
            "minimal": len(self.found),
            "groups": [_group_row(group) for group in self.groups()],
        }


def explore(
    host: Host,
    columns: Sequence[Column],
    calls: int,
    prefix: Steps = (),
    irqchip: str = "gicv3",
    vcpus: int = VCPUS,
    progress: Callable[[int, int], None] = lambda done, planned: None,
) -> Exploration:
    """Compare all sequences of up to ``calls`` attribute calls after a common prefix."""
    pairs = _pairs(columns)
    order = {column.name: column for column in (*columns, *chain.from_iterable(pairs))}
    letters = alphabet(host, [column.revision for column in order.values()], irqchip)
    machines = {
        name: Automaton(name, host, column.revision, max(vcpus, VCPUS), irqchip, letters)
        for name, column in order.items()
    }
    starts = (prefix,) if prefix else beginnings(host)
    searches = [Search(machines[one.name], machines[other.name], letters, len(prefix)) for one, other in pairs]
    found: dict[Steps, dict[str, Outcome]] = {}
    for done, search in enumerate(searches):
        progress(done, len(searches))
        search.walk(starts, calls)
        for steps, outcomes in search.minimal():
            found.setdefault(steps, {}).update(outcomes)
    beginning = [machine.outcomes(prefix) for machine in machines.values()]
    return Exploration(
        calls=calls,
        prefix=prefix,
        prefix_differs=any(difference(prefix, beginning[0], other) for other in beginning),
        compared=sum(search.compared for search in searches),
        replayed=sum(machine.replayed for machine in machines.values()),
        differing=sum(len(search.found) for search in searches),
        found=tuple(
            Disagreement(steps, {name: outcomes[name] for name in order if name in outcomes})
            for steps, outcomes in found.items()
        ),
    )


def _pairs(columns: Sequence[Column]) -> list[tuple[Column, Column]]:
    """Return what to compare: the revisions with each other, and each with its documentation."""
    plain = [column for column in columns if not column.documented]
    return [*combinations(plain or columns, 2), *((column, as_document(column)) for column in plain)]


def _length(one: Disagreement) -> int:
    return len(one.steps)


def _text(steps: Steps) -> str:
    vcpus = vcpus_of(steps)
    return "; ".join(step.label(vcpus) for step in steps)


def _group_row(group: Sequence[Disagreement]) -> dict[str, Any]:
    """Return a group; ``shortest`` has one sequence for each choice of calls, whatever their values."""
    outcomes = group[0].outcomes
    shapes = {one.shape: _text(one.steps) for one in reversed(group)}
    return {
        "step": group[0].steps[-1].text,
        "results": {name: outcome.result for name, outcome in outcomes.items()},
        "rules": {name: asdict(outcome.rule) for name, outcome in outcomes.items()},
        "shortest": sorted(shapes.values(), key=len),
        "sequences": [_text(one.steps) for one in group],
    }
