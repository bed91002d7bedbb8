"""What the machine allows: memory filled and copied, numbers multiplied and added, a compiled function called."""

import ctypes
from functools import lru_cache

import numpy as np

from benchmarks.compiled import load, pointers
from benchmarks.measure import Contender
from benchmarks.ticks import Arrays, Words

CACHED = 1024
ROUNDS = 64
SEVEN = np.uint64(7)


def fill(a: Arrays) -> Contender:
    """Return ``numpy.ndarray.fill`` of the record."""
    return Contender(lambda: a.record.fill(SEVEN), a.record.size)


def memset(a: Arrays, compiler: str = "gcc") -> Contender:
    """Return the C library's memset of the record."""
    function = load(compiler, "limits.c").fill
    size, record = ctypes.c_int64(a.record.size), pointers(a.record)[0]
    return Contender(lambda: (a, function(record, size)), a.record.size)


def copy(a: Arrays) -> Contender:
    """Return a copy of as many bytes to the record."""
    source = source_of(a.record.shape)
    return Contender(lambda: np.copyto(a.record, source), a.record.size)


@lru_cache(maxsize=1)
def source_of(shape: tuple[int, ...]) -> Words:
    """Return memory to copy from."""
    return np.ones(shape, np.uint64)


def multiply_add(compiler: str = "gcc") -> Contender:
    """Return one multiplication (of 32 bits times 32) and one addition a number, in the first cache."""
    function = load(compiler, "limits.c").multiply_add
    a, b = np.arange(CACHED, dtype=np.uint32), np.arange(CACHED, dtype=np.uint32)
    arguments = (*pointers(a, b), ctypes.c_int64(CACHED), ctypes.c_int64(ROUNDS))
    return Contender(lambda: (a, b, function(*arguments)), CACHED * ROUNDS)
