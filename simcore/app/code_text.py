"""The account of a guest of real code as text for people."""

from collections.abc import Mapping
from typing import Any

from simcore.units import format_time_ns

_ENDED = {
    "off": "powered off",
    "reset": "asked for a reset",
    "hang": "hangs",
    "limit": "was stopped at its limit",
    "failed": "could not go on",
    "fail-entry": "cannot run",
}


def _backing(answer: Mapping[str, Any]) -> str:
    """Say which host PMU counts for the guest."""
    if answer["policy"] == "none":
        return "no PMU"
    if answer["policy"] == "fixed-counters-only" or answer["backing_pmu"] is None:
        return "counts on the PMU of each pCPU"
    return f"backed by {answer['backing_pmu']}"


def report(answer: Mapping[str, Any]) -> str:
    """Return the account; the console is not in it."""
    backing = _backing(answer)
    lines = [
        f"image     {answer['image']}",
        f"policy    {answer['policy']}@{answer['kernel']} on {answer['platform']}; {backing}",
        f"          PMCR_EL0.N {answer['nr_counters']}, migrations: {answer['migrate']}, seed {answer['seed']}",
        (
            f"guest     {_ENDED[answer['outcome']]}{': ' + answer['where'] if answer['where'] else ''}; "
            f"{_verdicts(answer['verdicts'])}; status {'none' if answer['status'] is None else answer['status']}"
        ),
    ]
    for vcpu in answer["vcpus"]:
        if vcpu["instructions"]:
            lines += _vcpu(vcpu)
    return "\n".join(lines)


def _verdicts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {word}" for word, count in counts.items())


def _stalls(row: Mapping[str, Any]) -> list[str]:
    if not row["stalls"]:
        return []
    total, longest = format_time_ns(row["stalled_ns"]), format_time_ns(row["longest_stall_ns"])
    return [f"          {row['stalls']} stalls, {total} of guest time, the longest {longest}"]


def _vcpu(row: Mapping[str, Any]) -> list[str]:
    work, ledger = row["work"], row["ledger"]
    spent = f"{format_time_ns(row['host_ns'])} in the host, {format_time_ns(row['idle_ns'])} in WFI"
    if row["waited_ns"]:
        spent += f", {format_time_ns(row['waited_ns'])} waiting for a pCPU"
    lost = {name: count for name, count in ledger.items() if count and name != "counted"}
    lines = [
        (
            f"vCPU {row['vcpu']}    {row['instructions']:,} instructions, {row['cycles']:,} cycles, "
            f"{format_time_ns(row['ns'])} ({spent})"
        ),
        (
            f"          {row['reads']} PMU reads, {row['writes']} writes, {row['undefined']} undefined, "
            f"{row['overflows']} overflows, {row['interrupts']} interrupts, {row['exceptions']} exceptions, "
            f"{row['waits']} WFI"
        ),
        (
            f"          {row['migrations']} migrations, {row['crossings']} crossings, {row['refused_moves']} kept by "
            f"pinning; {work['load_reloads']} reloads, {work['creations']} host events made"
        ),
        f"PMCCNTR   {ledger['counted']:,} cycles counted"
        + "".join(f", {count:,} {name.replace('_', ' ')}" for name, count in lost.items()),
        *_stalls(row),
    ]
    for total in row["by_pmu"]:
        missed = total["cycles"] - total["counted"]
        lines.append(
            f"  {total['host_pmu']:<22} {total['stretches']:>6} stretches {total['cycles']:>15,} cycles "
            f"{missed:>15,} not counted"
        )
    return lines
