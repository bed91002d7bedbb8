"""What comes to the host from outside at one nanosecond, in the order of its kind and number."""

OPP, AFFINITY, CPUSET, PIN, LIVE, MOVE, REFILL, HOST = range(8)
IO_CPU = 0
"""pCPU that takes the interrupts of I/O completions: Linux' default affinity with a GICv3 (assumed)."""
NUMBERS = 1 << 16


def order(kind: int, number: int = 0) -> int:
    """Return the place of an outside event among those of its nanosecond; ``number`` is a domain, VM or vCPU."""
    return kind * NUMBERS + number
