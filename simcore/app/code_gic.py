"""A GICv3 as far as bare-metal tests need it: distributor, redistributors, CPU interfaces; Group 1, no LPIs.

Source of offsets and fields: Arm IHI 0069 (GICv3 and v4 architecture). Registers that are not in the tables below read
as zero and take nothing.
"""

from dataclasses import dataclass, field
from typing import Final

PRIVATE: Final = 32
INTERRUPTS: Final = 96
SPURIOUS: Final = 1023
IDLE: Final = 0x100
"""The running priority while no interrupt is active: lower than every priority."""
REDISTRIBUTOR_SIZE: Final = 0x20000
_SGI_FRAME: Final = 0x10000
_ARCH_REVISION_3: Final = 0x3B
_PRIORITY_MASK: Final = 0xF8  # 5 bits of priority, as KVM's vGIC has
_TYPER_ITLINES: Final = INTERRUPTS // 32 - 1


@dataclass(slots=True)
class Bank:
    """The state of the interrupts of a range, a bit each: ``level`` is the input, ``latched`` pends by itself."""

    size: int
    group: int = 0
    enabled: int = 0
    latched: int = 0
    level: int = 0
    active: int = 0
    config: int = 0
    priority: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        self.priority = bytearray(self.size)

    @property
    def pending(self) -> int:
        """Return what waits to be acknowledged."""
        return self.latched | self.level

    def read(self, offset: int, size: int) -> int:
        """Read a register at its offset in a distributor, shifted to this bank."""
        if 0x400 <= offset < 0x400 + self.size:
            return int.from_bytes(self.priority[offset - 0x400 : offset - 0x400 + size], "little")
        if 0xC00 <= offset < 0xC00 + self.size // 4:
            return self.config >> 8 * (offset - 0xC00) & 0xFFFFFFFF
        column = offset & 0x7F
        if column >= self.size // 8:
            return 0
        words = {
            0x080: self.group,
            0x100: self.enabled,
            0x180: self.enabled,
            0x200: self.pending,
            0x280: self.pending,
            0x300: self.active,
            0x380: self.active,
        }
        return words.get(offset & ~0x7F, 0) >> 8 * column & 0xFFFFFFFF

    def write(self, offset: int, size: int, value: int) -> None:
        """Write such a register."""
        if 0x400 <= offset < 0x400 + self.size:
            masked = bytes(byte & _PRIORITY_MASK for byte in value.to_bytes(8, "little")[:size])
            self.priority[offset - 0x400 : offset - 0x400 + size] = masked
            return
        if 0xC00 <= offset < 0xC00 + self.size // 4:
            shift = 8 * (offset - 0xC00)
            self.config = self.config & ~(0xFFFFFFFF << shift) | value << shift
            return
        column = offset & 0x7F
        if column < self.size // 8:
            self._write_bits(offset & ~0x7F, value << 8 * column, 0xFFFFFFFF << 8 * column)

    def _write_bits(self, register: int, bits: int, all_bits: int) -> None:
        if register == 0x080:
            self.group = self.group & ~all_bits | bits
        elif register == 0x100:
            self.enabled |= bits
        elif register == 0x180:
            self.enabled &= ~bits
        elif register == 0x200:
            self.latched |= bits
        elif register == 0x280:
            self.latched &= ~bits
        elif register == 0x300:
            self.active |= bits
        elif register == 0x380:
            self.active &= ~bits


@dataclass(slots=True)
class Interface:
    """The CPU interface of a vCPU, with its private interrupts."""

    private: Bank = field(default_factory=lambda: Bank(PRIVATE))
    mask: int = 0
    point: int = 0
    enabled: bool = False
    drops_only: bool = False
    running: list[int] = field(default_factory=lambda: [IDLE])
    sleeping: bool = True


