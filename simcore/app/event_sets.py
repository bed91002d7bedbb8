"""Which events a guest is shown on which SoC, by the host PMU that backs it: platforms in, arrays out."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pmu.events import event_name
from pmu.host import guest_pmceid
from simcore.app.explain_policies import default_pmus, guest_host
from simcore.platform import Platform
from simcore.pmceid import pmceid_events

NAMES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class EventSets:
    """``cells`` [group, event]: on how many of a group's host PMUs that KVM may choose a guest is shown the event, as
    0 none, 1 some, 2 all of them. A group is the platforms that are alike in this, by name in ``groups``.

    ``without``: platforms on which KVM can choose no host PMU.
    """

    groups: tuple[tuple[str, ...], ...]
    pmus: tuple[int, ...]
    events: tuple[int, ...]
    cells: NDArray[np.int64]
    without: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """Name the groups, in short, with their number of host PMUs."""
        return [
            f"{_short(group)} ({number} PMU{'s' * (number > 1)})"
            for group, number in zip(self.groups, self.pmus, strict=True)
        ]

    @property
    def event_names(self) -> list[str]:
        """Name the events."""
        return [event_name(event) for event in self.events]


def event_sets(platforms: Iterable[Platform]) -> EventSets:
    """Return what guests are shown on each platform, those with the fewest events first."""
    sets = {platform.id: _sets(platform) for platform in platforms}
    groups: dict[tuple[frozenset[int], ...], list[str]] = {}
    for name, found in sets.items():
        if found:
            groups.setdefault(found, []).append(name)
    ordered = sorted(groups, key=lambda found: (len(frozenset.union(*found)), len(found), groups[found]))
    events = sorted(frozenset().union(*(events for found in ordered for events in found)))
    rows = [[_cell(event, found) for event in events] for found in ordered]
    return EventSets(
        groups=tuple(tuple(groups[found]) for found in ordered),
        pmus=tuple(len(found) for found in ordered),
        events=tuple(events),
        cells=np.array(rows, dtype=np.int64).reshape(len(rows), len(events)),
        without=tuple(name for name, found in sets.items() if not found),
    )


def _sets(platform: Platform) -> tuple[frozenset[int], ...]:
    return tuple(pmceid_events(*guest_pmceid(host_pmu)) for host_pmu in default_pmus(guest_host(platform)))


def _cell(event: int, found: tuple[frozenset[int], ...]) -> int:
    having = sum(event in events for events in found)
    return 2 if having == len(found) else int(having > 0)


def _short(group: tuple[str, ...]) -> str:
    rest = len(group) - NAMES_SHOWN
    return ", ".join(group[:NAMES_SHOWN]) + (f" +{rest}" if rest > 0 else "")
