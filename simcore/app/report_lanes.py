"""What the interactive plot of a report shows: lanes by policy and vCPU, thinned, as numbers for its script.

A lane has `t` (multiples of `step` ns), `c` counted and `g` true cycles as first value and differences, `away` the
largest distance of a sample from the lines drawn, in cycles; `enabled` if the counter ever was; `off` stalls, `stop`
live migrations and `on` core types as spans in ns; `moves`, `crossings`, `interrupts`; `rate` in MHz and `clock` errors
in ppm by their times in ns; `died`, when the guest did, of what `outcome` says, under the policy `shadow_of` where the
lane is of a shadow.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simcore.app.columns import Row, count, label, percent
from simcore.app.lanes import Lane, Segment, lanes, one_of_each_kind, policy_names, since_first, stalled_most
from simcore.app.report_blocks import Plot, Table
from simcore.app.report_curves import common_step, extremes, kept_points, merged, steps_of, thinned
from simcore.app.report_tables import plain_table
from simcore.errors import InputError
from simcore.platform import Platform
from simcore.result import Result

Samples = NDArray[np.void]
ALL_POINTS, FEWEST, MOST = 48_000, 150, 3_000
"""Points of all lanes together, and of one lane at least and at most."""
SPANS, MARKS, WINDOWS = 600, 600, 600
MOST_LANES = 320
SHOWN = 5
VIEWS = (
    ("cycles", "PMCCNTR_EL0 and true cycles"),
    ("lost", "cycles not counted"),
    ("rate", "rate in MHz"),
    ("clock", "the guest's clock error"),
)
WATCHED_VIEWS = (("cycles", "PMCCNTR_EL0"),)
AXES = (("time", "time"), ("true", "true cycles"))
LEGEND = (
    ("line-counted", "PMCCNTR_EL0, as the guest counts"),
    ("line-true", "cycles really executed in the guest"),
    ("band-off", "stall: runs, enabled, does not count"),
    ("tick-crossing", "crossing (long), other migration (short)"),
    ("tick-interrupt", "overflow interrupt"),
    ("tick-death", "guest died"),
)
CORES = 4


def plot_of(results: Sequence[Result], platform: Platform) -> tuple[Plot | None, Table | None]:
    """Return the plot of the first VM's vCPUs in some runs of one scenario, and the figures of its lanes.

    None where no samples were recorded.
    """
    vcpus = results[0].scenario.vms[0].vcpus
    found = {vcpu: _lanes(results, platform, vcpu) for vcpu in _chosen(results, vcpus)}
    found = {vcpu: known for vcpu, known in found.items() if known}
    if not found:
        return None, None
    first = stalled_most(results[0])
    first = first if first in found else min(found)
    names = [_name(lane) for lane in found[first]]
    kept = {id(lane) for lane in one_of_each_kind(found[first])[:SHOWN]}
    shown = [(name, id(lane) in kept) for name, lane in zip(names, found[first], strict=True)]
    cores = list(found[first][0].cores)
    most = min(MOST, max(FEWEST, ALL_POINTS // sum(map(len, found.values()))))
    drawn = {str(vcpu): [_drawn(lane, cores, most) for lane in known] for vcpu, known in found.items()}
    data = {"cores": cores, "policies": [name for name, _ in shown], "lanes": drawn}
    legend = [*LEGEND, *((f"core-{number % CORES}", f"on {core}") for number, core in enumerate(cores))]
    if any(lane.stopped_ns for lane in found[first]):
        legend.append(("band-stopped", "VM stopped: live migration"))
    plot = Plot(data, tuple(shown), tuple(found), first, VIEWS, AXES, tuple(legend))
    return plot, _figures(names, found, drawn)


def watched_plot(table: Samples | None, answer: Row) -> Plot | None:
    """Return the plot of the counters that `watch --step` kept; None without its samples."""
    if table is None or not len(table):
        return None
    end_ns = round(answer["seconds"] * 1e9)
    policies = [label(row) + (f", {row['init_pmu']}" if row["init_pmu"] else "") for row in answer["policies"]]
    vcpus = np.unique(table["vcpu"]).tolist()
    most = min(MOST, max(FEWEST, ALL_POINTS // max(1, len(policies) * len(vcpus))))
    drawn = {
        str(vcpu): [_watched(table, vcpu, number, end_ns, most) for number in range(len(policies))] for vcpu in vcpus
    }
    data = {"cores": [], "policies": policies, "lanes": drawn}
    shown = tuple((name, number < SHOWN) for number, name in enumerate(policies))
    return Plot(data, shown, tuple(vcpus), vcpus[0], WATCHED_VIEWS, AXES[:1], LEGEND[:1])


def _chosen(results: Sequence[Result], vcpus: int) -> list[int]:
    """Return the vCPUs that are shown: of many those that stall longest under the first policy."""
    lanes_each = sum(len(policy_names(result)) for result in results)
    most = max(1, MOST_LANES // lanes_each)
    if vcpus <= most:
        return list(range(vcpus))
    vpmus = results[0].tables["vpmus"]
    stalled = vpmus["stalled_ns"][(vpmus["policy"] == 0) & (vpmus["vcpu"] < vcpus)]
    return sorted(np.argsort(-stalled, kind="stable")[:most].tolist())


def _lanes(results: Sequence[Result], platform: Platform, vcpu: int) -> list[Lane]:
    """Return a vCPU's lanes; none where a run recorded no samples of it."""
    try:
        return [lane for result in results for lane in lanes(result, platform, vcpu)]
    except InputError:
        return []


