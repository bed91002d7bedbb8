"""The engine that executes A64 instructions.

What the guest reads and writes outside of its memory is answered by a `Listener`. What Unicorn does not tell is in
``simcore.app.code_unicorn``.
"""

import ctypes
import mmap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from simcore.app.code_unicorn import Encoding, Fields, address_of, engine_knows, library, new_engine
from simcore.app.code_words import MASK64
from simcore.errors import InputError

UNDEFINED, SVC, HVC, SMC = 1, 2, 11, 13
CALLS: Final = (SVC, HVC, SMC)
"""The engine's numbers of the exceptions of instructions that retire."""


_ACCESS: Final = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p, ctypes.c_void_p)
_CODED: Final = ctypes.c_uint32 * 5
"""CRn, CRm, op0, op1, op2 of an access, at the beginning of what the engine tells of it."""
_VALUE_AT: Final = 24


class Unmapped(Exception):
    """The guest accessed a physical address where there is nothing."""

    def __init__(self, address: int) -> None:
        super().__init__(f"physical address {address:#x}")
        self.address = address


@dataclass(frozen=True, slots=True)
class Stop:
    """Why the engine stopped, after how many retired instructions.

    ``why``: ``"limit"``, ``"wait"`` (WFI), ``"exception"`` (``number`` is the engine's) or ``"refused"`` (a system
    register access that the listener refused; ``pc`` is that of the instruction).
    """

    why: str
    retired: int
    pc: int
    number: int = 0


class Listener(Protocol):
    """Answers the guest; ``index`` is how many instructions of the slice have retired before the access."""

    def read_register(self, encoding: Encoding, index: int) -> int | None:
        """Return what a system register reads as; None: the engine knows. Raise `Refused` for UNDEF."""

    def write_register(self, encoding: Encoding, value: int, index: int) -> bool:
        """Take a write of a system register; False: the engine takes it. Raise `Refused` for UNDEF."""

    def execute(self, address: int) -> bool:
        """Look at an instruction before it executes, where every one is watched; True: stop after it."""


class Refused(Exception):
    """The access is UNDEFINED."""


