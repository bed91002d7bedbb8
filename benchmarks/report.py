"""A benchmark result as plain text. Computes nothing."""

from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]


def text(result: Row) -> str:
    """Return the machine, one line a case, one line a peer, and the comparison when there is one."""
    machine = result["machine"]
    lines = [f"{machine['cpu']}, {machine['usable_cpus']} CPUs, Python {machine['python']}", ""]
    for case in result["cases"]:
        lines += case_lines(case)
    for row in result.get("against", ()):
        verdict = "SLOWER beyond noise" if row["slower"] else "no slowdown beyond noise"
        interval = f"[{row['low']:.2f} .. {row['high']:.2f}]"
        lines.append(f"{row['name']:<14} {row['speed']:.2f} x the other's speed {interval}: {verdict}")
    return "\n".join(lines)


def case_lines(case: Row) -> list[str]:
    """Return the lines of one case."""
    if case["median"] is None:
        return [f"{case['name']:<14} {case['band']:<10} skipped: {case['skipped']['']}"]
    values = [f"{case[key]:.3g}" for key in ("median", "low", "high")]
    head = f"{case['name']:<14} {case['band']:<10} {values[0]} {case['unit']} [{values[1]} .. {values[2]}]"
    others = [line for unit, found in case["also"].items() for line in other_lines(unit, found, case)]
    skipped = [f"    {'-':>8}   {peer}: {reason}" for peer, reason in case["skipped"].items()]
    facts = [f"    {name}: {fact(value)}" for name, value in case.get("facts", {}).items()]
    return [f"{head}, {case['runs']} runs{wanted(case['unit'], case)}", *ratio_lines(case), *others, *skipped, *facts]


def ratio_lines(case: Row) -> list[str]:
    """Return a line for each peer."""
    return [f"    {ratio:8.3g} x {peer_name(peer, case)}{wanted(peer, case)}" for peer, ratio in case["ratios"].items()]


def peer_name(peer: str, case: Row) -> str:
    """Return the peer's name, what kind of ratio it is, and from which case."""
    of_time = "the time of " if case["ratios_of"] == "time" else ""
    bound = ", a bound of the machine" if peer in case["bounds"] else ""
    origin = f" in {case['worst_of'][peer]}" if peer in case.get("worst_of", {}) else ""
    return f"{of_time}{peer}{bound}{origin}"


def other_lines(unit: str, found: Row, case: Row) -> list[str]:
    """Return the lines of the same runs in another unit."""
    values = f"    {found['median']:8.3g} {unit} [{found['low']:.3g} .. {found['high']:.3g}]{wanted(unit, case)}"
    return [values, *(f"      {ratio:8.3g} x {peer}, {unit}" for peer, ratio in found["ratios"].items())]


def wanted(name: str, case: Row) -> str:
    """Return what is wanted of a peer or unit, and whether it is met, in brackets."""
    bounds = [
        f"{word} {case[key][name]:g}"
        for key, word in (("targets", "at least"), ("limits", "at most"))
        if name in case[key]
    ]
    verdict = {True: ": met", False: ": NOT MET", None: ""}[case["met"].get(name)]
    return f"  (wanted {' and '.join(bounds)}{verdict})" if bounds else ""


def fact(value: object) -> str:
    """Return a fact of a case on one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {number}" for name, number in value.items())
    return str(value)
