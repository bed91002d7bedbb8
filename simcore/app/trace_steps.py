"""From a recorded schedule to the steps that the compiled host replays, and the platform that it runs on.

Times of a replay begin with the trace: step times are ns since its first event.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scheduler import kernel_replay as kr
from scheduler.kernel_state import OTHER_CAUSE, QUEUED, SLEEPING, WAKEUP
from simcore.app.schedule import Finding, Rows, Schedule, ThreadSchedule
from simcore.platform import Opp, PerfDomain, Platform

LOWEST_KHZ, HIGHEST_KHZ = 1_000, 10_000_000
"""Recorded frequencies outside of these are taken for errors."""

# at one ns: frequencies, then what ends, runs without length, and what begins
_FREQUENCY, _LEAVE, _OFF, _POINT, _ON, _ENTER = range(6)

REPLAY_FINDINGS: Final = {
    "no-first-frequency": "no frequency is recorded up to here; the perf domain runs at its top OPP",
    "not-an-opp": "a recorded frequency is no OPP of the platform; it is replayed as recorded, and energy is unknown",
    "impossible-frequency": "a recorded frequency below 1 MHz or above 10 GHz; left out",
    "domain-disagrees": "CPUs of one perf domain had different frequencies; the domain takes the last change",
    "guest-outside-run": "guest time while the thread did not run there; left out",
}
"""What each kind of finding means that only a replay makes."""

REPLAY_AMOUNTS: Final = dict.fromkeys(("no-first-frequency", "domain-disagrees", "guest-outside-run"), "ns")


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A schedule made ready for a platform: its steps, the guest time of each thread, and what was found on the way."""

    schedule: Schedule
    platform: Platform
    steps: NDArray[np.int64]
    """Rows of `scheduler.kernel_replay`; thread t is vCPU t, and thread (vCPUs + c) all others on CPU c."""
    guests: tuple[Rows, ...]
    """[start_ns, end_ns, cpu] of each thread within the guest, in the trace's time."""
    findings: tuple[Finding, ...]

    @property
    def seconds_ns(self) -> int:
        """Return the length of the trace."""
        return self.schedule.end_ns - self.schedule.start_ns


def prepare(schedule: Schedule, platform: Platform) -> Recording:
    """Make a schedule ready to be replayed on a platform."""
    changes = [_domain_changes(schedule, domain) for domain in platform.perf_domains]
    recorded = [sorted({khz for _, khz in steps}) for steps, _ in changes]
    guests = tuple(_within(thread.guest, thread.runs) for thread in schedule.threads)
    findings = [finding for _, found in changes for finding in found]
    lost = sum(thread.guest_ns - _length(guest) for thread, guest in zip(schedule.threads, guests, strict=True))
    if lost:
        findings.append(Finding("guest-outside-run", 1, (), lost))
    extended = _with_opps(platform, recorded)
    extra = sum(len(new.opps) - len(old.opps) for new, old in _domains(extended, platform))
    if extra:
        findings.append(Finding("not-an-opp", extra, ()))
    return Recording(
        schedule=schedule,
        platform=extended,
        steps=_steps(schedule, platform, [steps for steps, _ in changes], guests),
        guests=guests,
        findings=tuple(_together(findings)),
    )


def _together(findings: Sequence[Finding]) -> list[Finding]:
    kinds = {finding.kind: [other for other in findings if other.kind == finding.kind] for finding in findings}
    return [
        Finding(kind, sum(found.count for found in group), (), sum(found.amount for found in group))
        for kind, group in kinds.items()
    ]


# --- frequencies ----------------------------------------------------------------------------------------


def _domain_changes(schedule: Schedule, domain: PerfDomain) -> tuple[list[tuple[int, int]], list[Finding]]:
    """Return the (time, kHz) steps of a perf domain, and what is wrong with them."""
    changes = [(t_ns, cpu, khz) for cpu in domain.cpus for t_ns, khz in schedule.cpus[cpu].frequencies.tolist()]
    recorded = sorted(changes, key=lambda change: change[:2])
    usable = [row for row in recorded if LOWEST_KHZ <= row[2] <= HIGHEST_KHZ]
    findings = []
    if len(usable) < len(recorded):
        findings.append(Finding("impossible-frequency", len(recorded) - len(usable), ()))
    first_ns = usable[0][0] if usable else schedule.end_ns
    if first_ns > schedule.start_ns:
        findings.append(Finding("no-first-frequency", 1, (), first_ns - schedule.start_ns))
    differing = _differing_ns(usable, schedule.end_ns)
    if differing:
        findings.append(Finding("domain-disagrees", 1, (), differing))
    before = [(schedule.start_ns, domain.max_khz)] if first_ns > schedule.start_ns else []
    steps = [*before, *((t_ns, khz) for t_ns, _, khz in usable)]
    return [step for n, step in enumerate(steps) if not n or step[1] != steps[n - 1][1]], findings


def _differing_ns(recorded: Sequence[tuple[int, int, int]], end_ns: int) -> int:
    """Return how long the CPUs of a perf domain had different frequencies."""
    present: dict[int, int] = {}
    since, total = end_ns, 0
    for t_ns, cpu, khz in recorded:
        if len(set(present.values())) > 1:
            total += t_ns - since
        since, present[cpu] = t_ns, khz
    return total + (end_ns - since if len(set(present.values())) > 1 else 0)


