"""What stands above the tables of a comparison or a run: what was run, how its guests ended, where its VMs went."""

from collections.abc import Sequence
from textwrap import wrap

from scheduler.vmm_rows import vmm_named
from simcore.app.columns import WIDTH, Row, duration, without_folder


def head(answer: Row, sched: str, baseline: float | None, quick: bool) -> list[str]:
    """Say what was compared."""
    seeds = answer["seeds"]
    base = "" if baseline is None else f"; an unpinned VM without a PMU: {baseline / 1e9:.3f} G instructions/s"
    lines = [
        f"{_described(answer)}, scheduler {sched}",
        f"{_seeds(seeds)} of {answer['seconds']:g} s{base}",
        *_own_choice(answer["vmm"]),
    ]
    if quick:
        lines.insert(0, "QUICK: a rough answer from few seeds and little simulated time; do not quote it")
    if "interrupted" in answer:
        done = answer["interrupted"]
        lines.insert(0, f"INTERRUPTED: stands on {done['finished']} of {done['planned']} runs")
    return lines


def _own_choice(vmm: str) -> list[str]:
    """Say what the policy `default` is where the VMM chooses by itself."""
    means = vmm_named(vmm).default_means
    return wrap(f"default under {vmm}: {means}", WIDTH) if means else []


def run_head(answer: Row) -> list[str]:
    """Say what was run, and how its guests ended."""
    seed = f"seed {answer['seeds'][0]}, {answer['seconds']:g} s"
    others = len(answer["guests"]) - 1
    more = f" (VM 0, beside {others} more)" if others else ""
    return [
        f"{_described(answer)}{more}, scheduler {answer['scheduler']}, {seed}",
        *_own_choice(answer["vmm"]),
        *(
            f"VM {guest['vm']}: {_ending(guest)}; steal {duration(guest['steal_ns'])}, all vCPUs"
            for guest in answer["guests"]
        ),
        *(_went(live) for live in answer["live_migrations"]),
    ]


def run_rows(answer: Row) -> list[Row]:
    """Return the rows of a run's tables; with several VMs each says whose it is, and energy is shown once."""
    rows: list[Row] = answer["policies"]
    if len(rows) == 1:
        return rows
    return [
        row | {"policy": f"VM {row['vm']}: {row['policy']}", "energy_j": row["energy_j"] if row["vm"] == 0 else None}
        for row in rows
    ]


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed {seeds[0]}" if len(seeds) == 1 else f"{len(seeds)} seeds ({seeds[0]}..{seeds[-1]})"


def guest_named(name: str) -> str:
    """Return `windows guest`; the guest `none` is one, too."""
    return "guest none" if name == "none" else f"{without_folder(name)} guest"


def _described(answer: Row) -> str:
    guest = f"{guest_named(answer['guest'])} running {without_folder(answer['workload'])}"
    return f"{without_folder(answer['platform'])}: {guest}, {answer['vcpus']} vCPUs, {answer['vmm']}"


def _went(live: Row) -> str:
    """Say where and when a VM went, and what its guest has there."""
    stopped = f"VM {live['vm']}: stopped at {duration(live['t_ns'])} for {duration(live['resumed_ns'] - live['t_ns'])}"
    return f"{stopped}, then {live['policy']}: {live['init_pmu'] or 'no host PMU alone'}, N {live['pmcr_n']}"


def _ending(guest: Row) -> str:
    if guest["died_ns"] is None:
        return "alive at the end"
    return f"died at {duration(guest['died_ns'])}: {guest['outcome']}"
