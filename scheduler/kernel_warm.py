"""Compiling the host's functions beside the process that compiles ``run_ahead``, through numba's cache on disk.

The list goes from what ``run_ahead`` needs last to the functions that only Python calls, so that two processes meet
in the middle: what one has compiled the other finds in the cache.
"""

from numba import config, int64, typeof

from scheduler import kernel_entry, kernel_host, kernel_place, kernel_queue

LAST_FIRST = (
    (kernel_queue.pick, 1),
    (kernel_place.select_cpu, 2),
    (kernel_place.pull_waiting, 1),
    (kernel_place.pull_misfit, 1),
    (kernel_place.mark_misfit, 1),
    (kernel_host.charge_switch, 2),
    (kernel_host.go_idle, 1),
    (kernel_host.next_event, 0),
    (kernel_place.attach, 2),
    (kernel_host.wake, 2),
    (kernel_place.balance, 0),
    (kernel_entry.start_thread, 2),
    (kernel_entry.obey_affinity, 1),
    (kernel_entry.kill, 1),
    (kernel_entry.finish, 0),
    (kernel_entry.fill_until_now, 1),
)
"""Functions of (host, integers...) and the number of their integers."""


def compile_beside(handle: object) -> None:
    """Compile the functions of ``LAST_FIRST`` for hosts of this type and leave them in numba's cache."""
    if not config.DISABLE_JIT:  # type: ignore[attr-defined]
        for function, integers in LAST_FIRST:
            function.compile((typeof(handle), *(int64,) * integers))