class Gic:
    """The interrupt controller of a VM."""

    def __init__(self, vcpus: int) -> None:
        """Make it reset: nothing enabled."""
        self.interfaces = [Interface() for _ in range(vcpus)]
        self.shared = Bank(INTERRUPTS - PRIVATE)
        self.routes = [0] * (INTERRUPTS - PRIVATE)
        self.control = 0

    # Lines

    def set_line(self, vcpu: int, interrupt: int, level: bool) -> None:
        """Drive a private, level-sensitive interrupt."""
        bank = self.interfaces[vcpu].private
        bank.level = bank.level | 1 << interrupt if level else bank.level & ~(1 << interrupt)

    def signals(self, vcpu: int) -> bool:
        """Tell whether the CPU interface signals an interrupt to its vCPU."""
        return self._best(vcpu) != SPURIOUS

    def _best(self, vcpu: int) -> int:
        """Return the pending interrupt of the highest priority that may be taken now."""
        interface = self.interfaces[vcpu]
        if not interface.enabled or not self.control & 0b11:
            return SPURIOUS
        found, limit = SPURIOUS, min(interface.mask, interface.running[-1])
        for first, bank in ((0, interface.private), (PRIVATE, self.shared)):
            waiting = bank.pending & bank.enabled & bank.group & ~bank.active
            while waiting:
                number = (waiting & -waiting).bit_length() - 1
                waiting &= waiting - 1
                routed = first == 0 or self.routes[number] == vcpu
                if routed and bank.priority[number] < limit:
                    found, limit = first + number, bank.priority[number]
        return found

    def _bank(self, vcpu: int, interrupt: int) -> tuple[Bank, int]:
        if interrupt < PRIVATE:
            return self.interfaces[vcpu].private, interrupt
        return self.shared, interrupt - PRIVATE

    # The CPU interface

    def acknowledge(self, vcpu: int) -> int:
        """Read ICC_IAR1_EL1."""
        interrupt = self._best(vcpu)
        if interrupt != SPURIOUS:
            bank, number = self._bank(vcpu, interrupt)
            bank.active |= 1 << number
            bank.latched &= ~(1 << number)
            self.interfaces[vcpu].running.append(bank.priority[number])
        return interrupt

    def highest(self, vcpu: int) -> int:
        """Read ICC_HPPIR1_EL1."""
        return self._best(vcpu)

    def end(self, vcpu: int, interrupt: int) -> None:
        """Write ICC_EOIR1_EL1."""
        interface = self.interfaces[vcpu]
        if interrupt >= INTERRUPTS:
            return
        if len(interface.running) > 1:
            interface.running.pop()
        if not interface.drops_only:
            self.deactivate(vcpu, interrupt)

    def deactivate(self, vcpu: int, interrupt: int) -> None:
        """Write ICC_DIR_EL1."""
        if interrupt < INTERRUPTS:
            bank, number = self._bank(vcpu, interrupt)
            bank.active &= ~(1 << number)

    def send(self, vcpu: int, value: int) -> None:
        """Write ICC_SGI1R_EL1: affinity routing with all vCPUs at affinity 0.0.0.n, the target list 16 of them."""
        number, first = value >> 24 & 0xF, 16 * (value >> 44 & 0xF)
        others = [n for n in range(len(self.interfaces)) if n != vcpu]
        listed = [first + n for n in range(16) if value >> n & 1]
        for target in others if value >> 40 & 1 else listed:
            if target < len(self.interfaces):
                self.interfaces[target].private.latched |= 1 << number

    # Memory-mapped registers

    def read_distributor(self, offset: int, size: int) -> int:
        """Read a register of the distributor."""
        fixed = {0x0000: self.control | 1 << 4, 0x0004: _TYPER_ITLINES, 0x0008: 0x43B, 0xFFE8: _ARCH_REVISION_3}
        if offset in fixed:
            return fixed[offset]
        if 0x6100 <= offset < 0x6100 + 8 * len(self.routes):
            return self.routes[(offset - 0x6100) // 8] if not offset & 4 else 0
        shifted = self._shifted(offset)
        return 0 if shifted is None else self.shared.read(shifted, size)

    def write_distributor(self, offset: int, size: int, value: int) -> None:
        """Write a register of the distributor."""
        if offset == 0:
            self.control = value & 0b11
        elif 0x6100 <= offset < 0x6100 + 8 * len(self.routes):
            if not offset & 4:
                self.routes[(offset - 0x6100) // 8] = value & 0xFF
        elif (shifted := self._shifted(offset)) is not None:
            self.shared.write(shifted, size, value)

    @staticmethod
    def _shifted(offset: int) -> int | None:
        """Return a distributor's offset as one into the bank of shared interrupts."""
        for start, stop, skipped in ((0x080, 0x400, 4), (0x400, 0x800, PRIVATE), (0xC00, 0xD00, 8)):
            if start <= offset < stop:
                column = offset & 0x7F if start == 0x080 else offset - start
                return offset - skipped if column >= skipped else None
        return None

    def read_redistributor(self, offset: int, size: int) -> int:
        """Read a register of the redistributors, which stand one after the other."""
        vcpu, offset = divmod(offset, REDISTRIBUTOR_SIZE)
        if vcpu >= len(self.interfaces):
            return 0
        interface = self.interfaces[vcpu]
        if offset >= _SGI_FRAME:
            return interface.private.read(offset - _SGI_FRAME, size)
        last = int(vcpu == len(self.interfaces) - 1)
        typer = vcpu << 32 | vcpu << 8 | last << 4
        fixed = {
            0x0004: 0x43B,
            0x0008: typer if size == 8 else typer & 0xFFFFFFFF,
            0x000C: typer >> 32,
            0x0014: 0b110 if interface.sleeping else 0,
            0xFFE8: _ARCH_REVISION_3,
        }
        return fixed.get(offset, 0)

    def write_redistributor(self, offset: int, size: int, value: int) -> None:
        """Write a register of the redistributors."""
        vcpu, offset = divmod(offset, REDISTRIBUTOR_SIZE)
        if vcpu >= len(self.interfaces):
            return
        if offset >= _SGI_FRAME:
            self.interfaces[vcpu].private.write(offset - _SGI_FRAME, size, value)
        elif offset == 0x0014:
            self.interfaces[vcpu].sleeping = bool(value & 0b10)
