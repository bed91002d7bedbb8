"""Ctrl-C: a long job stops at the next finished piece, keeps what it has, and says so.

The jobs ask `Interruption` whether to go on; what was kept and how it is written is theirs to know.
"""

import signal
from types import FrameType, TracebackType
from typing import Self


class Interruption:
    """Catch the first Ctrl-C inside a `with` block as a flag; the second one raises KeyboardInterrupt as usual."""

    def __init__(self) -> None:
        self.requested = False
        self._previous: object = None

    def __enter__(self) -> Self:
        try:
            self._previous = signal.signal(signal.SIGINT, self._note)
        except ValueError:  # not the main thread: nobody can press Ctrl-C at us
            self._previous = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)  # type: ignore[arg-type]

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True


def ignore_interrupts() -> None:
    """Leave Ctrl-C to the parent (a terminal sends it to the whole process group)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
