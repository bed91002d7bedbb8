"""From results to the continuity picture: which lanes it shows, and what stands in its head."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from simcore.app.lanes import Lane, lanes
from simcore.app.plotting import check_suffix, continuity, save
from simcore.app.storing import load_runs, replaced_file
from simcore.errors import unknown_name
from simcore.loader import load_platform
from simcore.result import Result

EVERYTHING = "all"
PICTURES = ("continuity.png", "continuity.svg")
"""What commands with `--out` draw of themselves."""


def draw_directory(directory: Path, output: Path, vcpu: int | None, policies: Sequence[str]) -> None:
    """Draw the runs that a result directory keeps into a PNG or SVG file."""
    check_suffix(output)
    with replaced_file(output) as temporary:
        draw(load_runs(directory), temporary, vcpu, policies)


def draw(results: Sequence[Result], path: Path, vcpu: int | None, policies: Sequence[str]) -> None:
    """Draw one vCPU's lanes of some runs of one scenario; `policies` names lanes, none: one of each kind."""
    vcpu = stalled_most(results[0]) if vcpu is None else vcpu
    scenario = results[0].scenario
    platform = load_platform(scenario.platform)
    found = [lane for result in results for lane in lanes(result, platform, vcpu)]
    shown = chosen(found, policies)
    guest = scenario.vms[0].guest
    title = f"PMCCNTR_EL0 of a {guest.name} guest on {platform.name}"
    others = f"; {len(found) - len(shown)} more policies not shown" if len(shown) < len(found) else ""
    subtitle = (
        f"vCPU {vcpu} (of 0 to {scenario.vms[0].vcpus - 1}), {guest.workload}, scheduler {scenario.scheduler}, "
        f"seed {scenario.seed}; a lane for each policy{others}"
    )
    save(continuity(shown, title, subtitle), path)


def stalled_most(result: Result) -> int:
    """Give the number of the first VM's vCPU that stalled longest, the lowest of equals."""
    vpmus = result.tables["vpmus"]
    real = vpmus[(vpmus["policy"] == 0) & (vpmus["vcpu"] < result.scenario.vms[0].vcpus)]
    return int(real["vcpu"][np.argmax(real["stalled_ns"])])


def chosen(found: Sequence[Lane], policies: Sequence[str]) -> list[Lane]:
    """Select lanes by policy (with or without kernel), all of them, or one of each kind of policy."""
    if EVERYTHING in policies:
        return list(found)
    if not policies:
        return one_of_each_kind(found)
    known = {name for lane in found for name in (lane.policy, lane.policy.partition("@")[0])}
    for name in policies:
        if name not in known:
            raise unknown_name("policy", name, known, where="--policies")
    return [lane for lane in found if {lane.policy, lane.policy.partition("@")[0]} & set(policies)]


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
    return lane.died_ns is not None, stalled, int(lane.true[-1])
