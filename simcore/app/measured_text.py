"""A measured log beside a replay as plain text: at most 120 columns."""

from collections.abc import Sequence
from textwrap import TextWrapper
from typing import Any

from simcore.app.columns import NONE, WIDTH, Column, count, duration, percent, render

Row = dict[str, Any]


def _share(key: str) -> Any:
    return lambda row: percent(row[key] / row["true_cycles"] if row["true_cycles"] else None)


def _signed(key: str) -> Any:
    return lambda row: ("-" if row[key] < 0 else "") + count(abs(row[key]))


COLUMNS = (
    Column(("", "policy@kernel"), lambda row: row["policy"], left=True),
    Column(("backing", "host PMU"), lambda row: row["init_pmu"] or NONE, left=True),
    Column(("error,", "cycles"), _signed("error_cycles")),
    Column(("worst", "error"), _signed("worst_error_cycles")),
    Column(("", "apart"), lambda row: percent(row["distance_share"])),
    Column(("stalls", "in both"), lambda row: count(row["stalls_both"])),
    Column(("log", "only"), lambda row: count(row["stalls_measured_only"])),
    Column(("replay", "only"), lambda row: count(row["stalls_simulated_only"])),
    Column(("lost:", "log"), _share("lost_measured")),
    Column(("lost:", "replay"), _share("lost_simulated")),
)

LEGEND = (
    "error: the log's cycles less the simulated ones, at the end; worst: the largest on the way. apart: the unsigned",
    "differences between two samples, summed, of the cycles executed. A stall: samples between which less than half of",
    "the cycles executed is counted. lost: executed, but not counted.",
)


def measured_lines(measured: Row, colour: bool = False) -> list[str]:
    """Render the block of a log: its head, a row for each policy, and which of them is closest."""
    rows = [{**row, "true_cycles": measured["true_cycles"]} for row in measured["policies"]]
    closest = ", ".join(dict.fromkeys(measured["closest"]))
    table = render(COLUMNS, rows, colour)
    notes = [f"note: {note}" for note in measured["notes"]]
    return ["", *_wrapped([*_head(measured), *notes]), *table, "", *_wrapped([f"closest: {closest}"]), *LEGEND]


def _head(measured: Row) -> list[str]:
    left_out = measured["left_out"]
    reasons = {
        "outside_trace": "samples outside of the trace",
        "switched": "intervals in which the probe was switched",
        "went_back": "intervals in which the counter went back",
    }
    missing = [f"{left_out[key]} {text}" for key, text in reasons.items() if left_out[key]]
    counted, executed = count(measured["counted_cycles"]), count(measured["true_cycles"])
    start = f"from {duration(measured['start_ns'])} of the trace on" if measured["start_ns"] else "from its begin on"
    took = f"a sample takes up to {duration(measured['spread_ns'])}"
    return [
        f"The counter as measured: {measured['log']} ({measured['source']}) over vCPU {measured['vcpu']}, {start}",
        f"{measured['compared']} intervals in {measured['seconds']:.6f} s compared"
        + (f"; left out: {', '.join(missing)}" if missing else ""),
        f"the log counts {counted} cycles where the replay executes {executed}; {took}",
    ]


def _wrapped(lines: Sequence[str]) -> list[str]:
    fill = TextWrapper(WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    return [part for line in lines for part in fill.wrap(line)]
