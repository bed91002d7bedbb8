"""What the continuity plot shows of one vCPU under one policy, as plain arrays taken from a result's tables.

Nothing is drawn here, and nothing is simulated: `simcore.app.plotting` draws lanes, whoever made them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pmu.kernel import DISABLED
from simcore.errors import InputError
from simcore.platform import Platform
from simcore.result import Result
from simcore.scenario import check_vcpu

RATE_WINDOW_NS = 10_000_000
RATE_GUEST_NS = 1_000_000

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Table = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of time on one core type, in ns."""

    start_ns: int
    end_ns: int
    core: str


@dataclass(frozen=True, slots=True)
class Lane:
    """One vCPU under one policy: counted and true cycles since the first sample, and what happened when.

    `rate_mhz` and `true_mhz` are cycles per microsecond in the guest within windows that end at `rate_ns`; NaN where
    the guest hardly ran. `cores` are the platform's core types, smallest first. `clock_error` is a share (0.01: 1 %),
    at `clock_ns`. `enabled`: the guest ever had the cycle counter enabled. `stopped_ns`: when live migrations stopped
    the VM. `shadow_of` names the real policy in the lane of a shadow: what became of the guest, it became under that
    one.
    """

    policy: str
    backing: str
    seed: int
    vcpu: int
    end_ns: int
    t_ns: Ints
    counted: Ints
    true: Ints
    enabled: bool
    cores: tuple[str, ...]
    segments: tuple[Segment, ...]
    stalls_ns: tuple[tuple[int, int], ...]
    migrations_ns: Ints
    crossings_ns: Ints
    interrupts_ns: Ints
    died_ns: int | None
    outcome: str
    rate_ns: Ints
    rate_mhz: Floats
    true_mhz: Floats
    clock_ns: Ints
    clock_error: Floats
    stopped_ns: tuple[tuple[int, int], ...] = ()
    shadow_of: str = ""

    @property
    def fatal(self) -> bool:
        """Tell whether the guest died of what this lane shows."""
        return self.died_ns is not None and not self.shadow_of


def since_first(values: NDArray[np.uint64]) -> Ints:
    """Give how far a figure that never falls is above its first value."""
    return (values - values[:1]).astype(np.int64)


def core_names(platform: Platform) -> tuple[str, ...]:
    """Give the names of the core types, smallest capacity first."""
    ranked = sorted(zip(platform.capacities(), platform.cpus, strict=True), key=lambda pair: pair[0])
    return tuple(dict.fromkeys(platform.core(cpu.number).name for _, cpu in ranked))


def core_segments(migrations: Table, first_cpu: int, end_ns: int, platform: Platform) -> tuple[Segment, ...]:
    """Give the core types that one vCPU was placed on; neighbours of one type are one segment."""
    cpus = [first_cpu, *(int(cpu) for cpu in migrations["to_cpu"])]
    starts = [0, *(int(t_ns) for t_ns in migrations["t_ns"])]
    found: list[Segment] = []
    for cpu, start in zip(cpus, starts, strict=True):
        core = platform.core(cpu).name
        if found and found[-1].core == core:
            continue
        if found:
            found[-1] = Segment(found[-1].start_ns, start, found[-1].core)
        found.append(Segment(start, end_ns, core))
    return tuple(found)


def windowed_rate(t_ns: Ints, guest_ns: Ints, cycles: Ints, window_ns: int) -> tuple[Ints, Floats]:
    """Give cycles per microsecond in the guest for each window, NaN where it was in the guest for less than 1 ms."""
    if len(t_ns) < 2:
        return np.zeros(0, np.int64), np.zeros(0)
    edges = np.arange(int(t_ns[0]), int(t_ns[-1]) + 1, window_ns, dtype=np.int64)
    index = np.searchsorted(t_ns, edges, side="right") - 1
    spent = np.diff(guest_ns[index]).astype(float)
    gained = np.diff(cycles[index]).astype(float)
    busy = spent >= min(RATE_GUEST_NS, window_ns)
    return edges[1:], np.where(busy, 1000 * gained / np.where(busy, spent, 1), np.nan)


def lanes(result: Result, platform: Platform, vcpu: int) -> list[Lane]:
    """Give the lane of one vCPU under the real policy and under each shadow."""
    check_vcpu(result.scenario, vcpu)
    return [_lane(result, platform, vcpu, index) for index in range(len(policy_names(result)))]


def policy_names(result: Result, vm: int = 0) -> list[str]:
    """Name a VM's policies with their kernels, by number: the real one, then the shadows."""
    names: Any = result.summary["policies"]
    return [str(name) for name in names[vm]]


def run_names(results: Sequence[Result]) -> list[str]:
    """Name runs by the first VM's real policy, with the backing host PMU where a policy has several runs."""
    names = [policy_names(result)[0] for result in results]
    backing = [str(result.tables["guests"][0]["init_pmu"]) for result in results]
    return [
        f"{name}, {host}" if host and names.count(name) > 1 else name for name, host in zip(names, backing, strict=True)
    ]


