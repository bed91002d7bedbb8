"""Which vector instructions are in the machine code of a compiled function."""

import platform
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from numba import njit, typeof

X86 = re.compile(r"^\s+(v?p?\w+)\s+.*%([yz]mm)\d")
ARM = re.compile(r"^\s+(\w+)\s+.*\b(v\d+\.(?:2d|4s|8h|16b)|q\d+)\b", re.IGNORECASE)
FEATURES = {"x86_64": "avx2", "aarch64": "neon", "arm64": "neon"}


def machine_code(function: Any, arguments: Sequence[object]) -> str:
    """Compile a function anew for the types of some arguments, and return the assembly.

    What numba has in its cache is machine code only, which it cannot show.
    """
    fresh = njit(function.py_func, nogil=True)
    types = tuple(typeof(argument) for argument in arguments)  # type: ignore[no-untyped-call]
    fresh.compile(types)
    return str(fresh.inspect_asm(types))


def vector_instructions(assembly: str, machine: str | None = None) -> dict[str, int]:
    """Return how often each instruction on wide vectors occurs: on x86-64 256 or 512 bits, on arm64 128.

    Names have the width: "vpaddq 512".
    """
    found: Counter[str] = Counter()
    x86 = (machine or platform.machine()) in ("x86_64", "AMD64")
    for line in assembly.splitlines():
        if match := (X86 if x86 else ARM).match(line):
            width = ("512" if "%zmm" in line else "256") if x86 else "128"
            found[f"{match[1]} {width}"] += 1
    return dict(found.most_common())
