"""The verdict of a comparison or a run in sentences made of its rows; figures are written as the tables write them."""

from collections.abc import Callable, Iterable, Sequence

from pmu.policies import kind_of
from simcore.app.columns import Row, count, duration, label, parts, percent
from simcore.app.report_strips import averaged
from simcore.app.report_verdict_deaths import deaths_sentence
from simcore.app.report_verdict_found import checks_sentence, samples_sentence
from simcore.app.report_words import listed, some, spelled

Verdict = list[tuple[str, str]]
"""What a sentence is about, and the sentence."""
EARLY = "(* some guests died, and count until then)"
AT_LEAST = 5
"""How many policies of a list are named."""


def comparison_verdict(answer: Row, shadows: Sequence[str] = ()) -> Verdict:
    """Return who dies and how often, what stalls, what pinning and reloads cost, and how wrong clocks are."""
    rows = [row for row in answer["policies"] if row["runs"]]
    if not rows:
        return [("Nothing", "No run was finished, so there is no verdict.")]
    return told(
        ("Deaths", deaths_sentence(rows)), ("Stalls", stall_sentence(rows, label, "stands")),
        ("Pinning", _pinning(rows)), *_costs_and_findings(rows), ("Missing", _interrupted(answer)),
        ("Shadows", _shadows(shadows)),
    )  # fmt: skip


def run_verdict(answer: Row, rows: Sequence[Row], shadows: Sequence[str] = ()) -> Verdict:
    """Return the same of a single run, which tells how its guests ended, not how often they do."""
    endings = [_ending(guest, row, len(rows) > 1) for guest, row in zip(answer["guests"], rows, strict=True)]
    once = "A single run tells no probability; hetpmu compare runs many seeds under each policy."
    return told(
        ("Guests" if len(rows) > 1 else "Guest", " ".join([*endings, once])),
        ("Stalls", stall_sentence(rows, label, "stands", "in any of the {} VMs")),
        *_costs_and_findings(rows),
        ("Shadows", _shadows(shadows)),
    )


def _costs_and_findings(rows: Sequence[Row]) -> Verdict:
    return [
        ("Entry", _entries(rows)), ("Reloads", _reloads(rows)), ("Events", _events(rows)), ("Clock", _clocks(rows)),
        ("Checks", checks_sentence(rows)), ("Samples", samples_sentence(rows)),
    ]  # fmt: skip


def told(*pairs: tuple[str, str]) -> Verdict:
    """Leave out what has nothing to say."""
    return [pair for pair in pairs if pair[1]]


def stall_sentence(
    rows: Sequence[Row], named: Callable[[Row], str], verb: str, every: str = "under any of the {} policies"
) -> str:
    """Say under which rows the counter stands still, for how much of the time and how long at most.

    `every` is what several rows are called where they are all.
    """
    stalled = sorted((row for row in rows if row["stalled_fraction"]), key=lambda row: -row["stalled_fraction"])
    steady = [row for row in rows if row["stalled_fraction"] == 0]
    never = [named(row) for row in rows if row["stalled_fraction"] is None]
    texts = []
    if stalled:
        shares = [
            f"{percent(row['stalled_fraction'])} under {named(row)} (at longest {duration(row['longest_stall_ns'])})"
            for row in stalled
        ]
        texts.append(f"Of the guest time in which it is enabled PMCCNTR_EL0 {verb} still for {some(shares, AT_LEAST)}.")
        if steady:
            texts.append(f"Under {some(list(map(named, steady)))} it never does.")
    elif steady:
        those = every.format(spelled(len(rows))) if len(steady) == len(rows) > 1 else ""
        texts.append(f"PMCCNTR_EL0 never {verb} still {those or 'under ' + some(list(map(named, steady)))}.")
    if never:
        texts.append(f"No guest has {'it' if texts else 'PMCCNTR_EL0'} enabled under {some(never)}.")
    return " ".join(texts)


def _interrupted(answer: Row) -> str:
    """Say how many runs an interruption left out: those of the VM without a PMU are among them, too."""
    if "interrupted" not in answer:
        return ""
    finished, planned = answer["interrupted"]["finished"], answer["interrupted"]["planned"]
    none = [label(row) for row in answer["policies"] if not row["runs"]]
    text = f"The comparison was interrupted: {planned - finished} of its {planned} runs are missing"
    return text + (f", all of those under {some(none)}." if none else ".")


def _shadows(names: Sequence[str]) -> str:
    """Say of what the figures of a run with shadows are."""
    if not names:
        return ""
    shadows = f"the shadow {names[0]} is" if len(names) == 1 else f"the shadows {listed(names)} are"
    return f"All figures are of policies that VMs really have; {shadows} in the plot alone, with the table below it."


