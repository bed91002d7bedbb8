"""How the runs of a study lie in the files of its dataset, which the study alone decides.

A block is a file: some points in a row, with all their seeds. Where the first key of the study has few values, each of
them is a directory, `runs/policy=default/part-00000.parquet`, as Hive has it; elsewhere blocks lie in `runs/`.
"""

from dataclasses import dataclass
from urllib.parse import quote

from simcore.study import KeyColumn, Study

ROWS = 2000
"""Runs of a block, if it has more than one point."""
PARTITIONS = 64
"""The most values of the first key that become directories."""


@dataclass(frozen=True)
class Blocks:
    """The blocks of a study, by number; the points of a block follow each other."""

    study: Study

    @property
    def partition(self) -> KeyColumn | None:
        """Return the column that stands in the names of directories instead of the files."""
        return self.study.columns[0] if len(self.study.axes[0].rows) <= PARTITIONS else None

    @property
    def _span(self) -> int:
        """Return how many points in a row may share a block."""
        return self.study.points // len(self.study.axes[0].rows) if self.partition else self.study.points

    @property
    def _size(self) -> int:
        return min(self._span, max(1, ROWS // self.study.seed_count))

    @property
    def _per_span(self) -> int:
        return -(-self._span // self._size)

    def __len__(self) -> int:
        """Return the number of blocks."""
        return self.study.points // self._span * self._per_span

    def points(self, block: int) -> range:
        """Return the points of a block."""
        span, part = divmod(block, self._per_span)
        start = span * self._span + part * self._size
        return range(start, min(start + self._size, (span + 1) * self._span))

    def block_of(self, point: int) -> int:
        """Return the block of a point."""
        span, place = divmod(point, self._span)
        return span * self._per_span + place // self._size

    def folder(self, block: int) -> str:
        """Return the directory of a block within the dataset, empty without partitions."""
        if self.partition is None:
            return ""
        value = self.study.values(self.points(block).start)[self.partition.key]
        return f"{self.partition.name}={quote(str(self.partition.value(value)), safe='')}"

    def name(self, block: int) -> str:
        """Return the name of a block's file without suffix."""
        return f"part-{block:05}"
