"""What every part of a Perfetto trace of a run needs: the run, its platform, its tracks as arrays, the names so far."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simcore.app.perfetto_events import Names
from simcore.app.perfetto_tracks import RunTracks, Tracks
from simcore.platform import Platform
from simcore.result import Result
from simcore.trace import DTYPES

Ints = NDArray[np.int64]
Table = NDArray[np.void]
TIME_BITS: Final = 44
"""Of a time in ns, which may stand below a number of something in one integer, for sorting."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A run and where its parts are shown; `more` takes tracks that are found on the way."""

    result: Result
    tables: Mapping[str, Table]
    platform: Platform
    tracks: RunTracks
    more: Tracks
    names: Names

    @property
    def end_ns(self) -> int:
        """Return when the run ended."""
        return int(str(self.result.summary["ended_ns"]))

    @property
    def vm(self) -> Ints:
        """Return the VM of each vCPU."""
        vm: Ints = self.result.tables["vcpus"]["vm"]
        return vm

    def table(self, name: str) -> Table:
        """Return a table of the run."""
        return self.tables[name]

    def track(self, name: str) -> Ints:
        """Return the uuid of the track of this name, by vCPU."""
        return np.array([getattr(vcpu, name) for vcpu in self.tracks.vcpus], np.int64)

    def policy_track(self, name: str) -> Ints:
        """Return the uuid of the track of this name, by vCPU and policy; 0: its VM has no such policy."""
        most = max((len(vcpu.policies) for vcpu in self.tracks.vcpus), default=0)
        found = np.zeros((len(self.tracks.vcpus), most), np.int64)
        for row, vcpu in zip(found, self.tracks.vcpus, strict=True):
            row[: len(vcpu.policies)] = [getattr(policy, name) for policy in vcpu.policies]
        return found


def tables_of(result: Result) -> Mapping[str, Table]:
    """Return the tables of a run; one that an older version did not write is empty."""
    return {name: np.zeros(0, dtype) for name, dtype in DTYPES.items()} | dict(result.tables)


def joined(segments: Table, kind: NDArray[np.generic]) -> tuple[Ints, Ints, Ints, NDArray[np.generic]]:
    """Join segments of a vCPU that touch and are of one kind: start, end, vCPU and kind of each, vCPU by vCPU."""
    place = np.lexsort((segments["start_ns"], segments["vcpu"]))
    rows, kind = segments[place], kind[place]
    same = rows["vcpu"][1:] == rows["vcpu"][:-1]
    same &= (rows["start_ns"][1:] == rows["end_ns"][:-1]) & (kind[1:] == kind[:-1])
    first = np.flatnonzero(np.concatenate(([True], ~same)))[: len(rows)]
    last = np.append(first[1:] - 1, len(rows) - 1)[: len(first)]
    return rows["start_ns"][first], rows["end_ns"][last], rows["vcpu"][first], kind[first]
