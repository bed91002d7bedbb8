"""From results to the continuity picture: which lanes it shows, and what stands in its head."""

from collections.abc import Sequence
from pathlib import Path

from simcore.app.lanes import Lane, lanes, one_of_each_kind, stalled_most
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
