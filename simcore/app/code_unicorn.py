"""What Unicorn does not tell by itself: the one module that imports it.

Its own count of instructions and the limit of a slice are found in its state; which system registers it knows is tried
(docs/guest_code.md, "The engine").
"""

import ctypes
from functools import cache
from typing import Any, Final

from simcore.errors import InputError

Encoding = tuple[int, int, int, int, int]
"""op0, op1, CRn, CRm, op2 of a system register."""
INSTALL: Final = "pip install 'hetpmu[guest]'"
SYSTEM_EL3: Final = 0x501  # SCR_EL3: EL2 and below are AArch64, HVC enabled, non-secure
HYP_AARCH64: Final = 1 << 31  # HCR_EL2.RW
PAGE: Final = 4096
NOP: Final = 0xD503201F
_SEEN: Final = 4096
_PROBES: Final = (7001, 9013)
_PSTATE_EL1H_MASKED: Final = 0x3C5


class Fields:
    """The engine's own count of instructions and its limit, at offsets that move between releases."""

    def __init__(self, uc: Any) -> None:
        state, offset = address_of(uc), counter_offset()
        self._counter = ctypes.c_uint64.from_address(state + offset)
        self._limit = ctypes.c_uint64.from_address(state + offset + 8)

    @property
    def counter(self) -> int:
        """Return how many instructions of the slice have begun."""
        return self._counter.value

    @property
    def limit(self) -> int:
        """Return after how many instructions the slice ends."""
        return self._limit.value

    @limit.setter
    def limit(self, value: int) -> None:
        self._limit.value = value


@cache
def library() -> Any:
    """Import Unicorn; raise InputError where it is not installed."""
    try:
        import unicorn
        import unicorn.arm64_const
    except ImportError:
        raise InputError(
            "`hetpmu guest` executes real arm64 code and needs the extra `guest`, which is not installed",
            why=f"install it with {INSTALL}",
        ) from None
    return unicorn


def need_engine() -> None:
    """Raise InputError if the engine cannot be used: not installed, or its counters cannot be found."""
    counter_offset()


def new_engine() -> Any:
    """Return an engine at EL1h with interrupts masked, EL1 in AArch64."""
    u = library()
    uc = u.Uc(u.UC_ARCH_ARM64, u.UC_MODE_ARM)
    uc.ctl_set_cpu_model(u.arm64_const.UC_CPU_ARM64_MAX)
    uc.ctl_set_tlb_mode(u.UC_TLB_CPU)
    for (op0, op1, crn, crm, op2), value in (((3, 6, 1, 1, 0), SYSTEM_EL3), ((3, 4, 1, 1, 0), HYP_AARCH64)):
        uc.reg_write(u.arm64_const.UC_ARM64_REG_CP_REG, (crn, crm, op0, op1, op2, value))
    uc.reg_write(u.arm64_const.UC_ARM64_REG_PSTATE, _PSTATE_EL1H_MASKED)
    return uc


def address_of(uc: Any) -> int:
    """Return where an engine's state is."""
    return int(getattr(uc._uch, "value", uc._uch))


def _small(words: bytes) -> Any:
    """Return a new engine with a page of code at PAGE."""
    uc = new_engine()
    uc.mem_map(PAGE, 16 * PAGE)
    uc.mem_write(PAGE, words)
    return uc


def _word(value: int) -> bytes:
    return value.to_bytes(4, "little")


@cache
def counter_offset() -> int:
    """Find the counter of instructions in the engine's state: limits as given, right before it the count."""
    found: set[int] | None = None
    for limit in _PROBES:
        uc = _small(_word(NOP) * (12 * PAGE // 4))
        uc.emu_start(PAGE, 0, count=limit)
        state = (ctypes.c_uint64 * (_SEEN // 8)).from_buffer_copy(ctypes.string_at(address_of(uc), _SEEN))
        here = {n * 8 for n in range(len(state) - 1) if state[n + 1] == limit and state[n] in (limit, limit + 1)}
        found = here if found is None else found & here
    if found is None or len(found) != 1:
        raise InputError(
            f"the counters of Unicorn {library().__version__} cannot be found in its state",
            why=f"{len(found or ())} places match; without them instructions cannot be counted exactly",
            valid="unicorn 2.1.2 to 2.1.4",
        )
    return found.pop()


@cache
def engine_knows(reads: bool, encoding: Encoding) -> bool:
    """Try whether the engine itself advances the PC over an access that a hook has handled."""
    u = library()
    op0, op1, crn, crm, op2 = encoding
    word = (0xD5300000 if reads else 0xD5100000) | (op0 & 1) << 19 | op1 << 16 | crn << 12 | crm << 8 | op2 << 5
    uc = _small(_word(word) + _word(NOP) * 8)
    calls = []

    def handled(uc: Any, register: int, coded: Any, data: Any) -> int:
        calls.append(1)
        return 1

    kind = u.arm64_const.UC_ARM64_INS_MRS if reads else u.arm64_const.UC_ARM64_INS_MSR
    uc.hook_add(u.UC_HOOK_INSN, handled, None, 1, 0, kind)
    uc.emu_start(PAGE, 0, count=4)
    return len(calls) == 1
