"""The columns that `guest matrix` keeps of each run of real code.

How a run becomes such a row is in `simcore.app.code_rows`; docs/guest_code.md has the table.
"""

from simcore.run_columns import CATEGORIES
from simcore.table_columns import Column

# fmt: off
GUEST_COLUMNS = (
    Column("seed", "u8", "", "seed of the run"),
    Column("image_digest", "U64", "", "SHA-256 of the image"),
    Column("ended", "U16", "", "`off`, `reset`, `hang`, `limit`, `fail-entry`; `failed`: the machine lacks something"),
    Column("where", "U", "", "of the last four, where and why"),
    Column("well", "i8", "", "1 where the guest powered off without a FAIL or a status"),
    Column("passes", "i8", "", "lines that begin with PASS"),
    Column("fails", "i8", "", "lines that begin with FAIL"),
    Column("skips", "i8", "", "lines that begin with SKIP"),
    Column("status", "i8", "", "the status that the guest printed; -1: none"),
    Column("first_failure", "U", "", "the first line of the guest with FAIL, or why the run ended; empty: it is well"),
    Column("backing_pmu", "U64", "", "host PMU that backs the VM; empty: that of each pCPU"),
    Column("pmcr_n", "i8", "", "PMCR_EL0.N of the VM"),
    Column("pmceid0", "u8", "", "PMCEID0_EL0 of the VM"),
    Column("pmceid1", "u8", "", "PMCEID1_EL0 of the VM"),
    Column("lived_ns", "i8", "ns", "until the end, of the vCPU that was the latest"),
    Column("host_ns", "i8", "ns", "of that in the host, all vCPUs"),
    Column("idle_ns", "i8", "ns", "of that in WFI, all vCPUs"),
    Column("waited_ns", "i8", "ns", "of that waiting for a pCPU that another vCPU had, all vCPUs"),
    Column("instructions", "u8", "", "instructions retired, all vCPUs"),
    *(Column(name, "u8", "cycles", f"guest cycles of PMCCNTR_EL0's ledger: {name}") for name in CATEGORIES),
    Column("stalls", "i8", "", "times that PMCCNTR_EL0 stalled, all vCPUs"),
    Column("stalled_ns", "i8", "ns", "guest time in which it was stalled"),
    Column("longest_stall_ns", "i8", "ns", "longest of these, in guest time"),
    Column("pmu_reads", "i8", "", "trapped reads of PMU registers"),
    Column("pmu_writes", "i8", "", "trapped writes of PMU registers"),
    Column("overflows", "i8", "", "overflows of host events"),
    Column("interrupts", "i8", "", "interrupts taken"),
    Column("migrations", "i8", "", "changes of pCPU, all vCPUs"),
    Column("crossings", "i8", "", "of these, to another host PMU"),
    Column("refused_moves", "i8", "", "moves that pinning kept from happening"),
    Column("reloads", "i8", "", "reloads that vcpu_load requested"),
    Column("event_creations", "i8", "", "host events created"),
    Column("fail_entries", "i8", "", "KVM_RUN that failed entry"),
    Column("digest", "U64", "", "SHA-256 of the run's whole account"),
)
# fmt: on
