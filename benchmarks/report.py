"""A benchmark result as plain text. Computes nothing."""

from collections.abc import Mapping
from typing import Any


def text(result: Mapping[str, Any]) -> str:
    """Return the machine, one line a case, one line a peer, and the comparison when there is one."""
    machine = result["machine"]
    lines = [f"{machine['cpu']}, {machine['usable_cpus']} CPUs, Python {machine['python']}", ""]
    for case in result["cases"]:
        lines += case_lines(case)
    for row in result.get("against", ()):
        verdict = "slower beyond noise" if row["slower"] else "no slowdown beyond noise"
        lines.append(f"{row['name']}: {row['speed']:.2f} x the saved speed, {verdict}")
    return "\n".join(lines)


def case_lines(case: Mapping[str, Any]) -> list[str]:
    """Return the lines of one case."""
    values = [f"{case[key]:.3g}" for key in ("median", "low", "high")]
    head = f"{case['name']:<10} {case['band']:<10} {values[0]} {case['unit']} [{values[1]} .. {values[2]}]"
    targets = case["targets"]
    ratios = ratio_lines(case["ratios"], targets)
    others = [line for unit, found in case["also"].items() for line in other_lines(unit, found, targets)]
    skipped = [f"    {'-':>8}   {peer}: {reason}" for peer, reason in case["skipped"].items()]
    return [f"{head}, {case['runs']} runs{wanted(case['unit'], targets)}", *ratios, *others, *skipped]


def ratio_lines(ratios: Mapping[str, float], targets: Mapping[str, float]) -> list[str]:
    """Return a line for each peer."""
    return [f"    {ratio:8.3g} x {peer}{wanted(peer, targets)}" for peer, ratio in ratios.items()]


def other_lines(unit: str, found: Mapping[str, Any], targets: Mapping[str, float]) -> list[str]:
    """Return the lines of the same runs in another unit."""
    values = f"    {found['median']:8.3g} {unit} [{found['low']:.3g} .. {found['high']:.3g}]"
    return [values + wanted(unit, targets), *(f"  {line}, {unit}" for line in ratio_lines(found["ratios"], {}))]


def wanted(name: str, targets: Mapping[str, float]) -> str:
    """Return what is wanted of a peer or unit at least, in brackets."""
    return f" (wanted: {targets[name]:g})" if name in targets else ""
