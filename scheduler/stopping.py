"""A VM that is stopped and goes on later: its threads sleep meanwhile, and its virtual time stands still.

Every wait of the VM ends as much later as it was stopped: sleeps of its vCPUs, spins on its timer, requests to devices.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scheduler import kernel_core, kernel_dvfs, kernel_entry, kernel_group, kernel_idle, kernel_run, kernel_thread
from scheduler import kernel_poll as kp
from scheduler import kernel_state as ks
from scheduler.guest import GuestVcpu, GuestVm

if TYPE_CHECKING:
    from scheduler.host import Host


@dataclass(frozen=True, slots=True)
class Paused:
    """A thread that was stopped: whether it could have run, else when it was to wake up.

    ``kept``: a wakeup that came before it slept.
    """

    task: int
    runnable: bool
    wake_at: int
    kept: int


def stop(host: "Host", vm: GuestVm) -> list[Paused]:
    """Put every thread of a VM to sleep, whatever it was doing, and return what ``go_on`` needs."""
    return [_stop(host, task) for task in vm.tasks]


def go_on(host: "Host", vm: GuestVm, paused: list[Paused], ns: int) -> None:
    """Let the threads of a VM that was stopped for ``ns`` go on."""
    vm.stopped_ns += ns
    for vcpu in vm.vcpus:
        _delay_vcpu(host, vcpu, ns)
    for thread in vm.io_threads:
        for request in thread.requests:
            request.when_ns += ns
    for thread_state in paused:
        _go_on(host, thread_state, ns)


def _stop(host: "Host", p: int) -> Paused:
    task = host.state.task[p]
    cpu = int(task[ks.CPU])
    host.make_room()
    kept, task[ks.PENDING_WAKE] = int(task[ks.PENDING_WAKE]), 0
    executes = int(task[ks.STATE]) in (ks.QUEUED, ks.RUNNING, ks.THROTTLED)
    if task[ks.STATE] == ks.RUNNING:
        kernel_run.settle(host.handle, cpu)
        if host.state.cpu[cpu, ks.MODE] == ks.POLLING:
            executes = False
            kp.stop_polling(host.state.poll[task[ks.VCPU]], host.now_ns, ks.NO)
        kernel_thread.block(host.handle, cpu)
    elif executes:
        _drop(host, p, cpu)
    wake_at = int(task[ks.WAKE_AT])
    kernel_entry.wake_at(host.handle, p, ks.NEVER)
    kernel_idle.disarm(host.handle, p)
    return Paused(p, executes or bool(kept), wake_at, kept if executes else 0)


def _drop(host: "Host", p: int, cpu: int) -> None:
    """Take a thread that waits for a pCPU, or for its cgroup's quota, out of its queue."""
    task = host.state.task[p]
    queued = task[ks.STATE] == ks.QUEUED
    task[ks.STATE] = ks.SLEEPING
    task[ks.RUN_DELAY] += host.now_ns - task[ks.WAIT_FROM]
    if queued:
        kernel_group.member_out(host.handle, p)
        kernel_core.drop(host.handle, p, ks.SLEEP)
        kernel_dvfs.follow(host.handle, cpu)


def _delay_vcpu(host: "Host", vcpu: GuestVcpu, ns: int) -> None:
    """Move what a vCPU waits for by ``ns``: it was given in the host's time."""
    row = host.state.vcpu[vcpu.index]
    if row[ks.SPIN_UNTIL] != ks.NEVER:
        row[ks.SPIN_UNTIL] += ns
    _delay_rows(host.state.script[vcpu.task], ns)
    for frame in vcpu.frames[1:]:
        _delay_rows(frame.rows, ns)
        if frame.spin_until != ks.NEVER:
            frame.spin_until += ns


def _delay_rows(rows: np.ndarray, ns: int) -> None:
    spins = (rows[:, ks.WHAT] == ks.SPIN) & (rows[:, ks.SECOND] != ks.NEVER)
    rows[spins, ks.SECOND] += ns


def _go_on(host: "Host", paused: Paused, ns: int) -> None:
    task = host.state.task[paused.task]
    if task[ks.STATE] != ks.SLEEPING:
        return
    if paused.runnable:
        host.wake(paused.task, int(task[ks.CPU]))
        task[ks.PENDING_WAKE] = paused.kept
    elif paused.wake_at != ks.NEVER:
        kernel_entry.wake_at(host.handle, paused.task, paused.wake_at + ns)
        if task[ks.WAKER] == ks.NONE:
            kernel_idle.arm(host.handle, paused.task, int(task[ks.CPU]))
