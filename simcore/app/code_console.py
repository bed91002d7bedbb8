"""The guest's console: a PL011 that sends at once, and what the lines say (PASS, FAIL, SKIP, the guest's status)."""

import re
from dataclasses import dataclass, field
from typing import Final

_DATA, _FLAGS, _CONTROL = 0x00, 0x18, 0x30
_RECEIVE_EMPTY, _TRANSMIT_EMPTY = 1 << 4, 1 << 7
_IDENTITY: Final = {0xFE0: 0x11, 0xFE4: 0x10, 0xFE8: 0x14, 0xFF0: 0x0D, 0xFF4: 0xF0, 0xFF8: 0x05, 0xFFC: 0xB1}
_STATUS: Final = re.compile(r"^EXIT: STATUS=(\d+)\s*$", re.MULTILINE)
_VERDICT: Final = re.compile(r"^\s*(PASS|FAIL|SKIP|XPASS|XFAIL|KFAIL)\b", re.MULTILINE)
MOST: Final = 4 << 20
"""More than so many bytes are dropped."""


@dataclass(slots=True)
class Console:
    """What the guest has sent."""

    sent: bytearray = field(default_factory=bytearray)

    def read(self, offset: int, size: int) -> int:
        """Read a register; nothing is ever received."""
        return _RECEIVE_EMPTY | _TRANSMIT_EMPTY if offset == _FLAGS else _IDENTITY.get(offset, 0)

    def write(self, offset: int, size: int, value: int) -> None:
        """Write a register."""
        if offset == _DATA and len(self.sent) < MOST:
            self.sent.append(value & 0xFF)

    @property
    def text(self) -> str:
        """Return all that was sent."""
        return self.sent.decode("utf-8", "replace").replace("\r\n", "\n")


def verdicts(text: str) -> dict[str, int]:
    """Count the lines that begin with PASS, FAIL and SKIP (XFAIL and KFAIL are expected, XPASS is a failure)."""
    counts = {"PASS": 0, "FAIL": 0, "SKIP": 0}
    for word in _VERDICT.findall(text):
        counts[{"XPASS": "FAIL", "XFAIL": "PASS", "KFAIL": "PASS"}.get(word, word)] += 1
    return counts


def status_of(text: str) -> int | None:
    """Return the status that the guest printed (`EXIT: STATUS=n`, n = 2 * status + 1), or None."""
    found = _STATUS.findall(text)
    return int(found[-1]) >> 1 if found else None
