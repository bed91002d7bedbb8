"""Compiling the host's functions beside the process that compiles ``run_ahead``, through numba's cache on disk.

The list goes from what ``run_ahead`` needs last to the functions that only Python calls, so that two processes meet
in the middle: what one has compiled the other finds in the cache.
"""

from numba import config, int64, typeof

from scheduler import kernel_balance, kernel_core, kernel_entry, kernel_script, kernel_thread, kernel_wake

LAST_FIRST = (
    (kernel_wake.find_efficient, 3),
    (kernel_core.check_preemption, 3),
    (kernel_thread.wake, 3),
    (kernel_thread.move, 3),
    (kernel_balance.pull, 1),
    (kernel_balance.balance, 0),
    (kernel_script.take_row, 1),
    (kernel_entry.start, 2),
    (kernel_entry.obey_affinity, 1),
    (kernel_entry.kill, 1),
    (kernel_entry.finish, 0),
    (kernel_entry.fill_until_now, 1),
)
"""Functions of (host, integers...) and the number of their integers."""


def is_plain() -> bool:
    """Tell whether everything runs as plain Python."""
    off: bool = config.DISABLE_JIT  # type: ignore[attr-defined]
    return off


def compile_beside(handle: object) -> None:
    """Compile the functions of ``LAST_FIRST`` for hosts of this type and leave them in numba's cache."""
    if not is_plain():
        for function, integers in LAST_FIRST:
            function.compile((typeof(handle), *(int64,) * integers))
