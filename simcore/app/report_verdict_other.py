"""The verdicts of replays, watches and sweeps, in sentences made of their rows."""

from collections.abc import Sequence

from simcore.app.columns import Row, duration, label, percent
from simcore.app.report_verdict import Verdict, most, plural, stall_sentence, times, told
from simcore.app.report_words import counted, listed, some, spelled
from simcore.app.study_points import setting


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
    loss += [f"It loses none under {some(whole)}."] if whole else []
    ended = [f"{times(row['interrupts'])} under {_seat(row)}" for row in answer["policies"] if row["interrupts"]]
    return told(
        ("Cycles", " ".join(loss)),
        ("Interrupts", f"A sample period of a host event ended {some(ended, 5)}." if ended else ""),
        ("Schedule", "Nothing was simulated again: whatever the guest would have read, here it does what it did."),
    )


def sweep_verdict(answer: Row) -> Verdict:
    """Return at which points guests die, how much stalls, and what the host pays, over the points of a study."""
    points = [row for row in answer["points"] if row["runs"]]
    if not points:
        return [("Nothing", "No run of this study has ended yet.")]
    return told(
        ("Deaths", _sweep_deaths(points)),
        ("Stalls", _sweep_stalls(points)),
        ("Cost", _sweep_cost(points)),
        ("Missing", _sweep_state(answer["runs"])),
    )


def point_name(row: Row) -> str:
    """Name a point by its number and the values of its keys."""
    return f"point {row['point']} ({setting(row['values'], list(row['values']))})"


def _seat(row: Row) -> str:
    """Name a policy, with the host PMU that backs the guest where that is not already its name."""
    named = not row["init_pmu"] or row["init_pmu"] in row["policy"]
    return label(row) if named else f"{label(row)} backed by {row['init_pmu']}"


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


def _sweep_deaths(points: Sequence[Row]) -> str:
    worst = most([row | {"chance": row["crash_probability"]["estimate"]} for row in points], "chance")
    if worst is None:
        runs = sum(row["runs"] for row in points)
        return f"No guest died in {counted(runs, 'run')} at {counted(len(points), 'point')}."
    died = sum(1 for row in points if row["crashes"])
    chance = worst["crash_probability"]
    where = f"Guests die at {spelled(died)} of {counted(len(points), 'point')}"
    interval = f"95 % interval {percent(chance['low'])}..{percent(chance['high'])}"
    rate = f"{percent(chance['estimate'])} of {counted(worst['runs'], 'run')}, {interval}"
    return f"{where}, most often at {point_name(worst)}: {rate}."


def _sweep_stalls(points: Sequence[Row]) -> str:
    worst = most(points, "stalled_fraction")
    if worst is None:
        return "PMCCNTR_EL0 stands still at no point."
    never = sum(1 for row in points if row["stalled_fraction"] == 0)
    rest = f"; at {counted(never, 'point')} it never does" if never else ""
    share = percent(worst["stalled_fraction"])
    return f"PMCCNTR_EL0 stands still most at {point_name(worst)}: {share} of the time in which it is enabled{rest}."


def _sweep_cost(points: Sequence[Row]) -> str:
    rates = [row | {"cost": row["overhead_ns"] / row["lived_ns"] * 1e9} for row in points if row["lived_ns"]]
    worst = most(rates, "cost")
    if worst is None:
        return ""
    rate = f"{duration(worst['cost'])} of host time a second"
    return f"The PMU costs the host most at {point_name(worst)}: {rate}, with {_moves(worst)}."


def _moves(row: Row) -> str:
    rate = round(row["crossings"] / row["lived_ns"] * 1e9)
    return f"{plural(rate, 'crossing')} a second and {plural(row['reloads'], 'reload')} in all"


def _sweep_state(runs: Row) -> str:
    missing = runs["planned"] - runs["spared"] - runs["finished"] - runs["failed"]
    texts = [f"{counted(missing, 'run')} still missing"] if missing > 0 else []
    texts += [f"{counted(runs['failed'], 'run')} failed"] if runs["failed"] else []
    return f"The sweep is not whole: {listed(texts)}." if texts else ""
