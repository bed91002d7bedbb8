"""What a finished replay leaves behind: a Result for each policy, as if that had been the real one of the run."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scheduler.failing import pmu_cost_ns
from scheduler.replaying import READ_COLUMNS
from simcore.app.recording import guests_table, result_of
from simcore.app.trace_machine import ReplayMachine, Seat
from simcore.costs import Costs
from simcore.result import Result
from simcore.scenario import Scenario
from simcore.trace import Log, table_of
from simcore.units import NS_PER_S
from workloads.guest_windows import LOWEST_HZ

CALIBRATED_HZ, CLOCK_NS, TIMER_NS = "calibrated_hz", "clock_ns", "timer_ns"
WINDOW_NS = 10_000_000
"""Guest time over which a vCPU calibrates, and at least between two reports of its clock."""
HYPOTHETICAL = Costs()
"""What host events would have cost; the recording has all other costs in it."""
BY_POLICY = ("samples", "stalls", "ledger", "vpmus", "interrupts", "pmu_work")

Table = NDArray[Any]
Reads = NDArray[np.uint64]


def results_of(machine: ReplayMachine) -> list[Result]:
    """Return the Result of each seat of a machine that has run, in their order."""
    whole = result_of(machine)
    reads = machine.host.reads()
    return [_seen_from(whole, machine, reads, seat, policy) for policy, seat in enumerate(machine.seats, 1)]


def _seen_from(whole: Result, machine: ReplayMachine, reads: Reads, seat: Seat, policy: int) -> Result:
    tables = dict(whole.tables)
    for name in BY_POLICY:
        tables[name] = _of_policy(whole.tables[name], policy)
    tables["vcpus"] = _with_costs(whole.tables["vcpus"], machine, policy)
    tables["guests"] = guests_table(machine, policy)
    tables["reads"] = table_of("reads", [reads[:, 0], reads[:, 1], reads[:, READ_COLUMNS + policy], reads[:, 3]])
    tables["reports"] = _reports(reads, policy)
    summary = {**whole.summary, "policies": [[seat.pair.label]]}
    return Result(_scenario(whole.scenario, seat), tables, summary)


def _scenario(scenario: Scenario, seat: Seat) -> Scenario:
    vm = dataclasses.replace(
        scenario.vms[0],
        policy=seat.pair.policy,
        kernel=seat.pair.kernel,
        init_placement=seat.init_pmu,
        shadows=(),
    )
    return dataclasses.replace(scenario, vms=(vm,))


def _of_policy(table: Table, policy: int) -> Table:
    rows: Table = table[table["policy"] == policy].copy()
    rows["policy"] = 0
    return rows


def _with_costs(table: Table, machine: ReplayMachine, policy: int) -> Table:
    """Return the vCPUs with what the host events would have cost at the default costs."""
    table = table.copy()
    table["pmu_overhead_ns"] = [pmu_cost_ns(vcpu.vpmus[policy].work, HYPOTHETICAL) for vcpu in machine.host.vcpus]
    return table


# --- the clock that a guest would have kept -------------------------------------------------------------


def _reports(reads: Reads, policy: int) -> Table:
    """Return what each vCPU would have reported: its calibrated rate, then its clock beside the true one."""
    log = Log("reports")
    for vcpu in np.unique(reads[:, 1]):
        rows = reads[reads[:, 1] == vcpu]
        counted = _counted(rows[:, READ_COLUMNS + policy])
        for t_ns, key, value in _clock(rows[:, 0].tolist(), rows[:, 2].tolist(), counted):
            log.add(t_ns, int(vcpu), key, value)
    return log.table()


def _counted(values: Reads) -> list[int]:
    """Return the cycles counted since the first read; a wrap goes on."""
    return [int(value) for value in (values - values[0]).tolist()]


def _clock(t_ns: Sequence[int], guest_ns: Sequence[int], counted: Sequence[int]) -> Iterator[tuple[int, str, int]]:
    """Calibrate over the first window of guest time, then keep a clock by cycles, reported at most once a window.

    Both clocks pass only while the guest executes, so that what the host steals is no error.
    """
    first = next((n for n, ns in enumerate(guest_ns) if ns - guest_ns[0] >= WINDOW_NS), None)
    if first is None:
        return
    hz = counted[first] * NS_PER_S // (guest_ns[first] - guest_ns[0])
    yield t_ns[first], CALIBRATED_HZ, hz
    if hz < LOWEST_HZ:
        return
    reported = guest_ns[first]
    for n in range(first + 1, len(t_ns)):
        if guest_ns[n] - reported >= WINDOW_NS or n + 1 == len(t_ns):
            reported = guest_ns[n]
            yield t_ns[n], CLOCK_NS, (counted[n] - counted[first]) * NS_PER_S // hz
            yield t_ns[n], TIMER_NS, guest_ns[n] - guest_ns[first]


def calibrations(result: Result) -> dict[str, int | None]:
    """Return on how many vCPUs the calibration would have gone well, and on how many it would have found no rate."""
    if not result.tables["guests"]["init_pmu"][0]:
        return {"calibrated": None, "calibration_failures": None}
    reports = result.tables["reports"]
    rates = reports["value"][reports["key"] == CALIBRATED_HZ]
    failed = int(np.count_nonzero(rates < LOWEST_HZ))
    return {"calibrated": len(rates) - failed, "calibration_failures": failed}
