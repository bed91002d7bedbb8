"""What one input may cost and how it may end: a result, or one message that fits a terminal; all else is a failure."""

import contextlib
import resource
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simcore.errors import InputError

SECONDS = 2.0
SECONDS_PER_MB = 6.0
"""Of CPU time, which a busy machine does not change; an input of a megabyte may take longer."""
BLOCKED_S = 60.0
"""Of wall time, after which an input waits for something rather than being worked on."""
MEMORY = 512 << 20
TOUCHING_S = 0.05
"""Nothing touches that much memory in less time, so a quicker input needs no look at it, which is slow."""
ADDRESSES = 3 << 30
"""Address space beyond what the process has; what a loader reserves at once beyond it is a `MemoryError`."""
MOST_LINES, MOST_CHARACTERS = 3, 2000
HERE = Path(__file__).resolve().parents[2]
DONE, REFUSED, FAILED = "done", "refused", "failed"


class Overrun(BaseException):
    """The time of an input is up; no `except Exception` of a loader takes it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an input ended: `done`, `refused` or `failed`; ``what`` is the same for failures of one cause."""

    kind: str
    what: str = ""
    detail: str = ""
    cpu_s: float = 0.0
    peak_bytes: int = 0


def judge(read: Callable[[bytes], Any], data: bytes) -> Outcome:
    """Give an input to a loader and say how that ended."""
    _growth()  # what was used before is not this input's
    started = time.process_time()
    allowed_s = SECONDS + SECONDS_PER_MB * len(data) / 1e6
    try:
        with limited(allowed_s):
            read(data)
        kind, what, detail = DONE, "", ""
    except InputError as error:
        kind, what, detail = _refusal(str(error))
    except Overrun as error:
        kind, what, detail = FAILED, f"hang in {_place(error)}", traceback.format_exc()
    except MemoryError as error:
        kind, what, detail = FAILED, f"memory in {_place(error)}", traceback.format_exc()
    except Exception as error:  # that is what is looked for
        kind, what, detail = FAILED, f"{type(error).__name__} in {_place(error)}", traceback.format_exc()
    cpu_s = time.process_time() - started
    peak = _growth() if cpu_s > TOUCHING_S else 0
    if kind != FAILED and cpu_s > allowed_s * 1.5:
        kind, what = FAILED, "hang"
    if kind != FAILED and peak > MEMORY:
        kind, what = FAILED, "memory"
    return Outcome(kind, what, detail, cpu_s, peak)


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Bound CPU time, wall time and address space of the block."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    old = [signal.signal(number, _over) for number in (signal.SIGPROF, signal.SIGALRM)]
    resource.setrlimit(resource.RLIMIT_AS, (_addresses() + ADDRESSES, hard))
    signal.setitimer(signal.ITIMER_PROF, seconds, 0.5)
    signal.setitimer(signal.ITIMER_REAL, BLOCKED_S, 0.5)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        for number, handler in zip((signal.SIGPROF, signal.SIGALRM), old, strict=True):
            signal.signal(number, handler)


def complaint(text: str) -> str:
    """Say what is wrong with a message; empty where nothing is."""
    if len(text.split("\n")) > MOST_LINES:
        return "a message of more than three lines"
    if len(text) > MOST_CHARACTERS:
        return "a message that fills the screen"
    if not all(char.isprintable() for char in text.replace("\n", "")):
        return "a message with characters that steer a terminal or cannot be printed"
    return "" if text.strip() else "an empty message"


def _refusal(text: str) -> tuple[str, str, str]:
    wrong = complaint(text)
    return (FAILED, wrong, ascii(text[:4000])) if wrong else (REFUSED, text, "")


def _over(number: int, frame: Any) -> None:
    raise Overrun


def _place(error: BaseException) -> str:
    """Return file and function of the project where it happened, the innermost one outside of this harness."""
    frames = [row for row in traceback.extract_tb(error.__traceback__) if Path(row.filename).is_relative_to(HERE)]
    frames = [row for row in frames if row.filename != __file__]
    ours = [row for row in frames if "/tests/" not in row.filename] or frames
    return f"{Path(ours[-1].filename).relative_to(HERE)}:{ours[-1].name}" if ours else "?"


def _growth() -> int:
    """Return by how much the peak of the memory rose since it was last looked at, and have the kernel forget it."""
    global _known_peak
    growth = _peak() - _known_peak
    if growth > 0:
        with contextlib.suppress(OSError), open("/proc/self/clear_refs", "wb") as file:
            file.write(b"5")
    _known_peak = _peak()
    return max(0, growth)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


_known_peak = _peak()


def _addresses() -> int:
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[0]) * resource.getpagesize()
