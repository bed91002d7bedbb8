"""Words for numbers in sentences: plurals and lists."""

from collections.abc import Sequence

MOST_NAMED = 4
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return `1 run`, `2 runs`, `0 runs`."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def listed(items: Sequence[str], word: str = "and") -> str:
    """Return `a`, `a and b`, `a, b and c`."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {word} {items[-1]}"


def some(items: Sequence[str], most: int = MOST_NAMED) -> str:
    """Return a list of items, of many the first ones and how many more there are."""
    if len(items) <= most:
        return listed(items)
    return listed([*items[: most - 1], f"{len(items) - most + 1} more"])


def spelled(number: int) -> str:
    """Return a small number as a word."""
    return NUMBERS[number] if number < len(NUMBERS) else str(number)


def sentence(text: str) -> str:
    """Return a text with a capital at its start and a full stop at its end; names in lower case keep theirs."""
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
