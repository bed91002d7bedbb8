"""The verdict of a comparison or a run in sentences made of its rows; figures are written as the tables write them."""

from collections.abc import Callable, Iterable, Sequence

from pmu.policies import kind_of
from simcore.app.columns import Row, count, duration, label, parts, percent
from simcore.app.report_words import counted, listed, sentence, some, spelled


def comparison_verdict(answer: Row) -> list[str]:
    """Return who dies and how often, what stalls, what pinning and reloads cost, and how wrong clocks are."""
    rows = [row for row in answer["policies"] if row["runs"]]
    if not rows:
        return ["No run was finished, so there is no verdict."]
    parts_of_it = (_deaths, _stalls, _pinning, _entries, _reloads, _events, _clocks)
    return [text for part in parts_of_it if (text := part(rows))]


def run_verdict(answer: Row, rows: Sequence[Row]) -> list[str]:
    """Return the same of a single run, which tells how its guests ended, not how often they do."""
    endings = [_ending(guest, row, len(rows) > 1) for guest, row in zip(answer["guests"], rows, strict=True)]
    once = "A single run tells no probability: hetpmu compare runs many seeds under each policy."
    texts = (part(rows) for part in (_stalls, _entries, _reloads, _events, _clocks))
    return [*endings, *(text for text in texts if text), once]


def stall_sentence(rows: Sequence[Row], named: Callable[[Row], str], verb: str) -> str:
    """Say under which rows the counter stands still, for how much of the time and how long at most."""
    stalled = sorted((row for row in rows if row["stalled_fraction"]), key=lambda row: -row["stalled_fraction"])
    steady = [row for row in rows if row["stalled_fraction"] == 0]
    never = [named(row) for row in rows if row["stalled_fraction"] is None]
    texts = []
    if stalled:
        texts.append(f"PMCCNTR_EL0 {verb} still under {some([_stalled(row, named) for row in stalled], 5)}.")
        if steady:
            texts.append(f"Under {_those(steady, named, rows)} it never does.")
    elif steady:
        texts.append(f"PMCCNTR_EL0 never {verb} still under {_those(steady, named, rows)}.")
    if never:
        texts.append(f"No guest has it enabled under {some(never)}.")
    return " ".join(texts)


def _stalled(row: Row, named: Callable[[Row], str]) -> str:
    return (
        f"{named(row)} for {percent(row['stalled_fraction'])} of the guest time in which it is enabled "
        f"(at longest {duration(row['longest_stall_ns'])})"
    )


def _those(rows: Sequence[Row], named: Callable[[Row], str], among: Sequence[Row]) -> str:
    """Name rows, or count them where they are many or all."""
    if len(rows) == len(among) > 1:
        return f"any of the {spelled(len(rows))} policies"
    return some([named(row) for row in rows])


def _deaths(rows: Sequence[Row]) -> str:
    died = sorted((row for row in rows if row["crashes"]), key=lambda row: -row["crash_probability"]["estimate"])
    lived = [row for row in rows if not row["crashes"]]
    if not died:
        return f"No guest died: {_safe(lived, rows)}."
    found = [
        f"under {label(row)} in {row['crashes']} of {counted(row['runs'], 'run')} ({_chance(row)})" for row in died
    ]
    first = f"Guests die {listed(found)}."
    return f"{first} {sentence(_safe(lived, rows))}" if lived else first


def _chance(row: Row) -> str:
    chance = row["crash_probability"]
    low, high = (f"{100 * chance[end]:.0f}" for end in ("low", "high"))
    return f"{percent(chance['estimate'])}, 95 % interval {low}-{high}%"


def _safe(lived: Sequence[Row], rows: Sequence[Row]) -> str:
    fewest = min(lived, key=lambda row: row["runs"])
    bound = f"95 % interval up to {100 * fewest['crash_probability']['high']:.0f}%"
    runs = f"{counted(fewest['runs'], 'run')}{' each' if len(lived) > 1 else ''}"
    if len(rows) == 1:
        return f"it outlived {runs} under {label(lived[0])} ({bound})"
    others = "all" if len(lived) == len(rows) else "the other"
    named = label(lived[0]) if len(lived) == 1 else f"{others} {spelled(len(lived))} policies"
    return f"under {named} all guests outlived {runs} ({bound})"


