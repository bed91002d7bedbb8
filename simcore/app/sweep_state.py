"""Where a sweep stands: which runs are finished, which come next, and when a block is complete and becomes a file.

Everything that is known is on disk before it counts. A run that is on disk twice counts once.
"""

import heapq
import math
from dataclasses import dataclass

from simcore.app.sweep_failures import Failures
from simcore.app.sweep_files import SweepFiles
from simcore.app.sweep_journal import Entry, Journal
from simcore.app.sweep_run import Outcome, RunId
from simcore.app.sweep_stopping import PointProgress, figure_of
from simcore.app.sweep_subject import RunRow


@dataclass
class Tally:
    """How many runs there are: planned in all, and of these spared, where a point has enough seeds.

    ``found`` were finished before, ``finished`` now; ``failed`` are those that failed, before or now. ``surplus`` of
    these were at work when their point turned out to have enough, and are no part of the dataset.
    """

    planned: int
    spared: int = 0
    found: int = 0
    finished: int = 0
    failed: int = 0
    surplus: int = 0

    @property
    def done(self) -> int:
        """Return how many runs of the dataset need no more work."""
        return self.found + self.finished + self.failed - self.surplus

    @property
    def wanted(self) -> int:
        """Return how many runs are needed, as far as is known."""
        return self.planned - self.spared


@dataclass
class _Block:
    number: int
    points: dict[int, PointProgress]
    open_points: int


class SweepState:
    """The runs of a study in a directory; blocks are looked at one by one, as their turn comes."""

    def __init__(self, files: SweepFiles, failures: Failures) -> None:
        self.files = files
        self.study = files.study
        self.tally = Tally(self.study.runs)
        self._journal = Journal(files.open)
        self._figure = figure_of(self.study.stop.metric) if self.study.stop else lambda row: 0.0
        self._failures = failures
        self._blocks: dict[int, _Block] = {}
        self._next_block = 0
        self._queue: list[tuple[int, int]] = []

    def next_run(self) -> RunId | None:
        """Return the next run, of the point that has been given the fewest seeds; None if none is left to begin."""
        while self._queue or self._next_block < len(self.files.blocks):
            if not self._queue:
                self._open_block()
                continue
            _, point = heapq.heappop(self._queue)
            progress = self._progress(point)
            place = progress.next_place() if progress else None
            if progress is not None and place is not None:
                heapq.heappush(self._queue, (progress.asked, point))
                return point, self.study.first_seed + place
        return None

    def take(self, outcome: Outcome) -> None:
        """Put a run's outcome on disk, and its block into the dataset if it was the last one."""
        progress, place = self._progress(outcome.point), self._place(outcome.seed)
        if progress is None or progress.needs_no(place):
            return
        block = self._blocks[self.files.blocks.block_of(outcome.point)]
        if outcome.row is None:
            self._failures.record(outcome)
            self.tally.failed += 1
            value = math.nan
        else:
            self._journal.append(block.number, [(outcome.point, outcome.seed, outcome.wall_ns, outcome.row)])
            self.tally.finished += 1
            value = self._figure(outcome.row)
        self._know(block, outcome.point, place, value)
        self.tally.surplus += progress.surplus
        if not block.open_points:
            self._complete(block)

    def sync(self) -> None:
        """Have the disk keep everything."""
        self._journal.sync()

    def _place(self, seed: int) -> int:
        return seed - self.study.first_seed

    def _progress(self, point: int) -> PointProgress | None:
        block = self._blocks.get(self.files.blocks.block_of(point))
        return None if block is None else block.points[point]

    def _open_block(self) -> None:
        """Find out what is known of the next block, and queue its points, or close it if nothing is missing."""
        number, self._next_block = self._next_block, self._next_block + 1
        points = self.files.blocks.points(number)
        block = _Block(
            number, {point: PointProgress(self.study.seed_count, self.study.stop) for point in points}, len(points)
        )
        self._blocks[number] = block
        whole = self.files.part(number).exists()
        rows = self._known_rows(number)
        for (point, seed), (_, row) in rows.items():
            self._know(block, point, self._place(seed), self._figure(row))
        for point, seed in self._failures.of_block(points):
            self._know(block, point, self._place(seed), math.nan)
        self._count(block, rows)
        self._queue += [(0, point) for point in points if block.points[point].ended is None]
        heapq.heapify(self._queue)
        if block.open_points:
            return
        if whole and self._kept(block, rows) == len(rows):
            self._forget(block)
        else:
            self._complete(block)

    def _known_rows(self, number: int) -> dict[RunId, tuple[int, RunRow]]:
        """Return wall time and row of each finished run of a block, from its file and from the journal."""
        entries = [*self.files.entries(number), *self.files.whole(number, self._journal.read(number))]
        return {(point, seed): (wall_ns, tuple(row)) for point, seed, wall_ns, row in entries}

    def _kept(self, block: _Block, rows: dict[RunId, tuple[int, RunRow]]) -> int:
        return sum(self._belongs(block, run_id) for run_id in rows)

    def _belongs(self, block: _Block, run_id: RunId) -> bool:
        ended = block.points[run_id[0]].ended
        return ended is None or self._place(run_id[1]) < ended

    def _count(self, block: _Block, rows: dict[RunId, tuple[int, RunRow]]) -> None:
        self.tally.found += self._kept(block, rows)
        self.tally.failed += sum(
            self._belongs(block, run_id) for run_id in self._failures.of_block(block.points) if run_id not in rows
        )

    def _know(self, block: _Block, point: int, place: int, value: float) -> None:
        progress = block.points[point]
        before = progress.ended
        progress.add(place, value)
        if before is None and progress.ended is not None:
            block.open_points -= 1
            self.tally.spared += self.study.seed_count - progress.ended

    def _complete(self, block: _Block) -> None:
        """Make the block a file of the dataset; until that has its name the journal stays."""
        rows = self._known_rows(block.number)
        kept = sorted(run_id for run_id in rows if self._belongs(block, run_id))
        entries: list[Entry] = [(point, seed, *rows[point, seed]) for point, seed in kept]
        self.files.write_block(block.number, entries)
        self._forget(block)

    def _forget(self, block: _Block) -> None:
        self._journal.remove(block.number)
        del self._blocks[block.number]
