"""The measured PMU profiles that come with the product: silicon, programs, and the rows as they were counted.

Reads data/measured: an index of the silicon and one CSV file for each. Nothing is fitted here.
"""

import csv
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from simcore.errors import InputError, unknown_name
from workloads.phase import CPU_CYCLES, INST_RETIRED

IN_ORDER_DESIGN = "cortex-a55"
FIXED_COLUMNS = 7
TIRED = 0.95
"""Below this share of its nominal cycles, the time asleep left out, a row ran slower than its file says (heat)."""

Program = tuple[str, str]
"""Suite and workload, as the source names them."""


@dataclass(frozen=True, slots=True)
class Silicon:
    """A measured core: its marketing name, device, SoC, CPU, and the design that it is derived from."""

    name: str
    file: str
    device: str
    soc: str
    cpu: int
    design: str

    @property
    def in_order(self) -> bool:
        """Tell whether it executes in order."""
        return self.design == IN_ORDER_DESIGN


@dataclass(frozen=True, slots=True)
class Profile:
    """One run of a program, pinned to one CPU at one fixed frequency: every event that counted, user and kernel.

    seconds: wall time (median, least, most) over the runs that the groups of six events took.
    """

    silicon: str
    suite: str
    workload: str
    khz: int
    seconds: tuple[float, float, float]
    counts: Mapping[int, int]
    source: str

    @property
    def cpi(self) -> float:
        """Return the cycles per instruction."""
        return self.counts[CPU_CYCLES] / self.counts[INST_RETIRED]

    @property
    def spread(self) -> float:
        """Return (most - least) / median of the wall time."""
        median, least, most = self.seconds
        return (most - least) / median

    def per_kinst(self, event: int) -> float:
        """Return the count of an event per 1000 instructions; 0 where it did not count."""
        return 1000 * self.counts.get(event, 0) / self.counts[INST_RETIRED]


def _index() -> Mapping[str, Any]:
    return tomllib.loads((files("workloads") / "data" / "measured" / "silicon.toml").read_text(encoding="utf-8"))


@cache
def event_codes() -> Mapping[str, int]:
    """Return the PMUv3 number of every event that some profile counted."""
    codes: Mapping[str, int] = _index()["events"]
    return codes


@cache
def event_names() -> Mapping[int, str]:
    """Return the name of every event that some profile counted."""
    return {code: name for name, code in event_codes().items()}


@cache
def silicon_table() -> tuple[Silicon, ...]:
    """Return the measured silicon, in the order in which it stands for others."""
    return tuple(Silicon(**row) for row in _index()["silicon"])


def find_silicon(name: str, where: str = "") -> Silicon:
    """Return the silicon of a marketing name."""
    for silicon in silicon_table():
        if silicon.name == name:
            return silicon
    raise unknown_name("silicon", name, (silicon.name for silicon in silicon_table()), where=where)


@cache
def profiles_of(name: str) -> Mapping[Program, tuple[Profile, ...]]:
    """Return the profiles of a silicon by program, each program's in ascending order of frequency."""
    silicon, index = find_silicon(name), _index()
    text = (files("workloads") / "data" / "measured" / silicon.file).read_text(encoding="utf-8")
    header, *lines = csv.reader(text.splitlines())
    codes = [index["events"][event] for event in header[FIXED_COLUMNS:]]
    found: dict[Program, list[Profile]] = {}
    for line in lines:
        profile = _profile(silicon.name, index["prefix"], codes, line)
        found.setdefault((profile.suite, profile.workload), []).append(profile)
    return {program: tuple(sorted(rows, key=lambda row: row.khz)) for program, rows in found.items()}


def _profile(silicon: str, prefix: str, codes: list[int], line: list[str]) -> Profile:
    suite, workload, khz, median, least, most, source = line[:FIXED_COLUMNS]
    counts = {code: int(field) for code, field in zip(codes, line[FIXED_COLUMNS:], strict=True) if field}
    seconds = (float(median), float(least), float(most))
    return Profile(silicon, suite, workload, int(khz), seconds, counts, prefix + source)


def find_profiles(silicon: str, suite: str, workload: str) -> tuple[Profile, ...]:
    """Return the profiles of a program on a silicon, in ascending order of frequency."""
    known = profiles_of(find_silicon(silicon, "--silicon").name)
    if (suite, workload) in known:
        return known[suite, workload]
    suites = {name for name, _ in known}
    if suite not in suites:
        raise unknown_name("suite", suite, suites, where=f"--suite, {silicon}")
    names = {name for of, name in known if of == suite}
    raise unknown_name("workload", workload, names, where=f"--workload, {suite} on {silicon}")


def frequencies(silicon: str) -> tuple[int, ...]:
    """Return the frequencies in kHz at which a silicon was measured, ascending."""
    return tuple(sorted({row.khz for rows in profiles_of(silicon).values() for row in rows}))


def check_frequency(silicon: str, khz: int) -> None:
    """Refuse a frequency outside the range in which the silicon was measured."""
    known = frequencies(silicon)
    if not known[0] <= khz <= known[-1]:
        measured = ", ".join(map(str, known))
        raise InputError(
            f"{khz} kHz is outside the range of {silicon}",
            where="--freq-khz",
            valid=f"{known[0]} to {known[-1]} kHz (measured: {measured})",
        )


def running_khz(rows: tuple[Profile, ...]) -> tuple[float, ...]:
    """Return the frequency in kHz at which each row of a program really ran: the nominal one, but for throttled rows.

    The wall time beyond the cycles' is time asleep (I/O); a program sleeps as long at every frequency, so that of the
    row with the least is taken from all. What then still lacks cycles at the highest frequency was throttled by heat.
    """
    asleep = max(0.0, min(row.seconds[0] - row.counts[CPU_CYCLES] / (1000 * row.khz) for row in rows))
    last = rows[-1]
    share = last.counts[CPU_CYCLES] / (1000 * last.khz * (last.seconds[0] - asleep))
    nominal = tuple(float(row.khz) for row in rows)
    return (*nominal[:-1], nominal[-1] * share) if share < TIRED else nominal
