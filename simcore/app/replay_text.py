"""A replay as plain text: at most 120 columns, the same for the same numbers."""

from collections.abc import Sequence
from typing import Any

from simcore.app.columns import NONE, POLICY, Column, Row, count, duration, parts, percent, render, wrapped
from simcore.app.measured_text import measured_lines

DOUBTFUL_SHARE = 0.01
"""Share of the trace in which CPUs of one perf domain disagree, from which on the platform is doubtful."""


def _lost(row: Row) -> str:
    total = sum((row["ledger"] or {}).values())
    return percent(row["lost_cycles"] / total if total else None)


def _clock(which: str) -> Any:
    return lambda row: NONE if row["clock_error_ppm"] is None else parts(row["clock_error_ppm"][which])


def _rate(which: str) -> Any:
    return lambda row: NONE if row["pmccntr_rate_mhz"] is None else f"{row['pmccntr_rate_mhz'][which]:.0f}"


def _failures(row: Row) -> str:
    tried = (row["calibrated"] or 0) + (row["calibration_failures"] or 0)
    return f"{row['calibration_failures']}/{tried}" if tried else NONE


PMU = Column(("backing", "host PMU"), lambda row: row["init_pmu"] or NONE, left=True)

GUEST = (
    POLICY,
    PMU,
    Column(("stalled", "share"), lambda row: percent(row["stalled_fraction"])),
    Column(("longest", "stall"), lambda row: duration(row["longest_stall_ns"])),
    Column(("lost", "cycles"), _lost),
    Column(("zero", "deltas"), lambda row: count(row["zero_deltas"])),
    Column(("clock err", "median"), _clock("median")),
    Column(("clock err", "max"), _clock("max")),
)

COUNTER = (
    POLICY,
    PMU,
    Column(("MHz", "min"), _rate("min")),
    Column(("MHz", "median"), _rate("median")),
    Column(("MHz", "max"), _rate("max")),
    Column(("0 Hz at", "boot"), _failures),
    Column(("not al-", "lowed"), lambda row: duration(row["outside_ns"])),
    Column(("re-", "loads"), lambda row: count(row["reloads"])),
    Column(("events", "made"), lambda row: count(row["event_creations"])),
    Column(("PMU", "cost"), lambda row: duration(row["overhead_ns"])),
)

THREADS = (
    Column(("", "vCPU"), lambda row: str(row["vcpu"])),
    Column(("", "thread"), lambda row: f"{row['comm']}-{row['pid']}", left=True),
    Column(("", "ran"), lambda row: duration(row["run_ns"])),
    Column(("in the", "guest"), lambda row: duration(row["guest_ns"])),
    Column(("waited", "for a CPU"), lambda row: duration(row["wait_ns"])),
    Column(("", "runs"), lambda row: count(row["runs"])),
    Column(("migra-", "tions"), lambda row: count(row["migrations"])),
    Column(("cross-", "ings"), lambda row: count(row["crossings"])),
)

LEGEND = (
    "stalled share: time in which an enabled PMCCNTR_EL0 stands still, of the guest time. lost cycles: uncounted off",
    "the PMU, or without event or host counter, of all guest cycles. zero deltas: equal reads, guest cycles between.",
    "clock err: of a clock kept by the cycle rate of a vCPU's first 10 ms of guest time, at the end; what the host",
    "steals is no error. MHz: PMCCNTR_EL0 over 10 ms windows. 0 Hz at boot: vCPUs on which that first rate is none, of",
    "which Windows dies. not allowed: guest time on pCPUs on which the policy lets no such VM run: KVM_RUN fails entry",
    "there (set-pmu-unpinned), or pinning keeps the thread away. PMU cost: of host events, assumed, and no part of the",
    "schedule.",
)


def replay_text(answer: Row, colour: bool = False) -> str:
    """Render the whole answer of `replay`."""
    lines = wrapped(replay_head(answer))
    blocks: tuple[tuple[str, Sequence[Column], Sequence[Row]], ...] = (
        ("The threads that are its vCPUs", THREADS, answer["threads"]),
        ("What the guest would have seen on this schedule", GUEST, answer["policies"]),
        ("The counter's rate, where the policy forbids the schedule, and what it costs", COUNTER, answer["policies"]),
    )
    for title, columns, rows in blocks:
        lines += ["", title, *render(columns, rows, colour)]
    measured = measured_lines(answer["measured"], colour) if answer["measured"] else []
    return "\n".join([*lines, "", *LEGEND, *measured]) + "\n"


def replay_head(answer: Row) -> list[str]:
    """Say what was replayed, how it was recorded, and what is odd about it."""
    return [*_doubts(answer), *_head(answer), *map(_finding, answer["findings"])]


def _head(answer: Row) -> list[str]:
    switches, ran = answer["events"]["sched_switch"], sum(row["run_ns"] for row in answer["threads"])
    in_guest = sum(row["guest_ns"] for row in answer["threads"])
    told = (
        "by kvm_entry and kvm_exit" if answer["guest_time"] == "kvm" else "their run time: no KVM events are recorded"
    )
    busy = sum(row["busy_ns"] for row in answer["cpus"])
    source = f"{answer['form']}, to {duration(answer['resolution_ns'])}, {switches} switches"
    threads = "1 thread as vCPU" if answer["vcpus"] == 1 else f"{answer['vcpus']} threads as vCPUs"
    guest = f"{threads} of a guest running {answer['workload']}"
    return [
        f"{answer['trace']}: {source} in {answer['seconds']:.6f} s",
        f"replayed on {answer['platform']}: {len(answer['cpus'])} CPUs busy for {busy / 1e9:.6f} s; {guest}",
        f"they ran for {ran / 1e9:.6f} s; in the guest for {in_guest / 1e9:.6f} s ({told})",
    ]


def _doubts(answer: Row) -> list[str]:
    """Warn where the CPUs of a perf domain had unlike frequencies for longer than events take to be written."""
    amounts = [row["amount"] for row in answer["findings"] if row["kind"] == "domain-disagrees"]
    if sum(amounts) <= DOUBTFUL_SHARE * answer["seconds"] * 1e9:
        return []
    unlike = f"CPUs of one perf domain had unlike frequencies for {duration(sum(amounts))}"
    return [f"WARNING: this was probably not recorded on {answer['platform']}: {unlike}"]


def _finding(row: Row) -> str:
    amount = "" if row["amount_unit"] is None else f", {_amount(row)} in all"
    first = f", first at {row['where']} {', '.join(map(str, row['first']))}" if row["first"] else ""
    times = "once" if row["count"] == 1 else f"{row['count']} times"
    return f"{row['kind']}: {times}{amount}{first}: {row['meaning']}"


def _amount(row: Row) -> str:
    return duration(row["amount"]) if row["amount_unit"] == "ns" else f"{row['amount']} {row['amount_unit']}"
