"""Drawn tables as the text of a TOML file."""

import json
from typing import Any

Tables = dict[str, Any]


def toml_text(tables: Tables, path: str = "") -> str:
    """Return the text of tables: plain values first, then tables, then arrays of tables."""
    lines = [f"{_key(key)} = {_value(value)}" for key, value in tables.items() if not _is_nested(value)]
    blocks = ["\n".join(lines)] if lines else []
    for key, value in tables.items():
        if not _is_nested(value):
            continue
        name = f"{path}.{_key(key)}" if path else _key(key)
        rows, header = (value, f"[[{name}]]") if isinstance(value, list) else ([value], f"[{name}]")
        blocks += [f"{header}\n{toml_text(row, name)}".rstrip("\n") for row in rows]
    return "\n\n".join(blocks) + "\n"


def _is_nested(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() else json.dumps(key)


def _value(value: Any) -> str:
    return json.dumps(value)
