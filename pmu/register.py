"""What a row of the register table is, what a refused access gives, and how a table is checked.

The rows are in ``pmu.registers``, the hooks that they name in ``pmu.register_hooks``.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from pmu.storage import STORAGE_SLOTS

if TYPE_CHECKING:
    from pmu.vcpu import Vcpu


class Fault(Enum):
    """What an access gives instead of a value."""

    UNDEF = "UNDEF"


UNDEF: Final = Fault.UNDEF

MASK64: Final = (1 << 64) - 1
EN, SW, CR, ER, ALWAYS = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 4
"""PMUSERENR_EL0 bits, any of which admits an access at EL0; ``ALWAYS`` needs none."""
NEVER: Final = 0

Value = int | Fault
Read = Callable[["Vcpu", "Register"], Value]
Write = Callable[["Vcpu", "Register", int], Fault | None]
Get = Callable[["Vcpu", "Register"], int]
Set = Callable[["Vcpu", "Register", int], None]
Reset = Callable[["Vcpu", "Register"], int]


@dataclass(frozen=True, slots=True)
class Register:
    """A PMU register; ``encoding`` is (op0, op1, CRn, CRm, op2) and orders ONE_REG ids.

    ``reset`` None without ``on_reset``: another row resets the slot.
    ``read`` and ``write`` are the PMUSERENR_EL0 bits that admit EL0, or None where the register cannot be read or
    written at all. ``on_read``, ``on_write`` (guest), ``on_get``, ``on_set`` (ONE_REG) and ``on_reset`` replace the
    plain access to ``slot``. ``index`` is the counter of PMEVCNTR<n> and the like.
    """

    name: str
    encoding: tuple[int, int, int, int, int]
    read: int | None = EN
    write: int | None = EN
    slot: int | None = None
    mask: int = MASK64
    reset: int | None = 0
    on_read: Read | None = None
    on_write: Write | None = None
    one_reg: bool = True
    on_get: Get | None = None
    on_set: Set | None = None
    on_reset: Reset | None = None
    index: int = -1


def check_table(rows: Iterable[Register]) -> Mapping[str, Register]:
    """Return the rows by name; raise ValueError for a row that is out of order or cannot be accessed as it says."""
    table: dict[str, Register] = {}
    last: tuple[int, ...] = ()
    for row in rows:
        for wrong in _faults(row):
            raise ValueError(f"register {row.name}: {wrong}")
        if row.encoding <= last:
            raise ValueError(f"register {row.name}: encoding {row.encoding} does not come after {last}")
        if row.name in table:
            raise ValueError(f"register {row.name}: there are two rows")
        table[row.name] = row
        last = row.encoding
    return MappingProxyType(table)


def _faults(row: Register) -> Iterable[str]:
    stored = row.slot is not None
    if row.slot is not None and not 0 <= row.slot < STORAGE_SLOTS:
        yield f"storage slot {row.slot} does not exist"
    if row.read is not None and row.on_read is None and not stored:
        yield "can be read, but has neither slot nor hook"
    if row.write is not None and row.on_write is None and not stored:
        yield "can be written, but has neither slot nor hook"
    if row.one_reg and not stored and (row.on_get is None or row.on_set is None):
        yield "is a ONE_REG, but has neither slot nor both hooks"
    if (row.read is None and row.on_read is not None) or (row.write is None and row.on_write is not None):
        yield "has a hook for an access that it refuses"
    if (row.reset or 0) & ~row.mask:
        yield "reset value lies outside of the mask"
    if any(gate is not None and gate & ~(EN | SW | CR | ER | ALWAYS) for gate in (row.read, row.write)):
        yield "EL0 access depends on a bit that PMUSERENR_EL0 does not have"
