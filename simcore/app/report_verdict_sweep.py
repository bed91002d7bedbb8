"""The verdict of a sweep, in sentences made of the rows of its points."""

from collections.abc import Sequence

from simcore.app.columns import Row, duration, percent
from simcore.app.report_verdict import Verdict, most, plural, told
from simcore.app.report_verdict_deaths import NOT_YET, chance_of, never_enabled, without_death
from simcore.app.report_words import counted, listed, spelled
from simcore.app.study_points import setting


def sweep_verdict(answer: Row) -> Verdict:
    """Return at which points guests die, how much stalls, and what the host pays, over the points of a study."""
    points = [row for row in answer["points"] if row["runs"]]
    if not points:
        return [("Nothing", "No run of this study has ended yet.")]
    every = counted(len(points), "point") + (" that have runs" if len(points) < len(answer["points"]) else "")
    return told(
        ("Deaths", _deaths(points, every)),
        ("Stalls", _stalls(points, every)),
        ("Cost", _cost(points)),
        ("Missing", _missing(answer["runs"])),
    )


def point_name(row: Row) -> str:
    """Name a point by its number and the values of its keys."""
    return f"point {row['point']} ({setting(row['values'], list(row['values']))})"


def _deaths(points: Sequence[Row], every: str) -> str:
    """Say at how many of the points guests die, where most, and what runs without a death leave possible."""
    lived = [row for row in points if not row["crashes"]]
    died = len(points) - len(lived)
    if not died:
        comma = "," if len(points) > 1 else ""
        not_yet = NOT_YET if never_enabled(points) else ""
        return f"No guest died at {_all(points, every)}{comma} {without_death(lived)}.{not_yet}"
    worst = max((row for row in points if row["crashes"]), key=lambda row: row["crash_probability"]["estimate"])
    found = f"{point_name(worst)}: in {chance_of(worst)}"
    if len(points) == 1:
        return f"Guests die at {found}."
    where = f"{spelled(died)} of {every}" if lived else f"each of the {every}"
    text = f"Guests die at {where}, {'most often at ' if died > 1 else ''}{found}."
    rest = "one" if len(lived) == 1 else f"{spelled(len(lived))} points"
    return f"{text} At the other {rest} no guest died {without_death(lived)}." if lived else text


def _stalls(points: Sequence[Row], every: str) -> str:
    """Say where the counter stands still most, where it never does, and where no guest has it enabled."""
    worst = most(points, "stalled_fraction")
    steady = sum(1 for row in points if row["stalled_fraction"] == 0)
    unused = sum(1 for row in points if row["stalled_fraction"] is None)
    if unused == len(points):
        return f"No guest has PMCCNTR_EL0 enabled at {_all(points, every)}."
    if steady == len(points):
        return f"PMCCNTR_EL0 never stands still at {_all(points, every)}."
    rest = [f"at {counted(unused, 'point')} no guest has it enabled"] if unused else []
    if worst is None:
        return "; ".join([f"PMCCNTR_EL0 never stands still at {counted(steady, 'point')}", *rest]) + "."
    never = [f"at {counted(steady, 'point')} it never does"] if steady else []
    share = f"{percent(worst['stalled_fraction'])} of the time in which it is enabled"
    return "; ".join([f"PMCCNTR_EL0 stands still most at {point_name(worst)}: {share}", *never, *rest]) + "."


def _all(points: Sequence[Row], every: str) -> str:
    return point_name(points[0]) if len(points) == 1 else f"any of the {every}"


def _cost(points: Sequence[Row]) -> str:
    rates = [row | {"cost": row["overhead_ns"] / row["lived_ns"] * 1e9} for row in points if row["lived_ns"]]
    worst = most(rates, "cost")
    if worst is None:
        return ""
    rate = f"{duration(worst['cost'])} of host time a second"
    return f"The PMU costs the host most at {point_name(worst)}: {rate}, with {_moves(worst)}."


def _moves(row: Row) -> str:
    rate = round(row["crossings"] / row["lived_ns"] * 1e9)
    return f"{plural(rate, 'crossing')} a second and {plural(row['reloads'], 'reload')} in all"


def _missing(runs: Row) -> str:
    missing = runs["planned"] - runs["spared"] - runs["finished"] - runs["failed"]
    texts = [f"{counted(missing, 'run')} still missing"] if missing > 0 else []
    texts += [f"{counted(runs['failed'], 'run')} failed"] if runs["failed"] else []
    return f"The sweep is not whole: {listed(texts)}." if texts else ""
