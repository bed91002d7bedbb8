"""Contenders for decisions a second: a whole simulation, and SimPy's own timeouts without any host in them.

A decision is a context switch of a pCPU. The bare peer handles as many timeouts, with one process a pCPU.
"""

from dataclasses import replace

import simpy

from benchmarks.measure import Contender
from simcore.app.running import run
from simcore.scenario import GuestSpec, Scenario, VmSpec

PCPUS = 8
SLEEP_NS = 200_000


def scenario(seconds_ns: int) -> Scenario:
    """Return interactive guests on all 8 pCPUs of an RK3588, with nothing recorded."""
    guest = GuestSpec("none", boot_ns=100_000, quantum_instructions=100_000, quanta_per_wake=1, sleep_ns=SLEEP_NS)
    vm = VmSpec(guest=guest, vcpus=PCPUS, policy="fixed-counters-only", kernel="v8")
    return Scenario(platform="rk3588", vms=(vm,), seconds_ns=seconds_ns, sample_ns=0)


def ours(seconds_ns: int = 1_000_000_000) -> Contender:
    """Return a run of the scenario; its decisions are counted once, beforehand."""
    question = scenario(seconds_ns)
    decisions = len(run(replace(question, switches=True)).tables["switches"])
    return Contender(lambda: run(question), decisions)


def bare_simpy(timeouts: int = 20_000) -> Contender:
    """Return one SimPy process a pCPU that waits again and again."""

    def waits(env: simpy.Environment, period: int) -> simpy.events.ProcessGenerator:
        while True:
            yield env.timeout(period)

    def call() -> None:
        env = simpy.Environment()
        for pcpu in range(PCPUS):
            env.process(waits(env, SLEEP_NS + pcpu))
        for _ in range(PCPUS + timeouts):  # each process starts with an event of its own
            env.step()

    return Contender(call, timeouts)
