"""What Python asks of the host from outside the run loop: start, wake, move, end and settle."""

from numba import njit

from scheduler.kernel_host import kill, preempt, wake
from scheduler.kernel_pelt import begin
from scheduler.kernel_place import attach, initial_util, log_move, move, obey_affinity
from scheduler.kernel_run import end_stall, fill_samples, plan, rebase, settle
from scheduler.kernel_state import CPU, DOMAIN, FRESH, NOW, QUEUED, ROWS_PER_VCPU, RUNNING, SLEEPING, STATE

__all__ = ["change_opp", "finish", "force_move", "kill", "obey_affinity", "settle_domain", "start_thread", "wake"]


@njit(cache=True)
def start_thread(s, p, c):
    """Queue the new thread ``p`` on pCPU ``c``."""
    begin(s.task[p], s.glob[NOW], initial_util(s, c))
    s.task[p, CPU] = c
    s.task[p, FRESH] = 1
    attach(s, p, c)
    preempt(s, c, p)


@njit(cache=True)
def force_move(s, p, c, cause):
    """Move thread ``p`` to pCPU ``c``; a sleeping one wakes up there."""
    if s.task[p, CPU] == c:
        return
    if s.task[p, STATE] == QUEUED or s.task[p, STATE] == RUNNING:
        move(s, p, c, cause)
    elif s.task[p, STATE] == SLEEPING:
        log_move(s, p, c, cause)
        s.task[p, CPU] = c


@njit(cache=True)
def settle_domain(s, d):
    """Settle every pCPU of perf domain ``d``."""
    for c in range(s.cpu.shape[0]):
        if s.cpu[c, DOMAIN] == d:
            settle(s, c)


@njit(cache=True)
def change_opp(s, d, khz):
    """Let perf domain ``d``, which is settled, go on at ``khz``; its rates are already those of ``khz``."""
    rebase(s, d, khz)
    for c in range(s.cpu.shape[0]):
        if s.cpu[c, DOMAIN] == d:
            plan(s, c)


@njit(cache=True)
def finish(s):
    """Settle everything at the end of a run, close open stalls and write the last samples."""
    for c in range(s.cpu.shape[0]):
        settle(s, c)
    shadows = s.glob[ROWS_PER_VCPU]
    for v in range(s.vcpu.shape[0]):
        fill_samples(s, v, s.glob[NOW])
        for r in range(v * shadows, (v + 1) * shadows):
            end_stall(s, r, s.glob[NOW])


@njit(cache=True)
def fill_until_now(s, v):
    """Write the samples that vCPU ``v`` passed up to now, before something about its counters changes."""
    fill_samples(s, v, s.glob[NOW])
