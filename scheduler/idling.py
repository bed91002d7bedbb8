"""The idle states of a platform's pCPUs and the governor's memory as the arrays of ``kernel_idle``."""

import numpy as np

from scheduler import kernel_idle as ki
from scheduler import kernel_state as ks
from simcore.platform import IdleState, Platform
from simcore.scenario import IdleSpec

WFI = "WFI"
WFI_GOVERNED_NS = 1_000
"""Latency and residency of WFI as the governor takes them: Linux' ARM_CPUIDLE_WFI_STATE. WFI itself takes no time."""
US = 1_000


def state_names(platform: Platform, cpu: int) -> list[str]:
    """Return the names of the idle states of a pCPU, the shallowest first."""
    return [WFI, *(state.name for state in platform.cpus[cpu].idle_states)]


def idle_arrays(platform: Platform, spec: IdleSpec) -> dict[str, np.ndarray]:
    """Return ``idle`` and ``idle_state`` of pCPUs that are in WFI with a governor that has seen nothing."""
    cpus = platform.cpus
    idle = np.zeros((len(cpus), ki.IDLE_COLUMNS), np.int64)
    idle[:, ki.N_STATES] = [1 + len(cpu.idle_states) for cpu in cpus]
    idle[:, ki.LATENCY_LIMIT] = ks.NEVER if spec.latency_limit_ns is None else spec.latency_limit_ns
    idle[:, ki.TIMERS] = ks.NONE
    idle[:, ki.FIRST_FACTOR :] = ki.FACTOR_UNIT
    states = np.zeros((len(cpus), int(idle[:, ki.N_STATES].max()), ki.STATE_COLUMNS), np.int64)
    states[:, 0, [ki.LATENCY, ki.RESIDENCY]] = WFI_GOVERNED_NS
    for cpu in cpus:
        for number, state in enumerate(cpu.idle_states, 1):
            states[cpu.number, number] = _row(state)
    return {"idle": idle, "idle_state": states}


def _row(state: IdleState) -> np.ndarray:
    row = np.zeros(ki.STATE_COLUMNS, np.int64)
    row[ki.ENTRY_NS] = state.entry_us * US
    row[ki.EXIT_NS] = state.exit_us * US
    row[ki.LATENCY] = row[ki.ENTRY_NS] + row[ki.EXIT_NS]
    row[ki.RESIDENCY] = state.min_residency_us * US
    return row


def no_timers(tasks: int) -> np.ndarray:
    """Return ``timer`` of threads none of which has one."""
    return np.full((tasks, ki.TIMER_COLUMNS), ks.NONE, np.int64)
