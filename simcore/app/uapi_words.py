"""The words of a sequence of `hetpmu uapi`: cut into steps, read from left to right, refused with their position.

What the words mean is known in `simcore.app.uapi_parsing`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NoReturn

from simcore.errors import InputError

NUMBER: Final = re.compile(r"-?(0x[0-9a-f]{1,40}|[0-9]{1,40})", re.IGNORECASE)


@dataclass(slots=True)
class Words:
    """The words of one step with their columns; ``place``: where the step stands, ``end``: the column after it."""

    words: list[tuple[str, int]]
    place: str
    end: int
    at: int = 0

    @property
    def left(self) -> bool:
        """Return whether there is a next word."""
        return self.at < len(self.words)

    def peek(self) -> str:
        """Return the next word, or nothing."""
        return self.words[self.at][0] if self.left else ""

    def take(self, what: str) -> str:
        """Return the next word, which there must be."""
        if not self.left:
            self.fail(f"the step ends where {what} is missing", valid=what)
        self.at += 1
        return self.words[self.at - 1][0]

    def fail(self, what: str, valid: str, back: int = 0) -> NoReturn:
        """Refuse the next word, or the one ``back`` words before it."""
        at = self.at - back
        column = self.words[at][1] if at < len(self.words) else self.end
        raise InputError(what, where=f"{self.place}, column {column}", valid=valid)

    def choice(self, *known: str) -> str:
        """Take one of several keywords."""
        word = self.take(" or ".join(known)).lower()
        if word not in known:
            self.fail(f"unexpected {self.words[self.at - 1][0]!r}", valid=" or ".join(known), back=1)
        return word

    def number(self, what: str, low: int, high: int) -> int:
        """Take a number."""
        return self.in_range(self.take(what), what, low, high)

    def in_range(self, text: str, what: str, low: int, high: int) -> int:
        """Return the number that (part of) the word taken last stands for."""
        if not NUMBER.fullmatch(text):
            self.fail(f"{text!r} is no number", valid=f"{what}, decimal or 0x", back=1)
        value = int(text, 16) if "x" in text.lower() else int(text)
        if not low <= value <= high:
            self.fail(f"{text} does not fit", valid=f"{low} to {high:#x}: {what}", back=1)
        return value


def split(text: str, source: str, valid: str) -> Iterator[Words]:
    """Yield the words of each step; a semicolon or the end of a line ends a step, # starts a comment."""
    number = 0
    lines = text.splitlines()
    for row, line in enumerate(lines, 1):
        start = 0
        *closed, rest = line.partition("#")[0].split(";")
        for piece in (*closed, rest):
            found = [(match[0], start + match.start() + 1) for match in re.finditer(r"\S+", piece)]
            number += bool(found)
            place = [source, f"line {row}" if len(lines) > 1 else "", f"step {number if found else number + 1}"]
            words = Words(found, ", ".join(filter(None, place)), end=start + len(piece.rstrip()) + 1)
            start += len(piece) + 1
            if found:
                yield words
            elif start <= len(line.partition("#")[0]):
                words.fail("an empty step before the semicolon", valid)
