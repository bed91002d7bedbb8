"""One VM driven operation by operation: what user space, the guest and the host scheduler do to its virtual PMU.

``OPERATIONS`` is the table of operations, whose names, arguments and results are those of the recorded sequences
(format hetpmu-vectors/1, ``simcore.app.vectors``); `hetpmu conformance` and `hetpmu uapi` drive this.
"""

import errno
from collections.abc import Callable, Sequence
from typing import Any

from pmu.bank import CounterBank
from pmu.checks import PMU_V3_STRICT
from pmu.events import CPU_CYCLES
from pmu.host import PMUVER_IMPDEF, Host
from pmu.kvm import Vm
from pmu.registers import UNDEF
from pmu.revisions import Revision
from pmu.vcpu import Entry, Vcpu

Operation = Sequence[Any]
Result = Any
"""0 or a number, a negative errno by name, a hex string, how KVM_RUN ended, UNDEF, NOTRUN, NOVCPU, or a list."""


class _Streams(dict[int, int]):
    """Every event is its own stream, so that nothing is lost for lack of one."""

    def get(self, event: int, default: Any = None) -> int:
        return event


class Replay:
    """One VM that user space, the guest and the host scheduler drive one operation at a time."""

    def __init__(self, host: Host, revision: Revision, vcpus: int, **options: Any) -> None:
        """Make a VM for at most ``vcpus`` vCPUs; ``options`` are those of ``pmu.kvm.Vm``."""
        self.bank = CounterBank(max(vcpus, 1))
        self.vm = Vm(host, revision, self.bank, _Streams(), **options)

    def step(self, op: Operation) -> Result:
        """Run one operation and return its result in the form of the vector files."""
        name, *args = op
        perform, kind = OPERATIONS[name]
        if kind == "vm":
            return perform(self, *args)
        number, *rest = args
        if not 0 <= number < len(self.vm.vcpus):
            return "NOVCPU"
        vcpu = self.vm.vcpus[number]
        if kind == "guest" and not vcpu.in_guest:
            return "NOTRUN"
        if kind == "ioctl" and vcpu.in_guest:
            vcpu.leave()
        return perform(self, vcpu, *rest)

    # VM

    def create_vcpu(self) -> Result:
        error = self.vm.may_create_vcpu()
        if error:
            return error_name(error)
        self.vm.create_vcpu(len(self.vm.vcpus))
        return len(self.vm.vcpus) - 1

    def gic_init(self) -> Result:
        return error_name(self.vm.gic_init())

    def set_pmuver(self, version: int) -> Result:
        """The recorded write is a stub: it knows no IMPLEMENTATION DEFINED version and raises EINVAL for E2BIG."""
        result = self.vm.set_pmuver(version if version != PMUVER_IMPDEF else PMUVER_IMPDEF - 1)
        return error_name(-errno.EINVAL if result == -errno.E2BIG else result)

    def view(self) -> Result:
        vm = self.vm
        return [vm.nr_counters, sorted(vm.supported_cpus), -1 if vm.pmu is None else vm.pmu.type_id]

    # ioctls on a vCPU

    def vcpu_init(self, vcpu: Vcpu, cpu: int, features: int) -> Result:
        """``features``: 1 with PMU_V3, as recorded; beside it the bit of PMU_V3_STRICT, which is not in recordings."""
        return error_name(self.vm.vcpu_init(vcpu, cpu, bool(features & 1), bool(features & PMU_V3_STRICT)))

    def set_attr(self, vcpu: Vcpu, cpu: int, name: str | int, value: Any) -> Result:
        payload = tuple(value) if isinstance(value, list) else value
        return error_name(self.vm.set_attr(vcpu, cpu, name, payload))

    def get_attr(self, vcpu: Vcpu, name: str | int) -> Result:
        error, value = self.vm.get_attr(vcpu, name)
        return error_name(error) if error else [0, value]

    def has_attr(self, vcpu: Vcpu, name: str | int) -> Result:
        return error_name(self.vm.has_attr(vcpu, name))

    def get_reg(self, vcpu: Vcpu, name: str) -> Result:
        value = self.vm.get_reg(vcpu, name)
        return error_name(value) if value < 0 else hex(value)

    def set_reg(self, vcpu: Vcpu, name: str, value: str) -> Result:
        return error_name(self.vm.set_reg(vcpu, name, int(value, 16)))

    def run(self, vcpu: Vcpu, cpu: int) -> Result:
        ended = self.vm.run(vcpu, cpu)
        return ended.value if isinstance(ended, Entry) else error_name(ended)

    # In the guest

    def exit(self, vcpu: Vcpu) -> Result:
        vcpu.leave()
        return 0

    def migrate(self, vcpu: Vcpu, cpu: int) -> Result:
        return vcpu.migrate(cpu).value

    def rd(self, vcpu: Vcpu, name: str, level: int) -> Result:
        value = vcpu.read(name, level)
        return value.value if value is UNDEF else hex(value)

    def wr(self, vcpu: Vcpu, name: str, value: str, level: int) -> Result:
        fault = vcpu.write(name, int(value, 16), level)
        return _with_exit(vcpu, "ok" if fault is None else fault.value)

    def adv(self, vcpu: Vcpu, cycles: int, events: dict[str, int], level: int) -> Result:
        vcpu.set_level(level)
        counts = {int(event, 16): count for event, count in events.items()} | {CPU_CYCLES: cycles}
        row = self.vm.vcpus.index(vcpu)
        fired = [self._advance(vcpu, row, slot, counts) for slot in range(32)]
        if any(fired):
            vcpu.resume()
        return _with_exit(vcpu, "ok")

    def irq(self, vcpu: Vcpu) -> Result:
        return [int(vcpu.irq_level), int(vcpu.injected_level), vcpu.device_irq_level]

    def _advance(self, vcpu: Vcpu, row: int, slot: int, counts: dict[int, int]) -> bool:
        """Give one slot its events, overflow by overflow; tell whether there was one."""
        events = counts.get(int(self.bank.stream[row, slot]), 0)
        fired = False
        while events:
            left = int(self.bank.left[row, slot]) if self.bank.category[row, slot] == 0 else 0
            now = min(events, left) if left else events
            events -= now
            if self.bank.add(row, slot, now):
                vcpu.overflow(slot)
                fired = True
        return fired