def _stalls(rows: Sequence[Row]) -> str:
    return stall_sentence(rows, label, "stands")


def _pinning(rows: Sequence[Row]) -> str:
    known = [row for row in rows if row["throughput"] is not None]
    pinned = sorted((row for row in known if _pins(row)), key=lambda row: row["throughput"])
    free = [row for row in known if not _pins(row)]
    if not pinned:
        return ""
    costs = [f"{row['throughput']:.3f} under {label(row)}{_early(row)}" for row in pinned]
    text = f"Pinning leaves, of the throughput of an unpinned VM without a PMU, {some(costs, 6)}."
    others = [f"{row['throughput']:.3f} under {label(row)}{_early(row)}" for row in free]
    return f"{text} Without pinning there is {some(others, 6)}." if others else text


def _pins(row: Row) -> bool:
    kind = kind_of(row["policy"].partition(":")[0])
    return kind is not None and bool(kind.pins)


def _early(row: Row) -> str:
    return " (some guests died, and count until then)" if row["crashes"] else ""


def _entries(rows: Sequence[Row]) -> str:
    failed = [row for row in rows if row["fail_entries"]]
    texts = [f"{count(row['fail_entries'])} times under {label(row)}" for row in failed]
    return f"KVM_RUN failed entry {listed(texts)}: vCPUs spin there instead of running." if texts else ""


def _reloads(rows: Sequence[Row]) -> str:
    paying = [row for row in rows if row["reloads"]]
    costs = [
        f"{label(row)} asked for {count(row['reloads'])} {'reload' if row['reloads'] == 1 else 'reloads'} at "
        f"{count(row['crossings'])} {'crossing' if row['crossings'] == 1 else 'crossings'}, and its host events cost "
        f"{duration(row['overhead_ns'])} of host time{_in_runs(row)}"
        for row in paying
    ]
    if not costs:
        return "No vCPU load asked for a reload."
    rest = [row for row in rows if not row["reloads"] and row["overhead_ns"]]
    most = max(rest, key=lambda row: row["overhead_ns"], default=None)
    beside = f" Host events cost at most {duration(most['overhead_ns'])} under those without reloads." if most else ""
    return f"{sentence(listed(costs))}{beside}"


def _in_runs(row: Row) -> str:
    return f" in {row['runs']} runs" if row["runs"] > 1 else ""


def _events(rows: Sequence[Row]) -> str:
    blind = [label(row) for row in rows if row["by_init_pmu"] and not any(map(_shows, row["by_init_pmu"].values()))]
    return f"The guest is shown no event (PMCEID0 and PMCEID1 are 0) under {some(blind)}." if blind else ""


def _shows(view: Row) -> bool:
    return bool(view["pmceid0"] or view["pmceid1"])


def _clocks(rows: Sequence[Row]) -> str:
    kept = [row for row in rows if row["clock_error_ppm"]]
    if not kept:
        return ""
    worst, best = (end(kept, key=_median) for end in (max, min))
    text = f"A clock kept by the calibrated cycle rate is wrong by {parts(_median(worst))} under {label(worst)}"
    if len(kept) == 1:
        return f"{text} (median over vCPUs and runs, at the end)."
    return f"{text}, the most, and {parts(_median(best))} under {label(best)}, the least (medians, at the end)."


def _median(row: Row) -> float:
    return float(row["clock_error_ppm"]["median"])


def _ending(guest: Row, row: Row, several: bool) -> str:
    who = f"The guest of VM {guest['vm']}" if several else f"The guest under {label(row)}"
    if guest["died_ns"] is None:
        return f"{who} is alive at the end."
    return f"{who} died at {duration(guest['died_ns'])}: {guest['outcome']}."


def most(rows: Iterable[Row], key: str) -> Row | None:
    """Return the row with the largest figure of a name; None where no row has one above 0."""
    return max((row for row in rows if row[key]), key=lambda row: row[key], default=None)
