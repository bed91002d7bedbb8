"""A flattened device tree (version 17) written from nested dicts. Source: Devicetree Specification v0.4, chapter 5."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

_MAGIC: Final = 0xD00DFEED
_BEGIN, _END, _PROPERTY, _FINISH = 1, 2, 3, 9
_HEADER: Final = 40

Node = Mapping[str, Any]
"""Property or child by name: a dict is a child; bytes, text, a list of texts, a list of cells, an int or None."""


def flatten(root: Node) -> bytes:
    """Return the tree as a guest finds it in memory."""
    strings = bytearray()
    body = _node("", root, strings) + _cell(_FINISH)
    reserved = bytes(16)
    structure = _HEADER + len(reserved)
    total = structure + len(body) + len(strings)
    header = [_MAGIC, total, structure, structure + len(body), _HEADER, 17, 16, 0, len(strings), len(body)]
    return b"".join(map(_cell, header)) + reserved + body + bytes(strings)


def _node(name: str, node: Node, strings: bytearray) -> bytes:
    parts = [_cell(_BEGIN), _padded(name.encode() + b"\0")]
    for key, value in node.items():
        if not isinstance(value, Mapping):
            data = _value(value)
            parts += [_cell(_PROPERTY), _cell(len(data)), _cell(_offset(key, strings)), _padded(data)]
    parts += [_node(key, value, strings) for key, value in node.items() if isinstance(value, Mapping)]
    return b"".join(parts) + _cell(_END)


def _value(value: Any) -> bytes:
    if value is None:
        return b""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode() + b"\0"
    if isinstance(value, int):
        return _cell(value)
    assert isinstance(value, Sequence)
    return b"".join(_value(part) for part in value)


def _offset(key: str, strings: bytearray) -> int:
    word = key.encode() + b"\0"
    at = strings.find(word)
    if at < 0:
        at = len(strings)
        strings += word
    return at


def _cell(value: int) -> bytes:
    return value.to_bytes(4, "big")


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