class Engine:
    """One vCPU's engine over memory that several may share."""

    def __init__(self, memory: mmap.mmap, base: int, listener: Listener) -> None:
        """Map the memory at a base and reset to EL1h, interrupts masked; raise InputError without the library."""
        self._uc = new_engine()
        self._library = library()
        self._buffers: list[Any] = []
        u = self._library
        self._map(base, memory, u.UC_PROT_ALL)
        self._fields = Fields(self._uc)
        self._listener = listener
        self._pending: BaseException | None = None
        self._stop: Stop | None = None
        self._watch: Any = None
        a = self._library.arm64_const
        self._pc, self._sp, self._pstate = a.UC_ARM64_REG_PC, a.UC_ARM64_REG_SP, a.UC_ARM64_REG_PSTATE
        self._names = [getattr(a, f"UC_ARM64_REG_X{n}") for n in range(31)]
        self._raw = u.unicorn_py3.unicorn.uclib
        self._handle = ctypes.c_void_p(address_of(self._uc))
        self._cell = ctypes.c_uint64()
        self._cell_at = ctypes.byref(self._cell)
        self._zero, self._cp = a.UC_ARM64_REG_XZR, a.UC_ARM64_REG_CP_REG
        self._callbacks = [
            self._hook_access(self._on_read, a.UC_ARM64_INS_MRS),
            self._hook_access(self._on_write, a.UC_ARM64_INS_MSR),
        ]
        self._hook(u.UC_HOOK_INTR, self._on_exception)
        self._hook(u.UC_HOOK_MEM_UNMAPPED | u.UC_HOOK_MEM_PROT, self._on_unmapped)

    def _hook(self, kind: int, function: Callable[..., Any], instruction: int = 0) -> Any:
        return self._uc.hook_add(kind, function, None, 1, 0, instruction)

    def _hook_access(self, function: Callable[[int, int, int, int], int], instruction: int) -> Any:
        """Have accesses to system registers answered, without the binding's detour (several times faster)."""
        callback, hook = _ACCESS(function), ctypes.c_size_t()
        at = ctypes.cast(callback, ctypes.c_void_p)
        kind, first, last = self._library.UC_HOOK_INSN, ctypes.c_uint64(1), ctypes.c_uint64(0)
        self._raw.uc_hook_add(self._handle, ctypes.byref(hook), kind, at, None, first, last, ctypes.c_int(instruction))
        return callback

    # Registers

    def _get(self, register: int) -> int:
        """Read a register of 64 bits, without the binding's detour (ten times faster)."""
        self._raw.uc_reg_read(self._handle, register, self._cell_at)
        return self._cell.value

    def _set(self, register: int, value: int) -> None:
        self._cell.value = value & MASK64
        self._raw.uc_reg_write(self._handle, register, self._cell_at)

    @property
    def pc(self) -> int:
        """Return the address of the next instruction."""
        return self._get(self._pc)

    @pc.setter
    def pc(self, value: int) -> None:
        self._uc.reg_write(self._pc, value)

    @property
    def pstate(self) -> int:
        """Return PSTATE as in SPSR."""
        return self._get(self._pstate) & 0xFFFFFFFF

    @pstate.setter
    def pstate(self, value: int) -> None:
        self._uc.reg_write(self._pstate, value)

    @property
    def sp(self) -> int:
        """Return the stack pointer in use."""
        return self._get(self._sp)

    @sp.setter
    def sp(self, value: int) -> None:
        self._uc.reg_write(self._sp, value)

    def x(self, number: int) -> int:
        """Return a general register; 31 is zero."""
        return 0 if number == 31 else self._get(self._names[number])

    def set_x(self, number: int, value: int) -> None:
        """Set a general register; 31 takes nothing."""
        if number != 31:
            self._set(self._names[number], value)

    def system(self, encoding: Encoding) -> int:
        """Return a system register as the engine has it."""
        op0, op1, crn, crm, op2 = encoding
        return int(self._uc.reg_read(self._cp, (crn, crm, op0, op1, op2)))

    def set_system(self, encoding: Encoding, value: int) -> None:
        """Set a system register of the engine."""
        op0, op1, crn, crm, op2 = encoding
        self._uc.reg_write(self._cp, (crn, crm, op0, op1, op2, value))

    # Memory

    def map_rom(self, base: int, content: mmap.mmap) -> None:
        """Map memory that the guest cannot write."""
        self._map(base, content, self._library.UC_PROT_READ | self._library.UC_PROT_EXEC)

    def _map(self, base: int, content: mmap.mmap, access: int) -> None:
        buffer = (ctypes.c_char * len(content)).from_buffer(content)
        self._buffers.append(buffer)
        self._uc.mem_map_ptr(base, len(content), access, ctypes.addressof(buffer))

    def map_device(
        self, base: int, size: int, read: Callable[[int, int], int], write: Callable[[int, int, int], None]
    ) -> None:
        """Map registers of a device: ``read(offset, size)``, ``write(offset, size, value)``."""

        def reads(uc: Any, offset: int, size: int, data: Any) -> int:
            return int(self._guarded(0, lambda: read(offset, size)))

        def writes(uc: Any, offset: int, size: int, value: int, data: Any) -> None:
            self._guarded(None, lambda: write(offset, size, value))

        self._uc.mmio_map(base, size, reads, None, writes, None)

    # Running

    def run(self, limit: int) -> Stop:
        """Execute up to ``limit`` instructions (1 at least); raise what a callback raised, or `Unmapped`."""
        self._stop, self._pending = None, None
        error = None
        try:
            self._uc.emu_start(self.pc, (1 << 64) - 1, count=limit)
        except self._library.UcError as engine_error:
            error = engine_error
        if self._pending is not None:
            raise self._pending
        if self._stop is not None:
            return self._stop
        if error is not None:
            raise InputError(f"the engine failed: {error}", f"at {self.pc:#x}")
        done = self._fields.counter
        bound = self._fields.limit
        return Stop("limit", bound, self.pc) if done > bound else Stop("wait", done, self.pc)

    @property
    def index(self) -> int:
        """Return within a callback how many instructions of the slice have retired before the current one."""
        return self._fields.counter - 1

    def end_slice(self) -> None:
        """End the slice, from a callback, after the current instruction."""
        self._fields.limit = self._fields.counter

    def shorten(self, bound: int) -> None:
        """End the slice, from a callback, ``bound`` instructions on (the current one included) if it is not earlier."""
        self._fields.limit = min(self._fields.limit, self.index + bound)

    def watch(self, every: bool) -> None:
        """Look at every instruction before it executes (a hundred times slower), or no longer."""
        if every == (self._watch is not None):
            return
        if every:
            self._watch = self._hook(self._library.UC_HOOK_CODE, self._on_instruction)
        else:
            self._uc.hook_del(self._watch)
            self._watch = None
        self._uc.ctl_flush_tb()

    # Callbacks: what they raise is raised by `run`

    def _guarded(self, default: Any, function: Callable[[], Any]) -> Any:
        if self._pending is not None:
            return default
        try:
            return function()
        except BaseException as error:  # raised again after the slice
            self._pending = error
            self.end_slice()
            return default

    def _on_read(self, uc: int, register: int, coded: int, data: int) -> int:
        return self._answered(self._read, register, coded)

    def _on_write(self, uc: int, register: int, coded: int, data: int) -> int:
        return self._answered(self._write, register, coded)

    def _answered(self, answer: Callable[[int, int], int], register: int, coded: int) -> int:
        """Answer as fast as can be: a guest that polls the time is bound by this."""
        if self._pending is not None or self._stop is not None:
            return 1
        try:
            return answer(register, coded)
        except Refused:
            return self._refuse()
        except BaseException as error:  # raised again after the slice
            self._pending = error
            self.end_slice()
            return 1

    def _read(self, register: int, coded: int) -> int:
        crn, crm, op0, op1, op2 = _CODED.from_address(coded)
        encoding = (op0, op1, crn, crm, op2)
        value = self._listener.read_register(encoding, self.index)
        if value is None:
            return 0
        if register != self._zero:
            self._set(register, value)
        return self._step_over(True, encoding)

    def _write(self, register: int, coded: int) -> int:
        crn, crm, op0, op1, op2 = _CODED.from_address(coded)
        encoding = (op0, op1, crn, crm, op2)
        value = ctypes.c_uint64.from_address(coded + _VALUE_AT).value
        taken = self._listener.write_register(encoding, value, self.index)
        return self._step_over(False, encoding) if taken else 0

    def _step_over(self, reads: bool, encoding: Encoding) -> int:
        """Advance the PC over an access to a register that the engine does not know."""
        if not engine_knows(reads, encoding):
            self._set(self._pc, self.pc + 4)
        return 1

    def _refuse(self) -> int:
        self._stop = Stop("refused", self.index, self.pc)
        self.end_slice()
        return 1

    def _on_exception(self, uc: Any, number: int, data: Any) -> None:
        if self._stop is None:
            self._stop = Stop("exception", self.index + (number in CALLS), self.pc, number)
        uc.emu_stop()

    def _on_unmapped(self, uc: Any, kind: int, address: int, size: int, value: int, data: Any) -> bool:
        if self._pending is None:
            self._pending = Unmapped(address)
        return False

    def _on_instruction(self, uc: Any, address: int, size: int, data: Any) -> None:
        if self._guarded(False, lambda: self._listener.execute(address)):
            self.end_slice()
