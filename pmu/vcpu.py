"""A vCPU's virtual PMU: guest and user-space register access, load and put, entry, interrupt level, overflow.

The registers are rows of ``pmu.registers``, the counters and their host events are in ``pmu.perf``, what the VM shares
is in ``pmu.kvm``. The engine drives this face only.
"""

import dataclasses
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING

from pmu.host import PMUVER_V3P5
from pmu.perf import Counters
from pmu.register import ALWAYS, UNDEF, Fault, Value
from pmu.registers import REGISTERS
from pmu.storage import (
    CYCLE_BIT,
    ENABLED,
    INTERRUPT,
    OVERFLOW,
    PMCR,
    PMCR_C,
    PMCR_E,
    PMCR_LC,
    PMCR_LP,
    PMCR_P,
    USER_ENABLE,
    bits,
)
from pmu.work import PmuWork, difference

if TYPE_CHECKING:
    from pmu.kvm import Vm


ID_REGISTER, PMUVER_SHIFT = "ID_AA64DFR0_EL1", 8
"""The ID register by which a guest finds its PMU, and where PMUVer is in it; KVM traps it (HCR_EL2.TID3)."""
KVM_ARM_DEV_PMU = 1 << 2
"""The PMU's bit in kvm_run's ``s.regs.device_irq_level``."""


class Entry(Enum):
    """How an attempt to enter the guest ends."""

    GUEST = "guest"
    FAIL_ENTRY = "FAIL_ENTRY"
    INTR = "INTR"


