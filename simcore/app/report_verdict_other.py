"""The verdicts of replays and watches, in sentences made of their rows."""

from collections.abc import Sequence

from simcore.app.columns import Row, backed, duration, label, percent
from simcore.app.report_verdict import Verdict, most, plural, stall_sentence, times, told
from simcore.app.report_words import counted, listed, some


def replay_verdict(answer: Row) -> Verdict:
    """Return what each policy would have shown on a recorded schedule."""
    rows = answer["policies"]
    schedule = "A recording has no deaths and no throughput of its own: each policy is taken along the same schedule."
    return told(
        ("Stalls", stall_sentence(rows, _seat, "would have stood")),
        ("Calibration", _calibrations(rows)),
        ("Forbidden", _forbidden(rows)),
        ("Reloads", _cost(rows)),
        ("Schedule", schedule),
    )


def watch_verdict(answer: Row) -> Verdict:
    """Return what each policy lost of the cycles of a kept schedule."""
    rows = [row for row in answer["policies"] if row["cycles"]]
    losing = sorted((row for row in rows if row["lost_cycles"]), key=lambda row: -row["lost_cycles"] / row["cycles"])
    whole = [_seat(row) for row in rows if not row["lost_cycles"]]
    found = [f"{percent(row['lost_cycles'] / row['cycles'])} under {_seat(row)}" for row in losing]
    loss = [f"Of the guest's cycles PMCCNTR_EL0 loses {some(found, 5)}."] if found else []
    loss += [f"PMCCNTR_EL0 loses none of the guest's cycles under {some(whole)}."] if whole else []
    ended = [f"{times(row['interrupts'])} under {_seat(row)}" for row in answer["policies"] if row["interrupts"]]
    return told(
        ("Cycles", " ".join(loss)),
        ("Interrupts", f"A sample period of a host event ended {some(ended, 5)}." if ended else ""),
        ("Schedule", "Nothing was simulated again: whatever the guest would have read, here it does what it did."),
    )


def _seat(row: Row) -> str:
    """Name a policy, with the host PMU that backs the guest where that is not already its name."""
    return backed(label(row), row["init_pmu"] or "", " backed by ")


def _calibrations(rows: Sequence[Row]) -> str:
    failed = [row for row in rows if row["calibration_failures"]]
    texts = [
        f"{row['calibration_failures']} of {counted(row['calibrated'] + row['calibration_failures'], 'vCPU')} "
        f"under {_seat(row)}"
        for row in failed
    ]
    if not texts:
        return "No vCPU would have calibrated a rate of 0 Hz."
    return f"A rate of 0 Hz, of which Windows dies, would have been calibrated by {some(texts, 6)}."


def _forbidden(rows: Sequence[Row]) -> str:
    texts = [f"{duration(row['outside_ns'])} under {_seat(row)}" for row in rows if row["outside_ns"]]
    return f"The policy forbids part of this schedule: {some(texts, 6)} of guest time." if texts else ""


def _cost(rows: Sequence[Row]) -> str:
    worst, paying = most(rows, "overhead_ns"), [row for row in rows if row["reloads"]]
    if worst is None:
        return ""
    asked = [f"{plural(row['reloads'], 'reload')} under {_seat(row)}" for row in paying]
    reloads = f"There would have been {listed(asked) or 'none'}"
    return f"{reloads}; host events would have cost at most {duration(worst['overhead_ns'])}, under {_seat(worst)}."
