"""Conformance: replays recorded cases and compares each result; every file is checked before the first replay.

A case is one recorded sequence of KVM calls under one variant, or one vector of the scheduler. How a file is read is
in ``simcore.app.vectors`` and ``simcore.app.sched_*``, what an operation does in ``simcore.app.replaying``, the text in
``simcore.app.conform_text``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pmu.revisions import REVISIONS, ideal
from simcore.app import sched_fair, sched_freq, sched_place, vectors
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
class KvmCase:
    """One recorded sequence under one variant, with the kernel's sample-period quirks or without."""

    recording: Recording
    variant: str
    quirks: bool

    @property
    def id(self) -> str:
        """Return the name of the sequence."""
        return self.recording.id

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
class SchedulerCase:
    """One vector of the scheduler, in the content of its file; it knows neither variants nor quirks."""

    vector: Content
    content: Content
    variant: None = None

    @property
    def id(self) -> str:
        """Return the name of the vector."""
        return str(self.vector["id"])

    def mismatch(self) -> Mismatch | None:
        """Replay up to the first result that differs."""
        found = SCHEDULER_PARTS[self.content["part"]].mismatch(self.vector, self.content)
        return None if found is None else Mismatch(*found)


Case = KvmCase | SchedulerCase
Plan = Mapping[str | None, Sequence[Case]]
"""Variant (None: the file has none) -> its cases."""


@dataclass(frozen=True, slots=True)
class KvmFile:
    """A file of sequences that has been read and checked: its name as the user gave it, and what is recorded."""

    name: str
    recordings: tuple[Recording, ...]

    @property
    def variants(self) -> tuple[str, ...]:
        """Return the variants of which there are results, in the order of the table of revisions."""
        found = {variant for recording in self.recordings for variant in recording.results}
        return tuple(variant for variant in REVISIONS if variant in found)

    def cases(self, variant: str = ALL, quirks: bool = True) -> Plan:
        """Return the cases by variant, of all variants or of the one that the user asked for."""
        if variant != ALL and variant not in self.variants:
            valid = ", ".join((*self.variants, ALL))
            raise InputError(f"no results of variant {variant!r}", where=self.name, valid=valid)
        chosen = self.variants if variant == ALL else (variant,)
        return {each: [KvmCase(row, each, quirks) for row in self.recordings if each in row.results] for each in chosen}


@dataclass(frozen=True, slots=True)
class SchedulerFile:
    """A file of the scheduler's vectors that has been read and checked."""

    name: str
    content: Content

    def cases(self, variant: str = ALL, quirks: bool = True) -> Plan:
        """Return a case for each vector; there are no variants, whatever the user asked for."""
        return {None: [SchedulerCase(vector, self.content) for vector in self.content["vectors"]]}


VectorFile = KvmFile | SchedulerFile


@dataclass(frozen=True, slots=True)
class Failure:
    """A case that failed, and where."""

    case: Case
    mismatch: Mismatch


@dataclass(frozen=True, slots=True)
class Tally:
    """The cases of one file under one variant."""

    variant: str | None
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


SCHEDULER_PARTS: Final[Mapping[str, Any]] = {
    "pelt": sched_fair,
    "eevdf": sched_fair,
    "eas": sched_place,
    "schedutil": sched_freq,
}
"""Part of the scheduler -> the module that checks a file of it and replays its vectors."""


def _read_kvm(name: str, content: Content) -> VectorFile:
    return KvmFile(name, vectors.read(content))


def _read_scheduler(name: str, content: Content) -> VectorFile:
    part = known("part", content.get("part"), SCHEDULER_PARTS)
    SCHEDULER_PARTS[part].check(content)
    return SchedulerFile(name, content)


FORMATS: Final[Mapping[str, Callable[[str, Content], VectorFile]]] = {
    vectors.SCHEMA: _read_kvm,
    SCHEDULER_SCHEMA: _read_scheduler,
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
    planned = [(file.name, file.cases(variant, quirks)) for file in map(read, names)]
    return tuple(FileResult(name, tuple(_tally(each, cases) for each, cases in plan.items())) for name, plan in planned)


def _tally(variant: str | None, cases: Sequence[Case]) -> Tally:
    outcomes = [(case, case.mismatch()) for case in cases]
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
        "case": failure.case.id,
        "variant": failure.case.variant,
        "step": mismatch.step,
        "op": mismatch.op,
        "expected": mismatch.expected,
        "got": mismatch.got,
    }