OPERATIONS: dict[str, tuple[Callable[..., Any], str]] = {
    "create_vcpu": (Replay.create_vcpu, "vm"),
    "gic_init": (Replay.gic_init, "vm"),
    "set_pmuver": (Replay.set_pmuver, "vm"),
    "vm": (Replay.view, "vm"),
    "vcpu_init": (Replay.vcpu_init, "ioctl"),
    "set_attr": (Replay.set_attr, "ioctl"),
    "get_attr": (Replay.get_attr, "ioctl"),
    "has_attr": (Replay.has_attr, "ioctl"),
    "get_reg": (Replay.get_reg, "ioctl"),
    "set_reg": (Replay.set_reg, "ioctl"),
    "run": (Replay.run, "ioctl"),
    "exit": (Replay.exit, "guest"),
    "migrate": (Replay.migrate, "guest"),
    "rd": (Replay.rd, "guest"),
    "wr": (Replay.wr, "guest"),
    "adv": (Replay.adv, "guest"),
    "irq": (Replay.irq, "look"),
}
"""Operation -> (method, kind): ``ioctl`` makes the vCPU exit first, ``guest`` needs it in the guest."""


def error_name(result: int) -> Result:
    """Return a negative errno by name, anything else as it is."""
    return f"-{errno.errorcode[-result]}" if result < 0 else result


def _with_exit(vcpu: Vcpu, result: str) -> Any:
    return result if vcpu.in_guest else [result, "INTR"]
