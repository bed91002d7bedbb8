"""How often guests die, in sentences of a verdict."""

from collections.abc import Sequence

from simcore.app.columns import Row, label, percent
from simcore.app.report_words import counted, listed, sentence, spelled
from simcore.app.tables import interval

NOT_YET = " No guest had come so far as to enable the counter."


def deaths_sentence(rows: Sequence[Row]) -> str:
    """Say under which policies guests die, in how many runs, and what runs without a death leave possible."""
    died = sorted((row for row in rows if row["crashes"]), key=lambda row: -row["crash_probability"]["estimate"])
    lived = [row for row in rows if not row["crashes"]]
    if not died:
        return sentence(_safe(lived, rows)) + (NOT_YET if never_enabled(rows) else "")
    groups: dict[str, list[str]] = {}
    for row in died:
        groups.setdefault(chance_of(row), []).append(label(row))
    found = [f"{chance}{' each' if len(names) > 1 else ''} under {listed(names)}" for chance, names in groups.items()]
    rest = [sentence(_safe(lived, rows))] if lived else []
    return " ".join([f"Guests die in {listed(found)}.", *rest])


def never_enabled(rows: Sequence[Row]) -> bool:
    """Tell whether no guest with a PMU has had the counter enabled, so that none could die of it."""
    with_pmu = [row for row in rows if not row["policy"].startswith("none")]
    return bool(with_pmu) and all(row["stalled_fraction"] is None for row in with_pmu)


def chance_of(row: Row) -> str:
    """Say in how many runs a guest died, with the share and its interval."""
    share = f"{percent(row['crash_probability']['estimate'])}, 95 % interval {interval(row)}"
    return f"{row['crashes']} of {counted(row['runs'], 'run')} ({share})"


def without_death(lived: Sequence[Row]) -> str:
    """Say in how many runs no guest died, and how likely deaths are nevertheless; of unlike numbers the fewest tell."""
    fewest, most_runs = min(lived, key=lambda row: row["runs"]), max(row["runs"] for row in lived)
    if fewest["runs"] < most_runs:
        return f"in {fewest['runs']} to {most_runs} runs each (95 % interval of the fewest {interval(fewest)})"
    each = " each" if len(lived) > 1 else ""
    return f"in {counted(most_runs, 'run')}{each} (95 % interval {interval(fewest)})"


def _safe(lived: Sequence[Row], rows: Sequence[Row]) -> str:
    """Say that no guest died under some rows, and what that leaves possible."""
    if len(lived) == 1:
        return f"no guest died under {label(lived[0])} {without_death(lived)}"
    other = "any of the" if len(lived) == len(rows) else "the other"
    return f"no guest died under {other} {spelled(len(lived))} policies, {without_death(lived)}"
