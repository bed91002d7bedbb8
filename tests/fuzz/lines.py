"""Which lines of the project inputs reach: an input that reaches a new one is worth changing further.

A function is watched only until all of its lines were seen.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any

from tests.fuzz.guard import HERE

PACKAGES = tuple(f"{HERE}/{name}/" for name in ("simcore", "pmu", "workloads", "scheduler", "benchmarks"))


class Lines:
    """The lines that were reached since the start."""

    def __init__(self) -> None:
        self.reached = 0
        self.known = 0
        """Lines of all functions that were entered."""
        self._left: dict[int, set[int]] = {}
        self._kept: list[CodeType] = []

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Watch what runs in the block."""
        before = sys.gettrace()
        sys.settrace(self._call)
        try:
            yield
        finally:
            sys.settrace(before)

    def _call(self, frame: FrameType, event: str, argument: Any) -> Any:
        left = self._left.get(id(frame.f_code))
        if left is None:
            left = self._meet(frame.f_code)
        return self._line if left else None

    def _meet(self, code: CodeType) -> set[int]:
        ours = code.co_filename.startswith(PACKAGES)
        found = {line for _, _, line in code.co_lines() if line is not None} - {code.co_firstlineno} if ours else set()
        self._left[id(code)] = found
        self._kept.append(code)
        self.known += len(found)
        return found

    def _line(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            left = self._left[id(frame.f_code)]
            if frame.f_lineno in left:
                left.discard(frame.f_lineno)
                self.reached += 1
        return self._line
