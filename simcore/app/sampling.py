"""Where a guest's samples were taken, beside where it executed: the bias of `perf record` by host PMU."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from simcore.result import Result
from workloads.guests import SAMPLING_GUESTS

Row = dict[str, Any]
Sampled = Mapping[str, tuple[int, int, int]]
"""Host PMU, "" for pCPUs that none covers -> samples taken on its pCPUs, guest cycles and guest ns executed there."""


def samples_by_pmu(result: Result, vm: int) -> Sampled | None:
    """Return where a VM's samples were taken and where its vCPUs executed; None for a guest that does not sample."""
    if result.scenario.vms[vm].guest.name not in SAMPLING_GUESTS:
        return None
    vcpus, samples, residence = (result.tables[name] for name in ("vcpus", "perf_samples", "residence"))
    own = vcpus["vcpu"][vcpus["vm"] == vm]
    samples, residence = (table[np.isin(table["vcpu"], own)] for table in (samples, residence))
    names = [*result.summary["host_pmus"], ""]  # type: ignore[misc]
    found = {}
    for number in sorted({*samples["pmu"].tolist(), *residence["pmu"].tolist()}):
        there = residence[residence["pmu"] == number]
        taken = int(np.count_nonzero(samples["pmu"] == number))
        found[names[number]] = taken, int(there["guest_cycles"].sum()), int(there["guest_ns"].sum())
    return found


def sampling(runs: Sequence[Sampled | None]) -> Row | None:
    """Return the samples of all runs by host PMU with their shares; None where no guest samples, or a share of 0."""
    known = [run for run in runs if run is not None]
    if not known:
        return None
    names = sorted({name for run in known for name in run})
    sums = {name: tuple(sum(run.get(name, (0, 0, 0))[n] for run in known) for n in range(3)) for name in names}
    totals = [sum(column) for column in zip(*sums.values(), strict=True)]
    return {
        name: {"samples": figures[0]}
        | {key: figure / total if total else None for key, figure, total in zip(SHARES, figures, totals, strict=True)}
        for name, figures in sums.items()
    }


SHARES = ("samples_share", "cycles_share", "time_share")


def sampled_rows(rows: Sequence[Row]) -> list[Row]:
    """Split rows of a comparison by host PMU; none for a guest that does not sample."""
    return [
        {"policy": row["policy"], "kernel": row["kernel"], "pmu": name, **figures}
        for row in rows
        for name, figures in (row["sampling"] or {}).items()
    ]
