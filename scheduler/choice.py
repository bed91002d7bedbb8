"""The schedulers to choose from by name, and what follows the colon of those that have a parameter."""

from typing import Final

from scheduler.attributes import POLICIES, RR_SLICE_NS
from scheduler.kernel_state import FIFO
from simcore.errors import InputError, unknown_name
from simcore.scenario import ThreadSpec
from simcore.units import parse_time_ns, parse_whole

EAS, EEVDF, RANDOM, ROUND_ROBIN, PINNED = SCHEDULERS = ("eas", "eevdf", "random", "round-robin", "pinned")
REPLAY: Final = "replay"
"""The scheduler of a replay, which makes its own machine (``simcore.app.trace_machine``)."""
DEFAULT_MOVES_PER_S: Final = 100
MAX_MOVES_PER_S: Final = 1_000_000


def name_of(text: str) -> str:
    """Return the name of a scheduler without its parameter; raise InputError for a wrong name or parameter."""
    name, _, parameter = text.partition(":")
    if name not in (*SCHEDULERS, REPLAY):
        raise unknown_name("scheduler", name, SCHEDULERS)
    if parameter and name not in (RANDOM, ROUND_ROBIN):
        raise InputError(f"{name} has no parameter", f"scheduler {text}", valid=name)
    moves_per_s(text)
    turn_ns(text)
    return name


def moves_per_s(text: str) -> int:
    """Return the moves of each vCPU a second under ``random[:MOVES_PER_S]``, 0 under any other scheduler."""
    name, _, rate = text.partition(":")
    if name != RANDOM:
        return 0
    if rate and not 0 < parse_whole(rate) <= MAX_MOVES_PER_S:
        raise InputError(f"bad rate {rate!r}", f"scheduler {text}", valid=f"moves a second, 1 to {MAX_MOVES_PER_S}")
    return int(rate or DEFAULT_MOVES_PER_S)


def turn_ns(text: str) -> int:
    """Return the slice of every thread under ``round-robin[:SLICE]``, 0 under any other scheduler."""
    name, _, length = text.partition(":")
    if name != ROUND_ROBIN:
        return 0
    turn = parse_time_ns(length, where=f"scheduler {text}") if length else RR_SLICE_NS
    if turn == 0:
        raise InputError("a slice of no length", f"scheduler {text}", valid="a time above zero, such as 10ms")
    return turn


def attributes_under(text: str, spec: ThreadSpec) -> ThreadSpec:
    """Return the attributes of a thread under a scheduler: ``round-robin`` makes SCHED_RR threads of all fair ones."""
    turn = turn_ns(text)
    return ThreadSpec(policy="rr", slice_ns=turn) if turn and POLICIES[spec.policy] != FIFO else spec
