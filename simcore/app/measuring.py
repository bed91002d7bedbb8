"""A real log of a guest's counter laid over the simulated one: stalls in both, in one only, and the error in cycles."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simcore.app.measured_curve import curve
from simcore.app.measured_log import MeasuredLog
from simcore.app.trace_machine import Seat
from simcore.app.trace_steps import Recording
from simcore.errors import InputError
from simcore.result import Result
from simcore.units import NS_PER_S

Row = dict[str, Any]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
FIRST, CLOCK = "first", "clock"
SEEN = BOTH, MEASURED, SIMULATED = "both", "measured", "simulated"
DOUBTFUL_SHARE = 0.01
"""Share of the measured cycles where the trace has the vCPU outside of its guest, from which on it is said."""


@dataclass(frozen=True, slots=True, eq=False)
class Overlay:
    """One vCPU's log beside the replay: points of time, and cycles counted since the first of them."""

    log: MeasuredLog
    align: str
    vcpu: int
    t_ns: Ints
    """In ns since the trace began."""
    measured: Ints
    true: Ints
    """Cycles that the vCPU really executed in the guest, as replayed."""
    used: Bools
    """Of each interval between two points: whether it is compared."""
    policies: tuple["Compared", ...]
    outside_trace: int
    switched: int
    went_back: int
    notes: tuple[str, ...]

    def as_json(self) -> Row:
        """Give the object `measured` of `replay --json`."""
        least = min(row.distance for row in self.policies)
        return {
            "log": self.log.path,
            "vcpu": self.vcpu,
            "source": self.log.source,
            "levels": self.log.levels,
            "cntfrq_hz": self.log.cntfrq_hz,
            "align": self.align,
            "start_ns": int(self.t_ns[0]),
            "seconds": int(self.t_ns[-1] - self.t_ns[0]) / NS_PER_S,
            "samples": len(self.log.ns),
            "compared": int(np.count_nonzero(self.used)),
            "left_out": {"outside_trace": self.outside_trace, "switched": self.switched, "went_back": self.went_back},
            "spread_ns": self.log.spread_ns,
            "true_cycles": int(self.true[-1]),
            "counted_cycles": int(self.measured[-1]),
            "policies": [row.as_json() for row in self.policies],
            "closest": [row.label for row in self.policies if row.distance == least],
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """The log beside one policy."""

    label: str
    init_pmu: str
    counted: Ints
    """Cycles counted at each point, in the intervals that are compared."""
    error: int
    worst: int
    worst_ns: int
    distance: int
    """Sum over the intervals of the unsigned difference of the cycles counted in each."""
    true: int
    lost: tuple[int, int]
    """True cycles not counted: measured, simulated."""
    stretches: tuple[tuple[int, int, str], ...]
    """start_ns, end_ns of stalled time, and where: both, measured or simulated."""
    stalls: dict[str, int]
    """How many stalls are in both (those of the log that overlap one of the replay), in the log or the replay only."""

    def as_json(self) -> Row:
        """Give the row of this policy."""
        return {
            "policy": self.label,
            "init_pmu": self.init_pmu,
            "counted_cycles": int(self.counted[-1]),
            "error_cycles": self.error,
            "error_ppm": 1e6 * self.error / int(self.counted[-1]) if self.counted[-1] else None,
            "worst_error_cycles": self.worst,
            "worst_error_ns": self.worst_ns,
            "distance_cycles": self.distance,
            "distance_share": self.distance / self.true if self.true else None,
            "lost_measured": self.lost[0],
            "lost_simulated": self.lost[1],
            "stalls_both": self.stalls[BOTH],
            "stalls_measured_only": self.stalls[MEASURED],
            "stalls_simulated_only": self.stalls[SIMULATED],
            "stalled_ns": {key: sum(end - start for start, end, seen in self.stretches if seen == key) for key in SEEN},
            "stretches": [{"start_ns": start, "end_ns": end, "seen": seen} for start, end, seen in self.stretches],
        }


def overlay(
    log: MeasuredLog,
    align: str,
    vcpu: int | None,
    recording: Recording,
    seats: Sequence[Seat],
    results: Sequence[Result],
) -> Overlay:
    """Lay a log over a finished replay; `vcpu` is the log's CPU if not named."""
    number, offset = placed(log, align, vcpu, recording)
    t_ns = log.ns + offset
    inside = (t_ns >= 0) & (t_ns <= recording.seconds_ns)
    if np.count_nonzero(inside) < 2:
        first, last = (f"{(int(t) + recording.schedule.start_ns) / NS_PER_S:.6f}" for t in (t_ns[0], t_ns[-1]))
        ends = (recording.schedule.start_ns, recording.schedule.end_ns)
        why = f"the log, aligned, is from {first} s to {last} s, the trace from " + " to ".join(
            f"{t / NS_PER_S:.6f} s" for t in ends
        )
        raise InputError("the log does not overlap the trace", where=log.path, why=why, valid="another --align")
    gains = log.gains[inside][1:]
    switched = (np.diff(log.switches[inside]) != 0) & (log.source != "raw")
    back = gains < 0
    used = ~switched & ~back
    points = t_ns[inside]
    true = np.diff(curve(recording, number, np.zeros((0, 2), np.int64)).at(points))
    compared = tuple(
        _compared(recording, number, seat, result, points, gains, true, used)
        for seat, result in zip(seats, results, strict=True)
    )
    return Overlay(
        log=log,
        align=align,
        vcpu=number,
        t_ns=points,
        measured=_sums(gains, used),
        true=_sums(true, used),
        used=used,
        policies=compared,
        outside_trace=int(np.count_nonzero(~inside)),
        switched=int(np.count_nonzero(switched)),
        went_back=int(np.count_nonzero(back)),
        notes=tuple(_notes(log, recording, gains[used], true[used])),
    )


def placed(log: MeasuredLog, align: str, vcpu: int | None, recording: Recording) -> tuple[int, int]:
    """Return the vCPU of a log, and when its first sample was taken in ns since the trace began."""
    number = _vcpu(log, vcpu, len(recording.guests))
    return number, _offset(log, align, recording, number)


def _vcpu(log: MeasuredLog, vcpu: int | None, vcpus: int) -> int:
    number = log.cpu if vcpu is None else vcpu
    if number >= vcpus:
        why = f"its samples are of CPU {log.cpu} of the guest" if vcpu is None else ""
        raise InputError(f"there is no vCPU {number}", where=log.path, why=why, valid=f"--vcpu 0 to {vcpus - 1}")
    return number


def _offset(log: MeasuredLog, align: str, recording: Recording, vcpu: int) -> int:
    """Return when the first sample was taken, in ns since the trace began."""
    start_ns = recording.schedule.start_ns
    if align == FIRST:
        guest = recording.guests[vcpu]
        if not len(guest):
            raise InputError(f"vCPU {vcpu} is never in its guest", where="--align first", valid="clock, or seconds")
        return int(guest[0, 0]) - start_ns
    if align == CLOCK:
        return int(np.median(log.mono_ns - log.ns)) - start_ns
    return _seconds(align) - start_ns


def _seconds(text: str) -> int:
    """Return seconds with up to nine decimals as ns, exactly."""
    whole, _, rest = text.partition(".")
    if not (whole + rest).isdecimal() or not whole or len(rest) > 9 or len(whole) > 9:
        valid = f"{FIRST}, {CLOCK}, or the trace's time of the first sample in seconds, such as 259445.107"
        raise InputError(f"{text!r} does not align a log", where="--align", valid=valid)
    return int(whole) * NS_PER_S + int(rest.ljust(9, "0"))


def _compared(
    recording: Recording,
    vcpu: int,
    seat: Seat,
    result: Result,
    points: Ints,
    gains: Ints,
    true: Ints,
    used: Bools,
) -> Compared:
    stalls = result.tables["stalls"]
    own = stalls[stalls["vcpu"] == vcpu]
    holes = np.column_stack((own["start_ns"], own["end_ns"])).astype(np.int64)
    counted = np.diff(curve(recording, vcpu, holes).at(points))
    measured_sum, counted_sum = _sums(gains, used), _sums(counted, used)
    apart = measured_sum - counted_sum
    worst = int(np.argmax(np.abs(apart)))
    known = used & (true > 0)
    stalled = [(2 * row < true) & known for row in (gains, counted)]
    classes = {BOTH: stalled[0] & stalled[1], MEASURED: stalled[0] & ~stalled[1], SIMULATED: stalled[1] & ~stalled[0]}
    stretches = [(*row, seen) for seen, chosen in classes.items() for row in _stretches(points, chosen, known)]
    total = int(true[used].sum())
    return Compared(
        label=seat.pair.label,
        init_pmu=str(result.tables["guests"]["init_pmu"][0]),
        counted=counted_sum,
        error=int(apart[-1]),
        worst=int(apart[worst]),
        worst_ns=int(points[worst]),
        distance=int(np.abs(gains - counted)[used].sum()),
        true=total,
        lost=(total - int(measured_sum[-1]), total - int(counted_sum[-1])),
        stretches=tuple(sorted(stretches)),
        stalls=_matched(*(_stretches(points, row, known) for row in stalled)),
    )


def _sums(gains: Ints, used: Bools) -> Ints:
    """Return the running sum of the intervals that are compared, at each point."""
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(np.where(used, gains, 0))))


