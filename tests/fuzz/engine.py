"""The campaign: seeds, then changes of them and of whatever reached new lines; failures are made small and kept."""

import hashlib
import random
import resource
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.guard import DONE, FAILED, Outcome, judge
from tests.fuzz.lines import Lines
from tests.fuzz.mutate import Known
from tests.fuzz.table import Target

MINIMISING = 400
"""Most tries to make a failing input smaller."""
MOST_KEPT_BYTES = 1 << 16
ALWAYS, ONE_IN = 500, 4
"""So many inputs are watched for new lines, and of the others one in so many: watching takes twice the time."""
MOST_FAILURES = 20
"""Failures of different kinds after which a campaign ends."""


@dataclass(slots=True)
class Failure:
    """An input that neither gave a result nor one message."""

    target: str
    what: str
    detail: str
    data: bytes
    path: Path | None = None


@dataclass(slots=True)
class Report:
    """What a campaign did on one target."""

    target: str
    inputs: int = 0
    done: int = 0
    refused: int = 0
    seconds: float = 0.0
    lines: int = 0
    slowest_s: float = 0.0
    peak_bytes: int = 0
    failures: list[Failure] = field(default_factory=list)

    def row(self) -> str:
        """Return the report as a line of a table."""
        rate = self.inputs / self.seconds if self.seconds else 0.0
        return (
            f"{self.target:14} {self.inputs:8} inputs {rate:7.0f}/s {self.done:8} done {self.refused:8} refused"
            f" {len(self.failures):3} failures {self.lines:5} lines {self.slowest_s:5.2f} s"
            f" {self.peak_bytes >> 20:4} MiB"
        )


def campaign(
    target: Target,
    seed: int,
    count: int,
    *,
    guided: bool = True,
    minutes: float | None = None,
    before: Callable[[bytes], object] = lambda data: None,
) -> Report:
    """Give a target so many inputs, the same ones for the same seed (unless the time ends it); ``before`` sees each."""
    report, lines, started = Report(target.name), Lines(), time.monotonic()
    seen: set[str] = set()
    pool = Pool(target, seed)
    for number in range(count):
        data = pool.next(number)
        if minutes is not None and time.monotonic() - started > 60 * minutes:
            break
        before(data)
        reached = lines.reached
        with lines.watched() if guided and (number < ALWAYS or number % ONE_IN == 0) else nullcontext():
            outcome = judge(target.read, data)
        count_in(report, outcome)
        pool.keep(data, outcome, number, lines.reached > reached)
        if outcome.kind == FAILED and outcome.what not in seen:
            seen.add(outcome.what)
            report.failures.append(Failure(target.name, outcome.what, outcome.detail, minimised(target, data, outcome)))
            if len(seen) >= MOST_FAILURES:
                break
    report.seconds, report.lines = time.monotonic() - started, lines.reached
    return report


class Pool:
    """Inputs that are worth changing: the seeds, those that reached new lines, and some of those that were taken."""

    def __init__(self, target: Target, seed: int) -> None:
        self._target = target
        self._rng = random.Random(f"{seed}:{target.name}")
        self._seeds = target.seeds()
        self._all: list[bytes] = []
        self._good: list[bytes] = []

    def next(self, number: int) -> bytes:
        """Return the seed of that number, or else a changed input: half of the time one that was taken."""
        if number < len(self._seeds):
            return self._seeds[number]
        rng = self._rng
        chosen = self._good if self._good and rng.random() < 0.6 else self._all
        recent = len(chosen) > 8 and rng.random() < 0.3
        data = rng.choice(chosen[-8:] if recent else chosen)
        return self._target.changed(rng, data, Known(self._target.tokens(), self._all))

    def keep(self, data: bytes, outcome: Outcome, number: int, new_lines: bool) -> None:
        """Keep an input for further changes, if it is worth it."""
        seed = number < len(self._seeds)
        if len(data) >= MOST_KEPT_BYTES and not seed:
            return
        if seed or new_lines:
            self._all.append(data)
        if outcome.kind == DONE and (seed or new_lines or self._rng.random() < 0.05):
            self._good.append(data)


def count_in(report: Report, outcome: Outcome) -> None:
    """Put an outcome into the report."""
    report.inputs += 1
    report.done += outcome.kind == DONE
    report.refused += outcome.kind not in (DONE, FAILED)
    report.slowest_s = max(report.slowest_s, outcome.cpu_s)
    report.peak_bytes = max(report.peak_bytes, outcome.peak_bytes)


def minimised(target: Target, data: bytes, outcome: Outcome) -> bytes:
    """Return a smaller input that fails in the same way: pieces are taken out as long as it does."""
    tries = 8 if outcome.what.startswith(("hang", "memory")) else MINIMISING
    size = max(1, len(data) // 2)
    while size and tries:
        at = 0
        while at < len(data) and tries:
            smaller = data[:at] + data[at + size :]
            tries -= 1
            if judge(target.read, smaller).what == outcome.what:
                data = smaller
            else:
                at += size
        size //= 2
    return data


def keep(failure: Failure, folder: Path) -> Path:
    """Write a failing input and how to repeat it."""
    name = f"{failure.target}-{hashlib.sha256(failure.data).hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    failure.path = folder / name
    failure.path.write_bytes(failure.data)
    text = (
        f"{failure.what}\n\npython -m tests.fuzz --target {failure.target} --input {failure.path}\n\n{failure.detail}\n"
    )
    failure.path.with_suffix(".txt").write_text(text, encoding="utf-8", errors="backslashreplace")
    return failure.path


def memory_peak() -> int:
    """Return the peak of this process's memory, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
