"""C peers: compiled on demand from ``benchmarks/c`` with optimisation for this machine, called by ctypes."""

import ctypes
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import Unavailable

SOURCES = Path(__file__).parent / "c"
FLAGS = ("-O3", "-march=native", "-fPIC", "-shared", "-Wall")


@cache
def load(compiler: str, source: str) -> ctypes.CDLL:
    """Compile ``benchmarks/c/<source>`` and return the library; raise Unavailable when that fails."""
    program = shutil.which(compiler)
    if program is None:
        raise Unavailable(f"{compiler} is not installed")
    with tempfile.TemporaryDirectory(prefix="hetpmu-bench-") as folder:
        library = Path(folder) / f"{source}.so"
        command = [program, *FLAGS, "-o", str(library), str(SOURCES / source)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Unavailable(f"{compiler} failed: {first_line(done.stderr)}")
        return ctypes.CDLL(str(library))


def first_line(text: str) -> str:
    """Return the first line of a compiler's complaint."""
    return next(iter(text.strip().splitlines()), "no message")


def pointers(*arrays: NDArray[np.generic]) -> list[ctypes.c_void_p]:
    """Return pointers to the data of C-contiguous arrays; each keeps its array alive."""
    return [array.ctypes.data_as(ctypes.c_void_p) for array in arrays]
