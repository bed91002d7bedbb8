"""PmuWork: what the host did for a virtual PMU, counted; what that costs is in ``simcore.costs``."""

from dataclasses import dataclass


@dataclass(slots=True)
class PmuWork:
    """What the host did for one vCPU's PMU since the start; ``enables``: live events enabled or disabled."""

    creations: int = 0
    releases: int = 0
    enables: int = 0
    load_reloads: int = 0
    other_reloads: int = 0
