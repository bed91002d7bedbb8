"""Small hosts and scripted guests for tests: what a vCPU does is a list of actions."""

import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from simcore.app.recording import result_of
from simcore.app.running import Machine
from simcore.costs import COST_NAMES, Costs
from simcore.result import Result
from simcore.scenario import GuestSpec, IdleSpec, Scenario, VmSpec
from workloads import guests
from workloads.actions import ReadReg, ReadTimer, Report, Run, Sleep, SpinUntil, WriteReg
from workloads.program import Steps

DUO = str(Path(__file__).parent / "data" / "platforms" / "duo.toml")
FREE = Costs(**dict.fromkeys(COST_NAMES, 0))
MS = 1_000_000
PLAIN, CHECKED = (os.environ.get(name) == "1" for name in ("NUMBA_DISABLE_JIT", "NUMBA_BOUNDSCHECK"))
EXAMPLES = 5 if PLAIN or CHECKED else 7
"""Whole simulations are some fifty times slower as plain Python, and slower with bounds checks too."""
CYCLES_ON = (
    WriteReg("PMINTENCLR_EL1", 0xFFFFFFFF),
    WriteReg("PMOVSCLR_EL0", 0xFFFFFFFF),
    WriteReg("PMCNTENCLR_EL0", 0xFFFFFFFF),
    WriteReg("PMCCFILTR_EL0", 0),
    WriteReg("PMCCNTR_EL0", 0),
    WriteReg("PMCNTENSET_EL0", 1 << 31),
    WriteReg("PMCR_EL0", 0x41),
)


@dataclass(slots=True)
class Scripted:
    """A guest whose vCPUs yield what ``script(cpu)`` yields; its interrupt handler is ``handler(cpu)``."""

    phases: tuple
    script: Callable[..., Steps]
    handler: Callable[..., Steps | None] = lambda cpu: None
    name: str = "scripted"

    def vcpu(self, cpu):
        return self.script(cpu)

    def interrupt(self, cpu):
        return self.handler(cpu)


@dataclass
class Stage:
    """Runs scenarios whose guest is scripted."""

    monkeypatch: pytest.MonkeyPatch

    def run(self, scenario: Scenario, script, handler=None):
        """Run a scenario with the guest ``scripted`` and return its Result."""
        return self.finish(self.machine(scenario, script, handler))

    def finish(self, machine: Machine) -> Result:
        """Run a machine and return its Result."""
        machine.run()
        return result_of(machine)

    def machine(self, scenario: Scenario, script, handler=None) -> Machine:
        """Return the machine of a scenario with the guest ``scripted``, ready to run."""

        def make(spec, workload):
            phases = (*workload.phases, workload.kernel, *_at_el0(workload))
            return Scripted(phases, script, handler or (lambda cpu: None))

        self.monkeypatch.setitem(guests.GUESTS, "scripted", make)
        return Machine(scenario)


def _at_el0(workload):
    return tuple(dataclasses.replace(phase, level=0) for phase in workload.phases)


def scene(policy="default", kernel="mainline", **changes) -> Scenario:
    """One vCPU on the duo, no background, no costs, nothing that moves it but what the test asks for."""
    vm = {"vcpus": 1, "cpus": None, "shadows": ()} | changes.pop("vm", {})
    base = Scenario(
        platform=DUO,
        vms=(VmSpec(guest=GuestSpec(name="scripted", workload="dhrystone"), policy=policy, kernel=kernel, **vm),),
        scheduler="eevdf",
        governor="performance",
        halt_poll_ns=0,
        idle=IdleSpec(latency_limit_ns=0),
        seconds_ns=20 * MS,
        background=(),
        costs=FREE,
        causes=frozenset({"affinity", "other"}),
        sample_ns=MS,
    )
    return dataclasses.replace(base, **changes)


def guest_scene(guest: GuestSpec, policy="default", kernel="mainline", **changes) -> Scenario:
    """One vCPU of a real guest, initialised on the LITTLE core; else as `scene`."""
    staged = scene(policy, kernel, vm={"init_placement": "small"} | changes.pop("vm", {}), **changes)
    return dataclasses.replace(staged, vms=(dataclasses.replace(staged.vms[0], guest=guest),))


def count_and_spin(cpu) -> Steps:
    """Switch the cycle counter on and execute for ever."""
    yield from CYCLES_ON
    while True:
        yield SpinUntil(0, 1 << 40)


def read_every(ns: int):
    """Switch the cycle counter on, then read it every ``ns`` of the architected timer (1 GHz on the duo)."""

    def script(cpu) -> Steps:
        yield from CYCLES_ON
        while True:
            now = yield ReadTimer()
            assert isinstance(now, int)
            yield SpinUntil(0, now + ns)
            yield ReadReg("PMCCNTR_EL0")

    return script


__all__ = ["CYCLES_ON", "DUO", "FREE", "MS", "ReadReg", "Report", "Run", "Sleep", "SpinUntil", "Stage", "WriteReg"]
