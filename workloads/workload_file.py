"""A workload from a file of the user's (`hetpmu-workload/1`): its rates, for the core types of a platform.

A core type has the rates that the file gives for it, or those of the core type whose rates stand for it, with the core
part of the CPI divided by the relative IPC as for the workloads that come with the product.
"""

from collections.abc import Iterable, Mapping

from simcore.errors import InputError
from simcore.platform import CoreType
from simcore.schema_workload import RatesTable, WorkloadFile
from workloads.phase import CYCLE_EVENTS, Phase, PhaseRates


def phase_of(table: WorkloadFile, cores: Iterable[CoreType], where: str) -> Phase:
    """Return the phase of a file on some core types."""
    rows = {row.core: row for row in table.rates}
    return Phase(table.name, table.level, tuple(_rates(core, rows, where) for core in cores))


def _rates(core: CoreType, rows: Mapping[str, RatesTable], where: str) -> PhaseRates:
    if core.id in rows:
        return _scaled(core.id, rows[core.id], 1.0, rows[core.id].estimate or "")
    if core.rates_like in rows:
        note = f"{core.rates_like} with its core part / {core.relative_ipc:g}"
        return _scaled(core.id, rows[core.rates_like], core.relative_ipc, note)
    raise InputError(
        f"no rates for core type {core.id!r}",
        f"{where}: rates",
        f"the file has {', '.join(rows)}",
        "measure there too, or let import perf-stat estimate them: --others-like WORKLOAD",
    )


def _scaled(core: str, row: RatesTable, ratio: float, estimate: str) -> PhaseRates:
    counts = {int(code, 16): count for code, count in row.events.items()}
    return PhaseRates(
        core=core,
        core_cpi=row.core_cpi / ratio,
        stall_ns_per_inst=row.stall_ns_per_inst,
        per_kinst=tuple(sorted((e, n / ratio if e in CYCLE_EVENTS else n) for e, n in counts.items())),
        per_kinst_per_ghz=tuple(sorted((int(code, 16), count) for code, count in row.events_per_ghz.items())),
        estimate=estimate,
    )
