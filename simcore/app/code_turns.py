"""Whose turn it is on each pCPU: vCPUs of real code that share one have it by turns, in the order in which they came.

The engine knows what a vCPU does only by executing it, so the host's run loop, which runs ahead of its guests, cannot
place it (docs/guest_code.md, "Sharing a pCPU").
"""

from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simcore.app.code_core import Core


@dataclass(slots=True)
class Seat:
    """One pCPU: who has it, since when a turn may end, who waits, when it became free, and who had it last."""

    holder: "Core | None" = None
    turn_ends_ns: int = 0
    free_ns: int = 0
    last: int = -1
    queue: "deque[Core]" = field(default_factory=deque)


@dataclass(slots=True)
class Turns:
    """The pCPUs; ``turn_ns`` is how long a vCPU has one for which others wait."""

    turn_ns: int
    seats: defaultdict[int, Seat] = field(default_factory=lambda: defaultdict(Seat))

    def ask(self, core: "Core") -> bool:
        """Let a vCPU have its pCPU, or wait for it; tell whether it has it."""
        seat = self.seats[core.cpu]
        if seat.holder is not None:
            seat.queue.append(core)
            return False
        self._sit(seat, core)
        return True

    def leave(self, core: "Core") -> "Core | None":
        """Take a vCPU off its pCPU, or out of those that wait; return who has the pCPU instead."""
        seat = self.seats[core.cpu]
        if seat.holder is not core:
            seat.queue.remove(core)
            return None
        seat.holder, seat.free_ns = None, core.clock.ns
        if not seat.queue:
            return None
        follower = seat.queue.popleft()
        self._sit(seat, follower)
        return follower

    def ends_ns(self, core: "Core") -> int | None:
        """Return when the turn of a vCPU that has its pCPU ends; None while nobody else wants it."""
        seat = self.seats[core.cpu]
        return seat.turn_ends_ns if seat.queue else None

    def _sit(self, seat: Seat, core: "Core") -> None:
        core.wait_until(seat.free_ns)
        if core.ran_on >= 0 and (core.ran_on != core.cpu or seat.last != core.number):
            core.spend(core.costs.context_switch)
        seat.holder, seat.last = core, core.number
        seat.turn_ends_ns = core.clock.ns + self.turn_ns