def _pinning(rows: Sequence[Row]) -> str:
    """Say what is left of the throughput by pinning, and without."""
    known = [row for row in rows if row["throughput"] is not None]
    pinned = sorted((row for row in known if _pins(row)), key=lambda row: row["throughput"])
    free = sorted((row for row in known if not _pins(row)), key=lambda row: row["throughput"])
    if not pinned:
        return ""
    text = f"Of the throughput of an unpinned VM without a PMU pinning leaves {some(_speeds(pinned), AT_LEAST)}"
    text += f"; without pinning there is {some(_speeds(free), AT_LEAST)}" if free else ""
    return f"{text} {EARLY}." if any(row["crashes"] for row in known) else f"{text}."


def _speeds(rows: Sequence[Row]) -> list[str]:
    return [f"{row['throughput']:.3f}{'*' if row['crashes'] else ''} under {label(row)}" for row in rows]


def _pins(row: Row) -> bool:
    kind = kind_of(row["policy"].partition(":")[0])
    return kind is not None and bool(kind.pins)


def _entries(rows: Sequence[Row]) -> str:
    texts = [f"{times(row['fail_entries'])} under {label(row)}" for row in rows if row["fail_entries"]]
    return f"KVM_RUN failed entry {listed(texts)}: vCPUs spin there instead of running." if texts else ""


def times(number: int) -> str:
    """Return `once`, `2 times`, `1.2M times`."""
    return "once" if number == 1 else f"{count(number)} times"


def _reloads(rows: Sequence[Row]) -> str:
    paying = [row for row in rows if row["reloads"]]
    texts = [
        f"{plural(row['reloads'], 'reload')} at {plural(row['crossings'], 'crossing')} under {label(row)}, whose host "
        f"events cost {duration(row['overhead_ns'])} of host time{_in_runs(row)}"
        for row in paying
    ]
    rest = most((row for row in rows if not row["reloads"]), "overhead_ns")
    if not texts:
        return f"No vCPU load asked for one{_cost_of(rest)}." if rest else "No vCPU load asked for one."
    beside = f" Of policies that never reload, host events cost at most {_most_of(rest)}." if rest else ""
    was = "was" if paying[0]["reloads"] == 1 else "were"
    return f"There {was} {listed(texts)}.{beside}"


def _cost_of(row: Row) -> str:
    return f"; host events cost at most {_most_of(row)}"


def _most_of(row: Row) -> str:
    return f"{duration(row['overhead_ns'])} of host time{_in_runs(row)}, under {label(row)}"


def plural(number: int, noun: str) -> str:
    """Return a shortened count with its noun."""
    return f"{count(number)} {noun if number == 1 else noun + 's'}"


def _in_runs(row: Row) -> str:
    return f" in {row['runs']} runs" if row["runs"] > 1 else ""


def _events(rows: Sequence[Row]) -> str:
    blind = [label(row) for row in rows if row["by_init_pmu"] and not any(map(_shows, row["by_init_pmu"].values()))]
    return f"The guest is shown none (PMCEID0 and PMCEID1 are 0) under {some(blind)}." if blind else ""


def _shows(view: Row) -> bool:
    return bool(view["pmceid0"] or view["pmceid1"])


def _clocks(rows: Sequence[Row]) -> str:
    kept = [row for row in rows if row["clock_error_ppm"]]
    if not kept:
        return ""
    worst, best = (end(kept, key=_median) for end in (max, min))
    equal = _median(worst) == _median(best)
    under = some(list(map(label, kept))) if equal else label(worst)
    text = f"Kept by the calibrated cycle rate it is wrong by {parts(_median(worst))} under {under}"
    if len(kept) == 1:
        return f"{text} (median over {averaged(kept)}, at the end)."
    if equal:
        return f"{text} (medians, at the end)."
    return f"{text}, the most, and by {parts(_median(best))} under {label(best)}, the least (medians, at the end)."


def _median(row: Row) -> float:
    return float(row["clock_error_ppm"]["median"])


def _ending(guest: Row, row: Row, several: bool) -> str:
    who = f"That of VM {guest['vm']}" if several else f"Under {label(row)} it"
    if guest["died_ns"] is None:
        return f"{who} is alive at the end."
    return f"{who} died at {duration(guest['died_ns'])}: {guest['outcome']}."


def most(rows: Iterable[Row], key: str) -> Row | None:
    """Return the row with the largest figure of a name; None where no row has one above 0."""
    return max((row for row in rows if row[key]), key=lambda row: row[key], default=None)
