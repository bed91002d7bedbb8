"""A VM as user space drives it: VCPU_INIT, device attributes, ONE_REG, irqchip, KVM_RUN.

Results are 0 or values, errors are negative errno. What differs between kernel revisions is in ``pmu.revisions``.
"""

import errno
from collections.abc import Mapping
from typing import Final

from pmu import attributes
from pmu.attributes import COMMON_CHECKS, FIRST_SPI, Payload, is_ppi
from pmu.bank import CounterBank
from pmu.host import PMUVER_IMPDEF, PMUVER_V3, PMUVER_V3P5, Host, HostPmu, guest_pmceid
from pmu.perf import PMCR_LC, TYPE_M, TYPE_NSH, TYPE_NSK, TYPE_NSU, TYPE_P, TYPE_U
from pmu.registers import REGISTERS
from pmu.revisions import Revision
from pmu.vcpu import Entry, Vcpu

_TIMER_PPIS: Final = (27, 30)
_EVENT_SPACE: Final = 1 << 16
_EVENT_MASKS: Final = {0: 0, PMUVER_V3: 0x3FF, 4: 0xFFFF, 5: 0xFFFF, PMUVER_V3P5: 0xFFFF}


class Vm:
    """One VM and its vCPUs. ``streams`` leads from event numbers to the engine's event streams.

    ``quirks`` false replaces the two sample-period quirks of the kernel by overflows exactly at each wrap.
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
        quirks: bool = True,
    ) -> None:
        """Make a VM without vCPUs; ``gic``: with an in-kernel vGICv3; ``el2``, ``el3``: what its ID registers show."""
        self.host = host
        self.revision = revision
        self.bank = bank
        self.streams = streams
        self.gic = gic
        self.gic_ready = False
        self.quirks = quirks
        self.vcpus: list[Vcpu] = []
        self.has_pmu = False
        self.ran = False
        self.pmu: HostPmu | None = None
        self.fixed_only = False
        self.explicit_pmu = False
        self.explicit_count = False
        self.filter: bytearray | None = None
        self.supported_cpus: frozenset[int] = frozenset(range(host.ncpus))
        self.nr_counters = 0
        self.pmceid = (0, 0)
        self.pmcr_res1 = 0 if host.el0_aarch32 else PMCR_LC
        self._nr_spis = nr_spis
        self._features_set = False
        self._id_registers_set = False
        self._spi_owners: dict[int, tuple[Vcpu, str]] = {}
        self._type_bits = TYPE_P | TYPE_U | (TYPE_NSH if el2 else 0) | (TYPE_NSK | TYPE_NSU | TYPE_M if el3 else 0)
        self._set_version(0)

    # What the vCPUs ask

    def backing_pmu(self, cpu: int) -> HostPmu | None:
        """Return the host PMU on which a new event is made for a vCPU on a pCPU."""
        return self.host.first_pmu(cpu) if self.fixed_only else self.pmu

    def denies(self, event: int) -> bool:
        """Return whether the event filter denies an event."""
        return self.filter is not None and not self.filter[event]

    def max_counters(self) -> int:
        """Return the highest N that the VM can have now."""
        return 0 if self.fixed_only or self.pmu is None else self.host.max_counters(self.pmu)

    def offer_nr_counters(self, count: int) -> None:
        """Take N from a PMCR_EL0 that user space wrote, if it may still change; ignore it otherwise."""
        if not self.ran and count <= self.max_counters():
            self.nr_counters = count

    @property
    def host_events(self) -> int:
        """Return the size of the event space that FILTER accepts; it follows the host, not the VM."""
        return _EVENT_MASKS.get(self.host.pmuver_limit, 0) + 1

    # What the attributes do

    def back_with(self, host_pmu: HostPmu) -> None:
        """Back the VM by a host PMU and show all its counters."""
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
        """Make ``owner`` the owner of an interrupt line; return the errno that the vGIC raises, or 0."""
        if is_ppi(irq):
            holder = vcpu.private_owners.setdefault(irq, owner)
            return 0 if holder == owner else errno.EEXIST
        if not FIRST_SPI <= irq < FIRST_SPI + self._nr_spis:
            return errno.EINVAL
        return 0 if self._spi_owners.setdefault(irq, (vcpu, owner)) == (vcpu, owner) else errno.EEXIST

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

    def vcpu_init(self, vcpu: Vcpu, cpu: int, has_pmu: bool = True) -> int:
        """KVM_ARM_VCPU_INIT by a thread on a pCPU; a second one resets the vCPU."""
        if has_pmu and not self.host.usable_pmus:
            return -errno.EINVAL
        if (self._features_set or vcpu.initialised) and self.has_pmu != has_pmu:
            return -errno.EINVAL
        self.has_pmu = has_pmu
        if not vcpu.initialised and has_pmu and self.pmu is None and not self._choose_default(cpu):
            return -errno.ENODEV
        self._features_set = True
        self._set_id_registers()
        vcpu.reset()
        vcpu.initialised = True
        return 0

    def has_attr(self, vcpu: Vcpu, name: str | int) -> int:
        """KVM_HAS_DEVICE_ATTR."""
        return 0 if name in self.revision.attributes and self.has_pmu else -errno.ENXIO

    def get_attr(self, vcpu: Vcpu, name: str | int) -> tuple[int, int]:
        """KVM_GET_DEVICE_ATTR: (0 or negative errno, value)."""
        if name == attributes.IRQ:
            return self._get_irq(vcpu)
        if name == attributes.FIXED_COUNTERS_ONLY and name in self.revision.attributes and self.fixed_only:
            return 0, 0
        return -errno.ENXIO, 0

    def set_attr(self, vcpu: Vcpu, cpu: int, name: str | int, value: Payload) -> int:
        """KVM_SET_DEVICE_ATTR by a thread on a pCPU (which does not matter)."""
        row = self.revision.attributes.get(name) if isinstance(name, str) else None
        for check in COMMON_CHECKS + (row.checks if row else ()):
            error = check(self, vcpu, value)
            if error:
                return -error
        if row is None:
            return -errno.ENXIO
        row.apply(self, vcpu, value)
        self._advertise()
        return 0

    def get_reg(self, vcpu: Vcpu, name: str) -> int:
        """KVM_GET_ONE_REG: the value or a negative errno."""
        return self._one_reg_error(vcpu, name) or vcpu.get(name)

    def set_reg(self, vcpu: Vcpu, name: str, value: int) -> int:
        """KVM_SET_ONE_REG: 0 or a negative errno."""
        error = self._one_reg_error(vcpu, name)
        if not error:
            vcpu.set(name, value)
        return error

    def run(self, vcpu: Vcpu, cpu: int) -> Entry | int:
        """KVM_RUN by a thread on a pCPU: how entry ended, or a negative errno."""
        if not vcpu.initialised:
            return -errno.ENOEXEC
        error = self._run_error(vcpu)
        if error:
            return -error
        self.ran = True
        return vcpu.run_on(cpu)

    # Parts of the ioctls

    def _get_irq(self, vcpu: Vcpu) -> tuple[int, int]:
        if not self.gic:
            return -errno.EINVAL, 0
        if not self.has_pmu:
            return -errno.ENODEV, 0
        return (-errno.ENXIO, 0) if vcpu.irq_num is None else (0, vcpu.irq_num)

    def _one_reg_error(self, vcpu: Vcpu, name: str) -> int:
        row = REGISTERS[name]
        if not vcpu.initialised:
            return -errno.ENOEXEC
        return 0 if self.has_pmu and row.one_reg else -errno.ENOENT

    def _run_error(self, vcpu: Vcpu) -> int:
        """Return the errno of the first KVM_RUN of a vCPU, or 0; once it is 0 it stays 0."""
        if self.gic and not self.gic_ready:
            return errno.EBUSY
        if self.gic and any(self.claim(vcpu, irq, "timer") for irq in _TIMER_PPIS):
            return errno.EINVAL
        if self.has_pmu and not (vcpu.created and (self.gic or vcpu.irq_num is None)):
            return errno.EINVAL
        return 0

    def _choose_default(self, cpu: int) -> bool:
        host_pmu = self.host.first_pmu(cpu)
        if host_pmu is not None:
            self.back_with(host_pmu)
        return host_pmu is not None

    def _set_id_registers(self) -> None:
        if not self._id_registers_set:
            self._id_registers_set = True
            self._set_version(self.host.pmuver_limit if self.has_pmu else 0)

    def _set_version(self, pmuver: int) -> None:
        self.pmuver = pmuver
        self.event_mask = _EVENT_MASKS.get(pmuver, 0)
        self.type_mask = self._type_bits | self.event_mask
        self._advertise()

    def _advertise(self) -> None:
        """Work out PMCEID0/1_EL0 anew."""
        if self.pmu is None or self.fixed_only:
            self.pmceid = (0, 0)
            return
        low, high = guest_pmceid(self.pmu)
        self.pmceid = (low & self._filter_bits(0), high & self._filter_bits(32))

    def _filter_bits(self, base: int) -> int:
        """Return which of 32 common and 32 extended events the filter allows, as one 64-bit mask."""
        if self.filter is None:
            return (1 << 64) - 1
        events = list(range(base, base + 32))
        if self.event_mask + 1 >= 0x4000 + base + 32:
            events += range(0x4000 + base, 0x4000 + base + 32)
        return sum(self.filter[event] << bit for bit, event in enumerate(events))
