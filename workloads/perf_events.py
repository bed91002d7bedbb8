"""The names that perf gives to events of arm64 PMUs, and the PMUv3 event numbers that they stand for."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pmu.events import EVENT_NAMES
from simcore.platform import CoreType

CYCLES, INSTRUCTIONS = 0x11, 0x08
PC_WRITE_RETIRED, BR_RETIRED = 0x0C, 0x21
BRANCHES = ("branches", "branch-instructions")
GENERIC: Mapping[str, int] = MappingProxyType(
    {
        "cycles": CYCLES,
        "cpu-cycles": CYCLES,
        "instructions": INSTRUCTIONS,
        "cache-references": 0x04,
        "cache-misses": 0x03,
        "branch-misses": 0x10,
        "bus-cycles": 0x1D,
        "stalled-cycles-frontend": 0x23,
        "idle-cycles-frontend": 0x23,
        "stalled-cycles-backend": 0x24,
        "idle-cycles-backend": 0x24,
        "l1-dcache-loads": 0x04,
        "l1-dcache-load-misses": 0x03,
        "l1-icache-loads": 0x14,
        "l1-icache-load-misses": 0x01,
        "dtlb-loads": 0x25,
        "dtlb-load-misses": 0x05,
        "itlb-loads": 0x26,
        "itlb-load-misses": 0x02,
        "llc-loads": 0x36,
        "llc-load-misses": 0x37,
        "branch-loads": 0x12,
        "branch-load-misses": 0x10,
    }
)
"""Linux' generic hardware and cache events: drivers/perf/arm_pmuv3.c. `branches` depends on the core type."""
APPLE: Mapping[str, int] = MappingProxyType(
    {"core_active_cycle": CYCLES, "inst_all": INSTRUCTIONS, "inst_branch": BR_RETIRED, "branch_mispred_nonspec": 0x22}
)
"""Apple's events that have a PMUv3 number: drivers/perf/apple_m1_cpu_pmu.c, m1_pmu_pmceid_map."""
SOFTWARE = frozenset(
    {
        "task-clock", "cpu-clock", "context-switches", "cs", "cpu-migrations", "migrations", "page-faults", "faults",
        "minor-faults", "major-faults", "alignment-faults", "emulation-faults", "cgroup-switches", "bpf-output",
        "dummy", "duration_time", "user_time", "system_time",
    }
)  # fmt: skip
"""Events and times of the kernel's or perf's own: no PMU counts them."""
ARCHITECTED: Mapping[str, int] = MappingProxyType({name.lower(): code for code, name in EVENT_NAMES.items()})

_WITH_PMU = re.compile(r"(?P<pmu>[\w.\-]+)/(?P<terms>[ -.0-~]*)/:?(?P<modifiers>[A-Za-z]*)")
_WITHOUT_PMU = re.compile(r"(?P<terms>[!-.0-9;-Z\\^-~]+)(?::(?P<modifiers>[A-Za-z]+))?(?:\s*\[(?P<pmu>[\w.\-]+)\])?")
_RAW = re.compile(r"r([0-9a-fA-F]{1,16})")
_NUMBER = re.compile(r"(?:event|config)=(0x[0-9a-fA-F]+|\d+)")
LEVELS = "ukG"
"""Modifiers that restrict what is counted; others (precision, pinning) do not matter here."""


@dataclass(frozen=True, slots=True)
class EventName:
    """An event as perf prints it: host PMU (None: not said), name or raw number, and the levels that it counts."""

    shown: str
    pmu: str | None
    name: str
    levels: str

    @property
    def software(self) -> bool:
        """Tell whether no PMU counts it."""
        return self.name in SOFTWARE


def parse_event(text: str) -> EventName | None:
    """Take the name of an event apart; None where it is not one."""
    match = _WITH_PMU.fullmatch(text.strip()) or _WITHOUT_PMU.fullmatch(text.strip())
    if match is None or not match["terms"]:
        return None
    modifiers = match["modifiers"] or ""
    return EventName(
        text.strip(), match["pmu"], _name(match["terms"]), "".join(level for level in LEVELS if level in modifiers)
    )


def _name(terms: str) -> str:
    """Return what names the event among the terms between the slashes: a raw number first, then the first word."""
    number = _NUMBER.search(terms)
    if number is not None:
        return f"r{int(number[1], 0):x}"
    return terms.partition(",")[0].strip().lower()


def event_number(name: str, core: CoreType) -> int | None:
    """Return the PMUv3 number that the name of an event means on a core type; None where it has none."""
    if (raw := _RAW.fullmatch(name)) is not None:
        return int(raw[1], 16) & 0xFFFF
    if name in BRANCHES:
        return next((event for event in (BR_RETIRED, PC_WRITE_RETIRED) if event in core.events), None)
    own = {title.lower(): number for number, title in core.event_names}
    for names in (GENERIC, own, ARCHITECTED, APPLE):
        if name in names:
            return names[name]
    return None