class Vcpu:
    """One vCPU of a VM; made by ``Vm.create_vcpu``."""

    def __init__(self, vm: "Vm", row: int) -> None:
        """Bind the vCPU to a row of the VM's bank."""
        self.vm = vm
        self.counters = Counters(vm, row)
        self.initialised = False
        self.created = False
        self.irq_num: int | None = None
        self.private_owners: dict[int, str] = {}
        self.irq_level = False
        self.injected_level = False
        self.reported_level = False
        self.unsupported = False
        self.in_guest = False
        self.cpu = -1
        self._last_cpu = -1
        self._reload = False
        self._reload_by_load = False

    @property
    def work(self) -> PmuWork:
        """Return what the host did for this PMU so far."""
        return self.counters.work

    @property
    def load_always(self) -> bool:
        """Return whether something happens to counters at every load, even on the same host PMU."""
        return self.vm.revision.load_always or self.vm.mode.timed

    @property
    def loads_matter(self) -> bool:
        """Return whether a counter depends on when such a load happens; else only its work counts (`load_again`)."""
        return self.load_always and (self.vm.mode.timed or self.vm.revision.rearms)

    def follow(self, outside: Callable[[], int]) -> None:
        """Let a cycle counter that follows the architected timer know the ns in which the guest did not execute."""
        self.counters.follow(outside)

    @property
    def device_irq_level(self) -> int:
        """Return the levels last told to a user-space irqchip."""
        return KVM_ARM_DEV_PMU if self.reported_level else 0

    # Host side: load, put, enter

    def load(self, cpu: int) -> None:
        """Put the vCPU on a pCPU (vcpu_load): unsupported flag, host counters, request for a reload."""
        last, self._last_cpu, self.cpu = self._last_cpu, cpu, cpu
        self.unsupported = cpu not in self.vm.supported_cpus
        self.counters.schedule_in(cpu)
        if self.vm.has_pmu and self.vm.revision.load_reloads(self, last, cpu):
            self._reload_by_load = True

    def put(self) -> None:
        """Take the vCPU off its pCPU (vcpu_put)."""
        self.in_guest = False
        self.unsupported = False
        self.cpu = -1
        self.counters.schedule_out()
        if not self.vm.revision.keeps_last_cpu:
            self._last_cpu = -1

    def enter(self) -> Entry:
        """Process requests and enter the guest, or say why not (the caller then puts the vCPU)."""
        if self._reload or self._reload_by_load:
            self._reload_events()
        self._update_irq()
        if not self.vm.gic and self.irq_level != self.reported_level:
            return Entry.INTR
        if self.unsupported:
            return Entry.FAIL_ENTRY
        self.in_guest = True
        return Entry.GUEST

    def leave(self) -> None:
        """Return from KVM_RUN to user space: put, and tell the interrupt level where user space has the irqchip."""
        self._update_irq()
        self.put()
        if not self.vm.gic:
            self.reported_level = self.irq_level

    def free(self) -> None:
        """End the vCPU, as closing its file descriptor does: its host events are released."""
        self.counters.clear()

    def replace(self, other: "Vcpu") -> None:
        """Go on with the account of another vCPU, now freed, whose row of the bank this one has."""
        self.counters.work = other.counters.work

    def migrate(self, cpu: int) -> Entry:
        """Move the running thread to another pCPU and enter again."""
        self.put()
        self.load(cpu)
        return self._enter_or_leave()

    def run_on(self, cpu: int) -> Entry:
        """Load on a pCPU and enter the guest; not entered, the vCPU is put again."""
        self.load(cpu)
        return self._enter_or_leave()

    def resume(self) -> None:
        """Enter again after an exit that the host handled; only a user-space irqchip can keep the guest out then."""
        if self.enter() is Entry.INTR:
            self.leave()

    def reenter(self, cpu: int) -> int:
        """Enter the guest after an exit; return how often KVM_RUN went to user space to tell its irqchip a new level.

        Each time user space calls KVM_RUN again from the same pCPU. The vCPU is out afterwards only where it fails
        entry.
        """
        exits = 0
        while self.cpu < 0 or self.enter() is Entry.INTR:
            if self.cpu >= 0:
                self.leave()
            exits += 1
            self.load(cpu)
        return exits

    def load_again(self, times: int) -> None:
        """Do what so many loads on the vCPU's pCPU, one after another, do: the others do again what the first did."""
        before = dataclasses.replace(self.work)
        cpu = self.counters.cpu
        self.put()
        self.load(cpu)
        self.reenter(cpu)
        self.work.add(difference(self.work, before), times - 1)

    def refuses_read(self, name: str) -> bool:
        """Tell whether a guest's read of a register would be UNDEFINED at EL1."""
        return self.read(name) is UNDEF

    def request_reload(self) -> None:
        """Ask for a reload of all events before the next entry (KVM_REQ_RELOAD_PMU)."""
        self._reload = True

    def set_level(self, level: int) -> None:
        """Tell at which exception level (0 or 1) the guest executes from now on."""
        self.counters.set_level(level)

    @property
    def depends_on_level(self) -> bool:
        """Tell whether it matters to any counter at which exception level the guest executes."""
        return self.counters.level_mask() != 0

    def overflow(self, slot: int) -> None:
        """Handle the host PMU's interrupt: the sample period of a slot's event has ended."""
        self.counters.overflow(slot)
        self._update_irq()

    def _enter_or_leave(self) -> Entry:
        entry = self.enter()
        if entry is not Entry.GUEST:
            self.leave()
        return entry

    def _reload_events(self) -> None:
        if self._reload_by_load:
            self.work.load_reloads += 1
        else:
            self.work.other_reloads += 1
        self._reload = self._reload_by_load = False
        counters = self.counters
        mask = counters.implemented_mask()
        for slot in (OVERFLOW, INTERRUPT, ENABLED):
            counters.regs[slot] &= mask
        counters.reprogram(mask & self.vm.revision.reload_mask)

    def _update_irq(self) -> None:
        regs = self.counters.regs
        level = bool(regs[OVERFLOW] & regs[INTERRUPT]) and bool(regs[PMCR] & PMCR_E)
        if level != self.irq_level:
            self.irq_level = level
            if self.vm.gic:
                self.injected_level = level

    # Guest side

    def read(self, name: str, level: int = 1) -> Value:
        """Read a register as the guest at an exception level does."""
        if name == ID_REGISTER:
            return self.vm.pmuver << PMUVER_SHIFT if level else UNDEF
        row = REGISTERS[name]
        if not self.vm.shows(row.index) or row.read is None or not self._admits(row.read, level):
            return UNDEF
        if row.on_read is not None:
            return row.on_read(self, row)
        assert row.slot is not None
        return self.counters.regs[row.slot] & row.mask

    def write(self, name: str, value: int, level: int = 1) -> Fault | None:
        """Write a register as the guest at an exception level does, and enter the guest again."""
        row = REGISTERS[name]
        if not self.vm.shows(row.index) or row.write is None or not self._admits(row.write, level):
            return UNDEF
        if row.on_write is not None:
            fault = row.on_write(self, row, value)
        else:
            assert row.slot is not None
            self.counters.regs[row.slot], fault = value & row.mask, None
        self.resume()
        return fault

    def write_pmcr(self, value: int) -> None:
        """Act on a guest's write of PMCR_EL0: enable, clear counters, keep the rest."""
        regs = self.counters.regs
        value &= ~self.pmcr_res0
        if (regs[PMCR] ^ value) & PMCR_E:
            self.request_reload()
        self.store_pmcr(value & ~(PMCR_C | PMCR_P))
        mask = self.counters.implemented_mask()
        cleared = (CYCLE_BIT if value & PMCR_C else 0) | (mask & CYCLE_BIT - 1 if value & PMCR_P else 0)
        for idx in bits(cleared):
            self.counters.assign(idx, 0)

    @property
    def pmcr_res0(self) -> int:
        """Return the bits of PMCR_EL0 that the VM's PMUVer lacks."""
        return 0 if self.vm.pmuver >= PMUVER_V3P5 else PMCR_LP

    def _admits(self, gate: int, level: int) -> bool:
        return level > 0 or bool(gate & (self.counters.regs[USER_ENABLE] | ALWAYS))

    # User space: ONE_REG, reset

    def get(self, name: str) -> int:
        """Return a register as KVM_GET_ONE_REG does; the caller has checked that it is one."""
        row = REGISTERS[name]
        if row.on_get is not None:
            return row.on_get(self, row)
        assert row.slot is not None
        return self.counters.regs[row.slot]

    def set(self, name: str, value: int) -> None:
        """Set a register as KVM_SET_ONE_REG does; the caller has checked that it is one."""
        row = REGISTERS[name]
        if row.on_set is not None:
            row.on_set(self, row, value)
            return
        assert row.slot is not None
        is_type = row.index >= 0
        if not self.vm.revision.one_reg_raw:
            value &= self.vm.type_mask if is_type else row.mask
        self.counters.regs[row.slot] = value
        if is_type and self.vm.revision.one_reg_recreates:
            self.counters.fold(row.index)
            self.request_reload()

    def store_pmcr(self, value: int) -> None:
        """Store PMCR_EL0; where the kernel does so, counters whose overflow it moves get new events at a reload."""
        regs = self.counters.regs
        changed, regs[PMCR] = regs[PMCR] ^ value, value
        if changed & (PMCR_LC | PMCR_LP) and self.vm.revision.pmcr_recreates:
            self.counters.fold_all()
            self.request_reload()

    def reset(self) -> None:
        """Reset every register; what becomes of live events, and whether a reload follows, is the revision's."""
        if not self.vm.revision.reset_keeps_events:
            self.counters.release_all()
        for row in REGISTERS.values():
            if row.index >= self.vm.bank.slots:
                continue
            value = row.reset if row.on_reset is None else row.on_reset(self, row)
            if row.slot is not None and value is not None:
                self.counters.regs[row.slot] = value
        self.counters.refresh_slots(self.counters.implemented_mask() | self.counters.live)
        if self.vm.revision.reset_reloads:
            self.request_reload()
