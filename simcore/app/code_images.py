"""The guests that come with the product, by name, and images from files."""

import os
from functools import cache
from importlib.resources import files

from simcore.errors import unknown_name
from simcore.limits import MAX_IMAGE_BYTES, read_bytes

_GUESTS = files("workloads") / "data" / "guests"
_WORDS = ".words"


@cache
def own_guests() -> tuple[str, ...]:
    """Return the names of the guests that come with the product."""
    names = (entry.name for entry in _GUESTS.iterdir())
    return tuple(sorted(name.removesuffix(_WORDS) for name in names if name.endswith(_WORDS)))


def read_image(name: str) -> bytes:
    """Return the bytes of a guest by name, or of a file."""
    if name in own_guests():
        text = (_GUESTS / f"{name}{_WORDS}").read_text(encoding="ascii")
        return b"".join(int(word, 16).to_bytes(4, "little") for word in text.split())
    if "/" not in name and "." not in name and not os.path.exists(name):
        raise unknown_name("guest", name, own_guests())
    return read_bytes(name, most=MAX_IMAGE_BYTES)


def purpose(name: str) -> str:
    """Return what a guest that comes with the product tests: the comment at the top of its source."""
    text = (_GUESTS / f"{name}.S").read_text(encoding="ascii")
    return text.partition("\n")[0].removeprefix("//").strip()
