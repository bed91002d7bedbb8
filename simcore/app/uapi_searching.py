"""The walk of two revisions' state machines at once, and the sequences that end in a disagreement.

Each pair of states is visited once. The first step whose results differ ends a sequence; a sequence is minimal if no
part of it ends in the same disagreement.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, combinations
from typing import Final

from pmu.attributes import unknown_attribute
from simcore.app.replaying import Result
from simcore.app.uapi_alphabet import Letter
from simcore.app.uapi_automaton import Automaton, Steps
from simcore.app.uapi_machine import Outcome

Path = tuple[int, ...]
"""Indexes of letters."""
Kind = tuple[object, ...]
"""What makes two disagreements the same: the call, and the rules and results on both sides."""
_NO_SUCH: Final = unknown_attribute.__name__


class Search:
    """Two machines walked at once, and what was found: (beginning, letters, kind of disagreement)."""

    def __init__(self, one: Automaton, other: Automaton, letters: Sequence[Letter], kept: int) -> None:
        """Compare two machines; the first ``kept`` steps of a sequence are never left out."""
        self.one = one
        self.other = other
        self.letters = letters
        self.kept = kept
        self.compared = 0
        self.found: list[tuple[Steps, Path, Kind]] = []
        indexes = {letter.steps: index for index, letter in enumerate(letters)}
        self._on_v0 = {
            index: indexes[tuple(replace(step, vcpu=0) for step in letter.steps)]
            for index, letter in enumerate(letters)
            if letter.vcpu == 1
        }

    def walk(self, starts: Sequence[Steps], calls: int) -> None:
        """Visit each pair of states once, by the shortest way; a second vCPU is left out while it is like the first."""
        best: dict[tuple[int, int], int] = {}
        queue = deque((start, Path(), self.one.start(start), self.other.start(start), 0) for start in starts)
        while queue:
            start, path, one, other, used = queue.popleft()
            if best.get((one, other), calls + 1) <= used:
                continue
            best[one, other] = used
            alike = self.one.alike(one) and self.other.alike(other)
            for index, letter in enumerate(self.letters):
                cost = used + letter.attribute_call
                if cost > calls or (letter.vcpu == 1 and alike):
                    continue
                self.compared += 1
                left, right = self.one.move(one, index), self.other.move(other, index)
                kind = difference(letter.steps, left.outcomes, right.outcomes)
                if kind is not None:
                    self.found.append((start, (*path, index), kind))
                elif not letter.looks and best.get((left.state, right.state), calls + 1) > cost:
                    queue.append((start, (*path, index), left.state, right.state, cost))

    def minimal(self) -> Iterator[tuple[Steps, dict[str, Outcome]]]:
        """Yield the sequences no part of which ends in the same disagreement, with the outcomes of the last step."""
        for start, path, kind in self.found:
            if any(self._kind(*variant) == kind for variant in self._smaller(start, path)):
                continue
            steps = self._shrunk(self._typed(start, path), kind)
            yield steps, {machine.name: machine.outcomes(steps)[-1] for machine in (self.one, self.other)}

    def _smaller(self, start: Steps, path: Path) -> Iterator[tuple[Steps, Path]]:
        """Yield what is left of a sequence without some letters, and with vCPU 0 in place of vCPU 1."""
        *before, last = path
        beginnings = {start} if self.kept else {start: None, (): None}
        for begin in beginnings:
            for count in range(len(path)):
                for kept in combinations(before, count):
                    if (begin, count) != (start, len(before)):
                        yield begin, (*kept, last)
        for at, index in enumerate(path):
            if index in self._on_v0:
                yield start, (*path[:at], self._on_v0[index], *path[at + 1 :])

    def _kind(self, start: Steps, path: Path) -> Kind | None:
        """Return the disagreement in which a sequence ends; None where it has none or an earlier one."""
        one, other = self.one.start(start), self.other.start(start)
        for at, index in enumerate(path):
            left, right = self.one.move(one, index), self.other.move(other, index)
            kind = difference(self.letters[index].steps, left.outcomes, right.outcomes)
            if kind is not None:
                return kind if at == len(path) - 1 else None
            one, other = left.state, right.state
        return None

    def _typed(self, start: Steps, path: Path) -> Steps:
        """Return the steps up to the first difference."""
        steps = (*start, *chain.from_iterable(self.letters[index].steps for index in path))
        pairs = zip(self.one.outcomes(steps), self.other.outcomes(steps), strict=True)
        ends = [at for at, (left, right) in enumerate(pairs) if left.result != right.result]
        return steps[: next(end for end in ends if end >= self.kept) + 1]

    def _shrunk(self, steps: Steps, kind: Kind) -> Steps:
        """Return the steps without those that letters brought along needlessly."""
        for at in range(self.kept, len(steps) - 1):
            shorter = (*steps[:at], *steps[at + 1 :])
            left, right = self.one.outcomes(shorter), self.other.outcomes(shorter)
            before = zip(left[self.kept : -1], right[self.kept : -1], strict=True)
            same = all(one.result == other.result for one, other in before)
            if same and difference(shorter[-1:], left[-1:], right[-1:]) == kind:
                return self._shrunk(shorter, kind)
        return steps


def difference(steps: Steps, left: Sequence[Outcome], right: Sequence[Outcome]) -> Kind | None:
    """Return the kind of the first disagreement about the steps, or None.

    An attribute that one side does not have is one kind, whatever the other side says.
    """
    for step, one, other in zip(steps, left, right, strict=True):
        if one.result != other.result:
            if _NO_SUCH in (one.rule.function, other.rule.function):
                return (step.operation, step.attribute, _NO_SUCH)
            return (step.operation, side_of(one), side_of(other))
    return None


def side_of(outcome: Outcome) -> Kind:
    """Return the rule that decided and the kind of its result."""
    return outcome.rule.function, _result_kind(outcome.result)


def _result_kind(result: Result) -> Result:
    return "value" if isinstance(result, str) and result.startswith("0x") else str(result)
