"""Costs of the host in whole nanoseconds: the table of their names, defaults and sources.

None of them was measured for this project: each default is assumed and varied by ``--sensitivity``.
"""

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Costs:
    """Host costs in ns; every figure is assumed (docs/model.md, "Costs")."""

    context_switch: int = 2_000  # switch of a pCPU from one thread to another, charged to the incoming thread
    migration: int = 5_000  # first run of a thread on another pCPU, charged to the thread
    trap: int = 1_500  # exit, emulation and entry of one trapped register access
    wfi: int = 3_000  # exit and entry of one WFI that blocks, charged when the vCPU wakes
    event_create: int = 8_000  # creation of one host perf event
    event_release: int = 4_000  # release of one host perf event
    event_enable: int = 500  # enabling or disabling one live host perf event
    interrupt_latency: int = 3_000  # from the overflow of a host event to the guest's PMU interrupt handler
    fail_entry: int = 5_000  # one KVM_RUN that fails entry, with the VMM's loop around it
    user_exit: int = 5_000  # exit to the VMM that tells its irqchip the PMU's interrupt level, and KVM_RUN again


COST_NAMES = tuple(field.name for field in fields(Costs))
EVENT_COSTS = ("event_create", "event_release", "event_enable")
"""Those of host events, which a virtual PMU alone makes the host pay."""
