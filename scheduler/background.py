"""The host's own threads: what each does when the host stops at it, and those that run bursts at random times."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from scheduler import kernel_entry
from scheduler import kernel_state as ks
from simcore.draws import exponential_ns
from simcore.scenario import BackgroundTask

if TYPE_CHECKING:
    from scheduler.host import Host

BURSTS_AT_ONCE = 16  # at most


class HostThread(Protocol):
    """What a thread of the host does that is neither a vCPU nor one of a VMM."""

    def begin(self, host: "Host", task: int) -> None:
        """Start the thread at time 0, or say when it does."""

    def go_on(self, host: "Host", task: int) -> None:
        """Say what the thread, at which the host stopped since it has nothing left to do, does next."""


@dataclass(slots=True)
class Bursts:
    """A thread that runs a burst, sleeps for a random time, and repeats.

    ``work`` is that of each burst; ``slept`` counts its sleeps.
    """

    spec: BackgroundTask
    work: int
    seed: int
    number: int
    slept: int = 0

    def begin(self, host: "Host", task: int) -> None:
        """Sleep until the first burst."""
        kernel_entry.wake_at(host.handle, task, self.sleep_ns())

    def go_on(self, host: "Host", task: int) -> None:
        """Do some more bursts."""
        host.write_script(task, self.next_rows())
        host.resume()

    def sleep_ns(self) -> int:
        """Return the length of the next sleep."""
        length = exponential_ns(self.spec.sleep_ns, self.seed, self.number, "background sleep", self.slept)
        self.slept += 1
        return length

    def next_rows(self) -> list[tuple[int, int, int]]:
        """Return some bursts, each with the sleep after it, as rows of a script."""
        rows = []
        for _ in range(min(BURSTS_AT_ONCE, self.slept)):  # few at first: of many threads most run seldom
            rows += [(ks.RUN, 0, self.work), (ks.SLEEP_FOR, ks.NONE, self.sleep_ns())]
        return rows
