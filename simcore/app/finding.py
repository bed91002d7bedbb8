"""From what the guests of single runs report to `guest_findings` of a row, and the blocks in which it is shown."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simcore.result import Result
from simcore.scenario import GuestSpec
from workloads.findings import COMBINE, Finding, keys_of
from workloads.guests import findings_of

Row = dict[str, Any]
Found = Mapping[str, tuple[int, ...]]
"""The last report of each vCPU that made one, by key."""


@dataclass(frozen=True, slots=True)
class FoundBlock:
    """What guests of one kind found, row by row, for a table."""

    guest: str
    findings: tuple[Finding, ...]
    rows: tuple[Row, ...]


def last_reports(result: Result, vm: int) -> dict[str, tuple[int, ...]]:
    """Return what a VM's vCPUs reported last, for the keys of which its guest's findings are made."""
    wanted = keys_of(findings_of(result.scenario.vms[vm].guest))
    vcpus, reports = result.tables["vcpus"], result.tables["reports"]
    own = frozenset(vcpus["vcpu"][vcpus["vm"] == vm].tolist())
    last: dict[str, dict[int, int]] = {}
    for vcpu, key, value in zip(
        reports["vcpu"].tolist(), reports["key"].tolist(), reports["value"].tolist(), strict=True
    ):
        if key in wanted and vcpu in own:
            last.setdefault(key, {})[vcpu] = value
    return {key: tuple(values[vcpu] for vcpu in sorted(values)) for key, values in last.items()}


def guest_findings(findings: Sequence[Finding], runs: Sequence[Found]) -> Row | None:
    """Return the figure of each finding over runs, None where nobody reported it; None for a guest without findings."""
    return {finding.name: _value(finding, runs) for finding in findings} if findings else None


def found_blocks(rows: Iterable[tuple[GuestSpec, Row]]) -> list[FoundBlock]:
    """Sort rows by guest, in the order in which guests come, leaving out guests that have no findings."""
    blocks: dict[GuestSpec, list[Row]] = {}
    for guest, row in rows:
        blocks.setdefault(guest, []).append(row)
    known = [(guest, findings_of(guest), tuple(rows)) for guest, rows in blocks.items()]
    return [FoundBlock(guest.name, findings, rows) for guest, findings, rows in known if findings]


def _value(finding: Finding, runs: Sequence[Found]) -> float | str | None:
    numbers = [pair for run in runs if (pair := _of_run(finding, run)) is not None]
    if numbers:
        return _over_runs(finding, numbers)
    words = [finding.words[value] for run in runs for value in run.get(finding.key, ()) if value in finding.words]
    return words[0] if words else None


def _of_run(finding: Finding, run: Found) -> tuple[float, float] | None:
    """Return a run's value and what it is divided by (1 where by nothing)."""
    above = _over_vcpus(finding, run.get(finding.key, ()))
    below = 1.0 if finding.per is None else _over_vcpus(finding, run.get(finding.per, ()))
    return None if above is None or not below else (above, below)


def _over_vcpus(finding: Finding, values: Sequence[int]) -> float | None:
    numbers = [value for value in values if value not in finding.words]
    return COMBINE[finding.vcpus](numbers) if numbers else None


def _over_runs(finding: Finding, pairs: Sequence[tuple[float, float]]) -> float:
    if finding.per is None:
        return COMBINE[finding.runs]([above for above, _ in pairs])
    if finding.runs == "sum":
        return sum(above for above, _ in pairs) / sum(below for _, below in pairs)
    return COMBINE[finding.runs]([above / below for above, below in pairs])
