"""What the user says where a copy of sysfs is silent: `--assume cntfrq_hz=24000000`, `--assume CORE.pmuver=5`."""

from collections.abc import Callable, Iterable, Sequence

from simcore.errors import InputError, unknown_name

OPTION = "--assume"
Value = int | str


def _whole(text: str) -> int:
    return int(text, 0)


KEYS: dict[str, Callable[[str], Value]] = {
    "cntfrq_hz": _whole,
    "pmuver": _whole,
    "event_counters": _whole,
    "rates_like": str,
}
"""Key -> how its value is read; all but the first are of a core type."""
OF_BOARD = "cntfrq_hz"


class Assumed:
    """What the user says, and whether it was asked for."""

    def __init__(self, texts: Sequence[str]) -> None:
        """Read `KEY=VALUE` or `CORE.KEY=VALUE` each."""
        self._values = dict(_parsed(text) for text in texts)
        self._asked: set[tuple[str, str]] = set()

    def board(self, key: str) -> Value | None:
        """Return what is said about the board."""
        return self._get("", key)

    def core(self, core: str, key: str) -> Value | None:
        """Return what is said about a core type, by its name or about all."""
        named, everywhere = self._get(core, key), self._get("", key)
        return everywhere if named is None else named

    def check_used(self, cores: Iterable[str]) -> None:
        """Refuse what is said about a core type that needs no word; `cores` are those that do."""
        known = sorted(cores)
        for core, key in self._values:
            if (core, key) in self._asked:
                continue
            shown = f"{core}.{key}" if core else key
            if core and known:
                raise unknown_name("core type to assume something of", core, known, OPTION)
            why = "every core type of the board is the product's own, with its values"
            raise InputError(f"{shown} is not asked for", where=OPTION, why=why, valid="without it")

    def _get(self, core: str, key: str) -> Value | None:
        self._asked.add((core, key))
        return self._values.get((core, key))


def _parsed(text: str) -> tuple[tuple[str, str], Value]:
    place, equals, value = text.partition("=")
    core, _, key = place.strip().rpartition(".")
    valid = f"{', '.join(KEYS)}, each =VALUE, those of a core type also as CORE.KEY=VALUE"
    if not equals or key not in KEYS or (core and key == OF_BOARD):
        raise InputError(f"{text!r} is nothing to assume", where=OPTION, valid=valid)
    try:
        return (core, key), KEYS[key](value.strip())
    except ValueError:
        raise InputError(f"{value.strip()!r} is no number", where=f"{OPTION} {place}", valid="a whole number") from None
