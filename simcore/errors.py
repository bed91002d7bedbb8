"""The exception for a user's bad input. Guest-visible failures are values; bugs are builtin exceptions."""

from collections.abc import Iterable
from difflib import get_close_matches

MOST_CHARACTERS = 480
"""Of one part of a message, so that a file of one endless line does not fill the screen; the middle is left out."""


class InputError(Exception):
    """Bad input of the user: what is wrong, where, why, and what would be valid; at most three lines of text.

    Parts may quote what the user gave: what steers a terminal, or cannot be printed, is written as an escape.
    """

    def __init__(self, what: str, where: str = "", why: str = "", valid: str = "") -> None:
        """Keep the four parts; an empty one is left out of the text."""
        super().__init__(what, where, why, valid)
        self.what = _one_line(what)
        self.where = _one_line(where)
        self.why = _one_line(why)
        self.valid = _one_line(valid)

    def __str__(self) -> str:
        """Return at most three lines: where and what, why, what would be valid."""
        head = f"{self.where}: {self.what}" if self.where else self.what
        tail = f"valid: {self.valid}" if self.valid else ""
        return "\n".join(line for line in (head, self.why, tail) if line)


def first_line(error: BaseException) -> str:
    """Return the first line of what an exception says, or its kind where it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def near_matches(name: str, known: Iterable[str], shown: int = 12) -> str:
    """Return the known names closest to `name` as text, or the first few of all when none is close."""
    names = sorted(known)
    close = get_close_matches(name, names, n=3, cutoff=0.6)
    if close:
        return "did you mean " + " or ".join(close) + "?"
    rest = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {rest} more" if rest > 0 else "")


def unknown_name(kind: str, name: str, known: Iterable[str], where: str = "") -> InputError:
    """Return the error for a name that is not among the known ones, with near matches."""
    return InputError(f"unknown {kind} {name!r}", where=where, valid=near_matches(name, known))


def _one_line(text: str) -> str:
    """Return a text as one line that can be printed anywhere, its middle left out where it is too long."""
    line = " ".join(_shortened(text).split())
    if line.isprintable():
        return line
    return _shortened("".join(char if char.isprintable() else _escaped(char) for char in line))


def _shortened(text: str) -> str:
    half = MOST_CHARACTERS // 2
    return text if len(text) <= MOST_CHARACTERS else f"{text[:half]} ... {text[-half:]}"


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
