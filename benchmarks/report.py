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
    ratios = [f"    {ratio:8.3g} x {peer}" for peer, ratio in case["ratios"].items()]
    skipped = [f"    {'-':>8}   {peer}: {reason}" for peer, reason in case["skipped"].items()]
    return [f"{head}, {case['runs']} runs", *ratios, *skipped]
