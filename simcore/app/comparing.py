"""The main job: the same seeds under every policy, each run for real, and one row of figures for each.

Choosing pairs of policy and kernel is in `simcore.app.pairing`, the arithmetic of a row in `simcore.app.aggregating`,
how a row looks in `simcore.app.tables`.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scheduler.vmm_rows import vmm_named
from simcore.app.aggregating import Row, compare_row, speed
from simcore.app.compiling import load_kernels
from simcore.app.finding import FoundBlock, found_blocks
from simcore.app.interrupting import Interruption
from simcore.app.live_plans import then
from simcore.app.metrics import RunMetrics, run_metrics
from simcore.app.pairing import Pair, expand
from simcore.app.pool import each_finished, usable_cpus
from simcore.app.running import run
from simcore.loader import load_platform
from simcore.result import Result
from simcore.scenario import RTAPP, GuestSpec, LiveMigration, Scenario
from workloads.guests import findings_of

SCHEMA = "hetpmu-compare/1"
PICTURE_SAMPLE_NS = 1_000_000

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What `compare` found: a row for each pair, and how many of the planned runs it stands on."""

    scenario: Scenario
    seeds: tuple[int, ...]
    rows: tuple[Row, ...]
    pairs: tuple[Pair, ...]
    left_out: tuple[str, ...]
    baseline: float | None
    finished: int
    planned: int
    picture_seed: int
    sensitivity: Row | None = None

    @property
    def interrupted(self) -> bool:
        """Tell whether runs are missing."""
        return self.finished < self.planned

    @property
    def blocks(self) -> list[FoundBlock]:
        """Return what the guest found, for the table."""
        return found_blocks((self.scenario.vms[0].guest, row) for row in self.rows)

    def as_json(self) -> dict[str, Any]:
        """Give the object that `compare --json` writes."""
        vm = self.scenario.vms[0]
        answer: dict[str, Any] = {
            "schema": SCHEMA,
            "platform": self.scenario.platform,
            "guest": vm.guest.name,
            "workload": vm.guest.workload,
            "vmm": vm.vmm,
            "vcpus": vm.vcpus,
            "seconds": self.scenario.seconds_ns / 1e9,
            "seeds": list(self.seeds),
            "policies": list(self.rows),
        }
        if self.interrupted:
            answer["interrupted"] = {"finished": self.finished, "planned": self.planned}
        if self.sensitivity is not None:
            answer["sensitivity"] = self.sensitivity
        return answer


def compare(
    scenario: Scenario | None = None,
    *,
    policies: Sequence[str] = (),
    kernels: Sequence[str] = (),
    seeds: Sequence[int] = tuple(range(1, 21)),
    workers: int | None = None,
    progress: Progress | None = None,
    stop: Interruption | None = None,
) -> Comparison:
    """Run a scenario under every policy (all that apply when none is named) with common seeds.

    `scenario` decides everything but the policy, the kernel and the seed of its first VM.
    """
    base = scenario or Scenario()
    vmm = vmm_named(base.vms[0].vmm)
    pairs, left_out = expand(load_platform(base.platform), policies, kernels, vmm)
    grid = [placed(base, pair, seed) for seed in seeds for pair in (None, *pairs)]
    found = measure_all(grid, workers, progress, stop)
    runs = by_pair(found, pairs, len(seeds))
    baseline = speed(runs[None])
    return Comparison(
        scenario=base,
        seeds=tuple(seeds),
        rows=tuple(row_of(base, pair, runs[pair], baseline) for pair in pairs),
        pairs=tuple(pairs),
        left_out=tuple(left_out),
        baseline=baseline,
        finished=len(found),
        planned=len(grid),
        picture_seed=picture_seed(found, pairs, seeds),
    )


def row_of(base: Scenario, pair: Pair, runs: Sequence[RunMetrics], baseline: float | None) -> Row:
    """Give the row of a pair, under the name of all policies that its VM has one after the other."""
    policy, _, kernel = then(placed(base, pair, base.seed), pair.label).rpartition("@")
    return compare_row(policy, kernel, runs, baseline, findings_of(base.vms[0].guest))


