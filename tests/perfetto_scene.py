"""The run that the tests of the Perfetto export look at: two VMs whose vCPUs are moved about on RK3588."""

import dataclasses

import numpy as np

from pmu.kernel import CYCLE_SLOT
from simcore.app.running import run as simulate
from simcore.scenario import GuestSpec, Scenario, VmmThreadsSpec, VmSpec
from simcore.trace import table_of

MS = 1_000_000
END = 60 * MS
DIES = END - MS
SCENARIO = Scenario(
    vms=(
        VmSpec(GuestSpec("windows", boot_ns=5 * MS), vcpus=2, shadows=("fixed-counters-only@v8",)),
        VmSpec(GuestSpec("linux-perf-stat", boot_ns=5 * MS), vcpus=2, vmm_threads=VmmThreadsSpec(main=True, io=1)),
    ),
    seconds_ns=END,
    seed=4,
    scheduler="random:300",
    sample_ns=MS,
    trace=True,
    schedule=True,
)


def with_rows(result, name, *columns):
    """Return the tables of a result with a table of other columns."""
    return {**result.tables, name: table_of(name, [np.array(column) for column in columns])}


def run_with_rare_things():
    """Return a run with overflows, a live migration and a death beside what happened, and moves of every cause."""
    found = simulate(SCENARIO)
    tables = with_rows(found, "interrupts", [7 * MS, 9 * MS], [2, 0], [0, 1], [3, CYCLE_SLOT])
    migrations = found.tables["migrations"].copy()
    migrations["cause"] = np.arange(len(migrations)) % 5
    guests = found.tables["guests"].copy()
    guests["died_ns"][1], guests["outcome"][1] = DIES, "division by zero"
    moved = [[3 * MS], [4 * MS], [1], ["set-pmu@v8"], ["armv8_cortex_a55"], [6], [0]]
    live = table_of("live_migrations", [np.array(column) for column in moved])
    return dataclasses.replace(
        found, tables={**tables, "guests": guests, "live_migrations": live, "migrations": migrations}
    )