def stalled_most(result: Result) -> int:
    """Give the number of the first VM's vCPU that stalled longest, the lowest of equals."""
    vpmus = result.tables["vpmus"]
    real = vpmus[(vpmus["policy"] == 0) & (vpmus["vcpu"] < result.scenario.vms[0].vcpus)]
    return int(real["vcpu"][np.argmax(real["stalled_ns"])])


def one_of_each_kind(found: Iterable[Lane]) -> list[Lane]:
    """Keep one lane of each kind of policy: the one with the most to show (a death, then stalls, then cycles)."""
    kinds: dict[str, Lane] = {}
    for lane in found:
        kind = lane.policy.partition("@")[0].partition(":")[0]
        if kind not in kinds or _telling(lane) > _telling(kinds[kind]):
            kinds[kind] = lane
    return list(kinds.values())


def _telling(lane: Lane) -> tuple[bool, int, int]:
    stalled = sum(end - start for start, end in lane.stalls_ns)
    return lane.fatal, stalled, int(lane.true[-1])


def _lane(result: Result, platform: Platform, vcpu: int, policy: int) -> Lane:
    names = policy_names(result)
    samples = _samples(result, vcpu, policy)
    t_ns, guest_ns = samples["t_ns"].astype(np.int64), samples["guest_ns"].astype(np.int64)
    counted, true = since_first(samples["counted"]), since_first(samples["guest_cycles"])
    end_ns = int(t_ns[-1])
    migrations = _of(result, "migrations", vcpu)
    crossings = migrations["crossing"].astype(bool)
    stalls = _of(result, "stalls", vcpu, policy)
    window = max(RATE_WINDOW_NS, int(np.median(np.diff(t_ns))))
    rate_ns, rate_mhz = windowed_rate(t_ns, guest_ns, counted, window)
    clock_ns, clock_error = _clock(result, vcpu)
    guest = result.tables["guests"][0]
    return Lane(
        policy=names[policy],
        backing=str(guest["init_pmu"]),
        seed=result.scenario.seed,
        vcpu=vcpu,
        end_ns=end_ns,
        t_ns=t_ns,
        counted=counted,
        true=true,
        enabled=bool((samples["category"] != DISABLED).any()) or bool(counted[-1]),
        cores=core_names(platform),
        segments=core_segments(migrations, first_cpu(migrations, samples), end_ns, platform),
        stalls_ns=tuple(
            (int(start), int(end)) for start, end in zip(stalls["start_ns"], stalls["end_ns"], strict=True)
        ),
        migrations_ns=migrations["t_ns"][~crossings].astype(np.int64),
        crossings_ns=migrations["t_ns"][crossings].astype(np.int64),
        interrupts_ns=_of(result, "interrupts", vcpu, policy)["t_ns"].astype(np.int64),
        died_ns=int(guest["died_ns"]) if int(guest["died_ns"]) >= 0 else None,
        outcome=str(guest["outcome"]),
        rate_ns=rate_ns,
        rate_mhz=rate_mhz,
        true_mhz=windowed_rate(t_ns, guest_ns, true, window)[1],
        clock_ns=clock_ns,
        clock_error=clock_error,
        stopped_ns=_stops(result),
        shadow_of=names[0] if policy else "",
    )


def _stops(result: Result) -> tuple[tuple[int, int], ...]:
    """Give when the first VM was stopped by live migrations."""
    lives = result.tables["live_migrations"]
    return tuple((int(row["t_ns"]), int(row["resumed_ns"])) for row in lives[lives["vm"] == 0])


def _of(result: Result, table: str, vcpu: int, policy: int | None = None) -> Table:
    """Select the rows of one vCPU, and of one policy where the table has that column."""
    rows: Table = result.tables[table]
    chosen = rows["vcpu"] == vcpu
    if policy is not None:
        chosen = chosen & (rows["policy"] == policy)
    selected: Table = rows[chosen]
    return selected


def _samples(result: Result, vcpu: int, policy: int) -> Table:
    """Give the samples from the first one on at which the guest had enabled the cycle counter."""
    samples = _of(result, "samples", vcpu, policy)
    enabled = np.flatnonzero(samples["category"] != DISABLED)
    chosen = samples[enabled[0] :] if len(enabled) else samples
    if len(chosen) < 2:
        raise InputError(
            f"no samples of vCPU {vcpu} to plot",
            why="the run recorded none",
            valid="run with --sample 1ms, and plot again",
        )
    return chosen


def first_cpu(migrations: Table, samples: Table) -> int:
    """Give the pCPU on which a vCPU's thread was first; 0 where it never was on any."""
    if len(migrations):
        return int(migrations["from_cpu"][0])
    placed = samples["cpu"][samples["cpu"] >= 0]
    return int(placed[0]) if len(placed) else 0


def _clock(result: Result, vcpu: int) -> tuple[Ints, Floats]:
    """Give the error of the guest's own clock over its busy time, at the times of its reports."""
    reports = _of(result, "reports", vcpu)
    clock, timer = (reports[reports["key"] == key] for key in ("clock_ns", "timer_ns"))
    size = min(len(clock), len(timer))  # a death may fall between the two reports
    passed = np.maximum(timer["value"][:size], 1)
    return clock["t_ns"][:size].astype(np.int64), clock["value"][:size] / passed - 1
