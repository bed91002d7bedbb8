"""ONE_REG of a vCPU's PMU as a VMM uses it for a migration: which registers there are, saved, ordered and restored."""

from collections.abc import Mapping, Sequence
from typing import Final

from pmu.kvm import Vm
from pmu.registers import REGISTERS
from pmu.vcpu import Vcpu
from simcore.draws import draw
from simcore.errors import unknown_name

PMUVER: Final = "ID_AA64DFR0_EL1.PMUVer"
_PMUVER_ENCODING: Final = (3, 0, 0, 5, 0)
ORDERS: Final = ("ascending", "descending", "random")


def one_reg_names(vm: Vm) -> list[str]:
    """Return what KVM_GET_REG_LIST has of the PMU, ascending by id, with the ID register's field before all."""
    rows = {PMUVER: _PMUVER_ENCODING}
    rows |= {row.name: row.encoding for row in REGISTERS.values() if row.one_reg and vm.shows(row.index)}
    return sorted(rows, key=rows.__getitem__)


def hidden_names(vm: Vm) -> list[str]:
    """Return the registers that the guest has and user space has not."""
    return [row.name for row in REGISTERS.values() if not row.one_reg and vm.shows(row.index)]


def ordered(names: Sequence[str], order: str, seed: int = 1) -> list[str]:
    """Return names that ascend by id in another order; a random one depends on the seed and nothing else."""
    if order not in ORDERS:
        raise unknown_name("order", order, ORDERS)
    if order == "random":
        return sorted(names, key=lambda name: draw(seed, name, "order of restoring"))
    return list(names) if order == "ascending" else list(reversed(names))


def get(vm: Vm, vcpu: Vcpu, name: str) -> int:
    """Return a register as KVM_GET_ONE_REG does."""
    return vm.pmuver if name == PMUVER else vm.get_reg(vcpu, name)


def put(vm: Vm, vcpu: Vcpu, name: str, value: int) -> int:
    """Set a register as KVM_SET_ONE_REG does: 0 or a negative errno."""
    return vm.set_pmuver(value) if name == PMUVER else vm.set_reg(vcpu, name, value)


def save(vm: Vm, vcpu: Vcpu) -> dict[str, int]:
    """Return every ONE_REG of the PMU, ascending by id."""
    return {name: get(vm, vcpu, name) for name in one_reg_names(vm)}


def restore(vm: Vm, vcpu: Vcpu, saved: Mapping[str, int], order: Sequence[str]) -> dict[str, int]:
    """Set registers in an order; return the negative errno of each that is refused."""
    results = {name: put(vm, vcpu, name, saved[name]) for name in order}
    return {name: result for name, result in results.items() if result < 0}
