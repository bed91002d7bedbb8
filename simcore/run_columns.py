"""The columns that a sweep keeps of each run: figures of the scenario's first VM, whole numbers where possible.

How a run becomes such a row is in `simcore.app.run_rows`; docs/sweeps.md has the table.
"""

from simcore.table_columns import Column

CATEGORIES = (
    "counted",
    "disabled",
    "filtered",
    "excluded_level",
    "no_event",
    "off_pmu",
    "no_host_counter",
    "other",
)
"""Where a guest's cycles are booked, in the order of the ledger."""
CAUSES = ("wakeup", "balance", "misfit", "affinity", "other")

# fmt: off
RUN_COLUMNS = (
    Column("seed", "u8", "", "seed of the run"),
    Column("crashed", "i8", "", "1 where the guest died"),
    Column("outcome", "U64", "", "`alive`, or why the guest died"),
    Column("lived_ns", "i8", "ns", "until the guest died, or the end"),
    Column("ended_ns", "i8", "ns", "when the run ended"),
    Column("init_pmu", "U64", "", "host PMU that backs the VM; under fixed-counters-only the default one drawn"),
    Column("pmcr_n", "i8", "", "PMCR_EL0.N as the guest reads it"),
    Column("pmceid0", "u8", "", "PMCEID0_EL0 as the guest reads it"),
    Column("pmceid1", "u8", "", "PMCEID1_EL0 as the guest reads it"),
    Column("guest_ns", "i8", "ns", "time in the guest, all vCPUs"),
    Column("enabled_ns", "i8", "ns", "of that, with PMCCNTR_EL0 enabled"),
    Column("stalled_ns", "i8", "ns", "of that, stalled"),
    Column("longest_stall_ns", "i8", "ns", "longest stall, in guest time"),
    Column("zero_deltas", "i8", "", "equal successive reads of PMCCNTR_EL0 with guest cycles in between"),
    *(Column(name, "u8", "cycles", f"guest cycles of PMCCNTR_EL0's ledger: {name}") for name in CATEGORIES),
    Column("clock_error_ppm", "f8", "ppm", "error of the guest's clock: the largest of its vCPUs; NaN: it keeps none"),
    Column("instructions", "u8", "", "instructions retired, all vCPUs"),
    Column("migrations", "i8", "", "changes of pCPU, all vCPUs"),
    Column("crossings", "i8", "", "of these, to another host PMU"),
    *(Column(f"crossings_{name}", "i8", "", f"of these, by cause: {name}") for name in CAUSES),
    Column("reloads", "i8", "", "reloads that vcpu_load requested"),
    Column("event_creations", "i8", "", "host events created"),
    Column("overhead_ns", "i8", "ns", "host time for the virtual PMU"),
    Column("fail_entries", "i8", "", "KVM_RUN that failed entry"),
    Column("energy_uj", "i8", "uJ", "energy of the host in microjoule; -1: the platform has no sourced model"),
    Column("rate_min_mhz", "f8", "MHz", "slowest PMCCNTR_EL0 over a window of 10 ms; NaN: no such window"),
    Column("rate_median_mhz", "f8", "MHz", "median of these windows"),
    Column("rate_max_mhz", "f8", "MHz", "fastest of these windows"),
    Column("details", "U", "", "JSON: clock errors of all vCPUs, what the guest found, where its samples were taken"),
    Column("digest", "U64", "", "digest over the run's tables"),
)
# fmt: on
COLUMN_NAMES = tuple(column.name for column in RUN_COLUMNS)

RATIOS = {
    "crash_probability": ("crashed", None, 1),
    "stalled_fraction": ("stalled_ns", "enabled_ns", 1),
    "instructions_per_s": ("instructions", "lived_ns", 1_000_000_000),
    "crossings_per_s": ("crossings", "lived_ns", 1_000_000_000),
    "overhead_share": ("overhead_ns", "lived_ns", 1),
}
"""Figures of one run made of two columns and a factor: what a study may also stop by."""
NUMERIC = tuple(column.name for column in RUN_COLUMNS if "U" not in column.dtype)
STOP_METRICS = (*RATIOS, *NUMERIC)
