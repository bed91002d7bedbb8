"""Every table of a result: its columns in order, what each means and its unit; the one place that says so.

The dtypes of `simcore.trace`, the metadata of Parquet files, `hetpmu show` and docs/tables.md all come from here.
"""

from simcore.table_history import HISTORY
from simcore.table_spec import Column, TableSpec, plain

__all__ = ["TABLES", "Column", "TableSpec", "described", "plain"]

# fmt: off
TABLES: dict[str, TableSpec] = {
    "migrations": TableSpec(
        "One row each time a vCPU's thread goes to another pCPU.",
        (
            Column("t_ns", "i8", "ns", "time"),
            Column("vcpu", "i8", "", "vCPU"),
            Column("from_cpu", "i8", "", "pCPU that it leaves"),
            Column("to_cpu", "i8", "", "pCPU that it goes to"),
            Column("cause", "i8", "", "0 wakeup, 1 balance, 2 misfit, 3 affinity, 4 other"),
            Column("crossing", "i8", "", "1 where the first host PMU of the two pCPUs differs"),
        ),
    ),
    "reads": TableSpec(
        "One row for each guest read of PMCCNTR_EL0 that was not UNDEFINED.",
        (
            Column("t_ns", "i8", "ns", "time of the trap"),
            Column("vcpu", "i8", "", "vCPU"),
            Column("value", "u8", "", "what the guest got"),
            Column("guest_cycles", "u8", "cycles", "cycles that the vCPU really executed in the guest so far"),
        ),
    ),
    "samples": TableSpec(
        "One row for each point of the grid (`sample`), vCPU and policy, from time 0 on.",
        (
            Column("t_ns", "i8", "ns", "time"),
            Column("vcpu", "i8", "", "vCPU"),
            Column("policy", "i8", "", "policy"),
            Column("cpu", "i8", "", "pCPU on which its thread runs; -1 while it does not run"),
            Column("level", "i8", "", "exception level of the guest"),
            Column("guest_ns", "i8", "ns", "time in the guest so far"),
            Column("guest_cycles", "u8", "cycles", "cycles executed in the guest so far"),
            Column("pmccntr", "u8", "cycles", "PMCCNTR_EL0"),
            Column(
                "counted", "u8", "cycles",
                "what PMCCNTR_EL0 has counted so far, whatever is written to it; under `scaled-time` ns in the guest",
            ),
            Column("category", "i8", "", 'where its cycles are booked now (codes in [model.md](model.md), "Ledger")'),
            Column(
                "counters", "31u8", "events",
                "PMEVCNTR0_EL0 to PMEVCNTR30_EL0 as the guest reads them: below PMUv3p5 their lower 32 bits",
            ),
        ),
    ),
    "interrupts": TableSpec(
        "One row for each overflow of a host event, at the nanosecond at which it is raised.",
        (
            Column("t_ns", "i8", "ns", "time"),
            Column("vcpu", "i8", "", "vCPU"),
            Column("policy", "i8", "", "policy"),
            Column("slot", "i8", "", "counter; 31 is the cycle counter"),
        ),
    ),
    "pmu_work": TableSpec(
        "What the host did for virtual PMUs: a row whenever it reloaded one, or created or released host events of it; "
        "empty unless the scenario says `trace = true`. A row is the sum since the row before: what the failed KVM_RUN "
        "calls of a VMM that tries again do, and a shadow's loads on host PMUs of one class, is told as one when the "
        "next thing happens to the vCPU, or at the end of the run. All rows together are the columns of `vpmus`.",
        (
            Column("t_ns", "i8", "ns", "time"),
            Column("vcpu", "i8", "", "vCPU"),
            Column("policy", "i8", "", "policy"),
            Column("reloads", "i8", "", "reloads that vcpu_load requested"),
            Column("other_reloads", "i8", "", "reloads for other reasons, as in `vpmus`"),
            Column("creations", "i8", "", "host events created"),
            Column("releases", "i8", "", "host events released"),
        ),
    ),
    "stalls": TableSpec(
        "One row for each stretch of guest execution in which PMCCNTR_EL0 was enabled and stood still off-PMU or "
        "without a host counter. It ends when the counter counts again or is disabled.",
        (
            Column("start_ns", "i8", "ns", "first such execution"),
            Column("end_ns", "i8", "ns", "end"),
            Column("vcpu", "i8", "", "vCPU"),
            Column("policy", "i8", "", "policy"),
            Column("guest_ns", "i8", "ns", "time in the guest within it"),
        ),
    ),
    "live_migrations": TableSpec(
        'One row for each time that a VM went to another host (model.md, "Live migration").',
        (
            Column("t_ns", "i8", "ns", "when it stopped"),
            Column("resumed_ns", "i8", "ns", "when its guest went on"),
            Column("vm", "i8", "", "VM"),
            Column("policy", "U96", "", "policy and kernel on the destination"),
            Column(
                "init_pmu", "U64", "",
                "host PMU that backs it there; under fixed-counters-only the default one drawn; empty where none "
                "does alone",
            ),
            Column("pmcr_n", "i8", "", "N there"),
            Column(
                "changed", "i8", "",
                "ONE_REG registers, over all vCPUs, that read back otherwise than they were saved",
            ),
        ),
    ),
    "reports": TableSpec(
        "What the guest found itself, under the keys that [guests.md](guests.md) names for each guest.",
        (
            Column("t_ns", "i8", "ns", "time"),
            Column("vcpu", "i8", "", "vCPU"),
            Column("key", "U32", "", "name"),
            Column("value", "i8", "", "value"),
        ),
    ),
    "rtapp": TableSpec(
        "One row for each repetition of a phase by a thread of an rt-app file, as rt-app logs it; a guest's times "
        "are those that it sees.",
        (
            Column("vm", "i8", "", "VM; -1: the host"),
            Column("thread", "i8", "", "thread, in the order of the file's tasks and instances"),
            Column("name", "U64", "", "name of the task"),
            Column("phase", "i8", "", "phase of the task, from 0 on"),
            Column("start_ns", "i8", "ns", "start"),
            Column("end_ns", "i8", "ns", "end"),
            Column("run_ns", "i8", "ns", "time that its `run` and `runtime` events took"),
            Column(
                "slack_ns", "i8", "ns",
                "time left until its last timer when it came to it, negative where that was missed; of all its "
                "timers with `cumulative_slack`",
            ),
            Column("wakeup_latency_ns", "i8", "ns", "from the expiry of its last timer to its running"),
            Column("asked_run_ns", "i8", "ns", "sum of its `run` and `runtime` events in the file"),
            Column("asked_period_ns", "i8", "ns", "sum of its timers' periods in the file"),
        ),
    ),
    "perf_samples": TableSpec(
        "One row for each sample that a guest's `perf record` takes, in the order of time.",
        (
            Column("t_ns", "i8", "ns", "time at which the handler takes it"),
            Column("vcpu", "i8", "", "vCPU"),
            Column("cpu", "i8", "", "pCPU on which the vCPU runs then"),
            Column(
                "pmu", "i8", "",
                "first host PMU that covers it, by its place in `host_pmus` of the summary; -1: none",
            ),
            Column("event", "i8", "", "PMUv3 event number; -1: `cpu-clock`, a timer"),
            Column("period", "i8", "events", "events, or of `cpu-clock` nanoseconds, that it stands for"),
            Column("skid", "i8", "events", "events between the overflow and the handler"),
        ),
    ),
    "perf_reads": TableSpec(
        "One row for each event that a guest's `perf stat -I` asks for, each time that it reads it, in the order of "
        "time; empty unless the guest has a `perf_interval`. perf's times are those of the guest's clock.",
        (
            Column("t_ns", "i8", "ns", "time of the read"),
            Column("vcpu", "i8", "", "vCPU"),
            Column("perf_ns", "i8", "ns", "time since perf began"),
            Column("interval", "i8", "", "number of the interval that ends, from 1 on"),
            Column("event", "i8", "", "PMUv3 event number"),
            Column("value", "i8", "events", "what was counted since then, as read, not scaled; -1: `<not supported>`"),
            Column("enabled_ns", "i8", "ns", "time for which the event was enabled (total_time_enabled)"),
            Column("running_ns", "i8", "ns", "of that, the time for which it had a counter (total_time_running)"),
        ),
    ),
    "residence": TableSpec(
        "One row for each vCPU and each set of host PMUs on whose pCPUs it executed: since its start, or since it "
        "samples (`linux-perf-record`).",
        (
            Column("vcpu", "i8", "", "vCPU"),
            Column("pmu", "i8", "", "first host PMU of the set, as above; -1: no PMU"),
            Column("guest_ns", "i8", "ns", "time in the guest there"),
            Column("guest_cycles", "u8", "cycles", "cycles executed in the guest there"),
        ),
    ),
    **HISTORY,
    "segments": TableSpec(
        "One row for each stretch in which a vCPU executed one phase on one pCPU at one frequency; empty unless the "
        "scenario says `schedule = true`. With `loads` and `writes` it is all that `simcore.watch` needs.",
        (
            Column("start_ns", "i8", "ns", "from here"),
            Column("end_ns", "i8", "ns", "to here"),
            Column("vcpu", "i8", "", "vCPU"),
            Column("cpu", "i8", "", "pCPU"),
            Column("phase", "i8", "", "phase, numbered over the phases of all VMs' guests, VM by VM"),
            Column("khz", "i8", "kHz", "frequency of the pCPU"),
            Column("rest", "i8", "1e-6 cycles", "what was done of a cycle at the start"),
        ),
    ),
    "loads": TableSpec(
        "One row each time a vCPU is put on a pCPU (vcpu_load); empty unless the scenario says `schedule = true`.",
        (
            Column("t_ns", "i8", "ns", "time"),
            Column("vcpu", "i8", "", "vCPU"),
            Column("cpu", "i8", "", "pCPU"),
        ),
    ),
    "writes": TableSpec(
        "One row for each guest write of a PMU register; empty unless the scenario says `schedule = true`.",
        (
            Column("t_ns", "i8", "ns", "time of the trap"),
            Column("vcpu", "i8", "", "vCPU"),
            Column("loads", "i8", "", "rows of `loads` before it"),
            Column("register", "U24", "", "register"),
            Column("value", "u8", "", "what was written"),
        ),
    ),
    "ledger": TableSpec(
        "One row for each vCPU, policy and counter: where the events of its stream went.",
        (
            Column("vcpu", "i8", "", "vCPU"),
            Column("policy", "i8", "", "policy"),
            Column("slot", "i8", "", "counter; 31 is the cycle counter"),
            Column("events", "u8", "events", "sum of the eight that follow"),
            Column("counted", "u8", "events", "counted"),
            Column("disabled", "u8", "events", "the counter was disabled"),
            Column("filtered", "u8", "events", "denied by the VM's event filter"),
            Column("excluded_level", "u8", "events", "excluded by exception level"),
            Column("no_event", "u8", "events", "KVM had no host event"),
            Column("off_pmu", "u8", "events", "the host event's PMU did not cover the pCPU"),
            Column("no_host_counter", "u8", "events", "no free host counter"),
            Column("other", "u8", "events", "none of these"),
        ),
    ),
    "events": TableSpec(
        "True events of each vCPU, whatever any counter did.",
        (
            Column("vcpu", "i8", "", "vCPU"),
            Column("event", "i8", "", "PMUv3 event number"),
            Column("total", "u8", "events", "whole events since the start"),
        ),
    ),
    "vcpus": TableSpec(
        "One row a vCPU.",
        (
            Column("vcpu", "i8", "", "vCPU"),
            Column("vm", "i8", "", "VM"),
            Column("init_cpu", "i8", "", "pCPU of its KVM_ARM_VCPU_INIT"),
            Column("guest_ns", "i8", "ns", "time in the guest"),
            Column("guest_cycles", "u8", "cycles", "cycles executed in the guest"),
            Column("instructions", "i8", "instructions", "instructions retired in the guest"),
            Column("pmu_overhead_ns", "i8", "ns", "host time for the real virtual PMU's host events"),
            Column("fail_entries", "i8", "", "KVM_RUN calls that failed entry"),
            Column(
                "irqchip_exits", "i8", "",
                "exits to user space that told its irqchip a level of the PMU's interrupt",
            ),
            Column(
                "steal_ns", "i8", "ns",
                "time in which its thread was runnable and did not run (sched_info.run_delay), throttled time "
                "included",
            ),
        ),
    ),
    "vpmus": TableSpec(
        "One row a virtual PMU.",
        (
            Column("vcpu", "i8", "", "vCPU"),
            Column("policy", "i8", "", "policy"),
            Column("enabled_ns", "i8", "ns", "guest time with PMCCNTR_EL0 enabled"),
            Column("stalled_ns", "i8", "ns", "of that, stalled"),
            Column("longest_stall_ns", "i8", "ns", "longest stall, in guest time"),
            Column("reloads", "i8", "", "reloads that vcpu_load requested"),
            Column("other_reloads", "i8", "", "reloads for other reasons (PMCR_EL0.E, ONE_REG, reset)"),
            Column("event_creations", "i8", "", "host events created"),
            Column("event_releases", "i8", "", "host events released"),
            Column("refused", "i8", "", "guest accesses that this shadow found UNDEFINED"),
        ),
    ),
    "guests": TableSpec(
        "One row a VM.",
        (
            Column("vm", "i8", "", "VM"),
            Column("outcome", "U64", "", "`alive`, or why the guest died"),
            Column("died_ns", "i8", "ns", "time of death; -1: alive at the end"),
            Column(
                "init_pmu", "U64", "",
                "host PMU that backs the VM; under fixed-counters-only the default one that was drawn",
            ),
            Column("pmcr_n", "i8", "", "PMCR_EL0.N as the guest reads it"),
            Column("pmceid0", "u8", "", "PMCEID0_EL0 as the guest reads it"),
            Column("pmceid1", "u8", "", "PMCEID1_EL0 as the guest reads it"),
        ),
    ),
    "cgroups": TableSpec(
        "One row a VM: cpu.stat of its cgroup; all 0 where it has neither a weight nor a quota, or where no "
        "thread of it is fair (`round-robin`, `vms.N.sched.policy` fifo or rr): these are not limited.",
        (
            Column("vm", "i8", "", "VM"),
            Column("usage_ns", "i8", "ns", "time that its fair threads ran"),
            Column("nr_periods", "i8", "", "periods in which its quota was used"),
            Column("nr_throttled", "i8", "", "of these, those with a throttled thread"),
            Column(
                "throttled_ns", "i8", "ns",
                "time with throttled threads, summed over pCPUs, up to the last refill",
            ),
        ),
    ),
    "cpus": TableSpec(
        "One row a pCPU.",
        (
            Column("cpu", "i8", "", "pCPU"),
            Column("busy_ns", "i8", "ns", "time in which it ran a thread"),
        ),
    ),
    "energy": TableSpec(
        "One row a perf domain.",
        (
            Column("domain", "i8", "", "perf domain, by its index in the platform"),
            Column(
                "busy_uj", "i8", "uJ",
                "energy of its pCPUs' busy time in microjoule; -1 where its power is not sourced",
            ),
            Column(
                "idle_uj", "i8", "uJ",
                'energy of their idle time in microjoule, at an assumed power ([model.md](model.md), "Energy"); '
                "-1 likewise",
            ),
        ),
    ),
    "halts": TableSpec(
        "One row a vCPU: its waits in WFI, as KVM's statistics count them.",
        (
            Column("vcpu", "i8", "", "vCPU"),
            Column("halts", "i8", "", "waits that did not end at once"),
            Column("polls", "i8", "", "of these, those that may have polled first (`halt_attempted_poll`)"),
            Column("successful", "i8", "", "of these, those that ended while it polled (`halt_successful_poll`)"),
            Column("success_ns", "i8", "ns", "time of those polls (`halt_poll_success_ns`)"),
            Column("fail_ns", "i8", "ns", "time of the other polls (`halt_poll_fail_ns`)"),
            Column("wait_ns", "i8", "ns", "time blocked, until its thread ran again (`halt_wait_ns`)"),
            Column(
                "window_ns", "i8", "ns",
                "how long it would poll at the end of the run (`halt_poll_ns` of the vCPU)",
            ),
        ),
    ),
    "idle_states": TableSpec(
        "One row for each pCPU and idle state; times in `busy_ns` of `cpus` and here add up to the run.",
        (
            Column("cpu", "i8", "", "pCPU"),
            Column("state", "i8", "", "0 WFI, then from shallow to deep"),
            Column("name", "U80", "", "its name in the device tree; `WFI`"),
            Column("time_ns", "i8", "ns", "time in it, entry and exit included"),
            Column("entered", "i8", "", "how often it was entered and left"),
            Column("too_deep", "i8", "", "of these, left before its residency (`above` in sysfs)"),
            Column("too_shallow", "i8", "", "of these, long enough for the next deeper state (`below` in sysfs)"),
        ),
    ),
}
# fmt: on


def described(name: str) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Return the metadata of a table, and of each of its columns, for its file."""
    table = TABLES[name]
    columns = {column.name: {"unit": column.unit, "meaning": plain(column.meaning)} for column in table.columns}
    return {"about": plain(table.about)}, columns
