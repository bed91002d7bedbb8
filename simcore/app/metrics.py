"""The figures of one run, reduced from a Result's tables: pure functions, whole numbers where possible."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pmu.kernel import CYCLE_SLOT, DISABLED
from scheduler.kernel_state import CAUSE_NAMES
from simcore.app.finding import Found, last_reports
from simcore.app.sampling import Sampled, samples_by_pmu
from simcore.result import Result
from simcore.run_columns import CATEGORIES as CATEGORIES

REAL = 0
RATE_WINDOW_NS = 10_000_000
RATE_GUEST_NS = 1_000_000

Table = NDArray[Any]


@dataclass(frozen=True, slots=True)
class RunMetrics:
    """What ``compare`` needs of one run; counters mean PMCCNTR_EL0 of the real policy, over all vCPUs.

    ``ledger`` is guest cycles by category, in the order of ``CATEGORIES``; ``rate_mhz`` one value for each
    10 ms window and vCPU with the counter enabled and at least 1 ms in the guest; ``clock_error_ppm`` one value a vCPU;
    ``found`` what the guest's findings are made of, ``sampled`` where its samples were taken.
    """

    crashed: bool
    outcome: str
    init_pmu: str
    pmcr_n: int
    pmceid0: int
    pmceid1: int
    guest_ns: int
    enabled_ns: int
    stalled_ns: int
    longest_stall_ns: int
    zero_deltas: int
    ledger: tuple[int, ...]
    clock_error_ppm: tuple[int, ...]
    instructions: int
    lived_ns: int
    migrations: int
    crossings: int
    crossings_by: Mapping[str, int]
    reloads: int
    event_creations: int
    overhead_ns: int
    fail_entries: int
    energy_j: float | None
    rate_mhz: tuple[float, ...]
    found: Found = field(default_factory=dict)
    sampled: Sampled | None = None


def run_metrics(result: Result, vm: int = 0) -> RunMetrics:
    """Reduce a run to the figures of one of its VMs; the energy is that of the whole host."""
    tables = tables_of_vm(result, vm)
    guest = result.tables["guests"][vm]
    real = tables["vpmus"][tables["vpmus"]["policy"] == REAL]
    died = int(guest["died_ns"])
    return RunMetrics(
        crashed=died >= 0,
        outcome=str(guest["outcome"]),
        init_pmu=str(guest["init_pmu"]),
        pmcr_n=int(guest["pmcr_n"]),
        pmceid0=int(guest["pmceid0"]),
        pmceid1=int(guest["pmceid1"]),
        guest_ns=int(tables["vcpus"]["guest_ns"].sum()),
        enabled_ns=int(real["enabled_ns"].sum()),
        stalled_ns=int(real["stalled_ns"].sum()),
        longest_stall_ns=int(real["longest_stall_ns"].max()),
        zero_deltas=zero_deltas(tables["reads"]),
        ledger=ledger(tables["ledger"]),
        clock_error_ppm=clock_errors(tables["reports"]),
        instructions=int(tables["vcpus"]["instructions"].sum()),
        lived_ns=died if died >= 0 else result.scenario.seconds_ns,
        migrations=len(tables["migrations"]),
        crossings=int(tables["migrations"]["crossing"].sum()),
        crossings_by=crossings_by(tables["migrations"]),
        reloads=int(real["reloads"].sum()),
        event_creations=int(real["event_creations"].sum()),
        overhead_ns=int(tables["vcpus"]["pmu_overhead_ns"].sum()),
        fail_entries=int(tables["vcpus"]["fail_entries"].sum()),
        energy_j=energy_j(result),
        rate_mhz=rates_mhz(tables["samples"]),
        found=last_reports(result, vm),
        sampled=samples_by_pmu(result, vm),
    )


def energy_j(result: Result) -> float | None:
    """Return the energy of all pCPUs, busy and idle; None where the platform has no sourced energy model."""
    table = result.tables["energy"]
    return int(table["busy_uj"].sum() + table["idle_uj"].sum()) / 1e6 if result.summary["has_energy_model"] else None


def tables_of_vm(result: Result, vm: int) -> dict[str, Table]:
    """Return the tables that have a vCPU column, with the rows of one VM's vCPUs."""
    vcpus = result.tables["vcpus"]
    own = vcpus["vcpu"][vcpus["vm"] == vm]
    return {
        name: table[np.isin(table["vcpu"], own)]
        for name, table in result.tables.items()
        if "vcpu" in (table.dtype.names or ())
    }


