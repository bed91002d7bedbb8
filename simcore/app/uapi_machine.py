"""One VM of a kernel revision that answers the steps of `hetpmu uapi`, and names the rule that decided each.

What is decided is asked of the VM; nothing here knows KVM's rules.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from pmu.attributes import ALLOW, DENY
from pmu.host import Host
from pmu.registers import REGISTERS, Register
from pmu.revisions import Revision
from pmu.vcpu import Entry
from simcore.app.replaying import Replay, Result
from simcore.app.uapi_parsing import ACTION_NAMES, DEFAULT_CPU, Step
from simcore.errors import unknown_name
from simcore.platform import cpu_list

IRQCHIPS: Final = ("gicv3", "gicv5", "user")
NO_RULE: Final = "no check refuses"


@dataclass(frozen=True, slots=True)
class Rule:
    """What decided a step: a function, its file and the first line of its docstring; or only the text."""

    text: str
    function: str = ""
    file: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a step in the form of the vector files, and the rule that decided."""

    result: Result
    rule: Rule


def implied_steps(steps: Sequence[Step], vcpus: int) -> tuple[Step, ...]:
    """Return what is done before the steps: every vCPU is initialised on CPU 0 if the first step is no ``init``."""
    if steps and steps[0].operation == "vcpu_init":
        return ()
    text = f"init cpu={DEFAULT_CPU}"
    return tuple(Step(text, "vcpu_init", vcpu, (DEFAULT_CPU, 1)) for vcpu in range(vcpus))


class Machine:
    """A VM of one revision with its vCPUs created, which answers step by step."""

    def __init__(self, host: Host, revision: Revision, vcpus: int, irqchip: str) -> None:
        """Create the VM and its vCPUs; none is initialised."""
        if irqchip not in IRQCHIPS:
            raise unknown_name("irqchip", irqchip, IRQCHIPS)
        self.replay = Replay(host, revision, vcpus, gic=irqchip != "user", gicv5=irqchip == "gicv5")
        self.vm = self.replay.vm
        for _ in range(vcpus):
            self.replay.step(["create_vcpu"])

    def perform(self, step: Step) -> Outcome:
        """Do one step."""
        backing = self.vm.pmu
        result = self.replay.step(step.operation_for(self.vm.revision))
        if step.operation == "get_attr" and isinstance(result, list):
            result = result[1]
        return Outcome(result, self._rule(step, result, newly_backed=backing is None))

    def state(self) -> dict[str, Any]:
        """Return what user space and the guest can find out about the VM."""
        vm = self.vm
        return {
            "nr_counters": vm.nr_counters,
            "backing_pmu": None if vm.pmu is None else vm.pmu.name,
            "supported_cpus": sorted(vm.supported_cpus),
            "fixed_counters_only": vm.fixed_only if vm.revision.has_fixed_counters_only else None,
            "filter": None if vm.filter is None else _filter_state(vm.filter),
            "ran": vm.ran,
        }

    # Which rule decided

    def _rule(self, step: Step, result: Result, newly_backed: bool) -> Rule:
        if result == "NOTRUN":
            return Rule("the vCPU is not in the guest: KVM_RUN was not done, or an ioctl on the vCPU ended it")
        if step.operation in ("rd", "wr"):
            return self._access_rule(step, guest=True)
        if step.operation == "gic_init":
            return Rule(NO_RULE if result == 0 else "there is no in-kernel irqchip to initialise")
        if self.vm.decided_by is not None:
            return rule_of(self.vm.decided_by)
        return _SUCCESSES[step.operation](self, step, result, newly_backed)

    def _access_rule(self, step: Step, guest: bool) -> Rule:
        row = REGISTERS[str(step.arguments[0])]
        reads = step.operation in ("rd", "get_reg")
        if guest and not self.vm.has_pmu:
            return Rule("the VM lacks the PMU_V3 feature")
        if guest and not self.vm.shows(row.index):
            return Rule(f"the VM does not show {row.name}")
        if guest and (row.read if reads else row.write) is None:
            return Rule(f"{row.name} cannot be {'read' if reads else 'written'} (register table)")
        hook = _hook(row, reads, guest)
        return rule_of(hook) if hook is not None else Rule(f"{row.name} is plain storage (register table)")

    def _attribute_rule(self, step: Step, result: Result, newly_backed: bool) -> Rule:
        return Rule(NO_RULE)

    def _value_rule(self, step: Step, result: Result, newly_backed: bool) -> Rule:
        name = step.operation_for(self.vm.revision)[2]
        value = self.vm.revision.attributes[name].value
        assert value is not None
        return rule_of(value)

    def _init_rule(self, step: Step, result: Result, newly_backed: bool) -> Rule:
        host_pmu = self.vm.pmu
        if not newly_backed or host_pmu is None:
            return Rule(NO_RULE)
        return Rule(f"default PMU {host_pmu.name}, the first in probe order that covers CPU {step.arguments[0]}")

    def _run_rule(self, step: Step, result: Result, newly_backed: bool) -> Rule:
        cpu = step.arguments[0]
        assert isinstance(cpu, int)
        cpus = cpu_list(self.vm.supported_cpus)
        if result == Entry.FAIL_ENTRY.value:
            return Rule(f"KVM_EXIT_FAIL_ENTRY, CPU_UNSUPPORTED: CPU {cpu} is not in supported_cpus {cpus}")
        if result == Entry.INTR.value:
            return Rule("user space must first be told the new level of the PMU's interrupt line")
        host_pmu = self.vm.backing_pmu(cpu)
        counts = not self.vm.has_pmu or (host_pmu is not None and cpu in host_pmu.cpus)
        stall = "" if counts else f"; no event of this VM counts on CPU {cpu}"
        return Rule(f"entered on CPU {cpu}; supported_cpus {cpus}{stall}")

    def _one_reg_rule(self, step: Step, result: Result, newly_backed: bool) -> Rule:
        return self._access_rule(step, guest=False)


_SUCCESSES: Final[dict[str, Callable[[Machine, Step, Result, bool], Rule]]] = {
    "has_attr": Machine._attribute_rule,
    "get_attr": Machine._value_rule,
    "vcpu_init": Machine._init_rule,
    "run": Machine._run_rule,
    "get_reg": Machine._one_reg_rule,
    "set_reg": Machine._one_reg_rule,
}


@cache
def rule_of(function: Callable[..., Any]) -> Rule:
    """Return a check, an effect or a hook as a rule."""
    text = (function.__doc__ or "").strip().partition("\n")[0].rstrip(".")
    return Rule(text, function.__name__, function.__module__.replace(".", "/") + ".py")


def _hook(row: Register, reads: bool, guest: bool) -> Callable[..., Any] | None:
    if guest:
        return row.on_read if reads else row.on_write
    return row.on_get if reads else row.on_set


def _filter_state(allowed: bytearray) -> dict[str, Any]:
    """Return the smaller set of events, allowed or denied, as (first, count) ranges."""
    listed = int(allowed.count(1) <= allowed.count(0))
    runs = re.finditer(bytes([listed]) + b"+", allowed)
    ranges = [[run.start(), run.end() - run.start()] for run in runs]
    return {"action": ACTION_NAMES[ALLOW if listed else DENY], "ranges": ranges}
