"""What policies count on a kept schedule as plain text: at most 120 columns, the same for the same numbers."""

from collections.abc import Callable

from simcore.app.columns import NONE, POLICY, Column, Row, count, duration, percent, render, wrapped

PMU = Column(("backing", "host PMU"), lambda row: row["init_pmu"] or NONE, left=True)


def _lost(row: Row) -> str:
    return percent(row["lost_cycles"] / row["cycles"] if row["cycles"] else None)


def _booked(name: str) -> Callable[[Row], str]:
    return lambda row: count(row["ledger"] and row["ledger"][name])


COUNTER = (
    POLICY,
    PMU,
    Column(("guest", "cycles"), lambda row: count(row["cycles"])),
    Column(("", "counted"), _booked("counted")),
    Column(("cycles", "lost"), lambda row: count(row["lost_cycles"])),
    Column(("share", "lost"), _lost),
    Column(("inter-", "rupts"), lambda row: count(row["interrupts"])),
)

LEDGER = (
    POLICY,
    PMU,
    Column(("", "counted"), _booked("counted")),
    Column(("dis-", "abled"), _booked("disabled")),
    Column(("fil-", "tered"), _booked("filtered")),
    Column(("excl.", "level"), _booked("excluded_level")),
    Column(("no", "event"), _booked("no_event")),
    Column(("off", "PMU"), _booked("off_pmu")),
    Column(("no host", "counter"), _booked("no_host_counter")),
    Column(("", "other"), _booked("other")),
)

LEGEND = (
    "Of PMCCNTR_EL0, all vCPUs together. lost: uncounted off the PMU, or without event or host counter.",
    "interrupts: sample periods of host events that have ended, of all counters. Nothing was simulated again: on the",
    "kept schedule the guest does what it did, whatever it would have read.",
)


def watch_text(answer: Row, colour: bool = False) -> str:
    """Render the whole answer of `watch`."""
    lines = wrapped([watch_head(answer)])
    for title, columns in (
        ("What the cycle counter shows under each policy", COUNTER),
        ("Where the guest's cycles went", LEDGER),
    ):
        lines += ["", title, *render(columns, answer["policies"], colour)]
    return "\n".join([*lines, "", *LEGEND]) + "\n"


def watch_head(answer: Row) -> str:
    """Say whose schedule it is."""
    vcpus = "1 vCPU" if answer["vcpus"] == 1 else f"{answer['vcpus']} vCPUs"
    source = "replayed" if answer["kind"] == "replay" else f"run with seed {answer['seeds'][0]}"
    step = f", a sample each {duration(answer['step_ns'])}" if answer["step_ns"] else ""
    length = duration(answer["seconds"] * 1e9)
    return f"{answer['directory']}: {length} of {vcpus} on {answer['platform']}, as they were {source}{step}"