def zero_deltas(reads: Table) -> int:
    """Return how often successive reads of one vCPU are equal with guest cycles in between."""
    found = 0
    for vcpu in np.unique(reads["vcpu"]):
        rows = reads[reads["vcpu"] == vcpu]
        same = rows["value"][1:] == rows["value"][:-1]
        found += int(np.count_nonzero(same & (rows["guest_cycles"][1:] > rows["guest_cycles"][:-1])))
    return found


def ledger(table: Table) -> tuple[int, ...]:
    """Return the guest cycles of the real cycle counter by category, over all vCPUs."""
    rows = table[(table["policy"] == REAL) & (table["slot"] == CYCLE_SLOT)]
    return tuple(int(rows[name].sum()) for name in CATEGORIES)


def crossings_by(migrations: Table) -> dict[str, int]:
    """Return the crossings of vCPU threads by cause."""
    causes = migrations["cause"][migrations["crossing"] == 1]
    return {name: int(np.count_nonzero(causes == code)) for code, name in enumerate(CAUSE_NAMES)}


def clock_errors(reports: Table) -> tuple[int, ...]:
    """Return the error in ppm of the clock that each vCPU's guest keeps by its calibrated cycle rate."""
    return tuple(
        1_000_000 * (clock - timer) // timer
        for clock, timer in (
            (_last(reports, vcpu, "clock_ns"), _last(reports, vcpu, "timer_ns")) for vcpu in np.unique(reports["vcpu"])
        )
        if timer
    )


def _last(reports: Table, vcpu: int, key: str) -> int:
    values = reports["value"][(reports["vcpu"] == vcpu) & (reports["key"] == key)]
    return int(values[-1]) if len(values) else 0


@dataclass(frozen=True, slots=True)
class RateWindow:
    """PMCCNTR_EL0's rate over a window of one vCPU that ends at ``end_ns``."""

    vcpu: int
    end_ns: int
    mhz: float


def rates_mhz(samples: Table) -> tuple[float, ...]:
    """Return PMCCNTR_EL0's rate in MHz over each of the windows."""
    return tuple(window.mhz for window in rate_windows(samples))


def rate_windows(samples: Table) -> list[RateWindow]:
    """Return the 10 ms windows with at least 1 ms in the guest.

    Only windows at whose two ends the counter is enabled: what it does not count while disabled is no rate.
    """
    found: list[RateWindow] = []
    for vcpu in np.unique(samples["vcpu"]).tolist():
        rows = samples[(samples["vcpu"] == vcpu) & (samples["policy"] == REAL)]
        rows = rows[rows["t_ns"] % RATE_WINDOW_NS == 0]
        guest_ns = np.diff(rows["guest_ns"])
        counted = np.diff(rows["counted"])
        enabled = rows["category"] != DISABLED
        whole = (np.diff(rows["t_ns"]) == RATE_WINDOW_NS) & (guest_ns >= RATE_GUEST_NS)
        whole &= enabled[1:] & enabled[:-1]
        ends = rows["t_ns"][1:][whole].tolist()
        rates = [1000 * int(c) / int(g) for c, g in zip(counted[whole], guest_ns[whole], strict=True)]
        found += [RateWindow(vcpu, end_ns, mhz) for end_ns, mhz in zip(ends, rates, strict=True)]
    return found
