"""What a target is: a loader with inputs that it takes, words of its format, and ways to change them."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tests.fuzz.mutate import BIG_BYTES, TEXT, Change, Known, mutated


@dataclass(frozen=True)
class Target:
    """A loader under a name. ``read`` gives it one input; a result or an InputError is right, all else a failure.

    ``examples`` and ``words`` are asked for when they are needed. ``shaped`` are changes after which an input is
    still of its format, ``changes`` any others; ``short`` is the number of inputs of the short run.
    """

    name: str
    read: Callable[[bytes], Any]
    examples: Callable[[], Sequence[bytes]]
    words: Callable[[], Sequence[str]] | tuple[()] = ()
    changes: tuple[Change, ...] = TEXT
    shaped: tuple[Change, ...] = ()
    short: int = 100

    @cached_property
    def _seeds(self) -> list[bytes]:
        return list(self.examples())

    @cached_property
    def _tokens(self) -> list[str]:
        return list(self.words() if callable(self.words) else ())

    def changed(self, rng: random.Random, data: bytes, known: Known) -> bytes:
        """Return an input that was changed, more often than not within its format."""
        if self.shaped and rng.random() < 0.65:
            for _ in range(rng.choice((1, 1, 1, 2, 3))):
                data = rng.choice(self.shaped)(rng, data, known)
            return data[:BIG_BYTES]
        return mutated(rng, data, known, self.changes)

    def seeds(self) -> list[bytes]:
        """Return the inputs to begin with."""
        return self._seeds

    def tokens(self) -> list[str]:
        """Return words of the format."""
        return self._tokens