def placed(base: Scenario, pair: Pair | None, seed: int) -> Scenario:
    """Give the scenario of one run; without a pair, that of the baseline: unpinned and without a PMU."""
    first, *others = base.vms
    if pair is None:
        changed = dataclasses.replace(first, policy=None, cpus=None, shadows=(), guest=without_pmu(first.guest))
        base = dataclasses.replace(base, live_migrations=tuple(map(_to_no_pmu, base.live_migrations)))
    else:
        changed = dataclasses.replace(first, policy=pair.policy, kernel=pair.kernel)
    return dataclasses.replace(base, vms=(changed, *others), seed=seed)


def _to_no_pmu(live: LiveMigration) -> LiveMigration:
    """The VM that is compared takes no PMU along: the same downtime, and nothing to restore."""
    return live if live.vm else dataclasses.replace(live, policy="none", kernel=None)


def without_pmu(guest: GuestSpec) -> GuestSpec:
    """Give the guest of the baseline: the same work and sleep, and for a calibration as long a spin, without a PMU."""
    if guest.name.startswith(f"{RTAPP}:"):
        return guest
    boot_ns = guest.boot_ns + (guest.window_ns if guest.name == "windows" else 0)
    return dataclasses.replace(guest, name="none", boot_ns=boot_ns)


def measure_all(
    scenarios: Sequence[Scenario], workers: int | None, progress: Progress | None, stop: Interruption | None
) -> dict[int, RunMetrics]:
    """Give the figures of each scenario's run by its index; those not finished before an interruption are absent."""
    found: dict[int, RunMetrics] = {}
    tell = progress or _silent
    tell(0, len(scenarios))
    load_kernels(scenarios[0])
    for index, figures in each_finished(measure, scenarios, workers or usable_cpus(), stop or Interruption()):
        found[index] = figures
        tell(len(found), len(scenarios))
    return found


def measure(scenario: Scenario) -> RunMetrics:
    """Run once and keep the figures only."""
    return run_metrics(run(scenario))


def by_pair(found: Mapping[int, RunMetrics], pairs: Sequence[Pair], seeds: int) -> dict[Pair | None, list[RunMetrics]]:
    """Sort the figures of a grid (seed by seed, the baseline first) by pair, in the order of seeds."""
    columns = (None, *pairs)
    return {
        pair: [found[index] for index in range(column, seeds * len(columns), len(columns)) if index in found]
        for column, pair in enumerate(columns)
    }


def picture_runs(
    comparison: Comparison, workers: int | None, stop: Interruption | None
) -> Iterator[tuple[int, Result]]:
    """Run the seed of the picture again under every policy, sampled finely; sampling changes nothing else.

    Yields (index of the pair, result) as runs finish.
    """
    sampled = dataclasses.replace(comparison.scenario, sample_ns=PICTURE_SAMPLE_NS)
    scenarios = [placed(sampled, pair, comparison.picture_seed) for pair in comparison.pairs]
    return each_finished(run, scenarios, workers or usable_cpus(), stop or Interruption())


def picture_seed(found: Mapping[int, RunMetrics], pairs: Sequence[Pair], seeds: Sequence[int]) -> int:
    """Choose the seed in which the default policy stalls most and the guest lives; else dies; else the first."""
    column = next((index for index, pair in enumerate(pairs, 1) if pair.policy == "default"), 0)
    known = [(seed, found.get(row * (len(pairs) + 1) + column)) for row, seed in enumerate(seeds)]
    stalled = [(seed, figures) for seed, figures in known if figures is not None and figures.stalled_ns]
    ranked = sorted(stalled, key=lambda item: (item[1].crashed, -item[1].stalled_ns))
    return [*(seed for seed, _ in ranked), *seeds][0]


def _silent(done: int, planned: int) -> None:
    """Report no progress."""
