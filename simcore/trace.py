"""Column buffers that grow while a run goes on, and the dtype of every table of a result."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

HOST_VM = -1
"""What stands for the host in a column `vm`."""
DTYPES: dict[str, list[tuple[str, str]]] = {
    "migrations": [
        ("t_ns", "i8"),
        ("vcpu", "i8"),
        ("from_cpu", "i8"),
        ("to_cpu", "i8"),
        ("cause", "i8"),
        ("crossing", "i8"),
    ],
    "reads": [("t_ns", "i8"), ("vcpu", "i8"), ("value", "u8"), ("guest_cycles", "u8")],
    "samples": [
        ("t_ns", "i8"),
        ("vcpu", "i8"),
        ("policy", "i8"),
        ("cpu", "i8"),
        ("level", "i8"),
        ("guest_ns", "i8"),
        ("guest_cycles", "u8"),
        ("pmccntr", "u8"),
        ("category", "i8"),
        ("counters", "31u8"),
    ],
    "interrupts": [("t_ns", "i8"), ("vcpu", "i8"), ("policy", "i8"), ("slot", "i8")],
    "stalls": [("start_ns", "i8"), ("end_ns", "i8"), ("vcpu", "i8"), ("policy", "i8"), ("guest_ns", "i8")],
    "live_migrations": [
        ("t_ns", "i8"),
        ("resumed_ns", "i8"),
        ("vm", "i8"),
        ("policy", "U96"),
        ("init_pmu", "U64"),
        ("pmcr_n", "i8"),
        ("changed", "i8"),
    ],
    "reports": [("t_ns", "i8"), ("vcpu", "i8"), ("key", "U32"), ("value", "i8")],
    "rtapp": [
        ("vm", "i8"),
        ("thread", "i8"),
        ("name", "U64"),
        ("phase", "i8"),
        ("start_ns", "i8"),
        ("end_ns", "i8"),
        ("run_ns", "i8"),
        ("slack_ns", "i8"),
        ("wakeup_latency_ns", "i8"),
        ("asked_run_ns", "i8"),
        ("asked_period_ns", "i8"),
    ],
    "perf_samples": [
        ("t_ns", "i8"),
        ("vcpu", "i8"),
        ("cpu", "i8"),
        ("pmu", "i8"),
        ("event", "i8"),
        ("period", "i8"),
        ("skid", "i8"),
    ],
    "residence": [("vcpu", "i8"), ("pmu", "i8"), ("guest_ns", "i8"), ("guest_cycles", "u8")],
    "switches": [("t_ns", "i8"), ("cpu", "i8"), ("task", "i8")],
    "ledger": [
        ("vcpu", "i8"),
        ("policy", "i8"),
        ("slot", "i8"),
        ("events", "u8"),
        ("counted", "u8"),
        ("disabled", "u8"),
        ("filtered", "u8"),
        ("excluded_level", "u8"),
        ("no_event", "u8"),
        ("off_pmu", "u8"),
        ("no_host_counter", "u8"),
        ("other", "u8"),
    ],
    "events": [("vcpu", "i8"), ("event", "i8"), ("total", "u8")],
    "vcpus": [
        ("vcpu", "i8"),
        ("vm", "i8"),
        ("init_cpu", "i8"),
        ("guest_ns", "i8"),
        ("guest_cycles", "u8"),
        ("instructions", "i8"),
        ("pmu_overhead_ns", "i8"),
        ("fail_entries", "i8"),
        ("irqchip_exits", "i8"),
        ("steal_ns", "i8"),
    ],
    "vpmus": [
        ("vcpu", "i8"),
        ("policy", "i8"),
        ("enabled_ns", "i8"),
        ("stalled_ns", "i8"),
        ("longest_stall_ns", "i8"),
        ("reloads", "i8"),
        ("other_reloads", "i8"),
        ("event_creations", "i8"),
        ("event_releases", "i8"),
        ("refused", "i8"),
    ],
    "guests": [
        ("vm", "i8"),
        ("outcome", "U64"),
        ("died_ns", "i8"),
        ("init_pmu", "U64"),
        ("pmcr_n", "i8"),
        ("pmceid0", "u8"),
        ("pmceid1", "u8"),
    ],
    "cgroups": [
        ("vm", "i8"),
        ("usage_ns", "i8"),
        ("nr_periods", "i8"),
        ("nr_throttled", "i8"),
        ("throttled_ns", "i8"),
    ],
    "cpus": [("cpu", "i8"), ("busy_ns", "i8")],
    "energy": [("domain", "i8"), ("busy_uj", "i8"), ("idle_uj", "i8")],
    "halts": [
        ("vcpu", "i8"),
        ("halts", "i8"),
        ("polls", "i8"),
        ("successful", "i8"),
        ("success_ns", "i8"),
        ("fail_ns", "i8"),
        ("wait_ns", "i8"),
        ("window_ns", "i8"),
    ],
    "idle_states": [
        ("cpu", "i8"),
        ("state", "i8"),
        ("name", "U80"),
        ("time_ns", "i8"),
        ("entered", "i8"),
        ("too_deep", "i8"),
        ("too_shallow", "i8"),
    ],
}


class Log:
    """Rows of one table, appended as tuples and turned into a structured array at the end."""

    __slots__ = ("_rows", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._rows: list[tuple[object, ...]] = []

    def add(self, *row: object) -> None:
        """Append one row; values in the order of the table's columns."""
        self._rows.append(row)

    def table(self) -> NDArray[np.void]:
        """Return the rows as a structured array."""
        return np.array(self._rows, np.dtype(DTYPES[self.name]))


def table_of(name: str, columns: Sequence[NDArray[np.generic]]) -> NDArray[np.void]:
    """Return a structured array of a table from its columns in order."""
    dtype = np.dtype(DTYPES[name])
    table = np.zeros(len(columns[0]), dtype)
    for field_name, column in zip(dtype.names or (), columns, strict=True):
        table[field_name] = column
    return table
