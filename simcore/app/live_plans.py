"""The live migrations of a scenario with their names resolved and checked, before anything is simulated."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from pmu.bank import CounterBank
from pmu.host import Host as PmuHost
from pmu.kvm import Vm
from pmu.one_reg import ORDERS
from pmu.policies import Policy, kind_of, parse
from scheduler import choice
from scheduler.live import LivePlan, check_feature
from scheduler.pinning import places_of
from scheduler.vmm import check_vm, init_cpus, prepare
from scheduler.vmm_rows import vmm_named
from simcore.errors import InputError, unknown_name
from simcore.platform import Platform
from simcore.scenario import THEN, LiveMigration, Scenario
from simcore.units import format_time_ns


@dataclass(frozen=True, slots=True)
class Stop:
    """A stop on the way of a VM from host to host: its policy there, and where its vCPU threads make VCPU_INIT."""

    policy: Policy
    cpus: Sequence[int]


def check_lives(scenario: Scenario) -> None:
    """Raise InputError for live migrations whose time, VM or order makes no sense."""
    for number, live in enumerate(scenario.live_migrations):
        where = f"live_migrations.{number}"
        if not 0 <= live.vm < len(scenario.vms):
            raise InputError(f"no VM {live.vm}", f"{where}.vm", valid=f"0 to {len(scenario.vms) - 1}")
        if live.order not in ORDERS:
            raise unknown_name("order", live.order, ORDERS, f"{where}.order")
        _check_time(scenario, live, where)
    for vm in range(len(scenario.vms)):
        for (_, before), (number, after) in zip(_of_vm(scenario, vm), _of_vm(scenario, vm)[1:], strict=False):
            if after.time_ns <= before.time_ns + before.downtime_ns:
                why = f"it is still stopped for the one at {format_time_ns(before.time_ns)}"
                what = f"VM {vm} cannot go at {format_time_ns(after.time_ns)}"
                raise InputError(what, f"live_migrations.{number}.time", why)


def _check_time(scenario: Scenario, live: LiveMigration, where: str) -> None:
    pinned_ns = scenario.vms[live.vm].pin_delay_ns
    resumed_ns = live.time_ns + live.downtime_ns
    if live.time_ns <= pinned_ns or live.downtime_ns < 1 or resumed_ns >= scenario.seconds_ns:
        raise InputError(
            f"a guest cannot stop at {format_time_ns(live.time_ns)} for {format_time_ns(live.downtime_ns)}",
            f"{where}.time",
            f"the VM's threads are pinned until {format_time_ns(pinned_ns)}, and the run ends at "
            f"{format_time_ns(scenario.seconds_ns)}",
            "a time between the two, with the downtime too",
        )


def plan_lives(
    platform: Platform, scenario: Scenario, host: PmuHost, number: int, policy: Policy, cpus: Sequence[int]
) -> tuple[LivePlan, ...]:
    """Return the live migrations of VM ``number`` in order; ``policy`` and ``cpus``: what it has at the start."""
    here = Stop(policy, cpus)
    plans = []
    for nth, (index, live) in enumerate(_of_vm(scenario, number), 1):
        plan = _plan(platform, scenario, host, live, f"live_migrations.{index}", nth)
        there = Stop(plan.policy, plan.init_cpus)
        check_feature(_made(scenario, host, number, here), _made(scenario, host, number, there), plan.policy)
        plans.append(plan)
        here = there
    return tuple(plans)


def _of_vm(scenario: Scenario, vm: int) -> list[tuple[int, LiveMigration]]:
    own = [(index, live) for index, live in enumerate(scenario.live_migrations) if live.vm == vm]
    return sorted(own, key=lambda item: item[1].time_ns)


def _plan(platform: Platform, scenario: Scenario, host: PmuHost, live: LiveMigration, where: str, nth: int) -> LivePlan:
    spec = scenario.vms[live.vm]
    vmm = vmm_named(spec.vmm)
    policy = parse(live.policy, host, live.kernel or _kernel(live.policy, spec.kernel))
    check_vm(vmm, policy, spec, where)
    everywhere = tuple(range(len(platform.cpus)))
    pinned = choice.name_of(scenario.scheduler) == choice.PINNED
    places = places_of(spec, policy, everywhere, pinned, f"vms.{live.vm}", vmm.starts_anywhere)
    there = dataclasses.replace(spec, init_placement=live.init_placement or spec.init_placement)
    drawn = init_cpus(platform, there, places.first, scenario.seed, live.vm, f"init placement on host {nth}")
    return LivePlan(live, policy, tuple(drawn[: spec.vcpus]), places)


def then(scenario: Scenario, first: str, vm: int = 0) -> str:
    """Return a label followed by those of the policies that the VM has after live migrations, ``>`` between them."""
    spec = scenario.vms[vm]
    labels = [first]
    for _, live in _of_vm(scenario, vm):
        name, suffixed, kernel = live.policy.partition("@")
        labels.append(f"{name}@{kernel if suffixed else live.kernel or _kernel(name, spec.kernel)}")
    return THEN.join(labels)


def _kernel(policy: str, kernel: str) -> str:
    """Return the kernel of the VM, or in place of mainline the one that has the policy."""
    kind = kind_of(policy.partition("@")[0])
    return kind.kernel if kind is not None and kernel == "mainline" else kernel


def _made(scenario: Scenario, host: PmuHost, vm: int, stop: Stop) -> Vm:
    """Return a VM as its VMM makes it there, to see whether it can."""
    spec = scenario.vms[vm]
    kvm = Vm(host, stop.policy.revision, CounterBank(spec.vcpus), {}, gic=spec.irqchip == "kernel")
    prepare(kvm, stop.policy, stop.cpus, range(spec.vcpus), vmm_named(spec.vmm))
    return kvm
