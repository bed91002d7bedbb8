"""The examples of the documentation: the commands and outputs in the code blocks of a page, and how one is run."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OURS = re.compile(r"^(?:\$ )?(?:\.venv/bin/)?hetpmu\s", re.MULTILINE)
SHELL = ("", "sh", "console")
ELIDED = re.compile(r"^(?:\[\.\.\.\]|\.\.\.)\n", re.MULTILINE)
PARTS = re.compile(r"\s+&&\s+")


@dataclass(frozen=True)
class Example:
    """A code block with commands: what it runs, line by line, and what the page shows of their output ("": nothing)."""

    page: str
    line: int
    commands: tuple[str, ...]
    output: str

    @property
    def name(self) -> str:
        """Return where it stands."""
        return f"{self.page}:{self.line}"


def examples(page: Path) -> Iterator[Example]:
    """Yield the blocks of a page that have hetpmu commands; the next block of the section may be their output."""
    text = page.read_text(encoding="utf-8")
    blocks = [*BLOCK.finditer(text), None]
    for block, following in pairwise(blocks):
        if block and block[1] in SHELL and OURS.search(block[2]):
            yield _example(page.name, text, block, following)


def _example(page: str, text: str, block: re.Match[str], following: re.Match[str] | None) -> Example:
    line = text.count("\n", 0, block.start()) + 2
    if block[2].startswith("$ "):
        command, _, output = block[2].removeprefix("$ ").partition("\n")
        return Example(page, line, (command,), output)
    lines = [stripped(each) for each in block[2].replace("\\\n", " ").splitlines()]
    commands = tuple(part for each in lines if each for part in PARTS.split(each))
    return Example(page, line, commands, _shown(text, block, following))


def _shown(text: str, block: re.Match[str], following: re.Match[str] | None) -> str:
    if following is None or following[1] not in ("", "text") or OURS.search(following[2]):
        return ""
    return "" if re.search(r"^#", text[block.end() : following.start()], re.MULTILINE) else following[2]


def stripped(line: str) -> str:
    """Return a command line without its comment and the path of the environment."""
    return re.sub(r"\s+#\s.*$", "", line.strip()).removeprefix(".venv/bin/")


def words(command: str) -> tuple[list[str], str]:
    """Return the arguments of a hetpmu command, up to a pipe, and the file that its output goes to, or ""."""
    left, _, target = re.split(r"\s\|\s", command)[0].partition(" > ")
    return shlex.split(left)[1:], target.strip()


def differs(shown: str, printed: str) -> str:
    """Say what of an output a page shows that a command did not print, in this order; "" if there is nothing.

    A line of `[...]` or `...` stands for any lines.
    """
    text = "\n".join(line.rstrip() for line in printed.strip("\n").splitlines()) + "\n"
    pieces = ELIDED.split(shown)
    place = 0
    for number, piece in enumerate(pieces):
        wanted = piece.strip("\n")
        found = text.find(wanted, place)
        if found < 0 or (number == 0 and wanted and found > 0):
            return f"not printed here: {wanted}"
        place = found + len(wanted)
    return "" if (len(pieces) > 1 and not pieces[-1].strip()) or not text[place:].strip() else f"more: {text[place:]}"
