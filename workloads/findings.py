"""What a guest program says it found: the table by which its reports become one figure a policy, with its meaning.

A guest reports totals of its own (`actions.Report`), each vCPU for itself; the last report of a key on a vCPU counts.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

COMBINE: Mapping[str, Callable[[Sequence[float]], float]] = MappingProxyType(
    {"sum": sum, "max": max, "min": min, "median": statistics.median}
)
"""How several values become one."""
UNITS = ("", "ns", "share", "ppm")


@dataclass(frozen=True, slots=True)
class Finding:
    """A figure made of one report key: first over the vCPUs of a run (`vcpus`), then over runs (`runs`).

    `per`: the figure is a ratio to that of another key; with `runs` "sum" of the sums, else of each run. `words` are
    values that are no number, as "not supported": they count only where no vCPU of any run has a number, and then the
    text is shown. `heading` is that of its column, over two lines; `unit` one of UNITS, "" for a count. `aside` names a
    share that has no column of its own: it stands in brackets behind this value where it is below 100 %.
    """

    name: str
    key: str
    heading: tuple[str, str]
    meaning: str
    vcpus: str = "sum"
    runs: str = "sum"
    per: str | None = None
    unit: str = ""
    words: Mapping[int, str] = field(default_factory=dict)
    aside: str | None = None


def check_findings(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return the findings of a guest, whose names differ, or raise ValueError."""
    for finding in findings:
        if finding.unit not in UNITS or not {finding.vcpus, finding.runs} <= COMBINE.keys():
            raise ValueError(f"finding {finding.name!r} has an unknown unit or combination")
    units = {finding.name: finding.unit for finding in findings}
    if len(units) < len(findings):
        raise ValueError(f"two findings have one name: {[finding.name for finding in findings]}")
    if any(units.get(finding.aside) != "share" for finding in findings if finding.aside is not None):
        raise ValueError(f"what stands in brackets must be a share among the findings: {sorted(units)}")
    return tuple(findings)


def keys_of(findings: Sequence[Finding]) -> frozenset[str]:
    """Return the report keys that findings are made of."""
    return frozenset(key for finding in findings for key in (finding.key, finding.per) if key is not None)
