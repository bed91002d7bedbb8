"""PmuWork: what the host did for a virtual PMU, counted; what that costs is in ``simcore.costs``."""

import dataclasses
from dataclasses import dataclass


@dataclass(slots=True)
class PmuWork:
    """What the host did for one vCPU's PMU since the start; ``enables``: live events enabled or disabled."""

    creations: int = 0
    releases: int = 0
    enables: int = 0
    load_reloads: int = 0
    other_reloads: int = 0

    def add(self, other: "PmuWork", times: int = 1) -> None:
        """Count what another one has counted, so many times."""
        for name in PmuWork.__slots__:
            setattr(self, name, getattr(self, name) + times * getattr(other, name))


def difference(after: PmuWork, before: PmuWork) -> PmuWork:
    """Return what was done between two states of a virtual PMU's work."""
    pairs = zip(dataclasses.astuple(after), dataclasses.astuple(before), strict=True)
    return PmuWork(*(new - old for new, old in pairs))
