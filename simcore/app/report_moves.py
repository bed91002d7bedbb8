"""The matrices of a report: moves of vCPU threads between core types, a matrix for each run that is kept."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from simcore.app.lanes import run_names
from simcore.app.report_blocks import Matrices, Matrix
from simcore.app.report_words import counted
from simcore.app.study_sources import moves_between
from simcore.platform import Platform
from simcore.result import Result

SHADES = 5


def move_matrices(results: Sequence[Result], platform: Platform, caption: str) -> Matrices:
    """Return how often threads of the first VM's vCPUs went from each core type to each, in each run."""
    names = tuple(core.name for core in platform.core_types)
    moves = [moves_between(result, platform) for result in results]
    labels = run_names(results)
    return Matrices(caption, tuple(_matrix(label, table, names) for label, table in zip(labels, moves, strict=True)))


def _matrix(run: str, moves: NDArray[np.int64], names: tuple[str, ...]) -> Matrix:
    label = f"{run}: {counted(int(moves.sum()), 'move')}"
    return Matrix(label, names, tuple(_cells(row, int(moves.max())) for row in moves))


def _cells(row: NDArray[np.int64], most: int) -> tuple[tuple[str, int], ...]:
    return tuple((str(number), -(-SHADES * number // most) if most else 0) for number in row.tolist())
