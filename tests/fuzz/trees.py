"""Changes to the tree of values that a file is: what remains is a file of the format, with another meaning."""

import copy
import io
import json
import random
import tarfile
import tomllib
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tests.fuzz.mutate import BYTES, NUMBERS, ODD, TEXT, Change, Known, mutated

Path = list[Any]
INTEGERS = (
    0,
    1,
    -1,
    2,
    64,
    511,
    512,
    4095,
    1 << 16,
    (1 << 31) - 1,
    1 << 31,
    1 << 32,
    10**12,
    1 << 63,
    1 << 64,
    10**400,
)
NO_TREE = (
    ValueError, LookupError, TypeError, RecursionError, AttributeError, OverflowError, OSError, EOFError, zlib.error,
    tarfile.TarError,
)  # fmt: skip
FLOATS = (0.0, -0.0, 0.5, 1e-320, 1e308, float("inf"), float("-inf"), float("nan"))


@dataclass(frozen=True, slots=True)
class Form:
    """How a format is read as a tree and written again; `load` may raise anything."""

    load: Callable[[bytes], Any]
    dump: Callable[[Any], bytes]


def change(form: Form, edits: tuple[int, ...] = (1, 1, 1, 2, 4)) -> Change:
    """Return the change that edits a tree in some places; an input that is no tree is changed as text."""

    load = lru_cache(maxsize=64)(form.load)

    def edit(rng: random.Random, data: bytes, known: Known) -> bytes:
        try:
            tree = copy.deepcopy(load(data))
            for _ in range(rng.choice(edits)):
                tree = edited(rng, tree, known)
            return form.dump(tree)
        except NO_TREE:
            return mutated(rng, data, known, TEXT)

    return edit


def edited(rng: random.Random, tree: Any, known: Known) -> Any:
    """Return a tree with one value changed, taken away, repeated or renamed."""
    if not isinstance(tree, dict | list) or not tree:
        return value(rng, known, tree)
    holder, key = _place(rng, tree)
    kind = rng.randrange(10)
    if kind >= 8:  # a value from elsewhere in the tree, of its type if one is found
        for _ in range(8):
            other, name = _place(rng, tree)
            if type(other[name]) is type(holder[key]):
                break
        holder[key] = copy.deepcopy(other[name])
        return tree
    if kind <= 3:
        holder[key] = value(rng, known, holder[key])
    elif kind == 4:
        del holder[key]
    elif isinstance(holder, list):
        repeats = rng.choice((1, 1, 2, 70, 600))
        holder[key:key] = [holder[key]] * repeats if kind < 7 else [value(rng, known, holder[key])]
    else:
        name = rng.choice(known.tokens) if known.tokens and rng.random() < 0.7 else rng.choice(ODD)
        holder[name] = holder.pop(key) if kind == 5 else value(rng, known, holder[key])
    return tree


def _place(rng: random.Random, tree: Any) -> tuple[Any, Any]:
    """Return (dict or list, key or index) of a value, wherever a walk down from the top ends."""
    while True:
        key = rng.choice(list(tree)) if isinstance(tree, dict) else rng.randrange(len(tree))
        below = tree[key]
        if not isinstance(below, dict | list) or not below or rng.random() < 0.2:
            return tree, key
        tree = below


def value(rng: random.Random, known: Known, old: Any) -> Any:
    """Return another value: near the old one, of its type, or of any."""
    kind = rng.randrange(7)
    if kind == 0 and isinstance(old, int | float):
        return rng.choice((old + 1, old - 1, -old, old * 1000, old * 2))
    if kind == 1 and isinstance(old, str):
        return mutated(rng, old.encode(), known, TEXT)[:9000].decode("utf-8", "replace")
    if kind == 1 and isinstance(old, bytes):
        return mutated(rng, old, known, BYTES)
    if kind <= 2:
        return rng.choice(INTEGERS)
    if kind == 3:
        return rng.choice(ODD) if not known.tokens or rng.random() < 0.5 else rng.choice(known.tokens)
    if kind == 4:
        return rng.choice((*FLOATS, True, False, None))
    if kind == 5:
        return rng.choice(NUMBERS[:40]) + rng.choice(("", "s", "ms", "us", "ns"))
    return _nested(rng, old)


def _nested(rng: random.Random, old: Any) -> Any:
    found: Any = rng.choice(([], {}, old, [old] * 3, {"a": old}))
    for _ in range(rng.choice((0, 1, 2, 20, 60, 300))):
        found = [found] if rng.random() < 0.5 else {"a": found}
    return found


def toml_text(tables: Any) -> bytes:
    """Return tables as TOML, everything below the top as inline tables."""
    return "".join(f"{_key(key)} = {_toml(found)}\n" for key, found in tables.items()).encode("utf-8", "surrogatepass")


def _key(key: str) -> str:
    return json.dumps(str(key))


def _toml(found: Any) -> str:
    if isinstance(found, dict):
        return "{" + ", ".join(f"{_key(key)} = {_toml(part)}" for key, part in found.items()) + "}"
    if isinstance(found, list | tuple):
        return "[" + ", ".join(map(_toml, found)) + "]"
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, float):
        return repr(found)
    return str(found) if isinstance(found, int) else json.dumps("" if found is None else str(found))


def _json_text(tree: Any) -> bytes:
    return json.dumps(tree).encode()


def _files(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = [member for member in archive if member.isfile()]
        return {member.name: (archive.extractfile(member) or io.BytesIO()).read() for member in members}


def tar_of(files: dict[str, Any]) -> bytes:
    """Return a tar file of some files; a value that is no bytes is written as text."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in files.items():
            data = content if isinstance(content, bytes) else str(content)[:9000].encode("utf-8", "replace")
            row = tarfile.TarInfo(str(name))
            row.size = len(data)
            archive.addfile(row, io.BytesIO(data))
    return sink.getvalue()


TOML = Form(lambda data: tomllib.loads(data.decode()), toml_text)
JSON = Form(json.loads, _json_text)
JSON_LINES = Form(
    lambda data: [json.loads(row) for row in data.splitlines() if row.strip()],
    lambda rows: b"".join(_json_text(row) + b"\n" for row in rows),
)
TAR = Form(_files, tar_of)


def in_file(inner: dict[str, tuple[Change, ...]], otherwise: tuple[Change, ...] = TEXT) -> Change:
    """Return the change of one file in a tar file, in the way of the ending of its name."""

    def edit(rng: random.Random, data: bytes, known: Known) -> bytes:
        try:
            files = _files(data)
            name = rng.choice(sorted(files))
        except NO_TREE:
            return mutated(rng, data, known, BYTES)
        changes = next((found for ending, found in inner.items() if name.endswith(ending)), otherwise)
        files[name] = mutated(rng, files[name], known, changes)
        return tar_of(files)

    return edit
