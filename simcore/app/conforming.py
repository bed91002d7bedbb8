"""Conformance: replays recorded cases and compares each result; every file is checked before the first replay.

A case is one recorded sequence under one variant. How a file is read is in ``simcore.app.vectors``, what an operation
does in ``simcore.app.replaying``, the text in ``simcore.app.conform_text``.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pmu.revisions import REVISIONS, ideal
from simcore.app import vectors
from simcore.app.replaying import Operation, Replay, Result
from simcore.app.vector_files import Content, load, schema_of
from simcore.app.vector_forms import known, within
from simcore.app.vectors import Recording
from simcore.errors import InputError

ALL: Final = "all"
SCHEDULER_SCHEMA: Final = "hetpmu-sched-vectors/1"


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The first operation of a case whose result differs."""

    step: int
    op: Operation
    expected: Result
    got: Result


@dataclass(frozen=True, slots=True)
class Case:
    """One recorded sequence under one variant, with the kernel's sample-period quirks or without."""

    recording: Recording
    variant: str
    quirks: bool

    def replay(self) -> Replay:
        """Return a new VM on which the operations can be run."""
        revision = REVISIONS[self.variant]
        recording = self.recording
        made = revision if self.quirks else ideal(revision)
        return Replay(recording.host, made, recording.vcpus, **recording.options)

    def mismatch(self) -> Mismatch | None:
        """Replay up to the first result that differs."""
        replay = self.replay()
        expected = self.recording.expected(self.variant, self.quirks)
        for step, (op, wanted) in enumerate(zip(self.recording.ops, expected, strict=True)):
            got = self._step(replay, step, op)
            if got != wanted:
                return Mismatch(step, op, wanted, got)
        return None

    def _step(self, replay: Replay, step: int, op: Operation) -> Result:
        try:
            return replay.step(op)
        except Exception as error:  # a bug of ours, which is to be reported with its place
            error.add_note(f"in {self.recording.id!r} under {self.variant}, step {step}: {op}")
            raise

    def stopped_at(self, step: int) -> Replay:
        """Return the VM as it is right after a step."""
        replay = self.replay()
        for op in self.recording.ops[:step]:
            replay.step(op)
        replay.vm.decided_by = None
        replay.step(self.recording.ops[step])
        return replay


@dataclass(frozen=True, slots=True)
class VectorFile:
    """A file that has been read and checked: the name that the user gave it, and what is recorded there."""

    name: str
    recordings: tuple[Recording, ...]

    @property
    def variants(self) -> tuple[str, ...]:
        """Return the variants of which there are results, in the order of the table of revisions."""
        found = {variant for recording in self.recordings for variant in recording.results}
        return tuple(variant for variant in REVISIONS if variant in found)

    def cases(self, variant: str, quirks: bool) -> Iterator[Case]:
        """Yield a case for each recording that has results of a variant."""
        return (Case(row, variant, quirks) for row in self.recordings if variant in row.results)


@dataclass(frozen=True, slots=True)
class Failure:
    """A case that failed, and where."""

    case: Case
    mismatch: Mismatch


@dataclass(frozen=True, slots=True)
class Tally:
    """The cases of one file under one variant."""

    variant: str
    cases: int
    failures: tuple[Failure, ...]


@dataclass(frozen=True, slots=True)
class FileResult:
    """What the replay of one file gave; ``file`` is the name that the user gave it."""

    file: str
    tallies: tuple[Tally, ...]

    @property
    def cases(self) -> int:
        """Return how many cases were replayed."""
        return sum(tally.cases for tally in self.tallies)

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Return the failed cases, variant by variant."""
        return tuple(failure for tally in self.tallies for failure in tally.failures)


def _read_vectors(name: str, content: Content) -> VectorFile:
    return VectorFile(name, vectors.read(content))


def _refuse_scheduler(name: str, content: Content) -> VectorFile:
    raise InputError("scheduler vectors cannot be replayed yet", why=f"schema {SCHEDULER_SCHEMA}", valid=vectors.SCHEMA)


FORMATS: Final[Mapping[str, Callable[[str, Content], VectorFile]]] = {
    vectors.SCHEMA: _read_vectors,
    SCHEDULER_SCHEMA: _refuse_scheduler,
}
"""Schema of a file -> what reads it; raises InputError for the first thing that is wrong."""


def read(name: str) -> VectorFile:
    """Return a file, all of it checked."""
    try:
        content = load(name)
        return FORMATS[known("schema", schema_of(content), FORMATS)](name, content)
    except InputError as error:
        raise within(error, name, ": ") from None


def run_files(names: Iterable[str], variant: str = ALL, quirks: bool = True) -> tuple[FileResult, ...]:
    """Replay every case of the files; nothing is replayed unless all files are sound and have the variant."""
    if variant != ALL:
        known("variant", variant, (*REVISIONS, ALL), where="--variant")
    planned = [(file, _chosen(file, variant)) for file in map(read, names)]
    return tuple(
        FileResult(file.name, tuple(_tally(file, each, quirks) for each in chosen)) for file, chosen in planned
    )


def _chosen(file: VectorFile, variant: str) -> Sequence[str]:
    if variant == ALL:
        return file.variants
    if variant not in file.variants:
        raise InputError(f"no results of variant {variant!r}", where=file.name, valid=", ".join((*file.variants, ALL)))
    return (variant,)


def _tally(file: VectorFile, variant: str, quirks: bool) -> Tally:
    outcomes = [(case, case.mismatch()) for case in file.cases(variant, quirks)]
    failures = tuple(Failure(case, mismatch) for case, mismatch in outcomes if mismatch is not None)
    return Tally(variant, len(outcomes), failures)


def as_json(results: Iterable[FileResult]) -> dict[str, Any]:
    """Return the answer of `hetpmu conformance`."""
    return {"schema": "hetpmu-conformance/1", "files": [_file_row(result) for result in results]}


def _file_row(result: FileResult) -> dict[str, Any]:
    failed = [_failed_row(failure) for failure in result.failures]
    return {"file": result.file, "cases": result.cases, "passed": result.cases - len(failed), "failed": failed}


def _failed_row(failure: Failure) -> dict[str, Any]:
    mismatch = failure.mismatch
    return {
        "case": failure.case.recording.id,
        "variant": failure.case.variant,
        "step": mismatch.step,
        "op": mismatch.op,
        "expected": mismatch.expected,
        "got": mismatch.got,
    }
