"""A VM as user space drives it: VCPU_INIT, device attributes, ONE_REG, irqchip, KVM_RUN.

Results are 0 or values, errors are negative errno. What differs between kernel revisions is in ``pmu.revisions``.
"""

import errno
from collections.abc import Mapping
from typing import Final

from pmu import attributes
from pmu.attributes import FIRST_SPI, GICV5_PMU_PPI, Attribute, Effect, is_ppi
from pmu.bank import CounterBank
from pmu.checks import (
    ONE_REG_CHECKS,
    PMU_V3,
    PMU_V3_STRICT,
    RUN_CHECKS,
    VCPU_INIT_CHECKS,
    Check,
    Payload,
    no_default_pmu,
)
from pmu.host import INSTRUCTION_COUNTER, PMUVER_IMPDEF, PMUVER_V3, PMUVER_V3P5, Host, HostPmu
from pmu.modes import FIXED
from pmu.revisions import Revision
from pmu.storage import PMCR_LC, TYPE_M, TYPE_NSH, TYPE_NSK, TYPE_NSU, TYPE_P, TYPE_U
from pmu.vcpu import Entry, Vcpu

Rule = Check | Effect

_EVENT_SPACE: Final = 1 << 16
_EVENT_MASKS: Final = {0: 0, PMUVER_V3: 0x3FF, 4: 0xFFFF, 5: 0xFFFF, PMUVER_V3P5: 0xFFFF}


