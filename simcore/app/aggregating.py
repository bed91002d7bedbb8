"""From the figures of single runs to one row of `compare --json`.

Sums and ratios of sums are over all vCPUs and runs; a figure without meaning is None.
"""

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from pmu.policies import kind_of
from scheduler.kernel_state import CAUSE_NAMES
from simcore.app.finding import guest_findings
from simcore.app.lanes import policy_names
from simcore.app.metrics import CATEGORIES, RunMetrics, Table, run_metrics
from simcore.app.sampling import sampling
from simcore.result import Result
from workloads.findings import Finding
from workloads.guests import findings_of

Row = dict[str, Any]

RUN_SCHEMA = "hetpmu-run/1"

LOST = ("no_event", "off_pmu", "no_host_counter", "other")
Z_95 = 1.959963984540054


def wilson(hits: int, runs: int) -> tuple[float, float]:
    """Give the Wilson 95 % interval of a probability from `hits` in `runs` (runs > 0)."""
    share, z2 = hits / runs, Z_95 * Z_95
    centre = share + z2 / (2 * runs)
    spread = Z_95 * math.sqrt(share * (1 - share) / runs + z2 / (4 * runs * runs))
    scale = 1 + z2 / runs
    low = 0.0 if hits == 0 else (centre - spread) / scale
    return low, 1.0 if hits == runs else (centre + spread) / scale


def ratio(part: float, whole: float) -> float | None:
    """Divide, or give None where there is nothing to divide by."""
    return part / whole if whole else None


def speed(runs: Iterable[RunMetrics]) -> float | None:
    """Give instructions per second lived, over all runs."""
    known = list(runs)
    rate = ratio(sum(run.instructions for run in known), sum(run.lived_ns for run in known))
    return None if rate is None else rate * 1e9


def compare_row(
    policy: str, kernel: str, runs: Sequence[RunMetrics], baseline: float | None, findings: Sequence[Finding] = ()
) -> Row:
    """Make one row; `baseline` is the speed of an unpinned VM without a PMU, in instructions per second."""
    return {
        "policy": policy,
        "kernel": kernel,
        "runs": len(runs),
        **_deaths(runs),
        **_standstill(runs),
        **_cycles(runs),
        "clock_error_ppm": _clock_error(runs),
        **_work(runs, baseline),
        **_moves(runs),
        **_costs(runs),
        "pmccntr_rate_mhz": _rate(runs) if _counts_cycles(policy) else None,
        "guest_findings": guest_findings(findings, [run.found for run in runs]),
        "sampling": sampling([run.sampled for run in runs]),
    }


def run_answer(result: Result) -> Row:
    """Make the object that `run --json` writes: a row of figures for each VM, in the form of a comparison's rows."""
    scenario = result.scenario
    vm = scenario.vms[0]
    return {
        "schema": RUN_SCHEMA,
        "platform": scenario.platform,
        "guest": vm.guest.name,
        "workload": vm.guest.workload,
        "vmm": vm.vmm,
        "vcpus": vm.vcpus,
        "seconds": scenario.seconds_ns / 1e9,
        "seeds": [scenario.seed],
        "scheduler": scenario.scheduler,
        "guests": [
            {
                "vm": int(guest["vm"]),
                "outcome": str(guest["outcome"]),
                "died_ns": _died(int(guest["died_ns"])),
                "steal_ns": _steal_ns(result, int(guest["vm"])),
            }
            for guest in result.tables["guests"]
        ],
        "rtapp": rtapp_rows(result),
        "live_migrations": [_live_row(row) for row in result.tables["live_migrations"]],
        "policies": [{"vm": number} | _row_of_vm(result, number) for number in range(len(scenario.vms))],
    }


def rtapp_rows(result: Result) -> list[Row]:
    """Return one row for each thread of an rt-app file: what it ran, and what its file asks for; vm -1 is the host."""
    table = result.tables["rtapp"]
    threads = sorted({(int(row["vm"]), int(row["thread"])) for row in table})
    return [_rtapp_row(vm, thread, table[(table["vm"] == vm) & (table["thread"] == thread)]) for vm, thread in threads]


def _rtapp_row(vm: int, thread: int, rows: Table) -> Row:
    timed = rows[rows["asked_period_ns"] > 0]
    return {
        "vm": vm,
        "thread": thread,
        "name": str(rows["name"][0]),
        "repetitions": len(rows),
        "run_ns": int(rows["run_ns"].sum()),
        "asked_run_ns": int(rows["asked_run_ns"].sum()),
        "least_slack_ns": int(timed["slack_ns"].min()) if len(timed) else None,
        "worst_latency_ns": int(timed["wakeup_latency_ns"].max()) if len(timed) else None,
    }


