"""The matrices of a report: moves of vCPU threads between core types, a matrix for each schedule that is kept."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from simcore.app.lanes import run_names
from simcore.app.report_blocks import Matrices, Matrix
from simcore.app.report_words import counted, some
from simcore.app.study_sources import moves_between
from simcore.platform import Platform
from simcore.result import Result

SHADES = 5


def move_matrices(results: Sequence[Result], platform: Platform, caption: str) -> Matrices:
    """Return how often threads of the first VM's vCPUs went from each core type to each, in each run.

    Runs that moved at the same times, as all of a replay do, have one matrix.
    """
    names = tuple(core.name for core in platform.core_types)
    moves: dict[bytes, NDArray[np.int64]] = {}
    runs: dict[bytes, list[str]] = {}
    for result, name in zip(results, run_names(results), strict=True):
        schedule = result.tables["migrations"].tobytes()
        moves[schedule] = moves_between(result, platform)
        runs.setdefault(schedule, []).append(name)
    return Matrices(caption, tuple(_matrix(some(runs[key]), table, names) for key, table in moves.items()))


def _matrix(run: str, moves: NDArray[np.int64], names: tuple[str, ...]) -> Matrix:
    label = f"{run}: {counted(int(moves.sum()), 'move')}"
    return Matrix(label, names, tuple(_cells(row, int(moves.max())) for row in moves))


def _cells(row: NDArray[np.int64], most: int) -> tuple[tuple[str, int], ...]:
    return tuple((str(number), -(-SHADES * number // most) if most else 0) for number in row.tolist())
