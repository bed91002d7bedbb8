"""How the verdict of a comparison moves when what was assumed is a quarter or four times as much.

Every variant runs the same few seeds under every pair, baseline included; the answer is a range for each figure.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from pmu.host import Host
from pmu.policies import BEFORE_INIT, parse
from simcore.app.aggregating import Row, speed
from simcore.app.comparing import Comparison, Progress, by_pair, measure_all, placed, row_of
from simcore.app.interrupting import Interruption
from simcore.app.pairing import Pair
from simcore.costs import COST_NAMES
from simcore.loader import load_platform
from simcore.scenario import GuestSpec, Scenario

SEEDS = 4
FACTORS = ((1, 4), (4, 1))
NOTE = "one assumption at a time at 1/4 and 4 times its value; every VCPU_INIT on one cluster"
UNCHANGED = "nothing"
IDLE_POWERS = ("wfi_power", "sleep_power")


@dataclass(frozen=True, slots=True)
class Variant:
    """A scenario in which one thing differs; variants of one parameter make one range."""

    parameter: str
    scenario: Scenario


def variants(base: Scenario) -> list[Variant]:
    """Give the unchanged scenario first, then two or more for each assumption."""
    spans = [*_guest_spans(base, "calibration window", "window_ns"), *_guest_spans(base, "boot before it", "boot_ns")]
    numbers = [*_scaled(base, "costs", "cost", COST_NAMES), *_scaled(base, "idle", "idle", IDLE_POWERS)]
    return [Variant(UNCHANGED, base), *spans, *_wake_rates(base), *_placements(base), *numbers]


def _guest_spans(base: Scenario, parameter: str, field: str) -> list[Variant]:
    span_ns = getattr(base.vms[0].guest, field)
    return [Variant(parameter, with_guest(base, **{field: max(1, span_ns * up // down)})) for up, down in FACTORS]


def _wake_rates(base: Scenario) -> list[Variant]:
    """A vCPU that sleeps four times as long, and computes four times as long in between, wakes a quarter as often."""
    guest = base.vms[0].guest
    return [
        Variant(
            "wake rate",
            with_guest(
                base,
                sleep_ns=max(1, guest.sleep_ns * up // down),
                quanta_per_wake=max(1, guest.quanta_per_wake * up // down),
            ),
        )
        for up, down in FACTORS
    ]


def _placements(base: Scenario) -> list[Variant]:
    first, *others = base.vms
    cpus = load_platform(base.platform).cpus
    clusters = dict.fromkeys(cpu.cluster for cpu in cpus if first.cpus is None or cpu.number in first.cpus)
    return [
        Variant(
            "core of VCPU_INIT",
            dataclasses.replace(base, vms=(dataclasses.replace(first, init_placement=place), *others)),
        )
        for place in ("uniform", *clusters)
    ]


def _scaled(base: Scenario, part: str, title: str, names: Sequence[str]) -> list[Variant]:
    """Vary the numbers of these names in one part of a scenario."""
    numbers = getattr(base, part)
    return [
        Variant(
            f"{title} {name}",
            dataclasses.replace(
                base, **{part: dataclasses.replace(numbers, **{name: getattr(numbers, name) * up // down})}
            ),
        )
        for name in names
        for up, down in FACTORS
    ]


def _possible(scenario: Scenario, host: Host) -> Scenario:
    """Give up a place for VCPU_INIT where the policy has pinned the threads before."""
    first, *others = scenario.vms
    if parse(first.policy or "none", host, first.kernel).pins != BEFORE_INIT:
        return scenario
    return dataclasses.replace(scenario, vms=(dataclasses.replace(first, init_placement="uniform"), *others))


def with_guest(base: Scenario, **changes: int) -> Scenario:
    """Give the scenario with other parameters of the first VM's guest."""
    first, *others = base.vms
    guest: GuestSpec = dataclasses.replace(first.guest, **changes)  # type: ignore[arg-type]
    return dataclasses.replace(base, vms=(dataclasses.replace(first, guest=guest), *others))


def sensitivity(
    comparison: Comparison, workers: int | None, progress: Progress | None, stop: Interruption | None
) -> Comparison:
    """Give the comparison with its ranges added."""
    pairs, seeds = comparison.pairs, comparison.seeds[:SEEDS]
    cases = variants(comparison.scenario)
    size = len(seeds) * (len(pairs) + 1)
    host = Host.from_platform(load_platform(comparison.scenario.platform))
    places = [(case, seed, pair) for case in cases for seed in seeds for pair in (None, *pairs)]
    grid = [_possible(placed(case.scenario, pair, seed), host) for case, seed, pair in places]
    found = measure_all(grid, workers, progress, stop)
    rows: list[tuple[Variant, list[Row]]] = []
    for number, case in enumerate(cases):
        own = {index - number * size: figures for index, figures in found.items() if index // size == number}
        runs = by_pair(own, pairs, len(seeds))
        baseline = speed(runs[None])
        if len(own) == size:
            rows.append((case, [row_of(case.scenario, pair, runs[pair], baseline) for pair in pairs]))
    return dataclasses.replace(
        comparison,
        finished=comparison.finished + len(found),
        planned=comparison.planned + len(grid),
        sensitivity={
            "note": f"{NOTE}; {len(seeds)} of the {len(comparison.seeds)} seeds",
            "seeds": list(seeds),
            "rows": ranges(rows, pairs),
        },
    )


def ranges(rows: Sequence[tuple[Variant, list[Row]]], pairs: Sequence[Pair]) -> list[Row]:
    """Give for each pair and parameter the lowest and highest figure, the unchanged scenario's included."""
    parameters = list(dict.fromkeys(case.parameter for case, _ in rows))
    return [
        {
            "policy": rows[0][1][index]["policy"],
            "kernel": rows[0][1][index]["kernel"],
            "parameter": parameter,
            **_spans([row[index] for case, row in rows if case.parameter in (parameter, UNCHANGED)]),
        }
        for index, pair in enumerate(pairs)
        for parameter in parameters
    ]


def _spans(rows: Sequence[Row]) -> Row:
    return {
        "crash_probability": _span([row["crash_probability"]["estimate"] for row in rows]),
        "stalled_fraction": _span([row["stalled_fraction"] for row in rows]),
        "throughput": _span([row["throughput"] for row in rows]),
        "energy_j": _span([row["energy_j"] for row in rows]),
    }


def _span(values: Sequence[float | None]) -> Row | None:
    known = [value for value in values if value is not None]
    return {"low": min(known), "high": max(known)} if known else None
