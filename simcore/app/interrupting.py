"""Ctrl-C and SIGTERM: a long job stops at the next finished piece, keeps what it has, and says so.

The jobs ask `Interruption` whether to go on; what was kept and how it is written is theirs to know.
"""

import signal
from types import FrameType, TracebackType
from typing import Self

SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""What a terminal sends, and what `kill`, `timeout`, systemd and batch systems send."""


class Interruption:
    """Catch the first such signal inside a `with` block as a flag; the second one raises KeyboardInterrupt."""

    def __init__(self) -> None:
        self.requested = False
        self._previous: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        try:
            self._previous = {number: signal.signal(number, self._note) for number in SIGNALS}
        except ValueError:  # not the main thread: nobody can press Ctrl-C at us
            self._previous = {}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        for number, previous in self._previous.items():
            if previous is not None:
                signal.signal(number, previous)  # type: ignore[arg-type]

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True


def ignore_interrupts() -> None:
    """Leave Ctrl-C to the parent (a terminal sends it to the whole process group); end by SIGTERM as usual."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def end_as_by_ctrl_c() -> None:
    """Let SIGTERM raise KeyboardInterrupt too, so that what was begun is cleaned up wherever the program is."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
