"""A platform file out of a copy of a board's sysfs, and the script that makes such copies."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from textwrap import TextWrapper
from typing import Any

from simcore.app.board_assuming import Assumed
from simcore.app.board_platform import Section, sections_of, tables_of
from simcore.app.board_reading import read_board
from simcore.app.board_toml import toml_text
from simcore.app.board_tree import open_tree
from simcore.app.columns import WIDTH
from simcore.errors import InputError
from simcore.loader import platform_of_tables
from simcore.platform import Platform, cpu_list

COLLECTOR = "collect-sysfs.sh"
SCHEMA = "hetpmu-board/1"


@dataclass(frozen=True, slots=True)
class BoardFile:
    """A platform file: its text, what it is as a platform, and what its reader should know."""

    copy: str
    text: str
    tables: dict[str, Any]
    sources: dict[str, str]
    """Key as in the file, such as `cluster[0].cpus`, to where the value stands."""
    notes: tuple[str, ...]
    platform: Platform

    def as_json(self) -> dict[str, Any]:
        """Give the object that `platforms --from-sysfs --json` writes."""
        assumptions = [{"key": row.key, "value": row.value, "why": row.why} for row in self.platform.assumptions]
        return {
            "schema": SCHEMA,
            "copy": self.copy,
            "platform": self.tables,
            "sources": self.sources,
            "notes": list(self.notes),
            "assumptions": assumptions,
            "capacities": list(self.platform.capacities()),
        }


def board_file(copy: str, assume: Sequence[str] = (), name: str | None = None) -> BoardFile:
    """Turn a directory or tar file with a copy of sysfs into a platform file that has been checked."""
    sections, notes = sections_of(read_board(open_tree(copy)), Assumed(assume), name)
    tables, sources = tables_of(sections), _sources(sections)
    platform = _checked(tables, copy, sources)
    head = (
        f"Made by hetpmu platforms --from-sysfs {copy}",
        "The source of each value stands behind it, or in the line above; docs/platforms.md has the format.",
    )
    return BoardFile(copy, toml_text(sections, head), tables, sources, tuple(notes), platform)


def _checked(tables: dict[str, Any], copy: str, sources: dict[str, str]) -> Platform:
    """Return the platform of a file's tables; a value that makes no sense is told with the file that it comes from."""
    try:
        return platform_of_tables(tables, copy)
    except InputError as error:
        key = error.where.removeprefix(f"{copy}: ")
        cited = next((f"from {source}" for place, source in sources.items() if key.startswith(place)), "")
        why = "; ".join(filter(None, (error.why, cited)))
        raise InputError(error.what, where=error.where, why=why, valid=error.valid) from None


def summary(found: BoardFile) -> str:
    """Describe a board, what was concluded and what is assumed, for a terminal."""
    board = found.platform
    counts = ((core.name, board.cpus_of_core(core.id)) for core in board.core_types)
    cpus = ", ".join(f"{len(numbers)} x {name} ({cpu_list(numbers)})" for name, numbers in counts)
    host_pmus = ", ".join(f"{row.name} ({cpu_list(row.cpus)})" for row in board.pmus) or "none"
    lines = [f"{board.id}: {cpus}", f"host PMUs: {host_pmus}; vPMU possible: {board.vpmu()} ({board.vpmu_reason()})"]
    lines += [f"note: {note}" for note in found.notes]
    lines += [f"assumed: {row.key}: {row.value} ({row.why})" for row in board.assumptions]
    fill = TextWrapper(WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    return "\n".join(part for line in lines for part in fill.wrap(line))


def collector() -> str:
    """Return the shell script that copies what `board_file` reads."""
    return (files("simcore") / "data" / COLLECTOR).read_text(encoding="utf-8")


def _sources(sections: Sequence[Section]) -> dict[str, str]:
    found: dict[str, str] = {}
    seen: dict[str, int] = {}
    for section in sections:
        place = section.header.strip("[]")
        if section.header.startswith("[["):
            number = seen.get(place, 0)
            seen[place] = number + 1
            place = f"{place}[{number}]"
        for key, _, source in section.rows:
            if source:
                found[f"{place}.{key}" if place else key] = source
    return found