class Vm:
    """One VM and its vCPUs. ``streams`` leads from event numbers to the engine's event streams.

    ``decided_by`` is the rule that decided the last ioctl: the check that refused it, or the effect of a SET.
    """

    def __init__(
        self,
        host: Host,
        revision: Revision,
        bank: CounterBank,
        streams: Mapping[int, int],
        *,
        gic: bool = True,
        nr_spis: int = 64,
        el2: bool = False,
        el3: bool = False,
        gicv5: bool = False,
        icntr: bool = False,
    ) -> None:
        """Make a VM without vCPUs; ``el2``, ``el3``: what its ID registers show.

        ``gic``: with an in-kernel irqchip, a vGICv3 or else a GICv5; without one, user space has the irqchip.
        ``icntr``: a kernel to come that virtualises the instruction counter; the bank must have its column.
        """
        assert bank.slots > INSTRUCTION_COUNTER or not icntr
        self.host = host
        self.revision = revision
        self.bank = bank
        self.streams = streams
        self.gic = gic
        self.gicv5 = gic and gicv5
        self.gic_ready = False
        self.icntr = icntr
        self.decided_by: Rule | None = None
        self.vcpus: list[Vcpu] = []
        self.has_pmu = False
        self.strict = False
        self.ran = False
        self.pmu: HostPmu | None = None
        self.drawn_pmu: HostPmu | None = None
        self.mode = revision.mode
        self.explicit_pmu = False
        self.explicit_count = False
        self.filter: bytearray | None = None
        self.supported_cpus: frozenset[int] = frozenset(range(host.ncpus))
        self.nr_counters = 0
        self.pmceid = (0, 0)
        self.pmcr_res1 = 0 if host.el0_aarch32 else PMCR_LC
        self._nr_spis = nr_spis
        self.features_set = False
        self._id_registers_set = False
        self.type_bits = TYPE_P | TYPE_U | (TYPE_NSH if el2 else 0) | (TYPE_NSK | TYPE_NSU | TYPE_M if el3 else 0)
        self._set_version(0)

    # What the vCPUs ask

    @property
    def fixed_only(self) -> bool:
        """Return whether the VM has FIXED_COUNTERS_ONLY."""
        return self.mode is FIXED

    @property
    def slots(self) -> int:
        """Return PMMIR_EL1.SLOTS as the guest reads it."""
        return self.pmu.slots if self.strict and self.pmu is not None else 0

    def backing_pmus(self, cpu: int) -> tuple[HostPmu, ...]:
        """Return the host PMUs on which a counter's new events are made for a vCPU on a pCPU, one on each."""
        return self.mode.backing(self, cpu)

    def backing_pmu(self, cpu: int) -> HostPmu | None:
        """Return the one of these that covers the pCPU, else the first."""
        host_pmus = self.backing_pmus(cpu)
        return next((host_pmu for host_pmu in host_pmus if cpu in host_pmu.cpus), host_pmus[0] if host_pmus else None)

    @property
    def shows_icntr(self) -> bool:
        """Return whether the guest has the instruction counter: its host PMU has, or, if any may back it, each has."""
        if not self.icntr or self.pmu is None:
            return False
        return self.host.icntr_everywhere if self.mode.local else self.pmu.icntr

    def shows(self, counter: int) -> bool:
        """Return whether the registers of a counter exist (-1: those of no counter; those beyond N do, refused)."""
        return self.has_pmu and (counter != INSTRUCTION_COUNTER or self.shows_icntr)

    def denies(self, event: int) -> bool:
        """Return whether the event filter denies an event."""
        return self.filter is not None and not self.filter[event]

    def max_counters(self) -> int:
        """Return the highest N that the VM can have now."""
        return self.mode.shown(self)[0]

    def pmu_irq(self, vcpu: Vcpu) -> int | None:
        """Return the interrupt number that a vCPU's PMU has, or with a GICv5 takes at INIT."""
        return GICV5_PMU_PPI if self.gicv5 else vcpu.irq_num

    def offer_nr_counters(self, count: int) -> None:
        """Take N from a PMCR_EL0 that user space wrote, if it may still change so; ignore it otherwise."""
        if not self.ran and not self.strict and count <= self.max_counters():
            self.nr_counters = count

    @property
    def host_events(self) -> int:
        """Return the size of the event space that FILTER accepts; it follows the host, not the VM."""
        return _EVENT_MASKS.get(self.host.pmuver_limit, 0) + 1

    # What the attributes do

    def back_with(self, host_pmu: HostPmu) -> None:
        """Back the VM by a host PMU and show all the counters that it may have then."""
        self.pmu = host_pmu
        self.nr_counters = self.max_counters()
        self.explicit_count = False
        self._advertise()

    def apply_filter(self, base: int, count: int, action: int) -> None:
        """Allow or deny a range of events; the first call decides the default."""
        allowed = int(action == attributes.ALLOW)
        if self.filter is None:
            self.filter = bytearray([1 - allowed]) * _EVENT_SPACE
        self.filter[base : base + count] = bytes([allowed]) * count
        self._advertise()

    def claim(self, vcpu: Vcpu, irq: int, owner: str) -> int:
        """Make ``owner`` the owner of an interrupt line; return the errno that the vGIC raises, or 0.

        Only a PPI can have another owner, a timer: of two PMUs the attribute IRQ has given each an SPI of its own.
        """
        if is_ppi(irq):
            holder = vcpu.private_owners.setdefault(irq, owner)
            return 0 if holder == owner else errno.EEXIST
        return 0 if FIRST_SPI <= irq < FIRST_SPI + self._nr_spis else errno.EINVAL

    # ioctls

    def may_create_vcpu(self) -> int:
        """Return what KVM_CREATE_VCPU would return: 0, or a negative errno once the vGIC is initialised."""
        return -errno.EBUSY if self.gic_ready else 0

    def create_vcpu(self, row: int) -> Vcpu:
        """KVM_CREATE_VCPU where ``may_create_vcpu`` allows it; ``row`` is the vCPU's row of the bank."""
        if self.gic_ready:
            raise ValueError("a vCPU cannot be created once the vGIC is initialised")
        vcpu = Vcpu(self, row)
        self.vcpus.append(vcpu)
        return vcpu

    def gic_init(self) -> int:
        """Initialise the in-kernel vGIC."""
        if not self.gic:
            return -errno.ENXIO
        self.gic_ready = True
        return 0

    def set_pmuver(self, pmuver: int) -> int:
        """ONE_REG write of ID_AA64DFR0_EL1.PMUVer; IMPLEMENTATION DEFINED is taken as none."""
        if pmuver == PMUVER_IMPDEF:
            pmuver = 0
        if self.ran:
            return 0 if pmuver == self.pmuver else -errno.EBUSY
        if pmuver > self.host.pmuver_limit:
            return -errno.E2BIG
        self._id_registers_set = True
        self._set_version(pmuver)
        return 0

    def vcpu_init(self, vcpu: Vcpu, cpu: int, has_pmu: bool = True, strict: bool = False) -> int:
        """KVM_ARM_VCPU_INIT by a thread on a pCPU; a second one resets the vCPU. ``strict``: feature PMU_V3_STRICT."""
        error = self._refused(VCPU_INIT_CHECKS, vcpu, has_pmu * PMU_V3 | strict * PMU_V3_STRICT)
        if error:
            return error
        self.has_pmu, self.strict = has_pmu, strict
        if has_pmu and self.pmu is None and not (strict or self.mode.unbacked):
            error = self._refused((no_default_pmu,), vcpu, cpu)
            if error:
                return error
            self._back_by_default(cpu)
        self.features_set = True
        self._set_id_registers()
        vcpu.reset()
        vcpu.initialised = True
        return 0

    def has_attr(self, vcpu: Vcpu, name: str | int) -> int:
        """KVM_HAS_DEVICE_ATTR."""
        return self._refused(attributes.HAS_CHECKS, vcpu, name)

    def get_attr(self, vcpu: Vcpu, name: str | int) -> tuple[int, int]:
        """KVM_GET_DEVICE_ATTR: (0 or negative errno, value)."""
        row = self._attribute(name)
        error = self._refused((attributes.not_readable, *(row.get_checks if row else ())), vcpu, name)
        return (error, 0) if error or row is None or row.value is None else (0, row.value(self, vcpu))

    def set_attr(self, vcpu: Vcpu, cpu: int, name: str | int, value: Payload) -> int:
        """KVM_SET_DEVICE_ATTR by a thread on a pCPU (which does not matter)."""
        error = self._refused(attributes.COMMON_CHECKS, vcpu, value)
        row = self._attribute(name)
        if error or row is None:
            return error or self._refused((attributes.unknown_attribute,), vcpu, name)
        error = self._refused(row.checks, vcpu, value)
        if error:
            return error
        row.apply(self, vcpu, value)
        self.decided_by = row.apply
        self._advertise()
        return 0

    def get_reg(self, vcpu: Vcpu, name: str) -> int:
        """KVM_GET_ONE_REG: the value or a negative errno."""
        return self._refused(ONE_REG_CHECKS, vcpu, name) or vcpu.get(name)

    def set_reg(self, vcpu: Vcpu, name: str, value: int) -> int:
        """KVM_SET_ONE_REG: 0 or a negative errno."""
        error = self._refused(ONE_REG_CHECKS, vcpu, name)
        if not error:
            vcpu.set(name, value)
        return error

    def run(self, vcpu: Vcpu, cpu: int) -> Entry | int:
        """KVM_RUN by a thread on a pCPU: how entry ended, or a negative errno."""
        return self.admit(vcpu) or vcpu.run_on(cpu)

    def admit(self, vcpu: Vcpu) -> int:
        """Do what KVM_RUN does before vcpu_load: 0, and the VM counts as having run, or a negative errno."""
        error = self._refused(RUN_CHECKS, vcpu, None)
        self.ran |= not error
        return error

    # Parts of the ioctls

    def _refused(self, checks: tuple[Check, ...], vcpu: Vcpu, value: Payload) -> int:
        """Return the negative errno of the first check that objects, which ``decided_by`` then names, or 0."""
        self.decided_by = None
        for check in checks:
            error = check(self, vcpu, value)
            if error:
                self.decided_by = check
                return -error
        return 0

    def _attribute(self, name: str | int) -> Attribute | None:
        return self.revision.attributes.get(name) if isinstance(name, str) else None

    def _back_by_default(self, cpu: int) -> None:
        host_pmu = self.host.first_pmu(cpu)
        assert host_pmu is not None
        self.drawn_pmu = host_pmu
        self.back_with(host_pmu)

    def _set_id_registers(self) -> None:
        if not self._id_registers_set:
            self._id_registers_set = True
            self._set_version(self.host.pmuver_limit if self.has_pmu else 0)

    def _set_version(self, pmuver: int) -> None:
        self.pmuver = pmuver
        self.event_mask = _EVENT_MASKS.get(pmuver, 0)
        self.type_mask = self.type_bits | self.event_mask
        self._advertise()

    def _advertise(self) -> None:
        """Work out PMCEID0/1_EL0 anew."""
        _, low, high = self.mode.shown(self)
        self.pmceid = (low & self._filter_bits(0), high & self._filter_bits(32))

    def _filter_bits(self, base: int) -> int:
        """Return which of 32 common and 32 extended events the filter allows, as one 64-bit mask."""
        if self.filter is None:
            return (1 << 64) - 1
        events = list(range(base, base + 32))
        if self.event_mask + 1 >= 0x4000 + base + 32:
            events += range(0x4000 + base, 0x4000 + base + 32)
        return sum(self.filter[event] << bit for bit, event in enumerate(events))