def _with_opps(platform: Platform, recorded: Sequence[Sequence[int]]) -> Platform:
    """Return the platform with an OPP for each recorded frequency that it lacks; a new one has no voltage."""
    domains = []
    for domain, frequencies in zip(platform.perf_domains, recorded, strict=True):
        known = {opp.khz: opp for opp in domain.opps}
        known |= {khz: Opp(khz) for khz in frequencies if khz not in known}
        domains.append(dataclasses.replace(domain, opps=tuple(known[khz] for khz in sorted(known))))
    return dataclasses.replace(platform, perf_domains=tuple(domains))


def _domains(one: Platform, other: Platform) -> "zip[tuple[PerfDomain, PerfDomain]]":
    return zip(one.perf_domains, other.perf_domains, strict=True)


# --- guest time -----------------------------------------------------------------------------------------


def _within(guest: Rows, runs: Rows) -> Rows:
    """Return the stretches of guest time that lie within a run on the same CPU, with those without length left out."""
    if not len(guest) or not len(runs):
        return guest[:0]
    runs = runs[runs[:, 1] > runs[:, 0]]
    first = np.searchsorted(runs[:, 1], guest[:, 0], side="right")
    found = np.maximum(np.searchsorted(runs[:, 0], guest[:, 1], side="left") - first, 0)
    index = np.repeat(np.arange(len(guest)), found)
    run = first[index] + np.arange(len(index)) - np.repeat(np.cumsum(found) - found, found)
    parts = np.column_stack(
        (np.maximum(guest[index, 0], runs[run, 0]), np.minimum(guest[index, 1], runs[run, 1]), guest[index, 2])
    )
    kept: Rows = parts[(parts[:, 1] > parts[:, 0]) & (runs[run, 2] == parts[:, 2])]
    return kept


def _length(table: Rows) -> int:
    return int((table[:, 1] - table[:, 0]).sum())


# --- steps ----------------------------------------------------------------------------------------------


def _steps(
    schedule: Schedule, platform: Platform, changes: Sequence[Sequence[tuple[int, int]]], guests: Sequence[Rows]
) -> NDArray[np.int64]:
    """Return all steps in the order in which they happen."""
    threads = len(schedule.threads)
    rows = [
        _rows([t for t, _ in steps], _FREQUENCY, 0, kr.FREQUENCY, domain, 0, [khz for _, khz in steps])
        for domain, steps in enumerate(changes)
    ]
    for number, (thread, guest) in enumerate(zip(schedule.threads, guests, strict=True)):
        rows += _thread_rows(number, thread)
        rows.append(_rows(guest[:, 0], _ENTER, 0, kr.ENTER_GUEST, guest[:, 2], number, 0))
        rows.append(_rows(guest[:, 1], _LEAVE, 0, kr.LEAVE_GUEST, guest[:, 2], number, 0))
    points = [thread.runs[thread.runs[:, 0] == thread.runs[:, 1]] for thread in schedule.threads]
    instants = np.concatenate(points)
    for number, cpu in enumerate(schedule.cpus):
        others = _split(cpu.others, instants[instants[:, 2] == number, 0])
        rows.append(_rows(others[:, 0], _ON, 0, kr.ON, number, threads + number, 0))
        rows.append(_rows(others[:, 1], _OFF, 0, kr.OFF, number, threads + number, QUEUED))
    table = np.concatenate(rows)
    t_ns, group, place, kind, where, what, value = table.T
    order = np.lexsort((what, where, place, group, t_ns))
    return np.ascontiguousarray(np.column_stack((t_ns - schedule.start_ns, kind, where, what, value))[order])


def _thread_rows(number: int, thread: ThreadSchedule) -> list[NDArray[np.int64]]:
    """Return the steps on to and off CPUs; a move since a run at whose end the thread blocked came with a wakeup."""
    start, end, cpu = thread.runs.T
    blocked = np.concatenate(([False], ~thread.runnable[:-1]))
    cause = np.where(blocked, WAKEUP, OTHER_CAUSE)
    state = np.where(thread.runnable, QUEUED, SLEEPING)
    point = start == end
    place = np.arange(len(start)) * 2
    return [
        _rows(start, np.where(point, _POINT, _ON), np.where(point, place, 0), kr.ON, cpu, number, cause),
        _rows(end, np.where(point, _POINT, _OFF), np.where(point, place + 1, 0), kr.OFF, cpu, number, state),
    ]


def _rows(*columns: object) -> NDArray[np.int64]:
    """Return columns of one length, the first one's, as rows; a column may be one number."""
    length = len(np.atleast_1d(np.asarray(columns[0])))
    return np.column_stack([np.broadcast_to(np.asarray(column, np.int64), (length,)) for column in columns])


def _split(intervals: Rows, instants: NDArray[np.int64]) -> Rows:
    """Return intervals parted at each instant within one of them."""
    if not len(intervals) or not len(instants):
        return intervals
    at = np.searchsorted(intervals[:, 0], instants, side="left") - 1
    inside = np.unique(instants[(at >= 0) & (instants < intervals[at, 1])])
    edges = np.sort(np.concatenate((intervals.ravel(), inside, inside)))
    parts: Rows = edges.reshape(-1, 2)
    return parts
