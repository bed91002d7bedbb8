"""IPC and branch misses that others have posted for core types without a profile: what the rule for those is held to.

Reads data/measured/posted.csv: SPEC on twelve core types with the reference input, one line a build of the program.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from statistics import median


@dataclass(frozen=True, slots=True)
class Posted:
    """One program on one core type: medians over the builds that were posted.

    workload: the product's name of the program, whatever the suite; branch_mpki: mispredicted branches per 1000
    instructions, 0 where none were posted.
    """

    core: str
    posted_as: str
    workload: str
    khz: int
    ipc: float
    branch_mpki: float


def posted() -> Iterator[Posted]:
    """Return the posted figures of every core type and program."""
    text = (files("workloads") / "data" / "measured" / "posted.csv").read_text(encoding="utf-8")
    groups: dict[tuple[str, str, str], list[dict[str, str]]] = {}
    for row in csv.DictReader(text.splitlines()):
        groups.setdefault((row["core"], row["posted"], row["workload"]), []).append(row)
    for key, rows in groups.items():
        misses = [float(row["branch_mpki"]) for row in rows if row["branch_mpki"]]
        khz, ipc = (median(float(row[name]) for row in rows) for name in ("khz", "ipc"))
        yield Posted(*key, round(khz), ipc, median(misses) if misses else 0.0)
