"""From the runs of a study to the figures of its points, with 95 % intervals: arrays in, frozen figures out.

A point is one setting of the study's keys; its runs differ in the seed only.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simcore.app.estimating import NOTHING, Estimate, probability, ratio_of_sums
from simcore.run_columns import CATEGORIES

NO_PMU = "none"
POLICY_KEYS = ("vms.0.policy", "vms.0.kernel")

Table = NDArray[np.void]


@dataclass(frozen=True, slots=True)
class Point:
    """Figures of one point; a rate is per second that the guest lived, an Estimate of NaN has no meaning there.

    ``moves_hz``: migrations of a vCPU; ``crossings_hz``: crossings of the VM; ``overhead``: host time for the PMU, in
    CPUs (0.01: a hundredth of one CPU); ``crossing_ns``: host time for the PMU for each crossing; ``speed``:
    instructions per second; ``throughput``: that over the speed of an unpinned VM without a PMU under the same seeds,
    None where the study has none. ``ledger``: guest cycles by `run_columns.CATEGORIES`.
    """

    policy: str
    kernel: str
    keys: Mapping[str, object]
    vcpus: int
    runs: int
    crash: Estimate
    moves_hz: Estimate
    crossings_hz: Estimate
    overhead: Estimate
    crossing_ns: Estimate
    reloads: int
    creations: int
    crossings: int
    stalled: Estimate
    speed: Estimate
    throughput: Estimate | None
    ledger: tuple[int, ...]

    @property
    def label(self) -> str:
        """Name policy and kernel, in short."""
        return short_policy(f"{self.policy}@{self.kernel}")

    @property
    def has_pmu(self) -> bool:
        """Tell whether the guest has a PMU."""
        return self.policy != NO_PMU


def point_of(
    policy: str, kernel: str, vcpus: int, keys: Mapping[str, object], runs: Table, baseline: Table | None = None
) -> Point:
    """Pool the runs of a point (`simcore.run_columns`); `baseline`: those of an unpinned VM without a PMU."""
    lived = runs["lived_ns"]
    return Point(
        policy=policy,
        kernel=kernel,
        keys=dict(keys),
        vcpus=vcpus,
        runs=len(runs),
        crash=probability(int(np.count_nonzero(runs["crashed"])), len(runs)),
        moves_hz=ratio_of_sums([runs["migrations"]], [lived], 1e9 / vcpus),
        crossings_hz=ratio_of_sums([runs["crossings"]], [lived], 1e9),
        overhead=ratio_of_sums([runs["overhead_ns"]], [lived]),
        crossing_ns=ratio_of_sums([runs["overhead_ns"]], [runs["crossings"]]),
        reloads=int(runs["reloads"].sum()),
        creations=int(runs["event_creations"].sum()),
        crossings=int(runs["crossings"].sum()),
        stalled=ratio_of_sums([runs["stalled_ns"]], [runs["enabled_ns"]]),
        speed=ratio_of_sums([runs["instructions"]], [lived], 1e9),
        throughput=None if baseline is None else _throughput(runs, baseline),
        ledger=tuple(int(runs[name].sum()) for name in CATEGORIES),
    )


def _throughput(runs: Table, baseline: Table) -> Estimate:
    """Compare speeds over the seeds that both have."""
    common = np.intersect1d(runs["seed"], baseline["seed"])
    own, other = (table[np.isin(table["seed"], common)] for table in (runs, baseline))
    own, other = np.sort(own, order="seed"), np.sort(other, order="seed")
    if not len(own) or len(own) != len(other):
        return NOTHING
    return ratio_of_sums([own["instructions"], other["lived_ns"]], [own["lived_ns"], other["instructions"]])


def varied(points: Sequence[Point]) -> list[str]:
    """Name the keys that differ among points, in the order of the study."""
    names = dict.fromkeys(name for point in points for name in point.keys)
    return [name for name in names if len({str(point.keys.get(name)) for point in points}) > 1]


def setting(keys: Mapping[str, object], names: Sequence[str]) -> str:
    """Name the values of some keys, in short."""
    return ", ".join(f"{name.rpartition('.')[2]} {short_policy(str(keys[name]))}" for name in names)


def short_policy(label: str) -> str:
    """Shorten a policy's label, or those of the policies that a VM has one after the other: the host PMU's name."""
    for word in ("armv8_", "cortex_", "apple_", "_pmu"):
        label = label.replace(word, "")
    return label


def known(estimate: Estimate) -> bool:
    """Tell whether an estimate has a value."""
    return not math.isnan(estimate.value)