def _stretches(points: Ints, chosen: Bools, known: Bools) -> list[tuple[int, int]]:
    """Return the stretches of chosen intervals; intervals of which nothing is known do not part them."""
    found: list[tuple[int, int]] = []
    goes_on = False
    for place in np.flatnonzero(known).tolist():
        if chosen[place]:
            start = found.pop()[0] if goes_on else int(points[place])
            found.append((start, int(points[place + 1])))
        goes_on = bool(chosen[place])
    return found


def _matched(measured: Sequence[tuple[int, int]], simulated: Sequence[tuple[int, int]]) -> dict[str, int]:
    """Count stalls; one that overlaps a stall of the other side is in both, counted on the side of the log."""
    both = sum(_meets(stall, simulated) for stall in measured)
    return {
        BOTH: both,
        MEASURED: len(measured) - both,
        SIMULATED: sum(not _meets(stall, measured) for stall in simulated),
    }


def _meets(stretch: tuple[int, int], others: Sequence[tuple[int, int]]) -> bool:
    place = bisect_right(others, stretch[0], key=itemgetter(1))
    return place < len(others) and others[place][0] < stretch[1]


def _notes(log: MeasuredLog, recording: Recording, gains: Ints, true: Ints) -> list[str]:
    notes = []
    if log.cntfrq_hz != recording.platform.cntfrq_hz:
        notes.append(f"CNTFRQ_EL0 is {log.cntfrq_hz} in the log, {recording.platform.cntfrq_hz} on the platform")
    if log.levels == "el0":
        notes.append("the log's counter stands still at EL1: it lacks what the guest's kernel executed")
    if log.source == "cntvct":
        notes.append("the log has CNTVCT_EL0 for the counter: it only checks the way of the log")
    outside = int(gains[true == 0].sum())
    if outside > DOUBTFUL_SHARE * max(int(gains.sum()), 1):
        share = 100 * outside / int(gains.sum())
        notes.append(
            f"{share:.1f} % of the measured cycles are where the trace has the vCPU outside its guest: --align?"
        )
    return notes
