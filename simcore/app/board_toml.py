"""Sections of a platform file as TOML text, each value with its source behind it as a comment."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from simcore.app.board_platform import Section

MAX_LINE = 160
HEX_KEYS = ("midr", "pmceid0", "pmceid1")


def toml_text(sections: Sequence[Section], head: Sequence[str]) -> str:
    """Render sections below some lines of comment."""
    blocks = ["\n".join(f"# {_clean(line)}" for line in head)]
    blocks += ["\n".join(_lines(section)) for section in sections]
    return "\n\n".join(blocks) + "\n"


def _lines(section: Section) -> list[str]:
    lines = [section.header] if section.header else []
    for key, value, source in section.rows:
        text = f"{_key(key)} = {_value(value, key)}"
        comment = f"  # {_clean(source)}" if source else ""
        if len(text) + len(comment) > MAX_LINE and comment:
            lines.append(comment.strip())
            comment = ""
        lines.append(text + comment)
    return lines


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else json.dumps(key)


def _value(value: Any, key: str = "") -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value:#010x}" if key in HEX_KEYS else str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, Mapping):
        as_hex = key == "events"
        rows = (f"{_key(name)} = {f'{item:#06x}' if as_hex else _value(item, name)}" for name, item in value.items())
        return "{ " + ", ".join(rows) + " }"
    return "[" + ", ".join(_value(item) for item in value) + "]"


def _string(text: str) -> str:
    """Write a basic string; JSON's escapes are TOML's, but for DEL and what is beyond the basic plane."""
    return json.dumps(_clean(text), ensure_ascii=False)


def _clean(text: str) -> str:
    """Return a text without characters that TOML does not take in comments and strings."""
    return "".join(char if char.isprintable() else "?" for char in text)
