"""What registers do not carry: the calls that the VMM made on the source, and what becomes of each on the destination.

A call that the destination's policy does not make is tried on a scratch VM.
"""

from typing import Any, Final

from pmu.attributes import SET_PMU
from pmu.host import Host
from scheduler.vmm_call import PMU_PPI, VCPU_INIT
from simcore.app.migrate_vm import Side
from simcore.app.replaying import Replay, error_name

ATTRIBUTE: Final = "KVM_ARM_VCPU_PMU_V3_"
DONE: Final = "yes"
Row = dict[str, Any]


def calls(source: Side, destination: Side) -> list[Row]:
    """Return a row for each call on either side, in the order in which it is made."""
    wanted, made = dict(source.policy.attributes), dict(destination.policy.attributes)
    rows = [
        _row(VCPU_INIT, _features(source), _features(destination), source.policy.strict == destination.policy.strict)
    ]
    rows += [_wanted(name, value, source, destination) for name, value in wanted.items()]
    rows += [
        _row(f"{ATTRIBUTE}{name}", "", _shown(name, value, destination.host), False)
        for name, value in made.items()
        if name not in wanted
    ]
    rows.append(_row(f"{ATTRIBUTE}IRQ", str(PMU_PPI), str(PMU_PPI), True))
    return [*rows, _row(f"{ATTRIBUTE}INIT", DONE, DONE, True)]


def _row(name: str, source: str, destination: str, repeated: bool) -> Row:
    return {"call": name, "source": source, "destination": destination, "repeated": repeated}


def _features(side: Side) -> str:
    return f"PMU_V3{', PMU_V3_STRICT' if side.policy.strict else ''}, on CPU {side.init_cpu}"


def _wanted(name: str, value: int | None, source: Side, destination: Side) -> Row:
    made = dict(destination.policy.attributes)
    answer = _shown(name, made[name], destination.host) if name in made else _why_not(name, value, source, destination)
    return _row(f"{ATTRIBUTE}{name}", _shown(name, value, source.host), answer, name in made)


def _why_not(name: str, value: int | None, source: Side, destination: Side) -> str:
    """Ask a VM with the destination's attributes whether it would take a call that its policy lacks."""
    if name == SET_PMU:
        host_pmu = destination.host.pmu_named(_pmu_name(value, source.host))
        if host_pmu is None:
            return "not possible: no host PMU of this name"
        value = host_pmu.type_id
    policy, cpu = destination.policy, destination.init_cpu
    scratch = Replay(destination.host, policy.revision, 1).vm
    vcpu = scratch.create_vcpu(0)
    scratch.vcpu_init(vcpu, cpu, strict=policy.strict)
    for attribute in policy.attributes:
        scratch.set_attr(vcpu, cpu, *attribute)
    was_fixed = scratch.fixed_only
    result = error_name(scratch.set_attr(vcpu, cpu, name, value))
    where = f"under {policy.name}@{policy.kernel}"
    if result:
        return f"not possible: {result} {where}"
    ends = was_fixed and not scratch.fixed_only
    return f"not made {where}; it would end that mode" if ends else f"not made {where}, though KVM would take it"


def _shown(name: str, value: int | None, host: Host) -> str:
    if name == SET_PMU:
        return f"{_pmu_name(value, host)} (type {value})"
    return DONE if value is None else str(value)


def _pmu_name(type_id: int | None, host: Host) -> str:
    return next(host_pmu.name for host_pmu in host.usable_pmus if host_pmu.type_id == type_id)
