"""A workload that was imported, as the text of its file and as a table for people. Nothing is computed here."""

import json
from collections.abc import Sequence
from typing import Any

from pmu.events import EVENT_NAMES
from simcore.app.columns import table
from simcore.schema_workload import RatesTable, WorkloadFile

CYCLES, INSTRUCTIONS = "0x0011", "0x0008"


def workload_text(workload: WorkloadFile, command: str, notes: Sequence[str]) -> str:
    """Return the text of the workload's file, with a source beside each number."""
    lines = [
        f"# written by {command}",
        *(f"# note: {_comment(note)}" for note in notes),
        f"format = {_quoted(workload.format)}",
        f"name = {_quoted(workload.name)}",
        f"title = {_quoted(workload.title)}",
        f"level = {workload.level}  # the exception level that all of it runs at (assumed)",
        f"burst_cv = {workload.burst_cv!r}  # assumed: counts are totals of a whole run",
    ]
    for rates in workload.rates:
        lines += _rates(rates)
    return "\n".join([*lines, ""])


def _rates(rates: RatesTable) -> list[str]:
    lines = ["", "[[rates]]", f"core = {_quoted(rates.core)}"]
    if rates.estimate:
        lines.append(f"estimate = {_quoted(rates.estimate)}")
    if rates.measured_on:
        lines.append(f"measured_on = {_quoted(rates.measured_on)}")
    if rates.freq_khz is not None:
        lines.append(f"freq_khz = {rates.freq_khz}")
    if rates.freq_source:
        lines.append(f"freq_source = {_quoted(rates.freq_source)}")
    lines += [
        f"core_cpi = {rates.core_cpi!r}  # {_comment(_origin(rates))}",
        f"stall_ns_per_inst = {rates.stall_ns_per_inst!r}",
        f"stall_source = {_quoted(rates.stall_source)}",
    ]
    if rates.counts:
        lines += ["counts = [", *(f"  {_count(row)}," for row in rates.counts), "]"]
    return [*lines, "[rates.events]", *(_event(rates, code, rate) for code, rate in rates.events.items())]


def _origin(rates: RatesTable) -> str:
    """Say where the CPI comes from."""
    if rates.estimate:
        return "estimated"
    return f"cycles / instructions: {_sources(rates, CYCLES)} / {_sources(rates, INSTRUCTIONS)}"


def _sources(rates: RatesTable, code: str) -> str:
    return ", ".join(row.source for row in rates.counts if row.code == code)


def _count(row: Any) -> str:
    percent = "" if row.running_percent is None else f", running_percent = {row.running_percent!r}"
    return (
        f'{{ code = "{row.code}", '
        f"event = {_quoted(row.event)}, count = {row.count!r}{percent}, source = {_quoted(row.source)} }}"
    )


def _event(rates: RatesTable, code: str, rate: float) -> str:
    name = EVENT_NAMES.get(int(code, 16), "")
    return f"{code} = {rate!r}  # {name}: {_comment(_sources(rates, code) or rates.estimate or '')}"


def _comment(text: str) -> str:
    """Return what a TOML comment may hold: no control characters, which names of files may have."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _quoted(text: str) -> str:
    """Return a TOML basic string; JSON's escapes are TOML's, but for the characters that TOML wants escaped too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def summary(workload: WorkloadFile, notes: Sequence[str]) -> str:
    """Return a table of the rates and the notes below it."""
    rows = [
        (
            rates.core,
            "estimate" if rates.estimate else rates.measured_on,
            *_cpi(rates),
            "-" if rates.freq_khz is None else f"{rates.freq_khz / 1e6:.3f}",
            f"{rates.stall_ns_per_inst:.3f}",
            len(rates.events),
        )
        for rates in workload.rates
    ]
    head = ("core type", "measured on", "IPC", "CPI", "GHz", "stall ns", "events")
    return "\n".join([table(head, rows), *(f"note: {note}" for note in notes)])


def _cpi(rates: RatesTable) -> tuple[str, str]:
    """Return IPC and CPI at the frequency that is known, or what there is without one."""
    if rates.freq_khz is None and rates.stall_ns_per_inst:
        return "-", f"{rates.core_cpi:.3f} + {rates.stall_ns_per_inst:.3f} * GHz"
    cpi = rates.core_cpi + rates.stall_ns_per_inst * (rates.freq_khz or 0) / 1e6
    return f"{1 / cpi:.3f}", f"{cpi:.3f}"