def _live_row(row: Any) -> Row:
    return {name: str(row[name]) if name in ("policy", "init_pmu") else int(row[name]) for name in row.dtype.names}


def _row_of_vm(result: Result, vm: int) -> Row:
    policy, _, kernel = policy_names(result, vm)[0].rpartition("@")
    return compare_row(policy, kernel, [run_metrics(result, vm)], None, findings_of(result.scenario.vms[vm].guest))


def _steal_ns(result: Result, vm: int) -> int:
    vcpus = result.tables["vcpus"]
    return int(vcpus["steal_ns"][vcpus["vm"] == vm].sum())


def _died(died_ns: int) -> int | None:
    return died_ns if died_ns >= 0 else None


def _deaths(runs: Sequence[RunMetrics]) -> Row:
    crashes = sum(run.crashed for run in runs)
    low, high = wilson(crashes, len(runs)) if runs else (None, None)
    return {
        "crashes": crashes,
        "crash_probability": {"estimate": ratio(crashes, len(runs)), "low": low, "high": high},
        "by_init_pmu": _by_init_pmu(runs),
    }


def _by_init_pmu(runs: Sequence[RunMetrics]) -> Row:
    found: Row = {}
    for name in sorted({run.init_pmu for run in runs if run.init_pmu}):
        group = [run for run in runs if run.init_pmu == name]
        found[name] = {
            "runs": len(group),
            "crashes": sum(run.crashed for run in group),
            "pmcr_n": group[0].pmcr_n,
            "pmceid0": group[0].pmceid0,
            "pmceid1": group[0].pmceid1,
        }
    return found


def _standstill(runs: Sequence[RunMetrics]) -> Row:
    """How PMCCNTR_EL0 stood still; without meaning where no guest ever executed with it enabled."""
    enabled = sum(run.enabled_ns for run in runs)
    if not enabled:
        return dict.fromkeys(("stalled_fraction", "longest_stall_ns", "zero_deltas"))
    return {
        "stalled_fraction": ratio(sum(run.stalled_ns for run in runs), enabled),
        "longest_stall_ns": max(run.longest_stall_ns for run in runs),
        "zero_deltas": sum(run.zero_deltas for run in runs),
    }


def _cycles(runs: Sequence[RunMetrics]) -> Row:
    """Where the guest cycles went; without meaning for VMs that have no PMU."""
    if not any(run.init_pmu for run in runs):
        return {"lost_cycles": None, "ledger": None}
    ledger = {name: sum(int(run.ledger[index]) for run in runs) for index, name in enumerate(CATEGORIES)}
    return {"lost_cycles": sum(ledger[name] for name in LOST), "ledger": ledger}


def _clock_error(runs: Sequence[RunMetrics]) -> Row | None:
    """Median and maximum of the error's size: fast and slow clocks are equally wrong."""
    errors = [abs(error) for run in runs for error in run.clock_error_ppm]
    return {"median": statistics.median(errors), "max": max(errors)} if errors else None


def _work(runs: Sequence[RunMetrics], baseline: float | None) -> Row:
    own = speed(runs)
    known = [run.energy_j for run in runs if run.energy_j is not None]
    return {
        "instructions": sum(run.instructions for run in runs),
        "throughput": None if own is None or not baseline else own / baseline,
        "energy_j": sum(known) if runs and len(known) == len(runs) else None,
    }


def _moves(runs: Sequence[RunMetrics]) -> Row:
    return {
        "migrations": sum(run.migrations for run in runs),
        "crossings": sum(run.crossings for run in runs),
        "crossings_by": {cause: sum(run.crossings_by.get(cause, 0) for run in runs) for cause in CAUSE_NAMES},
    }


def _costs(runs: Sequence[RunMetrics]) -> Row:
    return {
        name: sum(getattr(run, name) for run in runs)
        for name in ("reloads", "event_creations", "overhead_ns", "fail_entries")
    }


def _counts_cycles(policy: str) -> bool:
    kind = kind_of(policy)
    return kind is None or kind.counts_cycles


def _rate(runs: Sequence[RunMetrics]) -> Row | None:
    windows = [rate for run in runs for rate in run.rate_mhz]
    if not windows:
        return None
    return {"min": min(windows), "median": statistics.median(windows), "max": max(windows)}
