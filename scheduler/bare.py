"""The host's arrays without guests: what the scheduler's functions need and nothing else, for replays of recordings."""

import numpy as np

from pmu.bank import CounterBank
from scheduler import kernel_idle
from scheduler import kernel_state as ks
from scheduler.idling import no_timers
from scheduler.kernel_crowd import CROWD_COLUMNS
from scheduler.kernel_handle import handle_of
from scheduler.kernel_switch import open_queues
from scheduler.layout import bank_arrays, empty_logs, event_entries, weight_of
from simcore.units import NS_PER_S

DEFAULT_HZ = 250
MAX_CAPACITY = 1024


def bare_state(cpus: int, tasks: int, hz: int = DEFAULT_HZ) -> ks.State:
    """Return the arrays of idle pCPUs of full capacity, each its own perf domain, and threads that have not started."""
    bank = CounterBank(0)
    none, none_unsigned = np.zeros((0, 0), np.int64), np.zeros((0, 0), np.uint64)
    when, winner = event_entries(cpus, tasks)
    state = ks.State(
        glob=np.zeros(ks.GLOBALS, np.int64),
        cpu=np.zeros((cpus, ks.CPU_COLUMNS), np.int64),
        dom=np.zeros((cpus, ks.DOMAIN_COLUMNS), np.int64),
        task=np.zeros((tasks, ks.TASK_COLUMNS), np.int64),
        allowed=np.ones((tasks, cpus), np.uint8),
        opp=np.zeros((cpus, 0, ks.OPP_COLUMNS), np.int64),
        member=np.arange(cpus).reshape(cpus, 1),
        group=none,
        bucket=np.zeros((cpus, 2, ks.BUCKETS, ks.BUCKET_COLUMNS), np.int64),
        script=np.zeros((0, 0, 0), np.int64),
        when=when,
        winner=winner,
        level=np.zeros(0, np.int64),
        idle=np.zeros((cpus, kernel_idle.IDLE_COLUMNS), np.int64),
        idle_state=np.zeros((cpus, 1, kernel_idle.STATE_COLUMNS), np.int64),
        timer=no_timers(tasks),
        crowd=np.zeros((cpus, CROWD_COLUMNS), np.int64),
        vcpu=none,
        poll=none,
        row=none,
        busy=np.zeros((cpus, 1), np.int64),
        rate=np.zeros((0, 0, 0, 0), np.uint64),
        residual=none_unsigned,
        total=none_unsigned,
        mark=none_unsigned,
        limit=none_unsigned,
        increment=np.zeros(0, np.uint64),
        time_tied=np.zeros(0, np.uint8),
        **bank_arrays(bank),
        **empty_logs(0),
        sample=np.zeros((0, 0, 0), np.int64),
        sample_value=np.zeros((0, 0, 0), np.uint64),
        sample_counted=none_unsigned,
        sample_category=np.zeros((0, 0), np.int8),
    )
    state.glob[ks.HZ_NS] = NS_PER_S // hz
    state.idle[:, [kernel_idle.STATE, kernel_idle.TIMERS]] = ks.NONE
    state.cpu[:, ks.CAPACITY] = MAX_CAPACITY
    state.cpu[:, ks.DOMAIN] = np.arange(cpus)
    state.dom[:, ks.N_MEMBERS] = 1
    state.dom[:, ks.KHZ] = state.dom[:, ks.MAX_KHZ] = MAX_CAPACITY
    state.task[:, ks.WEIGHT] = weight_of(0)
    state.task[:, ks.SE_AT] = ks.NONE
    state.task[:, ks.BUSY_UNTIL] = ks.NEVER
    state.task[:, ks.GROUP] = ks.NONE
    handle = handle_of(state)
    for cpu in range(cpus):
        open_queues(handle, cpu)
    return state
