"""Compiling all kernels into numba's cache on two processes: before workers are forked, or as a process of its own."""

import dataclasses
import os

from scheduler.kernel_warm import compile_beside, is_plain
from simcore import kernelcache
from simcore.app.pool import beside
from simcore.app.running import Machine
from simcore.scenario import Scenario

WARM_UP_NS = 1_000_000
NICE = 19


def load_kernels(scenario: Scenario) -> None:
    """Compile every kernel, or load those of a short run from the cache, so that forked workers inherit them."""
    if is_plain():
        return
    machine = Machine(
        dataclasses.replace(scenario, seconds_ns=min(scenario.seconds_ns, WARM_UP_NS), live_migrations=())
    )
    if kernelcache.is_complete():
        machine.run()
        return
    with beside(compile_beside, machine.host.handle):
        machine.run()
    compile_beside(machine.host.handle)
    kernelcache.note_complete()


def compile_kernels(scenario: Scenario) -> None:
    """Compile every kernel, on two processes, unless all are in the cache."""
    if not kernelcache.is_complete():
        load_kernels(scenario)


def main() -> None:
    """Compile everything when nothing else wants the CPUs, unless another process does it already."""
    os.nice(NICE)
    with kernelcache.locked() as alone:
        if alone:
            kernelcache.sign_lock()
            compile_kernels(Scenario())


if __name__ == "__main__":
    main()
