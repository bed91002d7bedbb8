"""Text and numbers of the files of a copy of sysfs, with messages that name the file."""

from simcore.app.board_parsing import number
from simcore.app.board_tree import Tree
from simcore.errors import InputError
from simcore.units import parse_whole


def source(path: str) -> str:
    """Return how a path of a copy is cited."""
    return f"sysfs: /{path}" if path.startswith("sys/") else f"proc: /{path}"


class Files:
    """The files of a copy as text."""

    def __init__(self, tree: Tree) -> None:
        """Take a copy."""
        self.tree = tree

    def where(self, path: str) -> str:
        """Return the copy and the path in it, for messages."""
        return f"{self.tree.name}: {path}"

    def text(self, path: str) -> str | None:
        """Return a text, or None if the file is not there or empty of anything but blanks."""
        data = self.tree.data(path)
        if data is None:
            return None
        text = data.decode("utf-8", "replace").replace("\0", "")
        return text if text.strip() else None

    def needed(self, path: str, what: str) -> str:
        """Return a text that a platform cannot do without."""
        text = self.text(path)
        if text is None:
            why = f"it says {what}"
            raise InputError("the file is not there", where=self.where(path), why=why, valid="a whole copy of sysfs")
        return text

    def number(self, path: str) -> int | None:
        """Return a number, or None if the file is not there."""
        text = self.text(path)
        return None if text is None else number(text, self.where(path))

    def numbered(self, folder: str, prefix: str) -> list[int]:
        """Return the numbers N of the names `prefixN` in a directory, ascending."""
        found = [name.removeprefix(prefix) for name in self.tree.names(folder) if name.startswith(prefix)]
        return sorted(number for number in map(parse_whole, found) if number >= 0)