def _name(lane: Lane) -> str:
    """Name a lane by policy, with whose shadow it is and the backing host PMU where these say something."""
    known = not lane.backing or lane.backing in lane.policy
    shadow = f", shadow of {lane.shadow_of}" if lane.shadow_of else ""
    return lane.policy + shadow + ("" if known else f", VCPU_INIT drew {lane.backing}")


def _drawn(lane: Lane, cores: Sequence[str], most: int) -> dict[str, Any]:
    ends = np.array([end for stall in lane.stalls_ns[:SPANS] for end in stall], dtype=np.int64)
    kept, away = kept_points(lane.t_ns, (lane.counted, lane.true), most, ends[: most // 4])
    step = common_step(lane.t_ns[kept])
    rates, clock = extremes(lane.rate_mhz, WINDOWS), extremes(lane.clock_error, WINDOWS)
    return {
        "end": lane.end_ns,
        "step": step,
        "t": steps_of(lane.t_ns[kept] // step),
        "c": steps_of(lane.counted[kept]),
        "g": steps_of(lane.true[kept]),
        "samples": len(lane.t_ns),
        "enabled": lane.enabled,
        "away": round(away),
        "off": merged(lane.stalls_ns, SPANS, lane.end_ns),
        "stop": list(lane.stopped_ns),
        "on": _stays(lane.segments, cores, lane.end_ns),
        "moves": thinned(lane.migrations_ns, MARKS, lane.end_ns),
        "crossings": thinned(lane.crossings_ns, MARKS, lane.end_ns),
        "interrupts": thinned(lane.interrupts_ns, MARKS, lane.end_ns),
        "died": lane.died_ns,
        "outcome": lane.outcome,
        "shadow_of": lane.shadow_of,
        "rate": {
            "t": [int(t) for t in lane.rate_ns[rates]],
            "c": _rounded(lane.rate_mhz[rates]),
            "g": _rounded(lane.true_mhz[rates]),
        },
        "clock": {
            "t": [int(t) for t in lane.clock_ns[clock]],
            "c": [round(1e6 * float(error)) for error in lane.clock_error[clock]],
        },
    }


def _watched(table: Samples, vcpu: int, policy: int, end_ns: int, most: int) -> dict[str, Any]:
    rows = table[(table["vcpu"] == vcpu) & (table["policy"] == policy)]
    t_ns, counted = rows["t_ns"].astype(np.int64), since_first(rows["counted"])
    kept, away = kept_points(t_ns, (counted,), most, np.zeros(0, dtype=np.int64))
    step = common_step(t_ns[kept])
    bare: Mapping[str, Any] = {name: [] for name in ("off", "stop", "on", "moves", "crossings", "interrupts")}
    curve = {"step": step, "t": steps_of(t_ns[kept] // step), "c": steps_of(counted[kept]), "g": None, "enabled": True}
    return {
        "end": end_ns,
        **curve,
        "samples": len(rows),
        "away": round(away),
        **bare,
        "died": None,
        "outcome": "",
        "shadow_of": "",
    }


def _stays(segments: Sequence[Segment], cores: Sequence[str], end_ns: int) -> list[tuple[int, int]]:
    """Return (from when, core type) of the stretches on one core type; of very many only those of some length."""
    shortest = end_ns // SPANS if len(segments) > SPANS else 0
    long = [segment for segment in segments if segment.end_ns - segment.start_ns >= shortest]
    return [(segment.start_ns, cores.index(segment.core)) for segment in long]


def _rounded(values: NDArray[np.float64]) -> list[float | None]:
    return [None if np.isnan(value) else round(float(value), 1) for value in values]


def _share(lane: Lane) -> str:
    """Return the share of its cycles that a lane counted: of a counter that was never enabled there is none."""
    if not lane.enabled:
        return "never enabled"
    return percent(int(lane.counted[-1]) / int(lane.true[-1]) if lane.true[-1] else None)


def _figures(names: Sequence[str], found: Mapping[int, list[Lane]], drawn: Mapping[str, Any]) -> Table | None:
    rows = [
        (
            name, vcpu, f"{int(lane.counted[-1]):,}", f"{int(lane.true[-1]):,}",
            _share(lane),
            len(lane.stalls_ns), len(lane.crossings_ns), len(lane.t_ns), len(line["t"]), count(line["away"]),
        )
        for vcpu, known in found.items()
        for name, lane, line in zip(names, known, drawn[str(vcpu)], strict=True)
    ]  # fmt: skip
    heads = (
        "lane", "vCPU", "counted cycles", "true cycles", "counted", "stalls", "crossings", "samples",
        "points drawn", "farthest sample, cycles",
    )  # fmt: skip
    caption = "All lanes, from the first sample on with the counter enabled, if it ever is"
    return plain_table(caption, heads, 1, rows, folded=True)
