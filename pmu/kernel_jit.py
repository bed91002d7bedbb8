"""How the functions of kernel files are compiled: the one place with numba's options.

numba optimises and emits whatever a function calls once more with each of its callers, all the way up. ``inlined``
keeps that chain short.
"""

from typing import Any

from numba import njit

# No compiled code takes a function as a value, so none needs a wrapper for C.
_OPTIONS: dict[str, Any] = {"cache": True, "no_cfunc_wrapper": True}

compiled = njit(**_OPTIONS)
"""A function of its own."""

inlined = njit(**_OPTIONS, inline="always")
"""A function that one other calls, at one place, and that becomes a part of it; Python can call it as well.

For functions that call much, and for those of a few lines. A caller that grows to hundreds of lines takes longer.
"""

released = njit(**_OPTIONS, nogil=True)
"""A long loop that Python calls; other threads of Python run meanwhile. To release the lock costs a call 0.1 us."""
